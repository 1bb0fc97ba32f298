"""The parts of the Evaluate screen beside its overview: trust, classes, parts of the data, suspect labels, export."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QFileDialog
from scipy.stats import binom

from studio import theme
from studio.screens.evaluation import EvaluationScreen
from studio.screens.evaluation_classes import ClassesPage
from studio.screens.evaluation_export import Export
from studio.screens.evaluation_matrix import MOST, Matrix, mixed_up
from studio.screens.evaluation_overview import Report
from studio.screens.evaluation_pages import EARLIER, Measured, Page, Tabs
from studio.screens.evaluation_parts import PartsPage, chance_of_so_few, worse, worse_sentence
from studio.screens.evaluation_suspects import SuspectsPage
from studio.screens.evaluation_trust import HANDLE, PARTS, Slider, TrustPage
from studio.screens.evaluation_trust_words import LEAST_ROWS, calibration_sentences, coverage_sentence, down
from studio.screens.evaluation_words import interval_sentence
from studio.widgets.confusion import ROW
from ulmfit_core.data import edits
from ulmfit_core.inference import answers
from ulmfit_core.inference.calibration import calibration
from ulmfit_core.inference.figures import figures
from ulmfit_core.inference.findings import worst_first
from ulmfit_core.inference.scope import FEWEST_ROWS
from ulmfit_core.inference.slices import slices
from ulmfit_core.project import Project

LABELS = ["billing", "refund", "other"]
ROWS = 300
PLANTED = 7  # the row whose label is plainly wrong


@pytest.fixture(scope="module")
def kept() -> answers.Answers:
    """Answers that are right the surer they are, to texts whose first half comes from another source."""
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 1.5, (ROWS, len(LABELS)))
    truth = np.array([rng.choice(len(LABELS), p=np.exp(row) / np.exp(row).sum()) for row in scores])
    scores[PLANTED] = [9, 0, 0]
    truth[PLANTED] = 1
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    texts = [f"text {number} " + "word " * (number % 30) for number in range(ROWS)]
    sources = ["letter" if number < ROWS / 2 else "mail" for number in range(ROWS)]
    return answers.Answers(
        LABELS, texts, [""] * ROWS, np.arange(ROWS), truth, shares.astype(np.float32), shares.astype(np.float32),
        {"source": sources},
    )  # fmt: skip


@pytest.fixture
def measured(kept, tmp_path) -> Measured:
    answers.save(tmp_path, kept)
    right = kept.given == kept.truth
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (kept.truth, kept.given), 1)
    found = figures(kept.truth, kept.probabilities, resamples=50)
    side = asdict(calibration(kept.probabilities, kept.truth))
    report = {
        "accuracy": float(right.mean()), "macro_f1": found["macro_f1"].value, "rows": ROWS, "split": "test",
        "majority": 0.4, "baseline_tfidf": {"accuracy": 0.5}, "labels": LABELS, "confusion": counts.tolist(),
        "per_class": {
            label: {"precision": 0.5, "recall": recall, "f1": recall, "support": float(counts[place].sum())}
            for place, (label, recall) in enumerate(zip(LABELS, (0.7, 0.5, 0.9), strict=True))
        },
        "worst": [], "figures": {name: asdict(figure) for name, figure in found.items()},
        "calibration": {"bins": 15, "network": side, "answers": side, "exponents": None, "fitted_on": "On nothing."},
        "slices": {n: [asdict(one) for one in parts] for n, parts in slices(kept.texts, kept.kept, right).items()},
    }  # fmt: skip
    return Measured(tmp_path, report)


@pytest.fixture
def opened(qtbot, project_session, measured):
    """A page of a class, with everything in it that it found."""

    def make(kind: type[Page]) -> Page:
        page = kind(project_session)
        qtbot.addWidget(page)
        page.resize(757, 490)
        page.show()
        page.use(measured)
        qtbot.waitUntil(page.inside.isVisible, timeout=10_000)
        return page

    return make


def press(qtbot, button) -> None:
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


# Classes on the overview


def test_the_worst_class_stands_first_and_a_click_on_it_lists_its_errors(qtbot, project_session, measured):
    page = Report(project_session)
    qtbot.addWidget(page)
    page.show_report(measured.report)
    assert [row[0] for row in page.classes.texts()] == ["refund", "billing", "other"]
    page.show_class("billing")
    assert page.classes.currentRow() == 1
    chosen = []
    page.wrong.show_only = chosen.append
    page.classes.cellClicked.emit(0, 0)
    assert chosen[0].either == "refund"
    no_rows = {**measured.report["per_class"], "none": {"precision": 0, "recall": 0, "f1": 0, "support": 0}}
    assert list(worst_first({"per_class": no_rows}))[-1] == "none"


# Trust


def test_the_threshold_says_what_it_costs_and_brings(qtbot, opened, kept):
    page = opened(TrustPage)
    sure, right = kept.probabilities.max(1), kept.given == kept.truth
    assert page.threshold.sentence.text() == f"Every text is answered, {right.mean():.1%} of them right."
    press(qtbot, page.threshold.presets[0.95])
    given = sure >= page.threshold.least_sure
    assert 0 < given.mean() < 1 and right[given].mean() >= 0.95
    told = page.threshold.sentence.text()
    assert told.endswith(f"answers {down(given.mean())} of the texts, {right[given].mean():.1%} of these are right.")
    assert np.count_nonzero(np.diff(np.sort(sure))) > len(page.threshold._coverage.thresholds), "no point for each text"
    for part in range(0, PARTS, 7):
        page.threshold.slider.setValue(part)
        share = (sure.astype(np.float64) >= part / PARTS).mean()
        assert f"answers {down(share)} of" in page.threshold.sentence.text() or share in (0, 1) or not part


def test_a_threshold_is_used_and_answering_always_takes_it_back(qtbot, opened, project_session):
    page = opened(TrustPage)
    assert not page.threshold.use.isEnabled() and not page.threshold.always.isEnabled()
    page.threshold.slider.setValue(620)
    press(qtbot, page.threshold.use)
    assert page.window().focusWidget() is page.threshold.slider, "the next key moves it, and sets nothing else"
    assert Project.open(project_session.project.folder).recipe.answers.least_sure == 0.62
    assert page.threshold.in_use.text() == "In use: less than 62.0% sure reads “not sure”."
    press(qtbot, page.threshold.always)
    assert Project.open(project_session.project.folder).recipe.answers.least_sure == 0
    assert page.threshold.slider.value() == 0 and page.threshold.in_use.text() == "In use: every text is answered."


def test_the_slider_stands_below_its_axis_and_goes_to_a_click(qtbot, opened):
    page = opened(TrustPage)
    threshold = page.threshold
    slider, plot = threshold.slider, threshold.plot
    qtbot.waitUntil(lambda: threshold.below.mapTo(page, QPoint()).x() > 0 and slider.x() > 40, timeout=5000)
    for share, edge in zip((0, 1), plot.ends(), strict=True):
        at = plot.mapTo(page, QPoint(edge, 0)).x()
        middle = slider.mapTo(page, QPoint()).x() + (HANDLE // 2 if not share else slider.width() - HANDLE // 2)
        assert abs(at - middle) <= 1
    place = QPoint(HANDLE // 2 + round(0.7 * (slider.width() - HANDLE)), slider.height() // 2)
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=place)
    assert slider.value() == pytest.approx(700, abs=4)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_handle_is_seen(qtbot, application, name):
    theme.apply(application, name)
    slider = Slider()
    qtbot.addWidget(slider)
    slider.setRange(0, PARTS)
    slider.setValue(PARTS // 2)
    slider.resize(200, 24)
    image = slider.grab().toImage()
    middle = image.pixelColor(image.width() // 2, image.height() // 2).name()
    theme.apply(application, "light")
    assert middle == QColor(theme.THEMES[name].accent).name()


def test_the_keyboard_moves_the_threshold_by_a_hundredth(qtbot, opened):
    page = opened(TrustPage)
    qtbot.keyClick(page.threshold.slider, Qt.Key.Key_Right)
    assert page.threshold.least_sure == 0.01 and page.threshold.use.isEnabled()


def test_what_may_be_called_unknown_is_chosen(qtbot, opened, project_session):
    page = opened(TrustPage)
    assert page.unknown.choice.read() == project_session.project.recipe.answers.unknown
    page.unknown.choice.setFocus()
    qtbot.keyClick(page.unknown.choice, Qt.Key.Key_Home)
    assert project_session.project.recipe.answers.unknown == 0
    project_session.change("answers.unknown", 0.03)
    assert page.unknown.choice.currentText() == "3.00% of the familiar texts"


def test_a_classifier_that_cannot_answer_unknown_says_so(opened, project_session):
    folder = project_session.project.bundle_folder("classify")
    folder.mkdir(parents=True)
    page = opened(TrustPage)
    for record, told in (
        ({"labels": LABELS, "facts": {"best": {"valid_rows": 63}}},
         "This classifier was trained before “unknown” was there. Train it again to get it."),
        ({"labels": LABELS, "facts": {"best": {"valid_rows": LEAST_ROWS - 1}}}, "had 19 validation rows"),
        ({"labels": LABELS, "scope": "5f"}, "gets the answer “unknown”"),
    ):  # fmt: skip
        (folder / "model.json").write_text(json.dumps(record), encoding="utf-8")
        project_session.project_changed.emit()
        assert told in page.unknown.told.text()
        assert page.unknown.choice.isEnabled() is ("scope" in record)
    assert LEAST_ROWS == FEWEST_ROWS


def test_the_curve_of_calibration_is_that_of_the_report(opened, measured):
    page = opened(TrustPage)
    bins = measured.report["calibration"]["answers"]["bins"]
    shown = page.calibration.plot.lines[-1]
    assert shown.across == [found["confidence"] for found in bins]
    assert shown.up == [found["accuracy"] for found in bins]
    assert page.calibration.error.text().endswith("On nothing.")


def test_calibration_is_told_of_a_doubtful_and_a_sure_answer():
    bins = [{"rows": 20, "confidence": c, "accuracy": a} for c, a in ((0.5, 0.4), (0.78, 0.7), (0.97, 0.95))]
    side = {"ece": 0.05, "loss": 1.0, "bins": [*bins, {"rows": 1, "confidence": 0.8, "accuracy": 0.0}]}
    told, error = calibration_sentences({"answers": side, "network": {**side, "ece": 0.1}})
    assert told == "When it is 78% sure, it is right in 70%; when it is 97% sure, it is right in 95%."
    assert "5.0 points apart" in error and "10.0 points" in error and "only some 20 texts" in error
    many = {**side, "bins": [{**found, "rows": 60} for found in bins]}
    assert "only some" not in calibration_sentences({"answers": many, "network": many})[1]


def test_a_threshold_that_nothing_reaches_says_so():
    assert coverage_sentence(0.999, 0.0, None).endswith("no text is answered.")
    assert "99.9% of the texts" in coverage_sentence(0.2, 0.9996, 0.5), "not all are answered"


# Classes


def names(page: ClassesPage) -> list[str]:
    return [row[0] for row in page.table.texts()]


def test_classes_are_sorted_found_and_drawn(qtbot, opened):
    page = opened(ClassesPage)
    assert names(page) == ["refund", "billing", "other"], "the weakest on top"
    page.table.horizontalHeader().sectionClicked.emit(0)
    assert names(page) == sorted(LABELS)
    page.table.horizontalHeader().sectionClicked.emit(0)
    assert names(page) == sorted(LABELS, reverse=True)
    page.table.selectRow(0)
    assert page.plot.lines[0].name == page.chosen == "refund"
    assert page.plot.lines[0].up[0] == 1 and page.plot.lines[0].across[-1] == 1
    page.search.setText("ill")
    assert names(page) == ["billing"] and page.plot.lines[0].name == "billing"
    page.search.setText("none has this")
    assert names(page) == [] and not page.wrong.isEnabled() and page.plot.lines == []


def test_a_class_asks_for_its_wrong_answers(qtbot, opened):
    page = opened(ClassesPage)
    with qtbot.waitSignal(page.wanted, timeout=1000) as asked:
        press(qtbot, page.wrong)
    assert asked.args == ["refund"]


# Parts of the data


def test_parts_are_drawn_by_length_and_kept_column(opened, measured):
    page = opened(PartsPage)
    assert list(page.bars) == ["length", "source"]
    letters = next(one for one in measured.report["slices"]["source"] if one["value"] == "letter")
    assert f"letter: {letters['accuracy']:.1%} right of 150" in page.bars["source"].accessibleDescription()


def test_only_what_chance_hardly_explains_is_called_worse():
    good = {"value": "mail", "rows": 90, "accuracy": 0.85, "low": 0.8, "high": 0.9}
    bad = {"value": "letter", "rows": 80, "accuracy": 0.5, "low": 0.4, "high": 0.6}
    told = worse_sentence({"source": [good, bad]}, 0.86)
    assert told == "Clearly worse than all texts, 86.0% of which are right. “letter” in “source”: right in 50.0% of 80."
    low = {"value": "fax", "rows": 33, "accuracy": 27 / 33, "low": 0.65, "high": 0.92}
    assert worse(low, 0.924, parts=1) and not worse(low, 0.924, parts=4), "of several parts one is low by chance"
    assert worse_sentence({"source": [good]}, 0.86).startswith("No part is clearly worse")


@pytest.mark.parametrize(("right", "rows", "share"), [(27, 33, 0.924), (0, 5, 0.5), (4000, 5000, 0.81), (3, 3, 1.0)])
def test_the_chance_of_so_few_is_that_of_scipy(right, rows, share):
    assert chance_of_so_few(right, rows, share) == pytest.approx(binom.cdf(right, rows, share), rel=1e-9)


# Suspect labels


def test_a_suspect_label_is_changed_and_the_change_taken_back(qtbot, opened, project_session, kept):
    page = opened(SuspectsPage)
    first, before = page.chosen, len(page.shown)
    assert first.text == kept.texts[PLANTED] and (first.label, first.suggested) == ("refund", "billing")
    assert page.relabel.label.read() == "billing"
    with qtbot.waitSignal(page.relabel.changed, timeout=5000):
        press(qtbot, page.relabel.change)
    (edit,) = edits.active(project_session.project)
    assert (edit.kind, edit.text, edit.label, edit.before) == ("relabel", first.text, "billing", "refund")
    assert len(page.shown) == before - 1 and first not in page.shown
    with qtbot.waitSignal(page.relabel.changed, timeout=5000):
        press(qtbot, page.relabel.undo)
    assert edits.active(project_session.project) == [] and page.shown[0] == first
    assert page.relabel.told.text().startswith("Taken back: the label “billing”, for “text 7 word")
    assert not page.relabel.undo.isEnabled()


def test_only_what_was_judged_here_can_be_taken_back_here(qtbot, opened, project_session):
    edits.add(project_session.project, "A text typed in Try it", "praise")
    page = opened(SuspectsPage)
    assert not page.relabel.undo.isEnabled()
    edits.add(project_session.project, page.shown[1].text, "praise")
    page.relabel.changed.emit()
    assert not page.relabel.undo.isEnabled(), "what was added in Try it, whatever its text"
    with qtbot.waitSignal(page.relabel.changed, timeout=5000):
        press(qtbot, page.relabel.right)
    with qtbot.waitSignal(page.relabel.changed, timeout=5000):
        press(qtbot, page.relabel.undo)
    assert [edit.label for edit in edits.active(project_session.project)] == ["praise", "praise"]


def test_after_a_judgement_the_list_has_the_focus(qtbot, opened):
    page = opened(SuspectsPage)
    for button in (page.relabel.change, page.relabel.right, page.relabel.undo):
        button.setFocus()
        following = page.shown[1]
        with qtbot.waitSignal(page.relabel.changed, timeout=5000):
            qtbot.keyClick(button, Qt.Key.Key_Space)
        assert page.window().focusWidget() is page.table
        assert page.chosen == following or button is page.relabel.undo


def test_a_label_that_is_right_is_not_asked_for_again(qtbot, opened, measured):
    page = opened(SuspectsPage)
    first = page.chosen
    with qtbot.waitSignal(page.relabel.changed, timeout=5000):
        press(qtbot, page.relabel.right)
    again = opened(SuspectsPage)
    assert first not in again.shown and "1 more you have judged" in again.count.text()


def test_the_label_that_it_has_is_no_change(opened):
    page = opened(SuspectsPage)
    page.relabel.label.write("refund")
    page.relabel.label.chosen.emit("refund")
    assert not page.relabel.change.isEnabled()


# All of them


def test_a_page_is_made_when_it_is_first_opened(qtbot, project_session, measured):
    tabs = Tabs(project_session)
    qtbot.addWidget(tabs)
    tabs.addTab(Report(project_session), "Overview")
    tabs.add_later("studio.screens.evaluation_parts:PartsPage", "Parts", "Parts of the data")
    tabs.use(measured)
    tabs.show()
    assert tabs.pages == {}
    tabs.setCurrentIndex(1)
    qtbot.waitUntil(lambda: bool(tabs.pages[1].bars), timeout=5000)
    assert tabs.seen is tabs.pages[1].area.widget()


def test_a_report_of_an_earlier_version_shows_what_there_is(qtbot, project_session, measured, tmp_path):
    report = {key: value for key, value in measured.report.items() if key not in ("figures", "calibration", "slices")}
    shown = Report(project_session)
    qtbot.addWidget(shown)
    shown.show_report(report)
    shown.show()
    assert not shown.more.isVisible() and "would be no surprise with so few rows" in shown.rows.text()
    page = TrustPage(project_session)
    qtbot.addWidget(page)
    page.show()
    page.use(Measured(tmp_path / "without answers", report))
    qtbot.waitUntil(lambda: page.state.text() == EARLIER, timeout=5000)
    page.use(Measured(measured.folder, report))
    qtbot.waitUntil(page.inside.isVisible, timeout=5000)
    assert page.calibration.sentence.text() == EARLIER and not page.calibration.plot.isVisible()


def test_the_interval_is_told_in_words(measured):
    found = measured.report["figures"]["accuracy"]
    told = interval_sentence(measured.report)
    assert f"between {found['low']:.0%} and {found['high']:.0%} would be no surprise" in told


def test_more_figures_are_folded_away(qtbot, project_session, measured):
    shown = Report(project_session)
    qtbot.addWidget(shown)
    shown.show_report(measured.report)
    shown.show()
    assert not shown.figures.isVisible()
    qtbot.mouseClick(shown.more.heading, Qt.MouseButton.LeftButton)
    assert shown.figures.isVisible() and len(shown.figures.texts()) == 9
    assert "rare class" in shown.figures.item(1, 1).toolTip()


# The matrix


def test_of_many_classes_those_that_are_mixed_up_are_seen_first(qtbot):
    many = 150
    counts = (10 * np.eye(many, dtype=int)).tolist()
    counts[140][30], counts[7][8] = 5, 3
    shown = Matrix()
    qtbot.addWidget(shown)
    shown.show()
    labels = [f"class {number}" for number in range(many)]
    began = time.process_time()
    shown.show_report({"labels": labels, "confusion": counts})
    assert time.process_time() - began < 0.2
    assert shown.classes.isVisible() and len(shown.table.texts()) == MOST
    assert shown.table.texts()[0][:2] == ["10", "5"], "true 140, taken for 30"
    shown.show_pair(140, 30)
    assert shown.classes.read() == "all" and shown.table.currentIndex().data() == "5"
    with qtbot.waitSignal(shown.picked, timeout=1000) as picked:
        qtbot.keyClick(shown.table, Qt.Key.Key_Return)
    assert picked.args == ["class 140", "class 30"]


def test_counts_become_shares_of_the_row(qtbot):
    shown = Matrix()
    qtbot.addWidget(shown)
    shown.show_report({"labels": ["a", "b"], "confusion": [[3, 1], [0, 0]]})
    shown.figures.setFocus()
    qtbot.keyClick(shown.figures, Qt.Key.Key_End)
    assert shown.table.texts() == [["75%", "25%"], ["0%", "0%"]]
    assert not shown.classes.isVisible()


def test_the_most_mixed_up_come_in_pairs():
    assert mixed_up([[5, 0, 0, 1], [0, 5, 4, 0], [0, 0, 5, 0], [0, 0, 0, 5]], 3) == [1, 2, 0]
    assert mixed_up([[1, 0], [0, 9]], 5) == [1, 0], "nothing mixed up: the largest first"


# Export


@pytest.fixture
def export(qtbot, project_session, measured) -> Export:
    tabs = Tabs(project_session)
    qtbot.addWidget(tabs)
    shown = Report(project_session)
    tabs.addTab(shown, "Overview")
    shown.show_report(measured.report)
    made = Export(tabs, shown.confusion)
    tabs.setCornerWidget(made)
    tabs.resize(757, 490)
    tabs.show()
    made.offer(project_session.project, measured)
    return made


def save(qtbot, export: Export, kind: str, target: Path) -> tuple[str, str]:
    """What is told of it in the end."""
    told = []
    export.told.connect(lambda sentence, level: told.append((sentence, level)))
    export.save(kind, target)
    qtbot.waitUntil(lambda: len(told) == 2, timeout=20_000)
    export.told.disconnect()
    return told[1]


def test_answers_matrix_and_page_are_saved(qtbot, export, measured, tmp_path):
    target = tmp_path / "answers.csv"
    assert save(qtbot, export, "csv", target) == (f"Saved as {target}.", "info")
    with target.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == ROWS + 1
    save(qtbot, export, "matrix", tmp_path / "matrix.csv")
    with (tmp_path / "matrix.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["true label", *LABELS]
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == measured.report["confusion"]
    save(qtbot, export, "png", tmp_path / "page.png")
    picture = QImage(str(tmp_path / "page.png"))
    assert picture.size() == 2 * export._report.seen.size() and picture.height() > 2 * 490, "also what is out of sight"
    assert export.isEnabled()


def test_a_picture_of_the_matrix_shows_all_that_is_chosen(qtbot, tmp_path, project_session, measured):
    many = 30
    tabs, matrix = Tabs(project_session), Matrix()
    qtbot.addWidget(matrix)
    qtbot.addWidget(tabs)
    matrix.show_report({"labels": [f"class {n}" for n in range(many)], "confusion": (9 * np.eye(many)).tolist()})
    made = Export(tabs, matrix.table)
    qtbot.addWidget(made)
    made.offer(project_session.project, measured)
    heights = []
    for choice in ("mixed", "all"):
        matrix.classes.write(choice)
        matrix.classes.chosen.emit(choice)
        save(qtbot, made, "drawn", tmp_path / f"{choice}.png")
        heights.append(QImage(str(tmp_path / f"{choice}.png")).height() / 2)
    assert heights[1] - heights[0] == (many - MOST) * ROW and heights[1] > many * ROW


def test_the_dialog_has_the_words_of_the_menu_alone(export, monkeypatch):
    asked = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda part, title, *more: (asked.append(title), ("", ""))[1])
    for action in export.menu().actions():
        action.trigger()
    assert len(asked) == 5 and "Report to pass on (HTML)" in asked
    assert not [title for title in asked if "&" in title or "…" in title]


def test_what_cannot_be_saved_is_told(qtbot, export, tmp_path):
    (tmp_path / "file").write_text("")
    for kind in ("matrix", "csv"):
        sentence, level = save(qtbot, export, kind, tmp_path / "file" / "x.csv")
        assert level == "error" and sentence.startswith("It could not be saved.")


# The screen


def test_another_file_is_measured(qtbot, project_session, csv_file):
    screen = EvaluationScreen(project_session)
    qtbot.addWidget(screen)
    assert screen.measured_on.options == {"split": "test"}
    screen.measured_on.take_file(str(csv_file))
    assert screen.measured_on.options == {"data": csv_file} and screen.measured_on.currentText() == "On verses.csv…"
    screen.measured_on.take_file("")
    assert screen.measured_on.options == {"data": csv_file}, "a dialog that was closed changes nothing"


COLLECT = """
import gc
from PySide6.QtWidgets import QApplication
app = QApplication(["offscreen"])
from studio.session import Session
from studio.screens.evaluation import EvaluationScreen
gc.disable()
session = Session()
screen = EvaluationScreen(session)
screen.show()
app.processEvents()
del screen
gc.collect()
app.processEvents()
print("collected")
"""


def test_a_screen_that_nobody_holds_is_collected():
    """A part that holds a method of its screen would bring the program down here."""
    done = subprocess.run([sys.executable, "-c", COLLECT], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "collected", done.stderr
