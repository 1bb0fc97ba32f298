"""The job of evaluating: the classifier on rows it never learned from, beside two baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ulmfit_core import events, files
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.gather import read_another
from ulmfit_core.errors import UserError
from ulmfit_core.inference import answers, baseline
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.jobs.blend import words_of
from ulmfit_core.models.word_counts import Pool
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.training.metrics import classification

WORST = 50
BATCH = 256


def evaluate(project: Project, run: Run, data: Path | None = None, split: str = "test") -> dict[str, Any]:
    """Report on the rows of `split`, or of the file `data` read with the project's columns.

    The figures are those of the answers. Where they are blended with word counts, `blend` says with what weight and
    `network` what the network alone reaches. Where the project has no test rows the validation rows are used, with word
    counts fitted without them, and the report says so. Every single answer is kept in the run's folder
    (inference/answers.py). Raises UserError where nothing is labelled.
    """
    dataset = Dataset.open(project.dataset_folder)
    predictor = Predictor.load(project.bundle_folder("classify"))
    name, texts, labels, ids, rows = _rows(dataset, split) if data is None else _file(data, project, run)
    unknown = sorted(set(labels) - set(predictor.labels))
    if unknown:
        raise UserError(f"{name} has labels that the classifier never saw: {', '.join(unknown[:5])}.")
    truth = np.array([predictor.labels.index(label) for label in labels])
    if name == "valid":
        _forget_validation_rows(predictor, dataset, project, run)
    network = _network(predictor, texts, run)
    scores = predictor.pooled(network, texts)
    report = {
        "split": name,
        **_figures(scores, truth, predictor.labels),
        **_blend(predictor, network, truth),
        **_baselines(dataset, predictor, texts, truth),
    }
    report["worst"] = _worst(texts, ids, truth, scores, predictor.labels)
    report["training_rows"] = dataset.class_counts("train")
    if dataset.transductive:
        report["transductive"] = True
    if run.folder:
        answers.save(run.folder, answers.Answers(predictor.labels, texts, ids, rows, truth, scores))
        files.write_json(run.folder / "report.json", report)
        run.emit(events.Artefact("report", str(run.folder / "report.json")))
    return report


Measured = tuple[str, list[str], list[str], list[str], np.ndarray]


def _rows(dataset: Dataset, split: str) -> Measured:
    """(split used, texts, labels, ids, row numbers); validation rows where there is no test."""
    rows = dataset.labelled_rows(split)
    if len(rows) == 0 and split == "test":
        return _rows(dataset, "valid")
    if len(rows) == 0:
        raise UserError("The data has no labelled rows to measure on. Give a test file or raise the test fraction.")
    return split, dataset.texts(rows), [dataset.labels[i] for i in dataset.label_ids[rows]], dataset.ids(rows), rows


def _file(data: Path, project: Project, run: Run) -> Measured:
    """(file, texts, labels, ids, no row numbers) of the labelled rows of a file that has the project's columns."""
    rows = list(run.track(read_another(data, project.recipe.data), "Reading", 0))
    usable = [row for row in rows if not isinstance(row, BadRow) and row.label]
    if len(usable) < len(rows):
        run.message(f"{len(rows) - len(usable)} rows of {data} are unusable or have no label.", "warning")
    if not usable:
        raise UserError(f"{data} has no labelled rows. Name a file with the columns of the project's data.")
    labels, ids = [row.label for row in usable], [row.id for row in usable]
    return str(data), [row.text for row in usable], labels, ids, np.full(len(usable), -1)


def _forget_validation_rows(predictor: Predictor, dataset: Dataset, project: Project, run: Run) -> None:
    """Word counts that have learned from the validation rows are no judge of them: fit them without."""
    if predictor.pool and predictor.pool.words:
        words = words_of(dataset, ("train",), project.recipe.classify.seed, run)
        predictor.pool = Pool(predictor.pool.exponents, words)


def _network(predictor: Predictor, texts: list[str], run: Run) -> np.ndarray:
    """Probabilities (texts, classes) of the network alone."""
    starts = range(0, len(texts), BATCH)
    parts = [predictor.network_probabilities(texts[i : i + BATCH], run.poll) for i in run.track(starts, "Classifying")]
    return np.concatenate(parts)


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


def _baselines(dataset: Dataset, predictor: Predictor, texts: list[str], truth: np.ndarray) -> dict[str, Any]:
    """TF-IDF and the majority class, trained on the same labelled rows as the classifier."""
    rows = dataset.labelled_rows("train")
    names = np.array([predictor.labels.index(label) for label in dataset.labels])
    labels = names[dataset.label_ids[rows]]
    tfidf = baseline.tfidf_guesses(dataset.texts(rows), labels, texts)
    majority = baseline.majority_guesses(labels, len(truth))
    return {"baseline_tfidf": classification(tfidf, truth), "majority": classification(majority, truth)["accuracy"]}


def _worst(
    texts: list[str], ids: list[str], truth: np.ndarray, scores: np.ndarray, labels: list[str]
) -> list[dict[str, Any]]:
    """The wrong answers given with the least probability for the truth, worst first, with their ids if they have."""
    of_truth = scores[np.arange(len(truth)), truth]
    guess = scores.argmax(1)
    order = [int(i) for i in np.argsort(of_truth) if guess[i] != truth[i]][:WORST]
    return [
        {
            **({"id": ids[i]} if ids[i] else {}), "text": texts[i], "label": labels[truth[i]],
            "predicted": labels[guess[i]], "probability": float(scores[i, guess[i]]),
        }
        for i in order
    ]  # fmt: skip
