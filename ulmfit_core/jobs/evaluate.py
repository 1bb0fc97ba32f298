"""The job of evaluating: the classifier on rows it never learned from, beside two baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ulmfit_core import events, files
from ulmfit_core.data import repeats
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.gather import read_beside
from ulmfit_core.data.readers import Row
from ulmfit_core.errors import UserError
from ulmfit_core.inference import answers, baseline
from ulmfit_core.inference.blend import held_out
from ulmfit_core.inference.calibration import BINS, calibration
from ulmfit_core.inference.figures import figures
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.inference.slices import MOST_VALUES, slices
from ulmfit_core.jobs.blend import words_of
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.training.metrics import classification

WORST = 50
BATCH = 256
# On which rows it was fitted how sure the answers are.
NOT_FITTED = "Nothing was fitted: the answers are the network's, as sure as it was trained to be."
ON_OTHERS = "How sure the answers are was fitted on the validation rows, none of which is measured here."
ON_VALIDATION = (
    "How sure the answers are was fitted on the project's validation rows. Where this file repeats them, it flatters."
)
HELD_OUT = (
    "Each fifth of these validation rows is answered with what the other four say of how sure to be, so none is "
    "measured with what was fitted on it. The best epoch was chosen by them, which flatters a little."
)


@dataclass(frozen=True)
class Measured:
    """The rows that are measured: `name` is their split or file, `rows` their numbers in the dataset, else -1."""

    name: str
    texts: list[str]
    labels: list[str]
    ids: list[str]
    rows: np.ndarray
    kept: dict[str, list[str]]


def evaluate(
    project: Project, run: Run, data: Path | None = None, split: str = "test", eight_bits: bool = False
) -> dict[str, Any]:
    """Report on the rows of `split`, or of the file `data` read with the project's columns.

    The figures are those of the answers. Where they are blended with word counts, `blend` says with what weight and
    `network` what the network alone reaches. Where the project has no test rows the validation rows are used, with word
    counts and exponents fitted without the rows that they answer, and the report says so. Every single answer is kept
    in the run's folder (inference/answers.py). With `eight_bits` the network is read in 8-bit numbers. Raises UserError
    where nothing is labelled.
    """
    dataset = Dataset.open(project.dataset_folder)
    predictor = Predictor.load(project.bundle_folder("classify"), eight_bits)
    measured = _rows(dataset, split) if data is None else _file(data, project, run)
    truth = _truth(measured, predictor)
    learned = _learned(measured, dataset, run) if data else 0
    network = _network(predictor, measured.texts, run)
    given, fitted_on = network, NOT_FITTED
    if predictor.pool and measured.name == "valid":
        given, fitted_on = _held_out(predictor, network, truth, measured, dataset, project, run), HELD_OUT
    elif predictor.pool:
        given, fitted_on = _answers(predictor, network, measured.texts, run), ON_VALIDATION if data else ON_OTHERS
    kept = answers.Answers(
        predictor.labels, measured.texts, measured.ids, measured.rows, truth, given, network, measured.kept
    )
    report = {
        "split": measured.name,
        **_figures(given, truth, predictor.labels),
        **_trust(kept, predictor, fitted_on, run),
        **_blend(predictor, network, truth),
        **_baselines(dataset, predictor, measured.texts, truth, run),
        "worst": _worst(kept), "training_rows": dataset.class_counts("train"),
        **({"learned_rows": learned} if learned else {}), **({"eight_bits": True} if eight_bits else {}),
        **({"transductive": True} if dataset.transductive else {}),
    }  # fmt: skip
    return _keep(kept, report, run)


def _keep(kept: answers.Answers, report: dict[str, Any], run: Run) -> dict[str, Any]:
    """Write the answers and the report into the run's folder, and name the run in the report."""
    if run.folder:
        report["run"] = run.folder.name
        answers.save(run.folder, kept)
        files.write_json(run.folder / "report.json", report)
        run.emit(events.Artefact("report", str(run.folder / "report.json")))
    return report


# The rows


def _rows(dataset: Dataset, split: str) -> Measured:
    """The labelled rows of a split; validation rows where there is no test."""
    rows = dataset.labelled_rows(split)
    if len(rows) == 0 and split == "test":
        return _rows(dataset, "valid")
    if len(rows) == 0:
        raise UserError("The data has no labelled rows to measure on. Give a test file or raise the test fraction.")
    labels = [dataset.labels[i] for i in dataset.label_ids[rows]]
    return Measured(split, dataset.texts(rows), labels, dataset.ids(rows), rows, dataset.kept(rows))


def _file(data: Path, project: Project, run: Run) -> Measured:
    """The labelled rows of a file that has the project's columns.

    They are compared by the columns that the project keeps; where it keeps none by all others with few values.
    """
    columns, found = read_beside(data, project.recipe.data, keep_all=True)
    rows = list(run.track(found, "Reading", 0))
    usable = [row for row in rows if not isinstance(row, BadRow) and row.label]
    if len(usable) < len(rows):
        run.message(f"{len(rows) - len(usable)} rows of {data} are unusable or have no label.", "warning")
    if not usable:
        raise UserError(f"{data} has no labelled rows. Name a file with the columns of the project's data.")
    labels, ids = [row.label for row in usable], [row.id for row in usable]
    kept = dict(_kept(columns, usable, bool(project.recipe.data.keep)))
    return Measured(str(data), [row.text for row in usable], labels, ids, np.full(len(usable), -1), kept)


def _kept(columns: list[str], rows: list[Row], all_of_them: bool) -> Iterator[tuple[str, list[str]]]:
    for place, name in enumerate(columns):
        cells = [row.kept[place] for row in rows]
        if all_of_them or len(set(cells)) <= MOST_VALUES:
            yield name, cells


def _learned(measured: Measured, dataset: Dataset, run: Run) -> int:
    """How many of a file's texts are among the project's training and validation rows, white space apart."""
    rows = np.concatenate([dataset.labelled_rows(split) for split in ("train", "valid")])
    texts = run.track(dataset.texts(rows), "Looking for texts that the classifier learned from")
    learned = int(repeats.stand_in(repeats.hashes(measured.texts), np.unique(repeats.hashes(texts))).sum())
    if learned:
        run.message(
            f"The classifier learned from {learned:,} of these {len(measured.texts):,} texts, or was chosen by them: "
            "the figures flatter it. Measure a file of other texts.", "warning",
        )  # fmt: skip
    return learned


def _truth(measured: Measured, predictor: Predictor) -> np.ndarray:
    """(rows,) places of the true labels among the classifier's."""
    places = {label: place for place, label in enumerate(predictor.labels)}
    unknown = sorted(set(measured.labels) - set(places))
    if unknown:
        raise UserError(f"{measured.name} has labels that the classifier never saw: {', '.join(unknown[:5])}.")
    return np.array([places[label] for label in measured.labels])


# The answers


def _network(predictor: Predictor, texts: list[str], run: Run) -> np.ndarray:
    """Probabilities (texts, classes) of the network alone."""
    starts = range(0, len(texts), BATCH)
    tracked = run.track(starts, f"Classifying groups of {BATCH} texts")
    parts = [predictor.network_probabilities(texts[i : i + BATCH], run.poll) for i in tracked]
    return np.concatenate(parts)


def _answers(predictor: Predictor, network: np.ndarray, texts: list[str], run: Run) -> np.ndarray:
    """Probabilities (texts, classes) of the answers."""
    starts = run.track(range(0, len(texts), BATCH), f"Making groups of {BATCH} answers as sure as they are right")
    parts = [slice(start, start + BATCH) for start in starts]
    return np.concatenate([predictor.pooled(network[part], texts[part]) for part in parts])


def _held_out(
    predictor: Predictor, network: np.ndarray, truth: np.ndarray, measured: Measured, dataset: Dataset,
    project: Project, run: Run,
) -> np.ndarray:  # fmt: skip
    """Probabilities (texts, classes) for the validation rows, which say how sure answers should be.

    They are no judges of what was fitted on them: word counts are fitted without them, and each fold of them is pooled
    with the exponents that the others choose.
    """
    assert predictor.pool is not None
    if dataset.labels != predictor.labels:
        raise UserError("The data has other labels than the classifier was trained with. Train the classifier again.")
    seed, words = project.recipe.classify.seed, None
    if predictor.pool.words:
        counts = words_of(dataset, ("train",), seed, run)
        words = counts.probabilities(measured.texts) if counts else None
    alone = words is not None and not predictor.pool.exponents.network
    run.poll()
    return held_out(None if alone else network, words, truth, seed).astype(np.float32)


# The report


def _trust(kept: answers.Answers, predictor: Predictor, fitted_on: str, run: Run) -> dict[str, Any]:
    """How far the figures can be trusted: their intervals, whether answers are as sure as they are right, parts."""
    assert kept.network is not None
    measured = figures(kept.truth, kept.probabilities, between=run.poll)
    parts = slices(kept.texts, kept.kept, kept.given == kept.truth)
    run.poll()
    return {
        "figures": {name: asdict(figure) for name, figure in measured.items()},
        "calibration": {
            "bins": BINS,
            "network": asdict(calibration(kept.network, kept.truth)),
            "answers": asdict(calibration(kept.probabilities, kept.truth)),
            "exponents": asdict(predictor.pool.exponents) if predictor.pool else None,
            "fitted_on": fitted_on,
        },
        "slices": {name: [asdict(part) for part in found] for name, found in parts.items()},
    }


def _figures(scores: np.ndarray, truth: np.ndarray, labels: list[str]) -> dict[str, Any]:
    """Accuracy, macro F1, per-class figures and the confusion matrix (rows: truth, columns: answer)."""
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    guess = scores.argmax(1)
    numbers = list(range(len(labels)))
    columns = precision_recall_fscore_support(truth, guess, labels=numbers, zero_division=0)
    names = ("precision", "recall", "f1", "support")
    per_class = {
        label: {name: float(column[i]) for name, column in zip(names, columns, strict=True)}
        for i, label in enumerate(labels)
    }
    return {
        "rows": len(truth),
        **classification(guess, truth),
        "labels": labels,
        "per_class": per_class,
        "confusion": confusion_matrix(truth, guess, labels=numbers).tolist(),
    }


def _blend(predictor: Predictor, network: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """The weight of word counts in the answers, and the figures of the network without them; {} where it is alone."""
    if not predictor.blend_weight:
        return {}
    return {"blend": {"weight": predictor.blend_weight}, "network": classification(network.argmax(1), truth)}


def _baselines(
    dataset: Dataset, predictor: Predictor, texts: list[str], truth: np.ndarray, run: Run
) -> dict[str, Any]:
    """TF-IDF and the majority class, trained on the same labelled rows as the classifier."""
    places = {label: place for place, label in enumerate(predictor.labels)}
    numbers = np.array([places.get(label, -1) for label in dataset.labels])
    rows = dataset.labelled_rows("train")
    rows = rows[numbers[dataset.label_ids[rows]] >= 0]  # rows of a label that came later taught the classifier nothing
    labels = numbers[dataset.label_ids[rows]]
    if len(np.unique(labels)) < 2:
        raise UserError(
            "Of the classifier's labels fewer than two have training texts in the data as it is now. Train the "
            "classifier again, then evaluate."
        )
    taught, asked = (run.track(some, "Comparing with word counting") for some in (dataset.texts(rows), texts))
    tfidf = baseline.tfidf_guesses(taught, labels, asked)
    majority = baseline.majority_guesses(labels, len(truth))
    return {"baseline_tfidf": classification(tfidf, truth), "majority": classification(majority, truth)["accuracy"]}


def _worst(kept: answers.Answers) -> list[dict[str, Any]]:
    """The worst of the wrong answers, with their ids if they have."""
    given = kept.given
    return [
        {
            **({"id": kept.ids[i]} if kept.ids[i] else {}), "text": kept.texts[i], "label": kept.labels[kept.truth[i]],
            "predicted": kept.labels[given[i]], "probability": float(kept.probabilities[i, given[i]]),
        }
        for i in answers.worst(kept, WORST)
    ]  # fmt: skip
