"""Import a dataset: read the files, split the rows, keep them as Arrow files under dataset/."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ulmfit_core import edit_log, files, reading
from ulmfit_core.config import DataSettings
from ulmfit_core.data import dataset as store
from ulmfit_core.data import repeats, splits
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.edits import Corrections
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.gather import BATCH, Gathered, Names, gather_corpus, gather_rows, shortened
from ulmfit_core.data.kinds import beside
from ulmfit_core.edit_log import RELABEL
from ulmfit_core.errors import UserError
from ulmfit_core.events import Artefact
from ulmfit_core.project import Project
from ulmfit_core.run import Run

ROLES = ("data", "valid", "test", "unlabelled", "corpus")
FEW_ROWS = 3


def import_data(project: Project, run: Run) -> dict[str, Any]:
    """Read what project.recipe.data names into dataset/. Returns rows, splits, classes and the number of bad rows.

    Raises UserError, with the project as it was, for files that cannot be read or cannot teach a classifier.
    """
    settings = _located(project)
    if not settings.data:
        raise UserError("No file was chosen. Choose a file with your texts first.")
    paths = {role: locate(project, getattr(settings, role)) for role in ROLES}
    others = [Path(name) for name in (*settings.more, settings.labels_file) if name]
    sources = [path for path in (paths["data"], *others, *map(paths.get, ROLES[1:])) if path]
    stamps = [_stamp(path) for path in sources]
    with files.replacing_folder(project.dataset_folder) as folder:
        with contextlib.closing(files.AppendLog(folder / store.BAD_ROWS)) as log:
            log.write(store.bad_rows_head())
            fingerprint = project.fingerprint("import")  # of the corrections that are read next
            gathered = _gather(Gathered(log, corrections=Corrections.of(project)), paths, settings, run, folder)
            facts = _write(folder, gathered, paths, settings, run)
        facts["fingerprint"] = fingerprint
        _refuse_changed(sources, stamps)
        facts["sources"] = [_source(path) for path in sources]
        store.write_facts(folder, facts)
    _tell_bad_rows(gathered, run)
    _tell_corrections(gathered.corrections, run)
    run.emit(Artefact("dataset", str(project.dataset_folder)))
    return summary(Dataset.open(project.dataset_folder))


def summary(dataset: Dataset) -> dict[str, Any]:
    """Rows, rows by split, labelled rows by class, number of bad rows, documents of general text, repeated texts."""
    counts = Counter[str]()
    for split in ("train", "valid", "test"):
        counts.update(dataset.class_counts(split))
    return {
        "rows": len(dataset),
        "splits": dataset.counts,
        "classes": dict(counts),
        "bad_rows": dataset.facts["bad_row_count"],
        "corpus_documents": dataset.corpus_size,
        "repeats": dataset.facts.get("repeats", {}),
        "transductive": dataset.transductive,
    }


def _located(project: Project) -> DataSettings:
    """The settings with the files beside the first one where they lie."""
    settings = project.recipe.data
    data = locate(project, settings.data)
    if data is None:
        return settings
    more = [str(beside(data, str(locate(project, name)))) for name in settings.more if name]
    labels = locate(project, settings.labels_file)
    return settings.model_copy(update={"more": more, "labels_file": str(beside(data, str(labels))) if labels else ""})


def locate(project: Project, name: str) -> Path | None:
    """A file named in the recipe: from the project's folder where it lies there, else as it stands; None for ""."""
    if not name:
        return None
    beside = project.folder / files.at_home(name)
    return beside if beside.exists() else files.at_home(name)


def _gather(
    gathered: Gathered, paths: dict[str, Path | None], settings: DataSettings, run: Run, folder: Path
) -> Gathered:
    data = paths["data"]
    assert data is not None
    gather_rows(gathered, paths, settings, run, folder / "texts.part")
    gathered.correct()
    if not gathered.splits:
        raise UserError(f"{data.name} has no row with text. Choose another text column.")
    if settings.label:
        _check_classes(data, gathered, settings)
    return gathered


def _check_classes(data: Path, gathered: Gathered, settings: DataSettings) -> None:
    classes = learnable(gathered.labels, gathered)
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


def learnable(labels: Names, gathered: Gathered) -> list[str]:
    """The classes of the training and validation rows, and of the rows that a person has corrected, sorted."""
    places, parts = np.array(labels.places), np.array(gathered.splits)
    used = (parts == splits.TRAIN) | (parts == splits.VALID)
    used[list(gathered.corrections.labels)] = True
    return sorted(labels.known[place] for place in np.unique(places[used]) if labels.known[place])


def _write(
    folder: Path, gathered: Gathered, paths: dict[str, Path | None], settings: DataSettings, run: Run
) -> dict[str, Any]:
    """Assign the splits and write rows.arrow and corpus.arrow. Returns the facts for dataset.json."""
    classes = learnable(gathered.labels, gathered)
    labels = _numbered(gathered.labels, classes)
    parts = np.array(gathered.splits, np.int8)
    keep = _known_test_rows(gathered, labels, parts)
    texts = store.read_table(folder / "texts.part")
    numbers = repeats.hashes(_each(texts, run))
    counted = repeats.count_repeats(numbers[keep], labels[keep])
    groups = _groups(gathered, settings, run)
    if classes:
        _assign_splits(parts, gathered, numbers, groups, settings)
        labels[parts == splits.UNLABELLED] = -1
        _warn_rare_classes(classes, labels, parts, run)
        _warn_torn_groups(parts, groups, settings, run)
    tested = np.unique(numbers[(parts == splits.TEST) & keep])
    lm, kept = _readers(numbers, tested, parts, groups, settings, run)
    columns = {"label": labels, "split": parts, "lm": lm}
    schema = store.with_kept(store.ROWS, settings.keep)
    store.write_table(folder / "rows.arrow", schema, _rows(texts, gathered, columns, keep & kept))
    del texts
    (folder / "texts.part").unlink()
    facts: dict[str, Any] = {"labels": classes, "repeats": counted, "transductive": settings.transductive}
    facts |= {store.KEPT: settings.keep} if settings.keep else {}
    if paths["corpus"]:
        unseen = np.empty(0, np.int64) if settings.transductive else tested
        facts["corpus_words"] = _write_corpus(folder, paths["corpus"], settings, unseen, run, gathered)
    return facts | {"bad_row_count": gathered.bad_row_count, "bad_rows": gathered.bad_rows}


def _assign_splits(
    parts: np.ndarray, gathered: Gathered, numbers: np.ndarray, groups: np.ndarray | None, settings: DataSettings
) -> None:
    """Part the rows, in place, by the labels of the files: so no correction moves another row to another split.

    `numbers` are the hashes of the texts. Unlabelled rows to which a person gave a label then become training rows.
    """
    rng = np.random.default_rng(settings.seed)
    given = _numbered(gathered.given, learnable(gathered.given, gathered))
    splits.assign(parts, given, groups, settings, rng)
    splits.keep_labelled(parts, given, settings.labelled_rows, rng)
    labelled = np.zeros(len(parts), bool)
    labelled[list(gathered.corrections.labels)] = True
    labelled &= parts == splits.UNLABELLED
    aside = (parts == splits.VALID) | (parts == splits.TEST)
    labelled &= ~repeats.stand_in(numbers, np.unique(numbers[aside]))
    if groups is not None:
        labelled &= ~np.isin(groups, groups[aside])
    parts[labelled] = splits.TRAIN


def _numbered(labels: Names, classes: list[str]) -> np.ndarray:
    """int32, shape (rows,): places in `classes`, -1 for a label that is none of them."""
    numbers = {label: number for number, label in enumerate(classes)}
    known = np.array([numbers.get(label, -1) for label in labels.known], np.int32)
    return known[np.array(labels.places)]


def _groups(gathered: Gathered, settings: DataSettings, run: Run) -> np.ndarray | None:
    """int64, shape (rows,): a number for each group, one of its own for each row without a group."""
    if not settings.group_column:
        return None
    groups = np.array(gathered.groups.places, np.int64)
    alone = np.array([not name for name in gathered.groups.known])[groups]
    groups[alone] = len(gathered.groups.known) + np.flatnonzero(alone)
    bare = int((alone & (np.array(gathered.splits) != splits.UNLABELLED)).sum())
    if bare:
        run.message(f"{bare:,} rows have no “{settings.group_column}”. Each of them is taken for a group of its own.")
    return groups


def _known_test_rows(gathered: Gathered, labels: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Mask of the rows to keep: a test row of a class without training rows is a bad row."""
    keep = np.ones(len(parts), bool)
    for row in np.flatnonzero((parts == splits.TEST) & (labels < 0)).tolist():
        if gathered.labels[row]:
            keep[row] = False
            reason = f"the class “{shortened(gathered.labels[row])}” has no training row"
            gathered.leave_out(BadRow(gathered.files[row], gathered.numbers[row], reason))
    parts[~keep] = splits.UNLABELLED
    return keep


def _warn_rare_classes(classes: list[str], labels: np.ndarray, parts: np.ndarray, run: Run) -> None:
    counts = np.bincount(labels[(parts == splits.TRAIN) & (labels >= 0)], minlength=len(classes))
    absent = [f"“{name}”" for name, count in zip(classes, counts) if not count]
    if absent:
        run.message(
            f"No training row has {', '.join(absent)}: what no row shows is never learned. "
            "Choose another split or add rows.", "warning",
        )  # fmt: skip
    small = [f"“{name}” ({count})" for name, count in zip(classes, counts) if 0 < count < FEW_ROWS]
    if small:
        run.message(f"Classes with very few training rows are hardly learned: {', '.join(small[:10])}.", "warning")


def _warn_torn_groups(parts: np.ndarray, groups: np.ndarray | None, settings: DataSettings, run: Run) -> None:
    """Tell where the data itself, or the tail of a file, sets rows of one group on two sides."""
    if groups is None:
        return
    known = parts != splits.UNLABELLED
    sides = np.unique(np.stack([groups[known], parts[known]], 1), axis=0)
    torn = int((np.unique(sides[:, 0], return_counts=True)[1] > 1).sum())
    if torn:
        run.message(
            f"{torn:,} groups of “{settings.group_column}” stand on more than one side, because the split follows "
            "the place of a row, a column or a file.", "warning",
        )  # fmt: skip


def _each(texts: pa.Table, run: Run) -> Iterator[str]:
    for batch in run.track(texts.to_batches(), "Looking for repeated texts"):
        yield from batch.column("text").to_pylist()


def _readers(
    numbers: np.ndarray, tested: np.ndarray, parts: np.ndarray, groups: np.ndarray | None, settings: DataSettings,
    run: Run,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Masks of the rows that may teach the language model, and of those that stay in the dataset.

    `tested` are the hashes of the test texts. Unlabelled texts of a tested group teach nothing either.
    """
    leaks = repeats.stand_in(numbers, tested)
    _tell_leaks(leaks, parts, settings, run)
    if settings.transductive:
        return np.ones(len(parts), bool), np.ones(len(parts), bool)
    lm = ~leaks & (parts != splits.TEST)
    if groups is not None:
        lm &= ~((parts == splits.UNLABELLED) & np.isin(groups, groups[parts == splits.TEST]))
    return lm, ~(leaks & (parts == splits.UNLABELLED))


def _tell_leaks(leaks: np.ndarray, parts: np.ndarray, settings: DataSettings, run: Run) -> None:
    removed = int((leaks & (parts == splits.UNLABELLED)).sum())
    shared = int((leaks & (parts <= splits.VALID)).sum())
    tested = int((parts == splits.TEST).sum())
    if settings.transductive and tested:
        run.message(
            f"The language model reads the texts of the {tested:,} test rows too, without their labels "
            "(transductive is switched on)."
        )
    elif removed:
        run.message(f"Unlabelled texts that also stand in the test rows were removed: {removed:,}.")
    if shared:
        unread = "" if settings.transductive else ", but the language model does not read them"
        run.message(
            f"Training and validation texts that also stand in the test rows: {shared:,}. They keep their labels"
            f"{unread}. Take them out of one of the two for a stricter test.",
            "warning",
        )


def _rows(
    texts: pa.Table, gathered: Gathered, columns: dict[str, np.ndarray], keep: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Batches of the rows of the mask `keep`, as store.ROWS has them."""
    names = np.array(gathered.groups.known, object)
    groups = np.array(gathered.groups.places)
    for start in range(0, len(keep), BATCH):
        mask = keep[start : start + BATCH]
        here = slice(start, start + BATCH)
        kept = texts.slice(start, BATCH).filter(pa.array(mask)).combine_chunks()
        cells = {name: kept.column(name).combine_chunks() for name in texts.column_names}
        numbers = {name: values[here][mask] for name, values in columns.items()}
        yield {**cells, **numbers, "group": names[groups[here][mask]]}


def _write_corpus(
    folder: Path, path: Path, settings: DataSettings, tested: np.ndarray, run: Run, gathered: Gathered
) -> int:
    """Write corpus.arrow without the texts whose hashes are `tested`. Returns the number of words."""
    words, removed = 0, 0

    def batches() -> Iterator[dict[str, Any]]:
        nonlocal words, removed
        for batch in gather_corpus(path, settings, run, gathered):
            seen = repeats.stand_in(repeats.hashes(batch["text"]), tested)
            kept = [text for text, known in zip(batch["text"], seen) if not known]
            removed += len(batch["text"]) - len(kept)
            words += sum(len(text.split()) for text in kept)
            yield {"text": kept}

    store.write_table(folder / "corpus.arrow", store.TEXTS, batches())
    if removed:
        run.message(f"General texts that also stand in the test rows were removed: {removed:,}.")
    if not words:
        raise UserError(f"{path.name} has no text. Choose another file of general text.")
    return words


def _tell_bad_rows(gathered: Gathered, run: Run) -> None:
    if not gathered.bad_row_count:
        return
    reasons = ", ".join(f"{count:,} × {reason}" for reason, count in gathered.reasons.most_common(3))
    first = gathered.bad_rows[0]
    where = f"the first is row {first.row:,} of {first.file}"
    run.message(f"Rows left out: {gathered.bad_row_count:,} ({reasons}); {where}.", "warning")


def _tell_corrections(corrections: Corrections, run: Run) -> None:
    """What became of a person's corrections. One whose text is not there now is kept for when it comes again."""
    added = len(corrections.added)
    if corrections.labels:
        rows = len(corrections.labels) - added
        run.message(f"Your corrections were taken in: {rows:,} rows have your label, {added:,} texts were added.")
    absent = corrections.not_met(RELABEL)
    if absent:
        run.message(
            f"Texts that you gave another label and that the data no longer has: {len(absent):,}, the first of them "
            f"“{shortened(absent[0].text)}”. Your corrections of them are kept for when these texts come again.",
            "warning",
        )  # fmt: skip
    if corrections.damaged:
        run.message(
            f"Damaged lines of {edit_log.NAME}, which holds your corrections, were left out: {corrections.damaged:,}. "
            "Restore the file from a copy if you have one.", "warning",
        )  # fmt: skip


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of change; None where nothing is there, which whoever reads it says in its own words."""
    if not path.exists():
        return None
    found = path.stat()
    return (found.st_size, found.st_mtime_ns)


def _refuse_changed(sources: list[Path], stamps: list[tuple[int, int] | None]) -> None:
    """Raise UserError where a file is not what it was before it was read: its rows may be of two versions."""
    for path, stamp in zip(sources, stamps, strict=True):
        if _stamp(path) != stamp:
            raise UserError(
                f"{path} was changed or removed while it was read. Wait until whoever writes it has ended, then import "
                "again."
            )


def _source(path: Path) -> dict[str, Any]:
    if path.is_dir():
        members = sorted(member for member in path.rglob("*") if member.is_file())
        return {"file": str(path), "sha256": "", "bytes": sum(member.stat().st_size for member in members)}
    return {"file": str(path), "sha256": reading.sha256(path), "bytes": path.stat().st_size}
