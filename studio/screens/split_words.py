"""What the card “Rows kept aside” says, in plain words: pure functions of the settings that ask the engine's rules."""

from __future__ import annotations

from pathlib import Path

from ulmfit_core.config import DataSettings
from ulmfit_core.data.splits import TEST, VALID, Origin, manner, origins

WAYS = {
    "stratified": "At random",
    "tail": "The last rows",
    "group": "Whole groups",
    "column": "As the data says",
    "file": "Separate files",
    "folds": "One of several folds",
}
ABOUT = {
    "stratified": "Each class gives its share. Have you a file of test rows? Choose “Separate files”.",
    "tail": "For data in the order of time: what came last is kept aside, as if it had not happened yet.",
    "group": "Rows that belong together, such as all texts of one author, are kept aside together.",
    "column": "A column holds train, valid or test for each row, or parts of the data are called so.",
    "file": "Files with the same columns as your data. One of the two is enough.",
    "folds": "Equal parts. Import and train once for each of them, and every row is tested once.",
}
TRANSDUCTIVE = "What the test measures then holds for these texts, and less for new ones. The choice is recorded."
PARTS = {TEST: "test", VALID: "validation"}
FILES = {TEST: "test", VALID: "valid"}


def problem_of(settings: DataSettings, columns: list[str], named: bool) -> str:
    """Why the engine would refuse this, as far as is known before an import; empty where it would not.

    `columns` of the chosen file, empty where none was read. `named`: whether parts of it may be called train, valid
    or test (`Preview.named`).
    """
    lacking = missing(settings, named or not columns) if settings.label else ""
    gone = [name for name in (settings.split_column, settings.group_column) if name and not is_column(name, columns)]
    if columns and gone and not lacking:
        return f"Your data has no column “{gone[0]}”. Choose another one."
    return lacking


def missing(settings: DataSettings, named: bool) -> str:
    """What the chosen way lacks."""
    files = bool(settings.valid) + bool(settings.test)
    if settings.split == "group" and not settings.group_column:
        return "Choose the column that says which rows belong together."
    if settings.split == "column" and not (settings.split_column or named or files):
        return "Choose the column that says train, valid or test."
    if settings.split == "file" and not files:
        return "Choose a file of validation rows, of test rows, or both."
    if settings.split == "folds" and files == 2:
        return "Validation and test rows both come from files, so no fold can be kept aside. Take one file away."
    if settings.split == "folds" and settings.fold > settings.folds:
        return f"There is no fold {settings.fold} of {settings.folds}. Choose another one."
    return ""


def is_column(name: str, columns: list[str]) -> bool:
    """Whether it is a column's name, or its number from 1."""
    return name in columns or (name.isdigit() and 1 <= int(name) <= len(columns))


def cases(settings: DataSettings, named: bool) -> list[dict[int, Origin]]:
    """Where test and validation rows may come from: one case, or several where it is not known what the data names."""
    maybe = (True, False) if settings.split_column or named else (False,)
    valid, test = ((True,) if given else maybe for given in (settings.valid, settings.test))
    return [origins(settings, with_valid, with_test) for with_test in test for with_valid in valid]


def foretell(settings: DataSettings, named: bool) -> str:
    """What the import will do with the labelled rows: a line each for test, validation and training."""
    if not settings.label:
        return _foretell_unlabelled(settings, named)
    lines = [f"{PARTS[part].capitalize()}: {_source(settings, named, part)}." for part in (TEST, VALID)]
    return "\n".join([*lines, f"Training: {_rest(settings)}."])


def _foretell_unlabelled(settings: DataSettings, named: bool) -> str:
    said = "No label column is chosen, so no rows are kept aside: all texts teach the language model"
    if settings.transductive or not (settings.test or settings.split_column or named):
        return f"{said}."
    return f"{said}, except those that are named as test rows."


def _source(settings: DataSettings, named: bool, part: int) -> str:
    """Where the rows of a part come from; what comes second holds where the first finds none."""
    every = cases(settings, named)
    second = part == VALID and any(case[TEST] not in ("given", "none") for case in every)
    given = _given(settings, named, part)
    found = [origin for origin in dict.fromkeys(case[part] for case in every) if origin != "given"]
    if not found:
        return given
    # Where validation may get the fold or a share, it is the fold unless that is the test.
    other = " where it is not the test, else ".join(_amount(settings, part, origin, second) for origin in found)
    return f"{given}; if there are none, {other}" if given else other


def _given(settings: DataSettings, named: bool, part: int) -> str:
    """The rows that a file, a column or the names of parts give."""
    path, word = getattr(settings, FILES[part]), PARTS[part]
    sources = [f"the rows of {Path(path).name}"] if path else []
    if settings.split_column:
        sources.append(f"the rows that “{settings.split_column}” calls {word}")
    elif named:
        sources.append(f"the parts of your data called {word}")
    return ", and ".join(sources)


def _amount(settings: DataSettings, part: int, origin: Origin, second: bool) -> str:
    """The rows that are set aside of those that nothing names; `second`: of what the test leaves."""
    if origin == "none":
        return "no rows"
    whole = ", in whole groups" if settings.group_column else ""
    if origin == "fold":
        part_of = f"about {per_cent(1 / settings.folds)} of the labelled rows{whole}"
        return f"fold {settings.fold} of {settings.folds}, {part_of}"
    share = settings.test_fraction if part == TEST else settings.valid_fraction
    amount = f"about {per_cent(share)} of the {'others' if second else 'labelled rows'}"
    if manner(settings, bool(settings.group_column)) == "tail":
        return f"{amount}, the last ones{' before those' if second else ''}"
    return f"{amount}{whole or ', at random'}"


def _rest(settings: DataSettings) -> str:
    if not settings.labelled_rows:
        return "all the others"
    return f"{settings.labelled_rows:,} of the others; what is left teaches the language model without its labels"


def per_cent(share: float) -> str:
    return f"{100 * share:.3g} %"
