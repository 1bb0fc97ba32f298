"""The recipe of the starter, the English language model that ships: from Wikipedia's text to the folder in resources/.

    python benchmarks/starter.py --work FOLDER [--to resources/starter/english] [--minutes 90] [--set KEY=VALUE ...]
    torchrun --standalone --nproc-per-node 2 benchmarks/starter.py --work FOLDER ...    # on several cards
    python benchmarks/starter.py --work FOLDER --trained PROJECT    # a language model that another version trained

One command on a processor, a graphics card or several; the recipe follows the device. With --minutes a short trial
measures the speed here, and as much text is read, as often, as fits into that time with the whole schedule. Stopped
anywhere and given again, it goes on where it was. Then it measures the model on two texts that it has not read and
writes its bundle and model card, with the weights in the smallest of three precisions that changes no loss in its first
three decimals; a model that is too large for these ships in eight bits, with its loss in the card.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import lzma
import math
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import columns
import numpy as np
import peers
import study
import torch
from learn_lm import articles
from study import DATA, Values
from torch.nn import functional as F

from ulmfit_core import __version__, catalog
from ulmfit_core import device as devices
from ulmfit_core.config import Recipe
from ulmfit_core.data import tokens
from ulmfit_core.data.tokens import Tokens
from ulmfit_core.jobs.together import invite, lead_or_follow
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.project import Project
from ulmfit_core.run import Run, Steps, Stopped, read_steps
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import SPACE, Vocabulary
from ulmfit_core.training import distributed
from ulmfit_core.training.trainer import Trainer

SHIPPED = Path("resources/starter/english")
PRECISIONS = ("float32", "float16", "int8")  # the most exact first
CORPUS = "wiki.train.txt.xz"
HELD_OUT = {"wiki.valid.txt.xz": "English Wikipedia, held out", "wikitext2.valid.txt": "WikiText-2, validation file"}
ON_CPU: Values = {
    "data.corpus_words": 27_000_000,
    "vocab.size": 8000, "vocab.sample_mb": 40.0, "model.embedding": 192, "model.hidden": 288, "model.layers": 3,
    "pretrain.batch_size": 16, "pretrain.bptt": 35, "pretrain.schedule": "one_cycle", "pretrain.lr_max": 1e-2,
    "pretrain.drop_mult": 0.1, "pretrain.epochs": 1, "pretrain.threads": 1,
}  # fmt: skip
# The paper's network on the whole corpus, read several times, so with more dropout. 256 columns: of 18,000 tokens a
# language model's gradient is mostly noise still, so that half as many steps of twice the size learn as much, and a
# card, which waits for 70 time steps one after the other, reads twice the rows in little more time. float16: torch's
# autocast runs the LSTM in it whatever format is asked for, and so its gradients are scaled.
ON_CUDA: Values = {
    **ON_CPU, "data.corpus_words": 0, "vocab.size": 16_000, "model.embedding": 400, "model.hidden": 1152,
    "pretrain.batch_size": 256, "pretrain.bptt": 70, "pretrain.lr_max": 5e-3, "pretrain.drop_mult": 0.2,
    "pretrain.precision": "fp16", "pretrain.checkpoint_seconds": 120.0, "pretrain.threads": 0,
}  # fmt: skip
# Share of the given minutes that is spent in training steps: the rest is for validation, checkpoints and the figures.
TRAINED = 0.9
TRIAL_SECONDS = 20.0
# How held-out text is read: in so many columns, whose first tokens begin without a past, and windows of so many tokens.
COLUMNS, WINDOW = 16, 70
MOST_MB = 28
MARKERS = [number for number, name in enumerate(SPECIALS) if name in ("xxrep", "xxwrep", "xxup", "xxmaj")]
Figures = dict[str, float]


# The model


def trained(options: argparse.Namespace) -> Project:
    """The project in the work folder, its language model trained to the end."""
    subject = prepared(options, ON_CUDA if torch.cuda.is_available() else ON_CPU)
    if options.minutes:
        fit_into(options.minutes, subject)
    study.run(subject, "pretrain")
    return subject


def prepared(options: argparse.Namespace, values: Values) -> Project:
    """The project in the work folder with its text encoded. Its own rows are needed by the import alone: the corpus's
    first articles."""
    rows, corpus = options.work / "rows.csv", DATA.absolute() / CORPUS
    if not rows.exists():
        options.work.mkdir(parents=True, exist_ok=True)
        study.write_rows(rows, [(text, "") for text in articles(corpus, 200)])
    subject = study.project(options.work / "project", study.recipe({
        "name": "starter", "data.data": str(rows), "data.text": ["text"], "data.corpus": str(corpus), **values,
        **({} if options.words is None else {"data.corpus_words": options.words}), **dict(options.set),
    }))  # fmt: skip
    for step in ("import", "vocab"):
        study.run(subject, step)
    return subject


# How much of it fits into a given time


@dataclass(frozen=True)
class Plan:
    """`share` of the corpus's tokens, the first ones, is read `epochs` times: as much as `minutes` allow here."""

    minutes: float
    tokens_per_second: float
    epochs: int
    share: float


def fit_into(minutes: float, subject: Project) -> Plan:
    """Cut the encoded corpus and set the epochs so that the training ends in time. Once: a plan that is there is kept,
    whatever the minutes, since a training that is resumed must have the schedule that it began with."""
    path = subject.folder / "plan.json"
    if path.exists():
        plan = Plan(**json.loads(path.read_text()))
    else:
        whole = corpus_of(subject)
        plan = plan_for(minutes, tokens_per_second(subject), len(whole.ids))
        cut(whole, subject, plan.share)
        path.write_text(json.dumps(asdict(plan)))
    print(f"Reads {plan.share:.0%} of the text {plan.epochs} times in {plan.minutes:g} minutes", file=sys.stderr)
    subject.recipe.pretrain.epochs = plan.epochs
    subject.save()
    return plan


def plan_for(minutes: float, speed: float, corpus_tokens: int) -> Plan:
    """Whole epochs, of as much of the corpus as makes them fit."""
    readings = 60 * minutes * TRAINED * speed / corpus_tokens
    epochs = max(1, math.ceil(readings))
    return Plan(minutes, round(speed, 1), epochs, min(1.0, readings / epochs))


def tokens_per_second(subject: Project, step: str = "pretrain") -> float:
    """In the second half of a trial, by all processes together: real steps, whose weights are thrown away."""
    recipe = subject.recipe.model_copy(deep=True)
    getattr(recipe, step).checkpoint_seconds = 1e9
    with tempfile.TemporaryDirectory() as folder:
        steps = first_steps(Project(subject.folder, recipe), step, Path(folder))
        half = len(steps.values) // 2
        if half < 1:
            raise SystemExit("The whole training is a single step: its speed cannot be measured. Give it more text.")
        seconds = float(steps["seconds"][-1] - steps["seconds"][half - 1])
        return float(steps["tokens"][half:].sum()) / seconds


class Trial(Run):
    """A run that stops itself `TRIAL_SECONDS` after its first step, however long that took: it has two at least."""

    began: float | None = None

    def emit_step(self, numbers: Sequence[float]) -> None:
        super().emit_step(numbers)
        seconds = numbers[-1]
        if self.began is None:
            self.began = seconds
        elif seconds - self.began >= TRIAL_SECONDS:
            self.control.stop()


def first_steps(subject: Project, step: str, folder: Path) -> Steps:
    """The steps of a training that is stopped soon after its first one; it leaves nothing but `folder`."""
    run = Trial(folder)
    stage, _ = catalog.resolve("stage", step)(subject, run)
    ranks = invite(subject, run, stage, folder, False, 0)
    with contextlib.suppress(Stopped), ranks.one_fate():
        Trainer(stage, run, folder, devices.best_device(), 0, ranks).fit()
    run.close()
    return read_steps(folder / "steps.f32")


def figures_of(subject: Project, step: str) -> dict[str, Any]:
    """The report of a training step, which is done now if it is not yet; where, and how fast, validation included."""
    report = study.run(subject, step)
    done = subject.finished_run(step)
    assert done is not None
    read = read_steps(done.folder / "steps.f32")["tokens"].sum(dtype=np.float64)
    speed = round(float(read) / report["seconds"], 1)
    return {**report, "tokens": int(read), "tokens_per_second": speed, "device": device_name(subject.recipe)}


def corpus_of(subject: Project) -> Tokens:
    return tokens.open_tokens(subject.tokens_folder, Vocabulary.load(subject.vocab_folder), "corpus")


def cut(whole: Tokens, subject: Project, share: float) -> None:
    """Leave the first documents of the encoded corpus that hold `share` of its tokens, at least ten."""
    kept = max(10, int(np.searchsorted(whole.offsets, share * whole.offsets[-1])))
    folder = subject.tokens_folder / whole.meta["vocabulary"] / "corpus"
    facts = {name: whole.meta[name] for name in ("fingerprint", "vocabulary")}
    tokens.write(folder, (whole[number] for number in range(min(kept, len(whole)))), whole.ids.dtype, facts)


# What it knows of a text that it has not read


def measured(bundle: Bundle, path: Path) -> Figures:
    """Perplexities, bits per character and accuracies over all tokens of a text but the first."""
    texts = articles(path, 100_000)
    ids = np.concatenate(bundle.vocab.encode(texts)).astype(np.int64)
    assert isinstance(bundle.model, LanguageModel)
    loss, guesses = read(bundle.model.to(devices.best_device()), ids)
    hits = np.concatenate([[False], guesses == ids[1:]]) & (ids != bundle.vocab.unk)
    words = sum(len(text.split()) for text in texts)
    return {
        "articles": len(texts), "words": words, "tokens": len(ids), "loss": loss / (len(ids) - 1),
        "perplexity": math.exp(loss / (len(ids) - 1)), "word_perplexity": math.exp(loss / words),
        "bits_per_character": loss / (math.log(2) * sum(map(len, texts))),
        "next_piece_accuracy": float(hits[1:].mean()),
        "next_word_accuracy": word_accuracy(bundle.vocab, ids, np.concatenate([[bundle.vocab.bos], guesses]), hits),
    }  # fmt: skip


def read(model: LanguageModel, ids: np.ndarray) -> tuple[float, np.ndarray]:
    """Summed loss in nats, and the likeliest token at each place but the first: int64, shape (tokens - 1,)."""
    device = model.encoder.embedding.device
    state, loss, guesses = model.eval().encoder.initial_state(COLUMNS), 0.0, []
    with torch.inference_mode():
        for inputs, targets in columns.windows(ids, COLUMNS, WINDOW):
            features = model.read(torch.from_numpy(inputs).to(device), state)
            state, scores = features.state, model.decode(features.dropped).float()
            truth = torch.from_numpy(targets).to(device).flatten()
            loss += float(F.cross_entropy(scores.flatten(0, 1), truth, reduction="sum", ignore_index=columns.IGNORED))
            guesses.append(scores.argmax(-1).cpu().numpy())
    return loss, np.concatenate(guesses, axis=1).flatten()[: len(ids) - 1]


def word_accuracy(vocab: Vocabulary, ids: np.ndarray, guesses: np.ndarray, hits: np.ndarray) -> float:
    """Share of whole words that are written right one likeliest piece after the other, given all that stands before.

    A word is what stands between two spaces, with its capitals and its punctuation. It is right if each of its
    pieces was the likeliest, given those before it, and so was a new word behind the last: just what greedy decoding
    would write. Unknown pieces are wrong. All arrays: shape (tokens,); `guesses` and `hits` are those at each place.
    """
    opens = np.array([piece.startswith(SPACE) for piece in vocab.pieces])
    opens[[*MARKERS, vocab.bos]] = True
    after_marker = np.concatenate([[False], np.isin(ids[:-1], MARKERS)])
    starts = np.flatnonzero(opens[ids] & ~after_marker)
    whole = np.logical_and.reduceat(hits, starts)[:-1]
    ended = opens[guesses[starts[1:]]]
    return float((whole & ended)[ids[starts[:-1]] != vocab.bos].mean())


def shared_titles(path: Path) -> int:
    """How many articles of a text have the title of one in the corpus."""
    return len(titles(path) & titles(DATA / CORPUS))


def titles(path: Path) -> set[str]:
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return {found[1] for line in file if (found := re.fullmatch(r" ?= ([^=].*) =\s*", line))}


# What ships


def write(folder: Path, bundle: Bundle, card: str, precision: str) -> float:
    """Write the bundle with its weights in `precision`. Returns the megabytes that it takes."""
    if precision == "float16":
        bundle.model.half()
    bundles.save(folder, bundle, card, eight_bits=precision == "int8")
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6


def same(full: dict[str, Figures], small: dict[str, Figures]) -> bool:
    return all(round(full[name]["loss"], 3) == round(small[name]["loss"], 3) for name in full)


def chosen(figures: dict[str, dict[str, Figures]], megabytes: dict[str, float]) -> str:
    """The precision to ship in: of those that may ship the first that loses nothing, otherwise the most exact."""
    fitting = [precision for precision in PRECISIONS if megabytes[precision] <= MOST_MB]
    if not fitting:
        raise SystemExit(f"The model has {megabytes['int8']:.1f} MB at best, more than the {MOST_MB} that may ship.")
    lossless = [precision for precision in fitting if same(figures["float32"], figures[precision])]
    return lossless[-1] if lossless else fitting[0]


def ship(subject: Project, options: argparse.Namespace) -> dict[str, Any]:
    """Measure, write the bundle with its card, and say what was found."""
    source = subject.bundle_folder("pretrain")
    files = {name: DATA / name for name in HELD_OUT}
    figures, megabytes = {}, {}
    for precision in PRECISIONS:
        tried = options.work / precision
        megabytes[precision] = write(tried, bundles.load(source), "", precision)
        figures[precision] = {name: measured(bundles.load(tried), path) for name, path in files.items()}
    precision = chosen(figures, megabytes)
    bundle = bundles.load(source)
    training = dict(bundle.facts)
    bundle.facts |= {"figures": figures[precision], "precision": precision}
    bundle.facts |= {"titles_in_corpus": {name: shared_titles(path) for name, path in files.items()}}
    bundle.facts = {**made_here(subject), **bundle.facts}
    size = write(options.to, bundle, card(subject, bundle, training), precision)
    return {"megabytes": round(size, 2), **figures, **bundle.facts}


def made_here(subject: Project) -> dict[str, Any]:
    """What only the machine knows that trained it."""
    return {"corpus_tokens": len(corpus_of(subject).ids), "device": device_name(subject.recipe)}


def card(subject: Project, bundle: Bundle, training: dict[str, Any]) -> str:
    recipe, facts, network = subject.recipe, bundle.facts, bundle.network
    parameters = sum(value.numel() for value in bundle.model.parameters())
    settings = "\n".join(f"- {key}: {value_of(recipe, key)}" for key in ON_CUDA)
    shared = sum(facts["titles_in_corpus"].values())
    return f"""# Starter: an English language model

A forward language model made by ULMFiT Studio {__version__} (torch {torch.__version__}), to begin a classifier of
English text with. It knows English as an encyclopedia writes it; fine-tune it on the texts it is to read.

- network: AWD-{network.cell.upper()}, embedding {network.embedding}, hidden {network.hidden}, layers {network.layers},
  {parameters:,} parameters, written as {facts["precision"]}
- vocabulary: {bundle.vocab.size:,} {bundle.vocab.unit}, hash {bundle.vocab.hash}, rules {bundle.vocab.rules}
- corpus: the first {facts["corpus_tokens"]:,} tokens of a cut of English Wikipedia, read {training["epochs"]} time(s)
  in {training["steps"]:,} steps
- time: {training["seconds"] / 3600:.1f} hours of training on {facts["device"]}
- made by: `python benchmarks/starter.py`, fingerprint {fingerprint_of(subject, training)}, seed {recipe.pretrain.seed}

## On text that it has not read

{table(facts["figures"])}

Perplexity follows the pieces of this vocabulary and is not to be compared with that of another; perplexity by word
(between spaces) and bits per character are. A next word is right if its pieces, each the likeliest after the ones
before, are those of the text to the next space, with capitals and punctuation. Articles of these texts whose title is
one of the corpus's: {shared}.

## Recipe

{settings}

All else is the program's default. A 0 stands for what the program chooses by corpus and device.

## Licence and attribution

The text is by the authors of Wikipedia (https://en.wikipedia.org), licensed CC BY-SA
(https://creativecommons.org/licenses/by-sa/4.0/). The corpus is not part of this folder.
"""


def fingerprint_of(subject: Project, training: dict[str, Any]) -> str:
    """Of the run that made the model, which another version than today's may have counted."""
    return next(info.fingerprint for info in subject.runs() if info.folder.name == training["run"])


def table(figures: dict[str, Figures]) -> str:
    head = "| text | words | perplexity | by word | bits per character | next piece | next word |\n" + "|---" * 7 + "|"
    return "\n".join([head, *(table_row(HELD_OUT[name], found) for name, found in figures.items())])


def table_row(title: str, found: Figures) -> str:
    perplexities = f"{found['perplexity']:.1f} | {found['word_perplexity']:.1f}"
    accuracies = f"{found['next_piece_accuracy']:.3f} | {found['next_word_accuracy']:.3f}"
    return f"| {title} | {found['words']:,} | {perplexities} | {found['bits_per_character']:.3f} | {accuracies} |"


def value_of(recipe: Recipe, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(recipe, section), name)


def device_name(recipe: Recipe) -> str:
    if torch.cuda.is_available():
        return f"{distributed.present().count} × {torch.cuda.get_device_name()}"
    return f"{peers.machine()['cpu']}, threads: {recipe.pretrain.threads or 'the fastest number'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/starter"), help="project that it is trained in")
    parser.add_argument("--trained", type=Path, help="project to take as it is, instead of training one")
    parser.add_argument("--to", type=Path, default=SHIPPED, help="folder that becomes the bundle")
    parser.add_argument("--words", type=int, help="of the corpus; 0: all")
    parser.add_argument("--minutes", type=float, help="of training; without it, what the recipe says")
    parser.add_argument("--set", nargs="+", type=study.setting, default=[], help="other knobs, KEY=VALUE")
    options = parser.parse_args()
    options.work = options.work.absolute()
    subject = Project.open(options.trained) if options.trained else trained(options)
    print(json.dumps(ship(subject, options)))


if __name__ == "__main__":
    lead_or_follow(main) if distributed.started_together() else main()
