"""The card “Rows kept aside”: it shows what counts for the choice, and says what the import then does."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from studio.screens.split_words import problem_of
from studio.screens.splits import Splits, way_of
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.readers import preview
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.import_data import import_data
from ulmfit_core.project import Project
from ulmfit_core.run import Run

COLUMNS = ["text", "label", "author", "side"]
AUTHORS = 20


@pytest.fixture
def card(qtbot) -> Splits:
    """As it stands in the window: what it tells changes the settings that it shows."""
    made = Splits()
    qtbot.addWidget(made)
    made.settings = DataSettings(label="label")
    made.told = []

    def change(name: str, value: object) -> None:
        made.told.append((name, value))
        made.settings = DataSettings(**{**made.settings.model_dump(), name: value})
        made.set_settings(made.settings)

    made.changed.connect(change)
    made.set_settings(made.settings)
    made.set_columns(COLUMNS)
    made.show()
    qtbot.waitExposed(made)
    return made


def show(card: Splits, **settings: object) -> None:
    card.settings = DataSettings(**{"label": "label", **settings})
    card.set_settings(card.settings)


def pick(box, value: object) -> None:
    index = box.findData(value)
    assert index >= 0, f"{value!r} is not offered"
    box.setCurrentIndex(index)
    box.activated.emit(index)


def shown(card: Splits) -> set[str]:
    return {name for name, knob in card.knobs.items() if knob.isVisible()}


SHARES = {"test_fraction", "valid_fraction"}


@pytest.mark.parametrize(
    ("settings", "knobs"),
    [
        ({}, SHARES),
        ({"split": "tail"}, SHARES),
        ({"split": "group"}, {"group_column"}),
        ({"split": "group", "group_column": "author"}, {"group_column", *SHARES}),
        ({"split": "column"}, {"split_column"}),
        ({"split": "column", "split_column": "side"}, {"split_column", *SHARES}),
        ({"split": "file"}, {"valid", "test"}),
        ({"split": "file", "test": "t.csv"}, {"valid", "test", "valid_fraction"}),
        ({"split": "file", "valid": "v.csv"}, {"valid", "test", "test_fraction"}),
        ({"split": "file", "valid": "v.csv", "test": "t.csv"}, {"valid", "test"}),
        ({"split": "folds"}, {"folds", "fold", "group_column", "valid_fraction"}),
        ({"split": "folds", "test": "t.csv"}, {"folds", "fold", "group_column", "test"}),
        ({"split": "tail", "test": "t.csv"}, {"test", "valid_fraction"}),
        ({"label": ""}, set()),
        ({"label": "", "split": "folds", "test": "t.csv"}, {"test"}),
    ],
)
def test_only_what_counts_is_shown(card, settings, knobs):
    show(card, **settings)
    assert shown(card) == knobs
    assert card.way.isVisible() == (settings.get("label") != "")


def test_what_is_given_goes_before_a_choice_at_random(card):
    for settings, way in (
        ({"split_column": "side"}, "column"), ({"test": "t.csv"}, "file"), ({"group_column": "author"}, "group"),
        ({"split": "tail", "test": "t.csv"}, "tail"), ({}, "stratified"),
    ):  # fmt: skip
        show(card, **settings)
        assert card.way.currentData() == way == way_of(card.settings)


def test_another_way_drops_what_it_does_not_take_and_gives_it_back(card):
    show(card, split_column="side")
    pick(card.way, "stratified")
    assert card.settings == DataSettings(label="label"), "at random is at random: no column decides"
    pick(card.way, "column")
    assert (card.settings.split, card.settings.split_column) == ("column", "side")
    pick(card.way, "group")
    pick(card.knobs["group_column"].control, "author")
    assert (card.settings.split, card.settings.split_column, card.settings.group_column) == ("group", "", "author")


def test_a_test_file_stays_where_the_new_way_can_do_with_it(card):
    show(card, test="t.csv")
    pick(card.way, "tail")
    assert (card.settings.split, card.settings.test) == ("tail", "t.csv") and "test" in shown(card)
    pick(card.way, "stratified")
    assert card.settings.test == ""


def test_the_columns_of_another_file_are_not_remembered(card):
    show(card, split_column="side")
    pick(card.way, "stratified")
    card.set_columns(["review", "stars"])
    pick(card.way, "column")
    assert card.settings.split_column == ""


def test_shares_are_typed_in_per_cent(qtbot, card):
    box = card.knobs["test_fraction"].control
    box.selectAll()
    qtbot.keyClicks(box, "12.5")
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert card.told == [("test_fraction", 0.125)] and box.text() == "12.5 %"
    box.setValue(0)
    assert card.settings.test_fraction == 0 and box.text() == "none"


def test_a_share_out_of_bounds_is_refused_in_words(qtbot, card):
    knob = card.knobs["valid_fraction"]
    knob.control.selectAll()
    qtbot.keyClicks(knob.control, "70")
    assert knob._note.text() == "From 1 to 50 %."
    qtbot.keyClick(knob.control, Qt.Key.Key_Return)
    assert card.settings.valid_fraction == 0.1


def test_fewer_folds_take_the_chosen_one_along(card):
    show(card, split="folds", folds=8, fold=7)
    assert card.knobs["fold"].control.currentText() == "7 of 8"
    card.knobs["folds"].control.setValue(5)
    assert (card.settings.folds, card.settings.fold) == (5, 5) and not card.problem
    assert [card.knobs["fold"].control.itemData(place) for place in range(5)] == [1, 2, 3, 4, 5]
    assert card.knobs["fold"].control.count() == 5


def test_the_seed_is_offered_where_chance_takes_part(card):
    for settings, drawn in (
        ({}, True), ({"split": "tail"}, False), ({"split": "tail", "labelled_rows": 9}, True),
        ({"valid": "v.csv", "test": "t.csv"}, False), ({"split": "folds"}, True), ({"label": ""}, False),
    ):  # fmt: skip
        show(card, **settings)
        assert card.rows["seed"].isHidden() != drawn, settings


def test_every_control_has_a_name_and_the_tab_key_reaches_it(qtbot, card):
    show(card, split="folds")
    card.advanced.heading.setChecked(True)
    controls = [card.way, *(card.knobs[name].control for name in ("group_column", "folds", "fold", "valid_fraction"))]
    controls += [card.advanced.heading, *(row.control for row in card.rows.values())]
    assert all(control.accessibleName() or control.text() for control in controls)
    seen = list[QWidget]()
    card.way.setFocus()
    while card.focusWidget() not in seen:
        seen.append(card.focusWidget())
        qtbot.keyClick(seen[-1], Qt.Key.Key_Tab)
    assert seen == controls


# What the card says is what the engine does


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """400 labelled rows of 20 authors in data.csv, the column `side` full of nothing; 30 rows in t.csv and v.csv."""
    rows = [[f"text number {n}", "ab"[n % 2], f"author {n // 2 % AUTHORS}", ""] for n in range(400)]
    for name, chosen in (("data.csv", rows), ("t.csv", rows[:30]), ("v.csv", rows[:30])):
        write(tmp_path / name, [[f"{row[0]} of {name}", *row[1:]] for row in chosen])
    return tmp_path


def write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def imported(folder: Path, **settings: object) -> Dataset:
    named = {name: str(folder / str(settings[name])) for name in ("valid", "test") if settings.get(name)}
    data = DataSettings(**{"data": str(folder / "data.csv"), "text": ["text"], "label": "label", **settings, **named})
    project = Project.create(folder / "project", Recipe(data=data))
    import_data(project, Run(None))
    return Dataset.open(project.dataset_folder)


def promised(line: str, dataset: Dataset, taken: int = 0) -> int:
    """The rows of a part after its line of the sentence, of which `taken` are taken from the labelled rows before."""
    if "the rows of" in line:
        return 30
    if "no rows" in line:
        return 0
    found = re.search(r"about ([\d.]+) % of the (labelled rows|others)", line)
    assert found, line
    given = sum(30 for source in dataset.facts["sources"] if not source["file"].endswith("data.csv"))
    labelled = int((dataset.label_ids >= 0).sum()) - given
    return round(float(found[1]) / 100 * (labelled - (taken if found[2] == "others" else 0)))


WAYS = [
    {}, {"test_fraction": 0.25, "valid_fraction": 0.05}, {"test_fraction": 0.0}, {"split": "tail"},
    {"split": "group", "group_column": "author"}, {"group_column": "author"}, {"split_column": "side"},
    {"split": "file", "test": "t.csv"}, {"valid": "v.csv"}, {"valid": "v.csv", "test": "t.csv"},
    {"valid": "v.csv", "test_fraction": 0.0}, {"split": "tail", "test": "t.csv"}, {"split": "folds", "folds": 4},
    {"split": "folds", "folds": 4, "test": "t.csv"}, {"split": "folds", "folds": 4, "valid": "v.csv"},
    {"split": "folds", "folds": 4, "group_column": "author"},
]  # fmt: skip


@pytest.mark.parametrize("settings", WAYS, ids=str)
def test_the_import_keeps_aside_what_the_card_says(card, files, settings):
    show(card, **settings)
    assert card.problem == ""
    test, valid, train = card.sentence.text().split("\n")
    dataset = imported(files, **settings)
    counts = dataset.counts
    tested = promised(test, dataset)
    size = 400 // AUTHORS if "group_column" in settings else 0  # whole groups meet a share to within one of them
    assert abs(counts["test"] - tested) <= size
    assert abs(counts["valid"] - promised(valid, dataset, counts["test"])) <= size
    assert train == "Training: all the others." and counts["train"] == len(dataset) - counts["test"] - counts["valid"]
    aside = [row for row in range(400) if dataset.split_ids[row] != 0]  # of data.csv, which is read first
    assert ("the last ones" in test + valid) == (bool(aside) and aside == list(range(400 - len(aside), 400)))
    assert ("in whole groups" in test + valid) == ("group_column" in settings and not torn_groups(dataset))


def torn_groups(dataset: Dataset) -> set[str]:
    """Authors who stand on more than one side."""
    sides: dict[str, set[int]] = {}
    for group, side in zip(dataset.groups(range(len(dataset))), dataset.split_ids.tolist()):
        sides.setdefault(group, set()).add(side)
    return {group for group, found in sides.items() if len(found) > 1}


@pytest.mark.parametrize("marks", [("train", "test"), ("train", "valid"), ("train", "test", "valid")], ids=str)
def test_a_column_goes_first_and_the_shares_fill_what_it_leaves_empty(card, tmp_path, marks):
    rows = [[f"text number {n}", "ab"[n % 2], "", marks[n // 2 % len(marks)]] for n in range(300)]
    write(tmp_path / "data.csv", rows)
    show(card, split="column", split_column="side")
    test, valid, _ = card.sentence.text().split("\n")
    assert test.startswith("Test: the rows that “side” calls test; if there are none, about 10 % of the labelled rows")
    assert "“side” calls validation; if there are none, about 10 % of the others" in valid
    counts = imported(tmp_path, split="column", split_column="side").counts
    marked = {mark: sum(row[3] == mark for row in rows) for mark in ("train", "valid", "test")}
    tested = marked["test"] or round(marked["train"] * 0.1)
    left = 300 - tested - marked["valid"]
    assert (counts["test"], counts["valid"]) == (tested, marked["valid"] or round(left * 0.1))


def test_fewer_labels_are_told_and_kept(card, files):
    show(card, labelled_rows=50)
    assert "Training: 50 of the others; what is left teaches the language model" in card.sentence.text()
    counts = imported(files, labelled_rows=50).counts
    assert (counts["train"], counts["unlabelled"]) == (50, 400 - counts["test"] - counts["valid"] - 50)


@pytest.mark.parametrize("settings", [{}, {"split": "folds", "folds": 4}, {"split": "tail"}], ids=str)
def test_without_a_label_nothing_is_kept_aside(card, files, settings):
    show(card, label="", **settings)
    assert card.sentence.text().startswith("No label column is chosen, so no rows are kept aside")
    assert imported(files, label="", **settings).counts["unlabelled"] == 400


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"split": "group"}, "Choose the column that says which rows belong together."),
        ({"split": "file"}, "Choose a file of validation rows, of test rows, or both."),
        ({"split": "folds", "folds": 3, "fold": 4}, "There is no fold 4 of 3. Choose another one."),
        ({"split": "folds", "valid": "v.csv", "test": "t.csv"}, "no fold can be kept aside"),
        ({"split": "column"}, "Choose the column that says train, valid or test."),
        ({"split_column": "gone"}, "Your data has no column “gone”."),
        ({"group_column": "9"}, "Your data has no column “9”."),
    ],
)
def test_what_the_engine_refuses_is_told_before(card, files, settings, sentence):
    show(card, **settings)
    assert sentence in card.sentence.text() and card.sentence.property("role") == "problem"
    with pytest.raises(UserError):
        imported(files, **settings)


def test_a_column_may_be_told_by_its_number():
    assert problem_of(DataSettings(label="label", split_column="4"), COLUMNS, False) == ""


def pack_zip(path: Path, rows: dict[str, list[list[str]]]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, chosen in rows.items():
            lines = io.StringIO()
            csv.writer(lines).writerows([COLUMNS, *chosen])
            archive.writestr(f"{name}.csv", lines.getvalue())


def pack_json(path: Path, rows: dict[str, list[list[str]]]) -> None:
    lists = {name: [dict(zip(COLUMNS, row)) for row in chosen] for name, chosen in rows.items()}
    path.write_text(json.dumps(lists), encoding="utf-8")


def pack_folder(path: Path, rows: dict[str, list[list[str]]]) -> None:
    for name, chosen in rows.items():
        for number, (text, label, *_) in enumerate(chosen):
            (path / name / label).mkdir(parents=True, exist_ok=True)
            (path / name / label / f"{number}.txt").write_text(text, encoding="utf-8")


SO, OTHERWISE = ("train", "test"), ("one", "two")


@pytest.mark.parametrize(
    ("name", "pack", "names"),
    [
        ("a.zip", pack_zip, SO), ("a.zip", pack_zip, OTHERWISE), ("a.json", pack_json, SO),
        ("a.json", pack_json, OTHERWISE), ("a", pack_folder, SO),
    ],
)  # fmt: skip
def test_parts_of_the_data_that_are_called_so_are_told(card, tmp_path, name, pack, names):
    rows = [[f"text number {n}", "ab"[n % 2], "", ""] for n in range(240)]
    pack(tmp_path / name, {names[0]: rows[:200], names[1]: rows[200:]})
    settings = {"data": str(tmp_path / name), "text": ["text"], "label": "label"}
    named = preview(tmp_path / name, DataSettings(**settings)).named
    card.settings = DataSettings(**settings)
    card.set_settings(card.settings, named)
    test = card.sentence.text().split("\n")[0]
    counts = imported(tmp_path, **settings).counts
    if names == SO:
        assert test == (
            "Test: the parts of your data called test; if there are none, about 10 % of the labelled rows, at random."
        )
        assert counts["test"] == 40
    else:
        assert counts["test"] == 24 and "about 10 % of the labelled rows, at random" in test
