"""Runs fastai and writes down what it answers, for `measure.py` to compare ours with.

    python tests/parity/record.py FOLDER [--real] [--data FOLDER]

Runs in an environment with fastai (`make parity` makes one) and imports nothing of this program. Weights and inputs are
drawn by numpy from a seed and stored with the answers, under fastai's own names.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fastai
import numpy as np
import spacy
import torch
from fastai.callback.core import Callback
from fastai.callback.rnn import rnn_cbs
from fastai.callback.schedule import combined_cos
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.optimizer import SGD, Adam
from fastai.text.core import TokenizeWithRules, WordTokenizer, defaults
from fastai.text.data import make_vocab, pad_chunk
from fastai.text.learner import match_embeds
from fastai.text.models.awdlstm import (
    AWD_LSTM,
    EmbeddingDropout,
    RNNDropout,
    WeightDropout,
    awd_lstm_clas_config,
    awd_lstm_clas_split,
    awd_lstm_lm_config,
    awd_lstm_lm_split,
)
from fastai.text.models.core import get_language_model, get_text_classifier
from safetensors.numpy import save_file as save_contiguous
from sentences import SENTENCES
from texts import real_texts
from torch import Tensor, nn

Arrays = dict[str, np.ndarray]
DROPS = ("embed_p", "input_p", "hidden_p", "weight_p", "output_p")
ALPHA, BETA = 2.0, 1.0
# As good as 0: with 0 itself the wrapped layer takes the raw weight for a parameter of its own and cannot be reset.
NO_WEIGHT_DROP = 1e-12


@dataclass(frozen=True)
class Sizes:
    """`lengths` are those of the documents that the classifier reads alone; one is beyond `max_length`."""

    vocabulary: int
    embedding: int
    hidden: int
    layers: int
    batch: int
    time: int
    bptt: int
    max_length: int
    lengths: tuple[int, ...]
    head: int = 50
    classes: int = 3
    seed: int = 11


TINY = Sizes(60, 8, 12, 3, 3, 9, 7, 21, (1, 3, 7, 8, 21, 22, 45, 64))
REAL = Sizes(60_008, 400, 1152, 3, 2, 20, 16, 48, (1, 9, 16, 40, 75), seed=12)


def fill(model: nn.Module, rng: np.random.Generator) -> None:
    """Uniform weights, large enough for every gate and every logit to move."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(torch.from_numpy(_weights(name, tuple(value.shape), rng)))
        for name, value in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                low, high = (-0.2, 0.2) if name.endswith("mean") else (0.5, 1.5)
                value.copy_(torch.from_numpy(rng.uniform(low, high, tuple(value.shape)).astype(np.float32)))
    if hasattr(model, "reset"):
        model.reset()


def _weights(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    bound = 0.5 if len(shape) == 1 else (4 if "encoder" in name else 2) / math.sqrt(shape[1])
    centre = 1.0 if name.endswith((".0.0.weight", ".1.0.weight")) else 0.0
    return rng.uniform(centre - bound, centre + bound, shape).astype(np.float32)


def arrays(tensors: Iterable[tuple[str, Tensor]], under: str) -> Arrays:
    return {f"{under}/{name}": value.detach().numpy().copy() for name, value in tensors}


def without_dropout(config: dict[str, Any], sizes: Sizes, **drops: float) -> dict[str, Any]:
    """fastai's configuration at our sizes, all dropouts 0 but those in `drops`."""
    shape = {"emb_sz": sizes.embedding, "n_hid": sizes.hidden, "n_layers": sizes.layers}
    return {**config, **shape, **dict.fromkeys(DROPS, 0.0), "weight_p": NO_WEIGHT_DROP, **drops}


def new_language_model(sizes: Sizes, **drops: float) -> nn.Module:
    return get_language_model(AWD_LSTM, sizes.vocabulary, without_dropout(awd_lstm_lm_config, sizes, **drops))


def new_classifier(sizes: Sizes) -> nn.Module:
    return get_text_classifier(
        AWD_LSTM, sizes.vocabulary, sizes.classes, sizes.bptt, without_dropout(awd_lstm_clas_config, sizes),
        lin_ftrs=[sizes.head], ps=[0.0], max_len=sizes.max_length,
    )  # fmt: skip


class Gradients(Callback):
    """Keeps the loss, what was differentiated, and the gradients of the last batch."""

    def after_backward(self) -> None:
        self.reported, self.differentiated = self.learn.loss.item(), self.learn.loss_grad.item()
        self.kept = [(name, p.grad.clone()) for name, p in self.learn.model.named_parameters() if p.grad is not None]


def learner(model: nn.Module, batches: list[Any], split: Callable[..., Any], cbs: list[Any]) -> Learner:
    loader = DataLoader(batches, bs=None, num_workers=0)
    loss = CrossEntropyLossFlat()
    return Learner(DataLoaders(loader, loader), model, loss, splitter=split, cbs=cbs, train_bn=True)


def fit(learn: Learner, **options: Any) -> None:
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, **options)


def language_model(sizes: Sizes) -> tuple[Arrays, dict[str, Any]]:
    """Three consecutive windows read with carried state; loss and gradients of the last in training."""
    rng = np.random.default_rng(sizes.seed)
    model = new_language_model(sizes)
    fill(model, rng)
    stream = torch.from_numpy(rng.integers(2, sizes.vocabulary, (sizes.batch, 3 * sizes.time + 1)))
    found = arrays(model.state_dict().items(), "lm/weights") | {"lm/stream": stream.numpy()}
    starts = range(0, 3 * sizes.time, sizes.time)
    windows = [(stream[:, i : i + sizes.time], stream[:, i + 1 : i + sizes.time + 1]) for i in starts]
    model.eval()
    with torch.no_grad():
        for index, (ids, _) in enumerate(windows):
            logits, raw, _ = model(ids)
            found |= arrays([("logits", logits), ("encoder", raw)], f"lm/{index}")
    gradients = Gradients()
    fit(learner(model, windows, awd_lstm_lm_split, [*rnn_cbs(ALPHA, BETA), gradients]), lr=0.0, wd=0.0)
    found |= arrays(gradients.kept, "lm/gradients")
    return found, {"loss": gradients.reported, "differentiated": gradients.differentiated}


def classifier(sizes: Sizes) -> tuple[Arrays, dict[str, Any]]:
    """Scores of each document alone, and padded; loss, gradients and norm statistics of a batch of equal lengths."""
    rng = np.random.default_rng(sizes.seed + 100)
    model = new_classifier(sizes)
    fill(model, rng)
    documents = [torch.from_numpy(rng.integers(2, sizes.vocabulary, (length,))) for length in sizes.lengths]
    found = arrays(model.state_dict().items(), "classifier/weights")
    found |= arrays(((str(i), document) for i, document in enumerate(documents)), "classifier/documents")
    model.eval()
    longest_first = sorted(range(len(documents)), key=lambda i: -len(documents[i]))
    width = max(sizes.lengths)
    padded = torch.stack([pad_chunk(documents[i], seq_len=sizes.bptt, pad_len=width) for i in longest_first])
    with torch.no_grad():
        found["classifier/scores"] = torch.cat([model(document[None])[0] for document in documents]).numpy()
        found["classifier/padded_scores"] = model(padded)[0][np.argsort(longest_first)].numpy()
    length = 2 * sizes.max_length + 3
    ids = torch.from_numpy(rng.integers(2, sizes.vocabulary, (8, length)))
    truth = torch.arange(8) % sizes.classes
    found |= {"classifier/batch": ids.numpy(), "classifier/truth": truth.numpy()}
    gradients = Gradients()
    fit(learner(model, [(ids, truth)], awd_lstm_clas_split, [*rnn_cbs(), gradients]), lr=0.0, wd=0.0)
    found |= arrays(gradients.kept, "classifier/gradients")
    found |= arrays(((n, b) for n, b in model.named_buffers() if "running" in n), "classifier/after")
    return found, {"loss": gradients.reported}


def penalties() -> tuple[Arrays, dict[str, Any]]:
    """AR and TAR of one training step with output dropout on, so that dropped and raw output differ."""

    class Outputs(Callback):
        order = rnn_cbs()[-1].order - 1  # before RNNCallback takes the outputs apart

        def after_pred(self) -> None:
            if self.training:
                self.kept = [value.detach().clone() for value in self.learn.pred]

    rng = np.random.default_rng(5)
    torch.manual_seed(5)
    model = new_language_model(TINY, output_p=0.5)
    fill(model, rng)
    stream = torch.from_numpy(rng.integers(2, TINY.vocabulary, (TINY.batch, TINY.time + 1)))
    outputs, gradients = Outputs(), Gradients()
    batch = (stream[:, :-1], stream[:, 1:])
    learn = learner(model, [batch], awd_lstm_lm_split, [*rnn_cbs(ALPHA, BETA), outputs, gradients])
    fit(learn, lr=0.0, wd=0.0)
    found = arrays(zip(("logits", "raw", "dropped"), outputs.kept), "penalty") | {"penalty/targets": batch[1].numpy()}
    one_row = [value[:1] for value in outputs.kept]
    alone = learner(model, [batch], awd_lstm_lm_split, rnn_cbs(ALPHA, BETA))
    return found, {
        "loss": gradients.reported,
        "differentiated": gradients.differentiated,
        "one_row": _penalty_of(alone, one_row),
    }


def _penalty_of(learn: Learner, outputs: list[Tensor]) -> float:
    """What fastai's own callbacks add to a loss of zero for these outputs."""
    learn.create_opt()
    learn.training, learn.pred, learn.loss_grad = True, outputs, torch.zeros(())
    learn("after_pred")
    learn("after_loss")
    return learn.loss_grad.item()


def dropout_masks() -> dict[str, Any]:
    """Of fastai's own modules: share of zeros, value of what is kept, and how many different rows a mask has."""
    torch.manual_seed(7)
    locked = RNNDropout(0.3).train()(torch.ones(100, 20, 80))
    embedding = nn.Embedding(4000, 6)
    embedding.weight.data.fill_(1.0)
    words = EmbeddingDropout(embedding, 0.3).train()(torch.arange(4000)[None])[0]
    lstm = nn.LSTM(90, 90, batch_first=True)
    lstm.weight_hh_l0.data.fill_(1.0)
    wrapped = WeightDropout(lstm, 0.3).train()
    wrapped(torch.zeros(1, 1, 90))
    return {
        "p": 0.3,
        "locked": _facts(locked[:, 0]) | {"same_over_time": bool((locked == locked[:, :1]).all())},
        "words": _facts(words[:, 0]) | {"whole_rows": bool((words == words[:, :1]).all())},
        "weights": _facts(wrapped.module.weight_hh_l0.detach()),
    }


def _facts(dropped: Tensor) -> dict[str, float]:
    kept = dropped[dropped != 0]
    return {"zeros": 1 - kept.numel() / dropped.numel(), "kept": kept.mean().item(), "count": dropped.numel()}


def dropout_statistics(passes: int) -> Arrays:
    """Mean and standard deviation, over many training passes, of what each dropout alone makes of one text.

    Squares and products of neighbouring time steps are among the numbers: they tell rates and locked masks apart.
    """
    ids = torch.tensor([[5, 9, 5, 30, 9, 5]])
    found: Arrays = {"dropout/ids": ids.numpy(), "dropout/passes": np.array(passes)}
    for drop in DROPS:
        torch.manual_seed(3)
        model = new_language_model(TINY, **{drop: 0.4})
        fill(model, np.random.default_rng(TINY.seed))
        model.train()
        with torch.no_grad():
            samples = torch.stack([_sample(model, ids) for _ in range(passes)]).double()
        found[f"dropout/{drop}/mean"] = samples.mean(0).numpy()
        found[f"dropout/{drop}/std"] = samples.std(0).numpy()
    return found


def _sample(model: nn.Module, ids: Tensor) -> Tensor:
    model.reset()
    logits, raw, dropped = model(ids)
    parts = (raw, raw**2, dropped**2, dropped[:, 1:] * dropped[:, :-1], logits[..., :8])
    return torch.cat([part[0].flatten() for part in parts])


def optimizers() -> tuple[Arrays, dict[str, Any]]:
    """A matrix and a vector through five steps of each optimizer, rate and momentum changing as in a one-cycle."""
    rng = np.random.default_rng(2)
    start = {"matrix": rng.normal(size=(6, 5)), "vector": rng.normal(size=5)}
    gradients = {name: rng.normal(size=(5, *value.shape)) * 1e-3 for name, value in start.items()}
    rates, momenta = [1e-3, 1e-2, 3e-2, 1e-2, 1e-3], [0.8, 0.75, 0.7, 0.75, 0.8]
    found = {f"optimizer/start/{n}": v.astype(np.float32) for n, v in start.items()}
    found |= {f"optimizer/gradients/{n}": v.astype(np.float32) for n, v in gradients.items()}
    for name, make in OPTIMIZERS.items():
        values = [torch.from_numpy(found[f"optimizer/start/{n}"]).clone().requires_grad_() for n in start]
        optimizer = make([[values[0]], [values[1]]])
        optimizer.state[values[1]]["do_wd"] = False
        for step, (rate, momentum) in enumerate(zip(rates, momenta)):
            optimizer.set_hypers(lr=rate, mom=momentum)
            for value, n in zip(values, start):
                value.grad = torch.from_numpy(found[f"optimizer/gradients/{n}"][step]).clone()
            optimizer.step()
        found |= arrays(zip(start, values), f"optimizer/{name}")
    facts = {"rates": rates, "momenta": momenta, "weight_decay": 0.1, "eps": 1e-5, "sqr_mom": 0.99}
    return found, facts


OPTIMIZERS = {
    "adamw": lambda groups: Adam(groups, lr=0.1, wd=0.1),
    "adam": lambda groups: Adam(groups, lr=0.1, wd=0.1, decouple_wd=False),
    "sgd": lambda groups: SGD(groups, lr=0.1, mom=0.9, wd=0.1, decouple_wd=False),
}


def schedules() -> dict[str, Any]:
    """Shares of the rate, and momenta, with the defaults of fit_one_cycle and fit_flat_cos."""
    curves: dict[str, Callable[[float], float]] = {
        "rate": combined_cos(0.25, 1 / 25, 1.0, 1e-5),
        "momentum": combined_cos(0.25, 0.95, 0.85, 0.95),
        "momentum_text": combined_cos(0.25, 0.8, 0.7, 0.8),
        "flat": combined_cos(0.75, 1.0, 1.0, 1e-5),
    }
    return {
        name: {str(total): [float(curve(step / total)) for step in range(total)] for total in (10, 100, 1000)}
        for name, curve in curves.items()
    }


class Hypers(Callback):
    """The rate of every group and the momentum at each batch, as they are applied."""

    def before_fit(self) -> None:
        self.rates: list[list[float]] = []
        self.momenta: list[float] = []
        self.trained: list[bool] = []

    def after_pred(self) -> None:
        if self.training:
            self.rates.append([float(hyper["lr"]) for hyper in self.opt.hypers])
            self.momenta.append(float(self.opt.hypers[-1]["mom"]))
            self.trained = [all(p.requires_grad for p in group) for group in self.opt.param_lists]


def fits() -> dict[str, Any]:
    """What fit_one_cycle applies to the five groups of a classifier: two epochs of five batches."""
    rng = np.random.default_rng(8)
    model = new_classifier(TINY)
    fill(model, rng)
    ids = torch.from_numpy(rng.integers(2, TINY.vocabulary, (4, 12)))
    batches = [(ids, torch.arange(4) % TINY.classes)] * 5
    found = {}
    for name, rate in {"range": slice(0.01 / 2.6**4, 0.01), "slice": slice(0.01), "one": 0.01}.items():
        hypers = Hypers()
        learn = learner(model, batches, awd_lstm_clas_split, [*rnn_cbs(), hypers])
        learn.create_opt()
        learn.freeze_to({"range": 0, "slice": -2, "one": -1}[name])
        with learn.no_bar(), learn.no_logging():
            learn.fit_one_cycle(2, rate, moms=(0.8, 0.7, 0.8))
        found[name] = {"rates": hypers.rates, "momenta": hypers.momenta, "trained": hypers.trained}
    return found


def groups() -> dict[str, Any]:
    """Names of the parameters of each layer group, and which of them the learner's weight decay spares."""
    found = {}
    lm, documents = new_language_model(TINY), new_classifier(TINY)
    for name, model, split in (("lm", lm, awd_lstm_lm_split), ("classifier", documents, awd_lstm_clas_split)):
        learn = learner(model, [], split, [])
        learn.create_opt()
        names = {parameter: key for key, parameter in model.named_parameters()}
        spared = [names[p] for p, state in learn.opt.state.items() if p in names and state.get("do_wd") is False]
        layers = [sorted(names[p] for p in group) for group in learn.opt.param_lists]
        found[name] = {"groups": layers, "not_decayed": sorted(spared)}
    return found


def mapped_vocabulary() -> tuple[Arrays, dict[str, Any]]:
    """A language model's embedding and bias, moved to another vocabulary."""
    rng = np.random.default_rng(4)
    old = ["xxunk", "xxpad", "the", "cat", "sat", "mat"]
    new = ["xxunk", "xxpad", "cat", "dog", "the", "fish"]
    before = {"0.encoder.weight": rng.normal(size=(6, 4)), "1.decoder.bias": rng.normal(size=6)}
    before = {name: value.astype(np.float32) for name, value in before.items()}
    after = match_embeds({n: torch.from_numpy(v) for n, v in before.items()}, old, new)
    found = {f"mapping/before/{name}": value for name, value in before.items()}
    found |= {f"mapping/after/{name}": after[name].numpy() for name in before}
    return found, {"old": old, "new": new}


def tokenized(texts: list[str]) -> list[tuple[str, list[str]]]:
    """(text after the rules, tokens) of each text."""
    tokenize = TokenizeWithRules(WordTokenizer())
    processed = []
    for text in texts:
        for rule in defaults.text_proc_rules:
            text = rule(text)
        processed.append(text)
    return list(zip(processed, ([str(token) for token in tokens] for tokens in tokenize(texts)), strict=True))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save_file(found: Arrays, path: Path) -> None:
    """safetensors writes an array's memory as it lies, a slice's too."""
    save_contiguous({name: np.ascontiguousarray(value) for name, value in found.items()}, path)


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def record_model(folder: Path, name: str, sizes: Sizes) -> None:
    lm, lm_facts = language_model(sizes)
    save_file(lm, folder / f"{name}-lm.safetensors")
    documents, facts = classifier(sizes)
    save_file(documents, folder / f"{name}-classifier.safetensors")
    write_json(folder / f"{name}.json", {"sizes": asdict(sizes), "lm": lm_facts, "classifier": facts})


def record_facts(folder: Path) -> None:
    penalty, penalty_facts = penalties()
    steps, step_facts = optimizers()
    mapping, mapping_facts = mapped_vocabulary()
    save_file(penalty | steps | mapping | dropout_statistics(8000), folder / "parts.safetensors")
    write_json(folder / "facts.json", {
        "versions": {
            "fastai": fastai.__version__, "torch": torch.__version__, "spacy": spacy.__version__,
            "numpy": np.__version__, "python": platform.python_version(),
        },
        "alpha": ALPHA, "beta": BETA, "penalty": penalty_facts, "optimizer": step_facts, "mapping": mapping_facts,
        "dropout": dropout_masks(), "schedules": schedules(), "fits": fits(), "groups": groups(),
    })  # fmt: skip


def record_texts(folder: Path, data: Path | None) -> None:
    rows = [[text, *answer] for text, answer in zip(SENTENCES, tokenized(SENTENCES), strict=True)]
    write_json(folder / "sentences.json", rows)
    counts = Counter(token for _, _, tokens in rows for token in tokens)
    words = make_vocab(counts, min_freq=2, max_vocab=60_000)
    write_json(folder / "vocabulary.json", {"counts": counts, "words": words})
    if data is None:
        return
    names, texts = zip(*real_texts(data), strict=True)
    answers = tokenized(list(texts))
    hashes = [[digest(text), digest("\n".join(tokens)), len(tokens)] for text, tokens in answers]
    write_json(folder / "texts.json", [[name, *row] for name, row in zip(names, hashes, strict=True)])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--real", action="store_true", help="also at the sizes of the published model")
    arguments.add_argument("--data", type=Path, help="folder of the public data sets")
    options = arguments.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    record_texts(options.folder, options.data)
    record_facts(options.folder)
    record_model(options.folder, "tiny", TINY)
    if options.real:
        record_model(options.folder, "real", REAL)


if __name__ == "__main__":
    main()
