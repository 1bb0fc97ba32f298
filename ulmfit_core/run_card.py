"""A run's card: what was done, with what, how it went, and the commands that do it again."""

from __future__ import annotations

import datetime
import itertools
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ulmfit_core import catalog, events, files, presets, provenance, run_settings
from ulmfit_core.config import Recipe, blend_note
from ulmfit_core.events import Ended, EpochEnded, Event, Plan, Started
from ulmfit_core.project import BUNDLES, Project, RunInfo
from ulmfit_core.run_settings import in_words, value_of

UNKNOWN = "—"
NEW = "again"  # the folder of the project that repeats the run
# Settings that are options of `ulmfit new` of their own.
OPTIONS = {
    "data.data": "--data", "data.label": "--label", "data.test": "--test", "data.unlabelled": "--unlabelled",
    "data.corpus": "--corpus",
}  # fmt: skip
FILES = ("data.data", "data.valid", "data.test", "data.unlabelled", "data.corpus", "data.labels_file")
SEEDS = ("data.seed", "pretrain.seed", "finetune.seed", "classify.seed")
# Figures of a report that say how well it went, with how a person reads them.
FIGURES = {
    "accuracy": "Accuracy", "macro_f1": "Macro F1", "perplexity": "Perplexity", "valid_loss": "Validation loss",
    "train_loss": "Training loss", "next_word_accuracy": "Next-word accuracy", "majority": "Commonest class alone",
    "epochs": "Epochs", "steps": "Steps", "rows": "Rows", "size": "Size of the vocabulary", "tokens": "Tokens",
    "tokens_per_word": "Tokens per word", "unknown": "Share of unknown tokens",
}  # fmt: skip
SHARES = ("accuracy", "macro_f1", "next_word_accuracy", "majority", "unknown")


@dataclass(frozen=True)
class Card:
    """Sections of (name, value) under their headings, then the commands with a remark on them."""

    title: str
    sections: dict[str, list[tuple[str, str]]]
    commands: list[str] = field(default_factory=list)
    remark: str = ""

    def text(self) -> str:
        """For a letter or a terminal: names in a column of their own."""
        parts = [self.title]
        for heading, rows in self.sections.items():
            width = max(len(name) for name, _ in rows)
            parts.append("\n".join([heading, *(f"  {name:<{width}}  {value}" for name, value in rows)]))
        return "\n\n".join([*parts, *self._repeat("", "  ")]) + "\n"

    def markdown(self) -> str:
        parts = [f"# {self.title}"]
        for heading, rows in self.sections.items():
            table = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows]
            parts.append("\n".join([f"## {heading}", "", "| | |", "|---|---|", *table]))
        return "\n\n".join([*parts, *self._repeat("## ", "    ")]) + "\n"

    def record(self) -> dict[str, Any]:
        """For JSON."""
        sections = {heading: dict(rows) for heading, rows in self.sections.items()}
        return {"title": self.title, **sections, "commands": self.commands, "remark": self.remark}

    def _repeat(self, mark: str, indent: str) -> list[str]:
        if not self.commands:
            return []
        lines = "\n".join(f"{indent}{command}" for command in self.commands)
        return list(filter(None, [f"{mark}To do it again", self.remark, lines]))


def make_card(project: Project, run: RunInfo) -> Card:
    """The card of a run of the project, as far as its folder tells: what it does not know is a dash.

    Raises UserError where the run has settings that this program does not know.
    """
    told = events.read_events(run.folder / "events.jsonl")
    known = provenance.read(run.folder)
    recipe = run_settings.recipe_of(run.folder)
    step = run_settings.step_of(run.job, known.get("options", {}))
    title = catalog.JOBS[run.job].title if run.job in catalog.JOBS else run.job
    sections = {
        "Run": _about(project, run, told),
        "Result": _figures(told),
        "Settings that differ from their default": _settings(recipe, step),
        "Random seeds": [(key, str(value_of(recipe, key))) for key in _keys(recipe, step) if key in SEEDS],
        "Fingerprints": _hashes(run, known),
        "Made with": _versions(known, told),
    }
    commands = _commands(project, run, recipe, step, known.get("options", {}))
    filled = {heading: rows for heading, rows in sections.items() if rows}
    return Card(f"{title}: {run.id}", filled, commands, _remark(recipe))


def figures_of(told: list[Event]) -> dict[str, float]:
    """The figures of a run: those of the epoch that is kept, else those of its report."""
    kept = [event for event in told if isinstance(event, EpochEnded) and event.best][-1:]
    numbers = {**_report(told), **(kept[0].metrics if kept else {})}
    return {name: numbers[name] for name in FIGURES if isinstance(numbers.get(name), int | float)}


def figure_in_words(name: str, value: float) -> str:
    if name in SHARES:
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def seconds_of(told: list[Event]) -> float:
    """From the first word of the log to the last one, without the time before it was resumed.

    Logs of earlier versions may tell of a clock that was set back, which took no time.
    """
    pairs = itertools.pairwise(told)
    within = (pair for pair in pairs if not (isinstance(pair[1], Started) and pair[1].resumed))
    return sum(max(0.0, after.at - before.at) for before, after in within)


def _about(project: Project, run: RunInfo, told: list[Event]) -> list[tuple[str, str]]:
    rows = [
        ("Project", f"{project.recipe.name} ({project.folder})"),
        ("Job", run.job),
        ("Status", " ".join(filter(None, (run.status, run.reason)))),
        ("Started", run.created.replace("T", " ")),
        ("Last word", _time(told[-1].at) if told else UNKNOWN),
        ("Took", str(datetime.timedelta(seconds=round(seconds_of(told))))),
    ]
    said = [("Tags", ", ".join(run.tags)), ("Notes", " ".join(run.notes.split()))]
    return rows + [(name, value) for name, value in said if value]


def _figures(told: list[Event]) -> list[tuple[str, str]]:
    rows = [(FIGURES[name], figure_in_words(name, value)) for name, value in figures_of(told).items()]
    blend = _report(told).get("blend", {})
    if blend.get("used"):
        rows.append(("Answers", f"{blend_note(blend['weight'])}; the figures are the network's alone"))
    return rows


def _report(told: list[Event]) -> dict[str, Any]:
    return next((event.report for event in reversed(told) if isinstance(event, Ended)), {})


def _keys(recipe: Recipe, step: str) -> list[str]:
    return run_settings.keys_of(recipe, step) if step in run_settings.PARTS else []


def _settings(recipe: Recipe, step: str) -> list[tuple[str, str]]:
    changed = run_settings.changes([Recipe(), recipe], _keys(recipe, step))
    return [(change.key, in_words(change.values[1])) for change in changed]


def _hashes(run: RunInfo, known: dict[str, Any]) -> list[tuple[str, str]]:
    hashes = known.get("hashes", {})
    names = {"data": "Data", "vocabulary": "Vocabulary", "base": "Pretrained base", "weights": "Weights at the start"}
    rows = [(title, hashes.get(name) or UNKNOWN) for name, title in names.items()]
    return [("Settings and inputs", run.fingerprint or UNKNOWN), *rows]


def _versions(known: dict[str, Any], told: list[Event]) -> list[tuple[str, str]]:
    versions = known.get("versions", {})
    plan = _plan(told)
    names = {"program": "ULMFiT Studio", "torch": "torch", "python": "Python", "system": "System"}
    rows = [(title, versions.get(name, UNKNOWN)) for name, title in names.items()]
    rows.append(("Device", plan.device if plan else UNKNOWN))
    rows.append(("Processor threads", str(plan.threads) if plan else UNKNOWN))
    others = [each for each in known.get("resumed", []) if each != versions]
    return rows + [("Resumed with", ", ".join(f"{names[name]} {each[name]}" for name in names)) for each in others]


def _plan(told: list[Event]) -> Plan | None:
    return next((event for event in reversed(told) if isinstance(event, Plan)), None)


def _time(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).isoformat(" ", "seconds")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# The commands that repeat it


def _commands(project: Project, run: RunInfo, recipe: Recipe, step: str, options: dict[str, Any]) -> list[str]:
    """A new project with the same settings, the steps up to this one, each in as many threads as then."""
    if step not in run_settings.PARTS:
        return []
    # The recipe alone says which steps are part of it; its files are named from the folder that they lie in.
    then = Project(project.folder, recipe)
    steps = [name for name in run_settings.steps_to(then, step) if name != "import"]
    lines = [_new_command(then, step)]
    for name in steps:
        if name == step and run.job != step:
            break
        if name != "evaluate":
            lines.append(f"{_threads(then, run, name)}ulmfit run {NEW} {name}")
    return [*lines, *_own_command(run.job, options)]


def _new_command(project: Project, step: str) -> str:
    """`ulmfit new` with the preset and every setting of the steps up to `step` that is not the preset's."""
    recipe = project.recipe
    preset = recipe.preset if recipe.preset in presets.PRESETS else "balanced"
    start = presets.apply_preset(Recipe(), preset)
    words = ["ulmfit", "new", NEW, "--base", recipe.base]  # always: the command has a default of its own
    parts = ["--preset", preset]
    for change in run_settings.changes([start, recipe], run_settings.keys_of(recipe, step)):
        value = change.values[1]
        if change.key in FILES and value:
            value = str(_absolute(project.folder, value))
        if change.key == "base":
            continue
        if change.key in OPTIONS:
            words += [OPTIONS[change.key], str(value)]
        elif change.key == "data.text":
            words += [word for column in value for word in ("--text", column)]
        else:
            parts += ["--set", f"{change.key}={toml(value)}"]
    return shlex.join([*words, *parts])


def _absolute(folder: Path, name: str) -> Path:
    beside = folder / files.at_home(name)
    return (beside if beside.exists() else files.at_home(name)).absolute()


def _threads(project: Project, run: RunInfo, step: str) -> str:
    """The variable that gives a training the threads it had; nothing where there was none."""
    if step not in BUNDLES:
        return ""
    made = run if run.job == step else _maker(project, run, step)
    plan = _plan(events.read_events(made.folder / "events.jsonl")) if made else None
    return f"OMP_NUM_THREADS={plan.threads} " if plan and plan.device == "cpu" else ""


def _maker(project: Project, run: RunInfo, step: str) -> RunInfo | None:
    """The last run of a step, with the settings that `run` had for it, before `run` began."""
    wanted = project.fingerprint(step)
    return next((each for each in project.runs_of(step) if each.id < run.id and each.fingerprint == wanted), None)


def _own_command(job: str, options: dict[str, Any]) -> list[str]:
    """That of a job which is no step of the recipe's."""
    files = [word for name in ("data", "out") if options.get(name) for word in (f"--{name}", str(options[name]))]
    if job in ("evaluate", "predict"):
        split = ["--split", options["split"]] if options.get("split", "test") != "test" else []
        eight_bits = ["--int8"] if options.get("eight_bits") else []
        return [shlex.join(["ulmfit", job, NEW, *files, *split, *eight_bits])]
    if job == "find_lr" and "stage" in options:
        more = [f"--{name}={options[name]}" for name in ("groups", "steps") if name in options]
        return [shlex.join(["ulmfit", "find-lr", NEW, options["stage"], *more])]
    return []


def _remark(recipe: Recipe) -> str:
    """What is to be known of the commands, where there is something."""
    relative = [key for key in FILES if (name := value_of(recipe, key)) and not files.at_home(name).is_absolute()]
    if relative:
        return (
            "The files lay in the project's own folder and are named in full here: "
            "the fingerprints of the repetition are others, its weights are the same."
        )
    return ""


def toml(value: Any) -> str:
    """A value as `--set` reads it, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
