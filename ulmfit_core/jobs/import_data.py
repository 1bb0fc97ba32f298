"""Import a dataset: read the files, split the rows, keep them as Arrow files under dataset/."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ulmfit_core import files
from ulmfit_core.config import DataSettings
from ulmfit_core.data import dataset as store
from ulmfit_core.data import splits
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.gather import BATCH, Gathered, gather_corpus, gather_rows
from ulmfit_core.errors import UserError
from ulmfit_core.events import Artefact
from ulmfit_core.project import Project
from ulmfit_core.run import Run

FEW_ROWS = 3


def import_data(project: Project, run: Run) -> dict[str, Any]:
    """Read what project.recipe.data names into dataset/. Returns rows, splits, classes and the number of bad rows.

    Raises UserError, with the project as it was, for files that cannot be read or cannot teach a classifier.
    """
    settings = project.recipe.data
    if not settings.data:
        raise UserError("No file was chosen. Choose a file with your texts first.")
    paths = {role: locate(project, getattr(settings, role)) for role in ("data", "test", "unlabelled", "corpus")}
    with files.replacing_folder(project.dataset_folder) as folder:
        gathered = _gather(paths, settings, run, folder)
        facts = _write(folder, gathered, paths, settings, run)
        facts["fingerprint"] = project.fingerprint("import")
        facts["sources"] = [_source(path) for path in paths.values() if path]
        store.write_facts(folder, facts)
    _tell_bad_rows(gathered, run)
    run.emit(Artefact("dataset", str(project.dataset_folder)))
    return summary(Dataset.open(project.dataset_folder))


def summary(dataset: Dataset) -> dict[str, Any]:
    """Rows, rows by split, labelled rows by class, number of bad rows, documents of general text."""
    counts = Counter[str]()
    for split in ("train", "valid", "test"):
        counts.update(dataset.class_counts(split))
    return {
        "rows": len(dataset),
        "splits": dataset.counts,
        "classes": dict(counts),
        "bad_rows": dataset.facts["bad_row_count"],
        "corpus_documents": dataset.corpus_size,
    }


def locate(project: Project, name: str) -> Path | None:
    """A file named in the recipe: from the project's folder where it lies there, else as it stands; None for ""."""
    if not name:
        return None
    beside = project.folder / Path(name).expanduser()
    return beside if beside.exists() else Path(name).expanduser()


def _gather(paths: dict[str, Path | None], settings: DataSettings, run: Run, folder: Path) -> Gathered:
    data = paths["data"]
    assert data is not None
    gathered = gather_rows(data, paths["test"], paths["unlabelled"], settings, run, folder / "texts.part")
    if not gathered.splits:
        raise UserError(f"{data.name} has no row with text. Choose another text column.")
    if settings.label:
        _check_classes(data, gathered, settings)
    return gathered


def _check_classes(data: Path, gathered: Gathered, settings: DataSettings) -> None:
    classes = learnable(gathered)
    rows = sum(split == splits.TRAIN for split in gathered.splits)
    if not classes:
        raise UserError(f"{data.name}: the label column “{settings.label}” is empty in every row. Choose another.")
    if len(classes) == 1:
        raise UserError(
            f"{data.name} has only one class (“{classes[0]}”). A classifier needs at least two; "
            "choose another label column or add rows."
        )
    if len(classes) > max(20, rows // 2):
        raise UserError(
            f"{data.name}: the column “{settings.label}” has {len(classes):,} different values in {rows:,} rows, "
            "too many for classes. Choose another label column."
        )


def learnable(gathered: Gathered) -> list[str]:
    """The classes of the training and validation rows, sorted."""
    known = (splits.TRAIN, splits.VALID)
    return sorted({label for label, split in zip(gathered.labels, gathered.splits) if label and split in known})


def _write(
    folder: Path, gathered: Gathered, paths: dict[str, Path | None], settings: DataSettings, run: Run
) -> dict[str, Any]:
    """Assign the splits and write rows.arrow and corpus.arrow. Returns the facts for dataset.json."""
    classes = learnable(gathered)
    numbers = {label: number for number, label in enumerate(classes)}
    labels = np.array([numbers.get(label, -1) for label in gathered.labels], np.int32)
    parts = np.array(gathered.splits, np.int8)
    keep = _known_test_rows(gathered, labels, parts)
    if classes:
        _assign(parts, labels, settings)
        _warn_small_classes(classes, labels, parts, run)
    texts = store.read_table(folder / "texts.part")
    tested = _hashes(texts, np.flatnonzero(parts == splits.TEST))
    leaks = np.array([store.text_hash(text) in tested for text in _each(texts, run)], bool)
    removed = leaks & (parts == splits.UNLABELLED)
    _tell_leaks(leaks, parts, run)
    lm = ~leaks & (parts != splits.TEST)
    store.write_table(folder / "rows.arrow", store.ROWS, _rows(texts, labels, parts, lm, keep & ~removed))
    del texts
    (folder / "texts.part").unlink()
    facts: dict[str, Any] = {"labels": classes}
    if paths["corpus"]:
        facts["corpus_words"] = _write_corpus(folder, paths["corpus"], settings, tested, run, gathered)
    return facts | {"bad_row_count": gathered.bad_row_count, "bad_rows": gathered.bad_rows}


def _known_test_rows(gathered: Gathered, labels: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Mask of the rows to keep: a test row of a class without training rows is a bad row."""
    keep = np.ones(len(parts), bool)
    for row in np.flatnonzero((parts == splits.TEST) & (labels < 0)):
        if gathered.labels[row]:
            keep[row] = False
            file, number = gathered.origins[row]
            gathered.leave_out(BadRow(file, number, f"the class “{gathered.labels[row]}” has no training row"))
    parts[~keep] = splits.UNLABELLED
    return keep


def _assign(parts: np.ndarray, labels: np.ndarray, settings: DataSettings) -> None:
    rng = np.random.default_rng(settings.seed)
    if not (parts == splits.TEST).any() and not settings.test and settings.test_fraction > 0:
        splits.set_aside(parts, labels, settings.test_fraction, splits.TEST, rng)
    if not (parts == splits.VALID).any():
        splits.set_aside(parts, labels, settings.valid_fraction, splits.VALID, rng)
    if not (parts == splits.VALID).any():
        raise UserError("There are too few labelled rows to set some aside for validation. Add rows of each class.")
    labels[splits.keep_labelled(parts, labels, settings.labelled_rows, rng)] = -1


def _warn_small_classes(classes: list[str], labels: np.ndarray, parts: np.ndarray, run: Run) -> None:
    counts = np.bincount(labels[(parts == splits.TRAIN) & (labels >= 0)], minlength=len(classes))
    small = [f"“{name}” ({count})" for name, count in zip(classes, counts) if count < FEW_ROWS]
    if small:
        run.message(f"Classes with very few training rows are hardly learned: {', '.join(small[:10])}.", "warning")


def _hashes(texts: pa.Table, rows: np.ndarray) -> set[int]:
    return {store.text_hash(text) for text in texts.column("text").take(pa.array(rows)).to_pylist()}


def _each(texts: pa.Table, run: Run) -> Iterator[str]:
    for batch in run.track(texts.to_batches(), "Looking for test texts elsewhere"):
        yield from batch.column("text").to_pylist()


def _tell_leaks(leaks: np.ndarray, parts: np.ndarray, run: Run) -> None:
    removed = int((leaks & (parts == splits.UNLABELLED)).sum())
    shared = int((leaks & (parts <= splits.VALID)).sum())
    if removed:
        run.message(f"{removed:,} unlabelled texts also stand in the test rows and were removed.")
    if shared:
        run.message(
            f"{shared:,} training or validation texts also stand in the test rows. They keep their labels, "
            "but the language model does not read them.", "warning",
        )  # fmt: skip


def _rows(
    texts: pa.Table, labels: np.ndarray, parts: np.ndarray, lm: np.ndarray, keep: np.ndarray
) -> Iterator[dict[str, Any]]:
    for start in range(0, len(parts), BATCH):
        mask = keep[start : start + BATCH]
        here = slice(start, start + BATCH)
        text = texts.column("text").slice(start, BATCH).filter(pa.array(mask)).combine_chunks()
        yield {"text": text, "label": labels[here][mask], "split": parts[here][mask], "lm": lm[here][mask]}


def _write_corpus(
    folder: Path, path: Path, settings: DataSettings, tested: set[int], run: Run, gathered: Gathered
) -> int:
    """Write corpus.arrow without texts of test rows. Returns the number of words."""
    words, removed = 0, 0

    def batches() -> Iterator[dict[str, Any]]:
        nonlocal words, removed
        for batch in gather_corpus(path, settings, run, gathered):
            kept = [text for text in batch["text"] if store.text_hash(text) not in tested]
            removed += len(batch["text"]) - len(kept)
            words += sum(len(text.split()) for text in kept)
            yield {"text": kept}

    store.write_table(folder / "corpus.arrow", store.TEXTS, batches())
    if removed:
        run.message(f"{removed:,} general texts also stand in the test rows and were removed.")
    if not words:
        raise UserError(f"{path.name} has no text. Choose another file of general text.")
    return words


def _tell_bad_rows(gathered: Gathered, run: Run) -> None:
    if not gathered.bad_row_count:
        return
    common = Counter(row.reason for row in gathered.bad_rows).most_common(3)
    reasons = ", ".join(f"{count:,} × {reason}" for reason, count in common)
    first = gathered.bad_rows[0]
    text = f"{gathered.bad_row_count:,} rows were left out ({reasons}); the first is row {first.row:,} of {first.file}."
    run.message(text, "warning")


def _source(path: Path) -> dict[str, Any]:
    if path.is_dir():
        members = sorted(member for member in path.rglob("*") if member.is_file())
        return {"file": str(path), "sha256": "", "bytes": sum(member.stat().st_size for member in members)}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": str(path), "sha256": digest, "bytes": path.stat().st_size}
