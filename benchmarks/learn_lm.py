"""Learning per second: bits per character on held-out Wikipedia against seconds of work, our recipe beside fastai's.

    python benchmarks/learn_lm.py --work FOLDER [--oracle PYTHON] [--minutes 20] [--arms ours fastai] [--table] [--json]

All arms read the same token ids (a cut of Wikipedia in one vocabulary of 8,000 pieces, made once in FOLDER) with the
same number of threads, and take turns on the same cores. Only its own seconds of training count for an arm; its
schedule follows these seconds and ends with them. Each finished arm appends a row to docs/results/learn_lm.jsonl; rows
that exist are skipped, so the comparison can be finished in parts. Arms that are cut off in the middle begin anew.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import page
import study
from page import Curve
from peers import CLOCKS, Answer, Peer, machine, oracle
from study import DATA, Row, Values

from ulmfit_core.config import PretrainSettings
from ulmfit_core.data import tokens
from ulmfit_core.data.gather import inspect_texts
from ulmfit_core.data.readers import read_texts
from ulmfit_core.data.tokens import Tokens
from ulmfit_core.device import default_threads
from ulmfit_core.project import Project
from ulmfit_core.text.vocab import Vocabulary

RESULTS, FIGURE = Path("docs/results/learn_lm.jsonl"), Path("docs/learning.svg")
# Our best recipe; what is not named is at its default.
OURS: Values = {
    "model.embedding": 192, "model.hidden": 288, "model.layers": 3,
    "pretrain.batch_size": 16, "pretrain.bptt": 35, "pretrain.schedule": "one_cycle", "pretrain.lr_max": 1e-2,
    "pretrain.drop_mult": 0.1,
}  # fmt: skip
# fastai's at the same number of parameters; batch and window are those of its loader. All else is its default too: one
# cycle, momentum .8 to .7 to .8, weight decay .01, all dropouts, AR 2 and TAR 1, no clipping.
FASTAI: Values = {"embedding": 192, "hidden": 288, "layers": 3, "batch": 64, "window": 72}
# The rates that are tried with fastai's defaults in short runs: what its finder suggests, the default of its learner,
# and that of its tutorial of ULMFiT.
RATES = ("suggested", 1e-3, 1e-2)
# Share of the time that an arm of ours has. A run in the middle of its schedule is behind one that has come to its end:
# whether a quarter or four fifths of the time are enough is only known of runs whose whole schedule fits into them.
OUR_SHARES = {"ours": 1.0, "ours_four_fifths": 0.8, "ours_quarter": 0.25}
ARMS = (*OUR_SHARES, "fastai", "fastai_tuned")
CORPUS_WORDS, VOCABULARY, SAMPLE_MB = 20_000_000, 8000, 20.0
MOST_UNLIKE = 0.03  # largest difference in the number of parameters, as a share


# The text


@dataclass(frozen=True)
class Text:
    """Folders of token ids and of their vocabulary; `facts` say in a row which text it was."""

    train: Path
    valid: Path
    vocab: Path
    facts: dict[str, Any]

    def bits(self, loss: float) -> float:
        """Bits per character of the validation text, from the mean loss of all its tokens but the first."""
        return loss * (self.facts["valid_tokens"] - 1) / (math.log(2) * self.facts["characters"])


def prepare(work: Path, wanted: int) -> Text:
    """Training text, and `wanted` tokens of validation text, in the project `work`, made where it is not there yet."""
    project = Project.open(work) if (work / "project.toml").exists() else new_project(work)
    vocab = Vocabulary.load(project.vocab_folder)
    train = tokens.open_tokens(project.tokens_folder, vocab, "corpus")
    valid_folder = work / "valid" / f"{vocab.hash}-{wanted}"
    valid = valid_tokens(valid_folder, vocab, wanted)
    facts = {"vocabulary": vocab.hash, "size": vocab.size, "train_tokens": int(train.meta["tokens"])}
    facts |= {"valid_tokens": int(valid.meta["tokens"]), "characters": int(valid.meta["characters"])}
    return Text(project.tokens_folder / vocab.hash / "corpus", valid_folder, project.vocab_folder, facts)


def new_project(work: Path) -> Project:
    """Import and encode the cut of Wikipedia. A project needs rows of its own: the cut's first articles."""
    corpus, rows = DATA.absolute() / "wiki.train.txt.xz", work.with_name(f"{work.name}-rows.csv")
    project = study.project(work, study.recipe({
        "data.data": str(rows), "data.text": ["text"], "data.corpus": str(corpus), "data.corpus_words": CORPUS_WORDS,
        "vocab.size": VOCABULARY, "vocab.sample_mb": SAMPLE_MB,
    }))  # fmt: skip
    study.write_rows(rows, [(text, "") for text in articles(corpus, 200)])
    for step in ("import", "vocab"):
        study.run(project, step)
    return project


def articles(path: Path, most: int) -> list[str]:
    settings = study.recipe({}).data
    rows = read_texts(path, settings, inspect_texts(path, settings))
    return [row.text for row, _ in zip(rows, range(most))]


def valid_tokens(folder: Path, vocab: Vocabulary, wanted: int) -> Tokens:
    """The first articles of the validation text that hold `wanted` tokens, with their number of characters."""
    if not (folder / "tokens.json").exists():
        texts, kept, count = articles(DATA / "wiki.valid.txt.xz", 100_000), [], 0
        while texts and count < wanted:
            kept.append(texts.pop(0))
            count += len(vocab.encode(kept[-1:])[0])
        tokens.write(folder, vocab.encode(kept), vocab.dtype, {"characters": sum(map(len, kept))})
    return Tokens.open(folder)


# What the arms are


def task_of(arm: str, text: Text, seed: int, rate: float | None = None) -> Values:
    """What the child of an arm is told, but places and times: a row's recipe. `rate` is for fastai's defaults."""
    if arm in OUR_SHARES:
        return {"values": {**OURS, "pretrain.seed": seed}, "vocabulary": str(text.vocab)}
    ours = study.recipe(OURS).pretrain
    shape = {"vocabulary": text.facts["size"], "seed": seed, "valid_window": [ours.batch_size, ours.bptt]}
    return {**FASTAI, **shape, **(as_in_ours(ours) if arm == "fastai_tuned" else {"rate": rate})}


def as_in_ours(ours: PretrainSettings) -> Values:
    """Our batch, window, rate, schedule, dropouts, weight decay and clipping, as fastai names them."""
    drops = {
        "embed_p": ours.embedding_drop, "input_p": ours.input_drop, "hidden_p": ours.hidden_drop,
        "weight_p": ours.weight_drop, "output_p": ours.output_drop,
    }  # fmt: skip
    shape = {name: getattr(ours, name) for name in ("pct_start", "flat_share", "cut_frac", "ratio")}
    return {
        "batch": ours.batch_size, "window": ours.bptt, "rate": ours.lr_max, "weight_decay": ours.weight_decay,
        "schedule": {"name": ours.schedule, **shape}, "drops": drops, "drop_mult": ours.drop_mult, "clip": ours.clip,
    }  # fmt: skip


def key_of(arm: str, text: Text, options: argparse.Namespace) -> Row:
    """By what a row is found. The rate of fastai's defaults is a finding of the short runs, not a setting."""
    task = {name: value for name, value in task_of(arm, text, seed=0).items() if name != "vocabulary"}
    trials = [RATES, options.pilot_minutes] if arm in ("fastai", "fastai_rates") else []
    return {
        "arm": arm, "minutes": round(options.minutes * OUR_SHARES.get(arm, 1.0), 4), "threads": options.threads,
        "recipe": study.recipe_hash(task, text.facts, *trials), "seed": options.seed, "clock": options.clock,
    }  # fmt: skip


# The arms at work


@dataclass
class Arm:
    """A child and how far it has come. `curve` holds (seconds of work, bits per character)."""

    name: str
    peer: Peer
    budget: float
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    last: Answer = field(default_factory=dict)
    curve: Curve = field(default_factory=list)

    def work(self, seconds: float) -> None:
        self.last = self.peer.train(seconds)
        self.steps += self.last["steps"]
        self.tokens += self.last["amount"]
        self.seconds = self.last["total_seconds"]

    def validate(self, text: Text) -> None:
        bits = text.bits(self.peer.ask(validate=True)["loss"])
        self.curve.append((round(self.seconds, 2), round(bits, 5)))
        print(f"{self.name}: {self.seconds:.0f} s, {bits:.4f} bits per character", file=sys.stderr, flush=True)

    def row(self) -> Row:
        return {
            "bits_per_character": self.curve[-1][1], "steps": self.steps, "tokens": self.tokens,
            "seconds": round(self.seconds, 2), "tokens_per_second": round(self.tokens / self.seconds, 1),
            "train_loss": round(self.last["loss"], 4), "memory": self.last["memory"], **self.peer.facts, **machine(),
            "curve": self.curve,
        }  # fmt: skip


def start(
    name: str, task: Values, text: Text, minutes: float, options: argparse.Namespace, stack: contextlib.ExitStack
) -> Arm:
    """An arm whose child is ready and waits; it ends with the stack at the latest."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    budget = 60 * minutes
    task = {**task, "train": str(text.train), "valid": str(text.valid), "folder": folder, "budget": budget}
    task["clock"] = options.clock
    if "values" in task:  # fastai keeps no checkpoints of a training, so neither do we here
        task["values"] = {**task["values"], "pretrain.checkpoint_seconds": 1e9, "pretrain.threads": options.threads}
    python, script = (sys.executable, "engine_lm.py") if "values" in task else (oracle(options.oracle), "fastai_lm.py")
    return Arm(name, stack.enter_context(Peer(name, python, script, options.threads, task)), budget)


def take_turns(arms: list[Arm], text: Text, every: float, longest: float) -> Iterator[Arm]:
    """Slices of at most `longest` seconds in turn, a validation after `every` seconds of an arm and at its end.

    Yields each arm as soon as it has come to its end.
    """
    while arms:
        for arm in list(arms):
            mark = min(arm.budget, every * (math.floor(arm.seconds / every + 1e-6) + 1))
            arm.work(min(longest, mark - arm.seconds))
            if arm.seconds >= mark:
                arm.validate(text)
            if arm.seconds >= arm.budget:
                arms.remove(arm)
                arm.peer.__exit__()
                yield arm


def check_sizes(arms: list[Arm]) -> None:
    """Arms of unlike numbers of parameters are not compared."""
    counts = {arm.name: arm.peer.facts["parameters"] for arm in arms}
    if max(counts.values()) > (1 + MOST_UNLIKE) * min(counts.values()):
        raise SystemExit(f"The arms differ in their number of parameters: {counts}. Mend FASTAI or OURS.")


def best_rate(text: Text, options: argparse.Namespace) -> float:
    """The rate with which fastai's defaults get furthest in a short run; tried once, kept as a row."""
    key = key_of("fastai_rates", text, options)
    for row in study.rows_of(options.results):
        if key.items() <= row.items():
            return float(row["best"])
    with contextlib.ExitStack() as stack:
        task = {**task_of("fastai", text, options.seed), "find_rate": True}
        finder = start("fastai's finder", task, text, 1.0, options, stack)
        finder.peer.__exit__()
        suggested = finder.peer.facts["suggested"]
        rates = {f"rate {rate:.2g}": rate for rate in (suggested if rate == "suggested" else rate for rate in RATES)}
        arms = [
            start(name, task_of("fastai", text, options.seed, rate), text, options.pilot_minutes, options, stack)
            for name, rate in rates.items()
        ]  # fmt: skip
        ended = list(take_turns(arms, text, 60 * options.pilot_minutes, options.slice))
    found = {rates[arm.name]: arm.curve[-1][1] for arm in ended}
    best = min(found, key=lambda rate: found[rate])
    tried = {"best": best, "suggested": suggested, "bits_per_character": list(found.items())}
    study.append(options.results, key | tried)
    return best


def compare(arms: list[str], text: Text, options: argparse.Namespace) -> None:
    """Run the arms that have no row yet, side by side, and append theirs."""
    keys = {arm: key_of(arm, text, options) for arm in arms}
    missing = [arm for arm in arms if not study.finished(options.results, keys[arm])]
    rate = best_rate(text, options) if "fastai" in missing else None
    with contextlib.ExitStack() as stack:
        started = [
            start(arm, task_of(arm, text, options.seed, rate), text, keys[arm]["minutes"], options, stack)
            for arm in missing
        ]  # fmt: skip
        if started:
            check_sizes(started)
        for arm in take_turns(started, text, 60 * options.minutes / options.marks, options.slice):
            found = {"rate": rate} if arm.name == "fastai" else {}
            study.append(options.results, keys[arm.name] | {**found, **arm.row()})


# What came of it


def found_rows(text: Text, options: argparse.Namespace) -> dict[str, Row]:
    """The newest row of each arm under today's recipes."""
    rows = study.rows_of(options.results)
    keys = {arm: key_of(arm, text, options) for arm in ARMS}
    return {arm: row for row in rows for arm, key in keys.items() if key.items() <= row.items()}


def reached(curve: Curve, bits: float) -> float | None:
    """The second at which a curve first comes down to `bits`, between two validations in proportion; None: never."""
    before: tuple[float, float] | None = None
    for seconds, value in curve:
        if value <= bits:
            return seconds if before is None else _between(before, (seconds, value), bits)
        before = (seconds, value)
    return None


def _between(before: tuple[float, float], after: tuple[float, float], bits: float) -> float:
    share = (before[1] - bits) / (before[1] - after[1])
    return before[0] + share * (after[0] - before[0])


def table(rows: dict[str, Row]) -> str:
    head = "| arm | minutes | steps | tokens | tokens/s | parameters | bits per character |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    for arm in [arm for arm in ARMS if arm in rows]:
        row = rows[arm]
        lines.append(
            f"| {arm.replace('_', ' ')} | {row['minutes']:g} | {row['steps']:,} | {row['tokens']:,} "
            f"| {row['tokens_per_second']:,.0f} | {row['parameters']:,} | {row['bits_per_character']:.4f} |"
        )
    verdicts = [verdict(rows, theirs, shorter) for theirs, shorter in
                (("fastai", "ours_quarter"), ("fastai_tuned", "ours_four_fifths"))]  # fmt: skip
    return "\n".join([*lines, "", *filter(None, verdicts), *settings(rows)])


def verdict(rows: dict[str, Row], theirs: str, shorter: str) -> str:
    """When ours comes to where the other one ends: in the long run, and in one whose whole schedule is shorter."""
    if theirs not in rows:
        return ""
    name, goal, budget = theirs.replace("_", " "), rows[theirs]["bits_per_character"], rows[theirs]["seconds"]
    text = f"- {name} ends at {goal:.4f}."
    if "ours" in rows:
        second = reached([tuple(point) for point in rows["ours"]["curve"]], goal)
        when = f"is there after {second:.0f} s, {second / budget:.2f} of its time" if second else "does not get there"
        text += f" Our long run {when}."
    if shorter in rows:
        text += f" Ours with {OUR_SHARES[shorter]:g} of the time ends at {rows[shorter]['bits_per_character']:.4f}."
    return text


def settings(rows: dict[str, Row]) -> list[str]:
    """Under what the rows were measured."""
    newest = next(iter(rows.values()), None)
    if newest is None:
        return []
    rate = f" fastai's defaults have the rate {rows['fastai']['rate']:.2g}." if "fastai" in rows else ""
    clock = "" if newest["clock"] == "wall" else " Seconds are those of the processor."
    place = f"{newest['cpu']}, {newest['threads']} threads on {newest['cores']} cores, torch {newest['torch']}."
    return ["", place + clock + rate]


def publish(rows: dict[str, Row]) -> None:
    page.write_between(page.PAGE, "learn_lm", table(rows))
    curves = {arm.replace("_", " "): [tuple(point) for point in rows[arm]["curve"]] for arm in ARMS if arm in rows}
    FIGURE.write_text(page.drawing(curves, "seconds of training", "bits per character, held-out Wikipedia"))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/learn_lm"), help="project with the text; made once")
    parser.add_argument("--oracle", type=Path, help="a Python that has fastai")
    parser.add_argument("--minutes", type=float, default=20.0, help="time of the long arms")
    parser.add_argument("--pilot-minutes", type=float, default=2.0, help="time of each run that chooses fastai's rate")
    parser.add_argument("--slice", type=float, default=20.0, help="seconds of one turn")
    parser.add_argument("--marks", type=int, default=20, help="validations in the time of the long arms")
    parser.add_argument("--valid-tokens", type=int, default=100_000)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="what tells the seconds")
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="those that run side by side now")
    parser.add_argument("--table", action="store_true", help="print the table of the rows there are, run nothing")
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON object by arm")
    parser.add_argument("--results", type=Path, default=RESULTS, help="another file of rows leaves the page as it is")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    text = prepare(options.work.absolute(), options.valid_tokens)
    if not options.table:
        compare(options.arms, text, options)
    rows = found_rows(text, options)
    if options.results == RESULTS:
        publish(rows)
    print(json.dumps(rows) if options.json else table(rows))


if __name__ == "__main__":
    main()
