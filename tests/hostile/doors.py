"""How the program opens each kind of file: what the window and the command line ask of it, one thing after the other.

A door gives the sentences with which it was refused. Any other exception leaves it: that is a fault.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from studio import kept_tries
from studio.screens import evaluation_words, run_story
from studio.widgets import pace
from studio.widgets.curves import Curves
from ulmfit_core import edit_log, provenance, run_settings, verdict
from ulmfit_core.data import edits, tokens
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.splits import SPLITS
from ulmfit_core.errors import UserError
from ulmfit_core.inference import analysis, answers, exports, generate, versions
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.jobs.import_fastai import import_fastai
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.project import INPUTS, Project, RunInfo
from ulmfit_core.run import Control, launch, read_steps
from ulmfit_core.run_card import make_card
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.training import checkpoint

TEXTS = ["a splendid harbour beside the candle", "Ünlike   <anything> 漢字 \0 before!!!!!!", "", "bad"]


class Told:
    """Gathers the sentences of refusals, and goes on behind them."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    @contextlib.contextmanager
    def refusal(self) -> Iterator[None]:
        try:
            yield
        except UserError as error:
            self.sentences.append(str(error))

    def ask(self, question: Callable[[], Any]) -> Any:
        with self.refusal():
            return question()


def open_bundle(folder: Path) -> list[str]:
    """Load it and answer some texts, or write some."""
    told = Told()
    with told.refusal():
        bundle = bundles.load(folder)
        if isinstance(bundle.model, Classifier):
            classifier = Predictor.load(folder)
            classifier.predict(TEXTS)
            Predictor.load(folder, eight_bits=True).probabilities(TEXTS[:2])
        else:
            generate.Generator.load(folder).generate("the", words=3, seed=1)
    return told.sentences


def open_vocabulary(folder: Path) -> list[str]:
    told = Told()
    with told.refusal():
        vocabulary = Vocabulary.load(folder)
        for ids in vocabulary.encode(TEXTS):
            vocabulary.decode(ids)
        vocabulary.decode(range(min(vocabulary.size, 500)))
        list(vocabulary.unknown_in(TEXTS))
        vocabulary.tokens(TEXTS[0])
    return told.sentences


def open_fastai(folder: Path) -> list[str]:
    """Import it, and load what came of it."""
    told = Told()
    sources = sorted(folder.iterdir()) if folder.is_dir() else [folder]
    packed = [path for path in sources if path.suffix == ".tgz"]
    with told.refusal():
        import_fastai(packed or sources, folder / "out")
        bundles.load(folder / "out")
    return told.sentences


def open_run(folder: Path) -> list[str]:
    """A project's runs as lists, curves, cards and words show them."""
    told = Told()
    project = told.ask(lambda: Project.open(folder))
    if project:
        for run in told.ask(project.runs) or []:
            _look_at(project, run, told)
        told.ask(lambda: run_story.look(project, [], None))
        for step in INPUTS:
            told.ask(lambda step=step: (project.state(step), project.waits_for(step), project.resumable_run(step)))
        for step in ("finetune", "classify"):
            told.ask(lambda step=step: project.settings_of(step))
    return told.sentences


def _look_at(project: Project, run: RunInfo, told: Told) -> None:
    folder = run.folder
    story = told.ask(lambda: run_story.read_story(folder))
    if story:
        told.ask(lambda: (run_story.result_of(story), run_story.epoch_table(story.epochs), run_story.remark_on(story)))
        told.ask(lambda: (story.options, story.step, verdict.verdict(story.events)))
    told.ask(lambda: run_settings.recipe_of(folder))
    told.ask(lambda: provenance.read(folder))
    told.ask(lambda: make_card(project, run).text)
    told.ask(lambda: _curves(folder))


def _curves(folder: Path) -> None:
    steps = read_steps(folder / "steps.f32")
    pace.speed(steps)
    pace.steps_done(steps)
    curves = Curves(folder)
    curves.read()
    for line in (curves.raw, curves.smoothed, curves.rates, curves.speed, curves.validation, curves.best):
        line()
    curves.loss_range()
    curves.look_at(1, max(2, curves.count // 2), False)
    curves.row(0)


def open_project(folder: Path) -> list[str]:
    """Its data, vocabulary, corrections, tries, answers and models."""
    told = Told()
    project = told.ask(lambda: Project.open(folder))
    if project is None:
        return told.sentences
    told.ask(lambda: _read_dataset(Dataset.open(project.dataset_folder)))
    told.ask(lambda: _read_tokens(project))
    told.ask(lambda: (edits.active(project), edit_log.version(folder), edits.Corrections.of(project)))
    told.ask(lambda: kept_tries.read(project))
    told.ask(lambda: evaluation_words.newest_report(project))
    told.ask(lambda: Predictor.of(project).predict(TEXTS))
    for version in told.ask(lambda: versions.versions(project)) or []:
        told.ask(lambda version=version: versions.open_version(project, version).predict(TEXTS[:2]))
    told.sentences += _worked(project, "evaluate")
    return told.sentences + open_run(folder)


def open_corrections(folder: Path) -> list[str]:
    """A person's corrections and tries, and what follows from them: which steps are done."""
    told = Told()
    project = told.ask(lambda: Project.open(folder))
    if project:
        told.ask(lambda: (edits.active(project), edit_log.version(folder), edits.Corrections.of(project)))
        told.ask(lambda: edits.add(project, "one more", "good"))
        told.ask(lambda: kept_tries.add(project, kept_tries.Try("good", 0.5, "a try")))
        told.ask(lambda: [project.state(step) for step in INPUTS])
    return told.sentences


def open_answers(folder: Path) -> list[str]:
    """An evaluation as its screen shows it and as it is exported."""
    told = Told()
    project = told.ask(lambda: Project.open(folder))
    for run in told.ask(lambda: list(project.runs_of("evaluate"))) or []:
        told.ask(lambda run=run: _read_answers(run.folder))
        told.ask(lambda run=run: exports.write_html(project, run.folder, folder / "report.html"))
        told.ask(lambda run=run: exports.write_csv(run.folder, folder / "answers.csv"))
    return told.sentences


def _read_dataset(dataset: Dataset) -> None:
    count = len(dataset)
    rows = np.unique(np.clip([0, 1, count // 2, count - 1], 0, max(count - 1, 0)))[: max(count, 0)]
    for read in (dataset.texts, dataset.ids, dataset.groups, dataset.kept):
        read(rows)
    dataset.texts_between(0, 1000)
    for split in SPLITS:
        dataset.class_counts(split)
        dataset.labelled_rows(split)
    [dataset.labels[place] for place in dataset.label_ids if place >= 0]
    list(dataset.each_bad_row())
    (
        dataset.counts,
        dataset.lm_rows(),
        dataset.bad_rows,
        dataset.transductive,
        dataset.fingerprint,
        dataset.count_groups(),
    )


def _read_tokens(project: Project) -> None:
    vocabulary = Vocabulary.load(project.vocab_folder)
    found = tokens.open_tokens(project.tokens_folder, vocabulary, "dataset")
    for place in range(len(found)):
        vocabulary.decode(found[place])
    found.lengths.sum()


def _read_answers(folder: Path) -> None:
    found = answers.load(folder)
    if found is not None:
        answers.wrong(found, 5)
        analysis.precision_recall(found)
        analysis.coverage(found)
        analysis.label_errors(found)


def _worked(project: Project, job: str, **options: Any) -> list[str]:
    """The refusal of a job. Raises RuntimeError with its traceback where it ended without knowing why."""
    ended = launch(project, job, control=Finishing(), **options)
    for log in project.folder.glob("runs/*/error.log"):
        trace = log.read_text(encoding="utf-8")
        log.unlink()
        raise RuntimeError(trace)
    return [ended.reason] if ended.status == "failed" else []


class Finishing(Control):
    """A person who wants the result of a training at once: damaged files are met all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.finish()
        self.finish()


def open_checkpoint(folder: Path) -> list[str]:
    """Resume the newest training, and load each checkpoint."""
    told = Told()
    project = told.ask(lambda: Project.open(folder))
    if project is None:
        return told.sentences
    for run in told.ask(project.run_folders) or []:
        if (run / "checkpoint").exists():
            told.ask(lambda run=run: checkpoint.load(run / "checkpoint"))
    newest = told.ask(lambda: next(project.runs_of("classify"), None))
    if newest and newest.status == "stopped":
        told.sentences += _worked(project, "classify", resume=newest.folder)
    return told.sentences


def open_training(folder: Path) -> list[str]:
    """Train on what lies there."""
    told = Told()
    project = told.ask(lambda: Project.open(folder))
    return told.sentences + (_worked(project, "finetune") if project else [])
