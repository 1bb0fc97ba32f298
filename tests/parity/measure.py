"""Compares this program's arithmetic with what fastai answered (`record.py`): one function a claim, one row each.

    python -m tests.parity.measure FOLDER [--data FOLDER] [--write]

Prints a Markdown table, puts it into docs/parity.md with --write, and fails where a row is out of bounds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import safetensors.numpy
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.page import write_between
from tests.parity.texts import real_texts
from ulmfit_core.config import ClassifySettings, ModelSettings, PhaseSettings, PretrainSettings, StageSettings
from ulmfit_core.models import bundle
from ulmfit_core.models.awd_lstm import detach
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.models.dropout import dropout, locked_dropout, word_mask
from ulmfit_core.models.language_model import LanguageModel, LanguageOutput, activation_penalty
from ulmfit_core.models.mapping import rows_of, take_rows
from ulmfit_core.text import rules
from ulmfit_core.text.words import choose, split
from ulmfit_core.training.optimizers import make_optimizer, set_rates
from ulmfit_core.training.plan import make_plan
from ulmfit_core.training.schedules import schedule

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"
NO_DROPS = {f"{name}_drop": 0.0 for name in ("embedding", "input", "hidden", "weight", "output")}
KNOB_OF = {
    "embed_p": "embedding_drop", "input_p": "input_drop", "hidden_p": "hidden_drop", "weight_p": "weight_drop",
    "output_p": "output_drop",
}  # fmt: skip
PASSES = 500

# fastai's names → ours, in this order; only the first name of a tied weight is taken.
NAMES = (
    (r"^(0\.module|0)\.encoder\.weight$", "encoder.embedding"),
    (r"^(0\.module|0)\.rnns\.(\d)\.weight_hh_l0_raw$", r"encoder.layers.\2.weight_hh"),
    (r"^(0\.module|0)\.rnns\.(\d)\.module\.(weight_ih|bias_ih|bias_hh)_l0$", r"encoder.layers.\2.\3"),
    (r"^1\.decoder\.bias$", "bias"),
    (r"^1\.layers\.0\.0\.(.*)$", r"head.norm1.\1"),
    (r"^1\.layers\.0\.[12]\.weight$", "head.linear1.weight"),
    (r"^1\.layers\.1\.0\.(.*)$", r"head.norm2.\1"),
    (r"^1\.layers\.1\.[12]\.weight$", "head.linear2.weight"),
)


@dataclass(frozen=True)
class Row:
    """`difference` must not be above `bound`; `largest` is the largest number compared, `unit` what they are in."""

    shape: str
    largest: float
    difference: float
    bound: float
    unit: str = ""

    @property
    def within(self) -> bool:
        return self.difference <= self.bound


@dataclass(frozen=True)
class Recording:
    """One folder of fastai's answers, at the tiny or the real size."""

    folder: Path
    size: str = "tiny"

    @cached_property
    def facts(self) -> dict[str, Any]:
        return read_json(self.folder / "facts.json")

    @cached_property
    def described(self) -> dict[str, Any]:
        return read_json(self.folder / f"{self.size}.json")

    @property
    def sizes(self) -> dict[str, Any]:
        return self.described["sizes"]

    @cached_property
    def lm(self) -> dict[str, Tensor]:
        return self._tensors(f"{self.size}-lm")

    @cached_property
    def classifier(self) -> dict[str, Tensor]:
        return self._tensors(f"{self.size}-classifier")

    @cached_property
    def parts(self) -> dict[str, Tensor]:
        return self._tensors("parts")

    def _tensors(self, name: str) -> dict[str, Tensor]:
        arrays = safetensors.numpy.load_file(self.folder / f"{name}.safetensors")
        return {key: torch.from_numpy(value) for key, value in arrays.items()}

    def documents(self) -> list[Tensor]:
        return [self.classifier[f"classifier/documents/{i}"] for i in range(len(self.sizes["lengths"]))]

    def windows(self) -> Iterator[tuple[Tensor, Tensor]]:
        stream, time = self.lm["lm/stream"], self.sizes["time"]
        for start in range(0, 3 * time, time):
            yield stream[:, start : start + time], stream[:, start + 1 : start + time + 1]

    def network(self) -> ModelSettings:
        return ModelSettings(**{name: self.sizes[name] for name in ("embedding", "hidden", "layers")})


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors below `prefix` with our names; fastai's second names of tied weights are left out."""
    found = {}
    for key, value in tensors.items():
        if key.startswith(prefix + "/"):
            for pattern, name in NAMES:
                if re.match(pattern, key[len(prefix) + 1 :]):
                    found[re.sub(pattern, name, key[len(prefix) + 1 :])] = value
    return found


def compare(pairs: Iterable[tuple[Any, Any]], bound: float, unit: str = "") -> Row:
    """The largest absolute difference over pairs of (ours, fastai's)."""
    tensors = [(torch.as_tensor(ours).detach().double(), torch.as_tensor(theirs).double()) for ours, theirs in pairs]
    assert tensors and all(ours.shape == theirs.shape for ours, theirs in tensors)
    shapes = list(dict.fromkeys("×".join(map(str, theirs.shape)) or "1" for _, theirs in tensors))
    shape = ", ".join(shapes[:3]) + (", …" if len(shapes) > 3 else "")
    largest = max(float(theirs.abs().max()) for _, theirs in tensors)
    return Row(shape, largest, max(float((ours - theirs).abs().max()) for ours, theirs in tensors), bound, unit)


def language_model(recording: Recording, settings: PretrainSettings | None = None) -> LanguageModel:
    settings = settings or PretrainSettings(**NO_DROPS)
    model = bundle.new_language_model(recording.network(), recording.sizes["vocabulary"], settings)
    model.load_state_dict(under(recording.lm, "lm/weights"))
    return model


def classifier(recording: Recording) -> Classifier:
    sizes = recording.sizes
    settings = ClassifySettings(
        **NO_DROPS, head_drop=0.0, head=sizes["head"], bptt=sizes["bptt"], max_length=sizes["max_length"]
    )
    encoder = bundle.new_encoder(recording.network(), sizes["vocabulary"])
    model = bundle.new_classifier(encoder, sizes["classes"], settings)
    model.load_state_dict(under(recording.classifier, "classifier/weights"))
    return model


def lm_outputs(recording: Recording) -> Iterator[tuple[int, LanguageOutput]]:
    """What our model makes of each window, the state carried from one to the next."""
    model = language_model(recording).eval()
    state = model.encoder.initial_state(recording.sizes["batch"])
    with torch.inference_mode():
        for index, (ids, _) in enumerate(recording.windows()):
            output = model(ids, state)
            state = output.state
            yield index, output


def encoder_output(recording: Recording) -> Row:
    return compare(((out.raw, recording.lm[f"lm/{i}/encoder"]) for i, out in lm_outputs(recording)), 1e-5)


def lm_logits(recording: Recording) -> Row:
    return compare(((out.logits, recording.lm[f"lm/{i}/logits"]) for i, out in lm_outputs(recording)), 1e-5)


def trained_window(recording: Recording) -> tuple[LanguageModel, Tensor, Tensor]:
    """The third window in training: model, loss, and what is differentiated."""
    model = language_model(recording).train()
    state = model.encoder.initial_state(recording.sizes["batch"])
    rng = torch.Generator().manual_seed(0)
    for ids, targets in recording.windows():  # noqa: B007  the last window's targets are used below
        output = model(ids, detach(state), rng)
        state = output.state
    loss = F.cross_entropy(output.logits.flatten(0, 1), targets.flatten())
    return model, loss, loss + activation_penalty(output, 2.0, 1.0)


def lm_loss(recording: Recording) -> Row:
    _, loss, differentiated = trained_window(recording)
    facts = recording.described["lm"]
    return compare([(loss, facts["loss"]), (differentiated, facts["differentiated"])], 1e-5)


def lm_gradients(recording: Recording) -> Row:
    model, _, differentiated = trained_window(recording)
    differentiated.backward()
    return compare(gradients(model, under(recording.lm, "lm/gradients")), 1e-4)


def gradients(model: nn.Module, theirs: dict[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
    ours = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert ours.keys() == theirs.keys() and all(gradient is not None for gradient in ours.values())
    return [(ours[name], theirs[name]) for name in theirs]


def padded_scores(recording: Recording) -> Tensor:
    """Our scores of all documents as one padded batch."""
    documents = recording.documents()
    ids = nn.utils.rnn.pad_sequence(documents, batch_first=True, padding_value=1)
    with torch.inference_mode():
        return classifier(recording).eval()(ids, torch.tensor([len(document) for document in documents]))


def scores(recording: Recording) -> Row:
    return compare([(padded_scores(recording), recording.classifier["classifier/scores"])], 1e-5)


def trained_batch(recording: Recording) -> tuple[Classifier, Tensor]:
    model = classifier(recording).train()
    ids, truth = recording.classifier["classifier/batch"], recording.classifier["classifier/truth"]
    lengths = torch.full((len(ids),), ids.shape[1])
    return model, F.cross_entropy(model(ids, lengths, torch.Generator().manual_seed(0)), truth)


def classifier_loss(recording: Recording) -> Row:
    _, loss = trained_batch(recording)
    return compare([(loss, recording.described["classifier"]["loss"])], 1e-5)


def classifier_gradients(recording: Recording) -> Row:
    model, loss = trained_batch(recording)
    loss.backward()
    return compare(gradients(model, under(recording.classifier, "classifier/gradients")), 1e-4)


def norm_statistics(recording: Recording) -> Row:
    model, _ = trained_batch(recording)
    ours = dict(model.named_buffers())
    theirs = under(recording.classifier, "classifier/after")
    return compare([(ours[name], theirs[name]) for name in theirs], 1e-5)


def penalty(recording: Recording) -> Row:
    """fastai's own raw and dropped outputs of one step with output dropout, put through our formulas."""
    logits, raw, dropped, targets = (recording.parts[f"penalty/{n}"] for n in ("logits", "raw", "dropped", "targets"))
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    added = activation_penalty(LanguageOutput(logits, raw, dropped, []), 2.0, 1.0)
    facts = recording.facts["penalty"]
    return compare([(loss, facts["loss"]), (loss + added, facts["differentiated"])], 1e-5)


def mask_facts(recording: Recording) -> Row:
    """Shares of zeros in standard errors, values kept; shapes are asserted."""
    facts, rng = recording.facts["dropout"], torch.Generator().manual_seed(1)
    p = facts["p"]
    locked = locked_dropout(torch.ones(100, 20, 80), p, rng)
    words = word_mask(torch.empty(4000, 6), torch.arange(4000)[None], p, rng)
    weights = dropout(torch.ones(360, 90), p, rng)
    assert facts["locked"]["same_over_time"] and (locked == locked[:, :1]).all()
    assert facts["words"]["whole_rows"] and words.shape == (1, 4000, 1)
    apart = []
    for mask, theirs in ((locked[:, 0], facts["locked"]), (words[0], facts["words"]), (weights, facts["weights"])):
        assert mask.numel() == theirs["count"] and abs(float(mask[mask != 0].mean()) - theirs["kept"]) < 1e-6
        error = (2 * p * (1 - p) / mask.numel()) ** 0.5
        apart.append(abs(float((mask == 0).double().mean()) - theirs["zeros"]) / error)
    return Row("100×1×80, 4000×1, 360×90", 0, max(apart), 4.0, "standard errors")


def dropout_statistics(recording: Recording) -> Row:
    """Means over many training passes under each dropout alone, in standard errors of their difference."""
    deviations = [_deviation(recording, drop) for drop in KNOB_OF]
    count = sum(len(recording.parts[f"dropout/{drop}/mean"]) for drop in KNOB_OF)
    return Row(f"{count} means", 0.0, max(deviations), 5.0, "standard errors")


def _deviation(recording: Recording, drop: str) -> float:
    mean, std = (recording.parts[f"dropout/{drop}/{name}"] for name in ("mean", "std"))
    samples = _samples(recording, drop)
    error = std * (1 / len(samples) + 1 / int(recording.parts["dropout/passes"])) ** 0.5
    return float(((samples.mean(0) - mean).abs() / (error + 1e-6)).max())


def _samples(recording: Recording, drop: str) -> Tensor:
    settings = PretrainSettings(**{**NO_DROPS, KNOB_OF[drop]: 0.4}, drop_mult=1.0)
    model = language_model(recording, settings).train()
    rng, ids = torch.Generator().manual_seed(9), recording.parts["dropout/ids"]
    with torch.no_grad():
        outputs = [model(ids, model.encoder.initial_state(1), rng) for _ in range(PASSES)]
    return torch.stack([_sample(output) for output in outputs]).double()


def _sample(output: LanguageOutput) -> Tensor:
    """The same numbers in the same order as the recorder's."""
    raw, dropped = output.raw, output.dropped
    parts = (raw, raw**2, dropped**2, dropped[:, 1:] * dropped[:, :-1], output.logits[..., :8])
    return torch.cat([part[0].flatten() for part in parts])


def adamw_steps(recording: Recording) -> Row:
    return _steps(recording, "adamw")


def adam_steps(recording: Recording) -> Row:
    return _steps(recording, "adam")


def sgd_steps(recording: Recording) -> Row:
    return _steps(recording, "sgd")


def _steps(recording: Recording, name: str) -> Row:
    """A matrix and a vector, which does not decay, through five steps of the optimizer of that name."""
    parts, facts = recording.parts, recording.facts["optimizer"]
    matrix, vector = (nn.Parameter(parts[f"optimizer/start/{n}"].clone()) for n in ("matrix", "vector"))
    settings = PretrainSettings(optimizer=name, weight_decay=facts["weight_decay"], beta2=facts["sqr_mom"])
    optimizer = make_optimizer([("all", [matrix, vector])], settings)
    for part in optimizer.param_groups:
        part["eps"] = facts["eps"]  # fastai's; ours is smaller, as docs/parity.md says
    for step, (rate, momentum) in enumerate(zip(facts["rates"], facts["momenta"], strict=True)):
        matrix.grad, vector.grad = (parts[f"optimizer/gradients/{n}"][step].clone() for n in ("matrix", "vector"))
        set_rates(optimizer, [rate], momentum, facts["weight_decay"])
        optimizer.step()
    return compare([(v, parts[f"optimizer/{name}/{n}"]) for v, n in ((matrix, "matrix"), (vector, "vector"))], 1e-6)


def one_cycle_curve(recording: Recording) -> Row:
    ours = schedule("one_cycle", StageSettings(pct_start=0.25, momentum=0.8, momentum_low=0.7))
    curves = recording.facts["schedules"]
    pairs = [(_curve(ours.rate, total), values) for total, values in curves["rate"].items()]
    pairs += [(_curve(ours.momentum, total), values) for total, values in curves["momentum_text"].items()]
    return compare(pairs, 1e-6)


def flat_curve(recording: Recording) -> Row:
    ours = schedule("flat_anneal", StageSettings(flat_share=0.75))
    curves = recording.facts["schedules"]["flat"].items()
    return compare(((_curve(ours.rate, total), values) for total, values in curves), 2e-5)


def _curve(curve: Callable[[int, int], float], total: str) -> list[float]:
    return [curve(step, int(total)) for step in range(int(total))]


def range_of_rates(recording: Recording) -> Row:
    """The rates of five groups and the momentum through two epochs of five steps, slice(lr/2.6⁴, lr)."""
    settings = ClassifySettings(lr_max=0.01, lr_min=0.01 / 2.6**4, schedule="one_cycle", unfreezing="all", epochs=2)
    plan = make_plan(settings, ["embedding", "rnn1", "rnn2", "rnn3", "head"], lambda epoch: 5)
    theirs = recording.facts["fits"]["range"]
    pairs = [([plan.rates(step) for step in range(10)], theirs["rates"])]
    return compare([*pairs, ([plan.momentum(step) for step in range(10)], theirs["momenta"])], 1e-7)


def shares_of_rates(recording: Recording) -> Row:
    """`slice(lr)` is a tenth for all but the last group; here with the last two groups trained."""
    phase = PhaseSettings(epochs=2, groups=2, lr_max=0.01, schedule="one_cycle")
    settings = ClassifySettings(layer_shares=[0.1, 0.1, 0.1, 0.1, 1.0], phases=[phase])
    plan = make_plan(settings, ["embedding", "rnn1", "rnn2", "rnn3", "head"], lambda epoch: 5)
    theirs = recording.facts["fits"]["slice"]
    trained = [index in plan.phases[0].trained for index in range(5)]
    assert trained == theirs["trained"] == [False, False, False, True, True]
    return compare([([plan.rates(s)[3:] for s in range(10)], [rates[3:] for rates in theirs["rates"]])], 1e-7)


def layer_groups(recording: Recording) -> Row:
    """Parameters that stand in another group than in fastai."""
    theirs = recording.facts["groups"]
    ours = {"lm": language_model(recording), "classifier": classifier(recording)}
    different = 0
    for kind, model in ours.items():
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for (_, group), expected in zip(model.groups(), theirs[kind]["groups"], strict=True):
            wanted = under({f"x/{name}": torch.empty(0) for name in expected}, "x").keys()
            different += len({names[id(parameter)] for parameter in group} ^ wanted)
    return Row("4 and 5 groups", 0.0, different, 0, "parameters")


def mapped_vocabulary(recording: Recording) -> Row:
    """Embedding and bias moved to a vocabulary of other words."""
    words, parts = recording.facts["mapping"], recording.parts
    old = parts["mapping/before/0.encoder.weight"]
    model = bundle.new_language_model(ModelSettings(embedding=old.shape[1], hidden=4), len(old), PretrainSettings())
    with torch.no_grad():
        model.encoder.embedding.copy_(old)
        model.bias.copy_(parts["mapping/before/1.decoder.bias"])
    take_rows(model, rows_of(words["old"], words["new"]))
    ours = {"0.encoder.weight": model.encoder.embedding, "1.decoder.bias": model.bias}
    return compare(((value, parts[f"mapping/after/{name}"]) for name, value in ours.items()), 1e-6)


def vocabulary(recording: Recording) -> Row:
    """Places at which a word of another frequency stands; words of one frequency come in another order (alphabet)."""
    found = read_json(recording.folder / "vocabulary.json")
    counts, theirs = Counter(found["counts"]), found["words"]
    ours = choose(counts, 60_000, 2)
    assert set(ours) == set(theirs) and ours[:9] == theirs[:9]
    different = sum(counts[a] != counts[b] for a, b in zip(ours[9:], theirs[9:], strict=True))
    return Row(f"{len(theirs)} words", max(counts.values()), different, 0, "places")


def sentences(recording: Recording) -> Row:
    """Texts that differ after the rules, and texts whose tokens differ."""
    rows = read_json(recording.folder / "sentences.json")
    words = tokens_of(text for text, _, _ in rows)
    texts = sum(prepared(text) != theirs for text, theirs, _ in rows)
    different = texts + sum(ours != theirs for ours, (_, _, theirs) in zip(words, rows, strict=True))
    return Row(f"{len(rows)} texts, {sum(map(len, words)):,} tokens", 0, different, 0, "texts")


def public_texts(recording: Recording, data: Path) -> Row:
    """The same for texts of public data sets, of which the recording holds hashes alone."""
    hashes = {name: rest for name, *rest in read_json(recording.folder / "texts.json")}
    names, texts = zip(*real_texts(data), strict=True)
    assert list(hashes) == list(names), "the data sets are not those that were recorded"
    different = sum(digest(prepared(text)) != hashes[name][0] for name, text in zip(names, texts, strict=True))
    words = tokens_of(texts)
    different += sum(
        digest("\n".join(ours)) != hashes[name][1] or len(ours) != hashes[name][2]
        for name, ours in zip(names, words, strict=True)
    )
    return Row(f"{len(texts)} texts, {sum(map(len, words)):,} tokens", 0, different, 0, "texts")


def prepared(text: str) -> str:
    return f"xxbos {rules.fastai(text)}"


def tokens_of(texts: Iterable[str]) -> list[list[str]]:
    return [["xxbos", *words] for words in split(texts, rules.fastai)]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def fastais_padding(recording: Recording) -> Row:
    """Not of ours: how far fastai's own padded batch is from its answers for each document alone."""
    found = recording.classifier
    return compare([(found["classifier/padded_scores"], found["classifier/scores"])], float("inf"))


Check = Callable[[Recording], Row]

MODEL_CHECKS: dict[str, Check] = {
    "Encoder output, three windows, state carried": encoder_output,
    "Language model logits, three windows, state carried": lm_logits,
    "Language model loss, alone and with AR and TAR": lm_loss,
    "Gradients of the language model, every parameter": lm_gradients,
    "Classifier logits: our padded batch, fastai each document alone": scores,
    "Classifier loss in training": classifier_loss,
    "Gradients of the classifier, every parameter": classifier_gradients,
    "Running statistics of the head's norms after a step": norm_statistics,
}
PART_CHECKS: dict[str, Check] = {
    "AR on the dropped, TAR on the raw output (output dropout .5)": penalty,
    "Dropout masks: shapes, kept values, share of zeros": mask_facts,
    f"Outputs under each dropout alone, {PASSES:,} passes": dropout_statistics,
    "Five steps of AdamW, rate and momentum changing": adamw_steps,
    "Five steps of Adam with L2": adam_steps,
    "Five steps of SGD with L2": sgd_steps,
    "One cycle: rate and momentum, T = 10, 100, 1000": one_cycle_curve,
    "Flat, then cosine, T = 10, 100, 1000": flat_curve,
    "Rates of five groups by range, as fit_one_cycle applies them": range_of_rates,
    "Rates by slice(lr), the last two groups trained": shares_of_rates,
    "Layer groups of language model and classifier": layer_groups,
    "Embedding and bias on another vocabulary": mapped_vocabulary,
    "Vocabulary of words by frequency": vocabulary,
    "Rules `fastai`, text and tokens: short texts of our own": sentences,
}
PUBLIC_TEXTS = "Rules `fastai`, text and tokens: IMDb, AG News, TREC, SMS"
ASIDE: dict[str, Check] = {"For comparison: fastai's padded batch against itself, each document alone": fastais_padding}


def claims(folder: Path, data: Path | None) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Every claim there are recordings for, at every size."""
    for name, check in PART_CHECKS.items():
        yield name, partial(check, Recording(folder))
    if data:
        yield PUBLIC_TEXTS, partial(public_texts, Recording(folder), data)
    for size in ("tiny", "real"):
        if (folder / f"{size}.json").exists():
            recording = Recording(folder, size)
            sizes = recording.sizes
            title = f"{sizes['embedding']}/{sizes['hidden']}/{sizes['layers']}, vocabulary {sizes['vocabulary']:,}"
            for name, check in (MODEL_CHECKS | ASIDE).items():
                yield f"{name} ({title})", partial(check, recording)


def table(rows: Iterable[tuple[str, Row]]) -> str:
    lines = ["| What | Shapes | Largest value | Largest difference | Bound |", "|---|---|---|---|---|"]
    for name, row in rows:
        bound = "-" if row.bound == float("inf") else f"{row.bound:g}"
        largest = f"{row.largest:.3g}" if row.largest else "-"
        lines.append(f"| {name} | {row.shape} | {largest} | {row.difference:.2g} {row.unit} | {bound} |")
    return "\n".join(line.replace("  |", " |") for line in lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--write", action="store_true", help="put the table into docs/parity.md")
    arguments.add_argument("--data", type=Path, help="folder of the public data sets")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    rows = [(name, check()) for name, check in claims(options.folder, options.data)]
    print(table(rows))
    if options.write:
        versions = ", ".join(f"{k} {v}" for k, v in Recording(options.folder).facts["versions"].items())
        write_between(PAGE, "table", f"fastai's side: {versions}.\n\n{table(rows)}")
    failed = [name for name, row in rows if not row.within]
    sys.exit(f"Out of bounds: {'; '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
