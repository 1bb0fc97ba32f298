"""The screen of evaluating: a real report in figures, bars and tables."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor

from studio import theme
from studio.screens.evaluation import EvaluationScreen
from studio.screens.evaluation_overview import Report
from studio.screens.evaluation_pages import Measured
from studio.screens.evaluation_words import blend_sentence, compared, verdict
from studio.screens.wrong_answers import MOST, READING, read_wrong
from studio.widgets.confusion import shade_and_ink
from ulmfit_core.data import edits
from ulmfit_core.events import Ended
from ulmfit_core.inference.findings import WrongAnswer


def show(qtbot, session) -> EvaluationScreen:
    screen = EvaluationScreen(session)
    qtbot.addWidget(screen)
    screen.resize(1100, 800)
    screen.show()
    qtbot.waitExposed(screen)
    return screen


def test_before_an_evaluation_it_says_what_will_stand_here(qtbot, project_session):
    screen = show(qtbot, project_session)
    assert "baseline" in screen._pages.currentWidget().text()
    assert not screen.bar.start_button.isEnabled()


def test_that_an_evaluation_was_stopped_is_told(qtbot, project_session):
    screen = show(qtbot, project_session)
    project_session.run_ended.emit("evaluate", Ended("stopped"))
    assert screen.notice.text == "The evaluation was stopped."
    screen._shown = project_session.project.folder
    project_session.run_ended.emit("evaluate", Ended("stopped"))
    assert screen.notice.text.endswith("What stands here is the one before it.")


def test_a_real_evaluation_is_shown(qtbot, trained_session):
    screen = show(qtbot, trained_session)
    with qtbot.waitSignal(trained_session.run_ended, timeout=60_000) as ended:
        qtbot.mouseClick(screen.bar.start_button, Qt.MouseButton.LeftButton)
    report = ended.args[1].report
    shown = screen.report
    assert screen._pages.currentWidget() is screen.tabs and screen.tabs.currentWidget() is shown
    assert shown.accuracy.text() == f"{report['accuracy']:.1%}"
    assert f"{report['rows']} test rows" in shown.rows.text()
    assert shown.confusion.texts() == [[str(count) for count in row] for row in report["confusion"]]
    assert shown.confusion.rows_to_copy()[0] == ["", "happy", "sad"]
    assert [row[0] for row in shown.classes.texts()] == ["happy", "sad"]
    wrong = report["rows"] - sum(report["confusion"][i][i] for i in range(2))
    qtbot.waitUntil(lambda: len(shown.wrong.shown) == wrong, timeout=10_000)
    assert "Word counts (TF-IDF)" in shown.comparison.accessibleDescription()
    later = show(qtbot, trained_session)
    assert later.report.classes.texts() == shown.classes.texts(), "it is there next time"
    measure_on_validation_rows(qtbot, screen)
    open_all_parts(qtbot, screen)
    explain_and_correct(qtbot, screen)


def measure_on_validation_rows(qtbot, screen: EvaluationScreen) -> None:
    screen.measured_on.setFocus()
    qtbot.keyClick(screen.measured_on, Qt.Key.Key_Down)
    with qtbot.waitSignal(screen.session.run_ended, timeout=60_000):
        qtbot.mouseClick(screen.bar.start_button, Qt.MouseButton.LeftButton)
    assert "validation rows" in screen.report.rows.text()


def open_all_parts(qtbot, screen: EvaluationScreen) -> None:
    for number in range(1, screen.tabs.count()):
        screen.tabs.setCurrentIndex(number)
        qtbot.waitUntil(screen.tabs.pages[number].inside.isVisible, timeout=10_000)
    classes = screen.tabs.pages[2]
    classes.table.setCurrentCell(0, 0)
    screen.tabs.setCurrentIndex(2)
    qtbot.mouseClick(classes.wrong, Qt.MouseButton.LeftButton)
    chosen = screen.report.classes.texts()[screen.report.classes.currentRow()]
    assert screen.tabs.currentIndex() == 0 and chosen[0] == classes.chosen


def explain_and_correct(qtbot, screen: EvaluationScreen) -> None:
    text = "What a lovely day to sing"
    screen.report.show_wrong([WrongAnswer(text, "sad", "happy", 0.9, 0.1)])
    chosen = screen.report.wrong.chosen
    assert not chosen.text.isVisible()
    qtbot.mouseClick(chosen.heading, Qt.MouseButton.LeftButton)
    assert chosen.sentence.text() == "Answered “happy” with 90.0%; its label is “sad”, which got 10.0%."
    qtbot.waitUntil(lambda: bool(chosen.text.shading()), timeout=20_000)
    assert [word for word, _ in chosen.text.shading()] == text.split()
    assert chosen.relabel.label.read() == "happy"
    for button, kept in ((chosen.relabel.change, ["happy"]), (chosen.relabel.undo, [])):
        with qtbot.waitSignal(chosen.relabel.changed, timeout=5000):
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
            assert screen.focusWidget() is screen.report.wrong.table, "where the next one is chosen"
        assert [edit.label for edit in edits.active(screen.session.project)] == kept
        assert screen.session.project.state("import").mark == ("stale" if kept else "done")


def test_the_matrix_shows_six_classes_and_no_table_leaves_its_card(qtbot, session):
    labels = ["ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"]
    figures = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 10}
    shown = Report(session)
    qtbot.addWidget(shown)
    shown.show_report({
        "accuracy": 0.5, "macro_f1": 0.5, "rows": 60, "split": "test", "majority": 0.2, "labels": labels,
        "baseline_tfidf": {"accuracy": 0.6}, "confusion": [[10] * 6] * 6,
        "per_class": dict.fromkeys(labels, figures), "worst": [],
    })  # fmt: skip
    shown.resize(757, 490)  # in a window of 1024 × 700
    shown.show()
    qtbot.waitExposed(shown)
    matrix = shown.confusion
    assert not matrix.verticalScrollBar().isVisible() and not matrix.horizontalScrollBar().isVisible()
    for table in (matrix, shown.classes, shown.wrong):
        assert table.geometry().bottom() < table.parentWidget().rect().bottom(), table.accessibleName()
    assert not shown.classes.horizontalScrollBar().isVisible()


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [(0.9, "more often by 10.0 points"), (0.7, "less often by 10.0 points"), (0.8, "exactly")],
)
def test_the_verdict_is_honest(accuracy, words):
    assert words in verdict({"accuracy": accuracy, "baseline_tfidf": {"accuracy": 0.8}})


def test_a_blend_is_not_shown_as_the_network():
    report = {"accuracy": 0.9, "baseline_tfidf": {"accuracy": 0.8}, "majority": 0.5}
    assert list(compared(report)) == ["This classifier", "Word counts (TF-IDF)", "Commonest class"]
    assert blend_sentence(report) == ""
    report |= {"network": {"accuracy": 0.7}, "blend": {"weight": 0.35}}
    assert compared(report)["Network alone"] == 0.7
    assert blend_sentence(report) == "Its answers are blended with word counts, which weigh 35%."


# The wrong answers

LABELS = ["billing", "refund", "other"]
REPORT = {
    "accuracy": 0.5, "macro_f1": 0.5, "rows": 14, "split": "test", "majority": 0.5, "labels": LABELS,
    "baseline_tfidf": {"accuracy": 0.4}, "confusion": [[4, 1, 0], [5, 2, 1], [0, 0, 1]],
    "per_class": {
        label: {"precision": 0.5, "recall": 0.5, "f1": f1, "support": rows}
        for label, f1, rows in (("billing", 0.6, 5), ("refund", 0.36, 8), ("other", 1.0, 1))
    },
    "training_rows": {"billing": 90, "refund": 40, "other": 70}, "worst": [],
}  # fmt: skip
WRONG = [
    WrongAnswer("the money never came", "refund", "billing", 0.9, 0.01),
    WrongAnswer("a bill of May", "billing", "refund", 0.5, 0.4),
    *(WrongAnswer(f"please return it {n}", "refund", "billing", 0.6 + n / 100, 0.2) for n in range(4)),
    WrongAnswer("well", "refund", "other", 0.7, 0.1),
]


@pytest.fixture
def shown(qtbot, session) -> Report:
    made = Report(session)
    qtbot.addWidget(made)
    made.show_report(REPORT)
    made.show_wrong(WRONG)
    made.resize(757, 490)
    made.show()
    qtbot.waitExposed(made)
    return made


def texts(shown: Report) -> list[str]:
    return [row[3] for row in shown.wrong.table.texts()]


def click(qtbot, table, row: int, column: int) -> None:
    place = table.visualRect(table.model().index(row, column)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_a_cell_of_the_matrix_lists_its_wrong_answers_and_a_button_all_again(qtbot, shown):
    assert len(texts(shown)) == 7 and texts(shown)[0] == "the money never came", "the most wrong first"
    assert "Weakest class: “refund” is right in 2 of 8" in shown.wrong.finding.text()
    assert not shown.wrong.all.isVisible()
    click(qtbot, shown.confusion, 0, 1)
    assert texts(shown) == ["a bill of May"]
    assert shown.wrong.count.text() == "1 of “billing” taken for “refund”"
    assert shown.wrong.finding.text().startswith("“billing” is right in 4 of 5; 1 was taken for “refund”")
    qtbot.keyClick(shown.wrong.all, Qt.Key.Key_Space)
    assert len(texts(shown)) == 7 and not shown.confusion.selectedIndexes()


def test_what_is_clicked_before_the_answers_are_read_stays_chosen(qtbot, shown):
    shown.show_report(REPORT)
    assert shown.wrong.count.text() == READING
    click(qtbot, shown.confusion, 0, 1)
    assert shown.wrong.count.text() == READING
    shown.show_wrong(WRONG)
    assert texts(shown) == ["a bill of May"] and shown.wrong.all.isVisible()


def test_return_on_a_cell_does_what_a_click_does(qtbot, shown):
    shown.confusion.choose(1, 2)
    qtbot.keyClick(shown.confusion, Qt.Key.Key_Return)
    assert texts(shown) == ["well"]


def test_a_right_cell_lists_what_else_its_class_was_taken_for(qtbot, shown):
    click(qtbot, shown.confusion, 1, 1)
    assert len(texts(shown)) == 6 and shown.wrong.count.text() == "6 of “refund” answered wrong"


def test_a_class_lists_what_it_was_taken_for_and_what_was_taken_for_it(qtbot, shown):
    click(qtbot, shown.confusion, 0, 1)
    names = [row[0] for row in shown.classes.texts()]
    assert names[0] == "refund", "the worst first"
    click(qtbot, shown.classes, names.index("billing"), 0)
    assert len(texts(shown)) == 6 and "well" not in texts(shown)
    assert not shown.confusion.selectedIndexes(), "one choice at a time"


def test_very_sure_wrong_answers_are_pointed_out(shown):
    assert "very sure" not in shown.wrong.finding.text()
    shown.show_wrong([*WRONG, WrongAnswer("a bill, paid", "refund", "billing", 0.97, 0.01)])
    assert shown.wrong.finding.text().endswith("1 of its wrong answers is very sure: check whether its label is right.")


def test_another_report_is_seen_from_its_top(shown):
    shown.verticalScrollBar().setValue(200)
    assert shown.verticalScrollBar().value() > 0
    shown.show_report(REPORT)
    assert shown.verticalScrollBar().value() == 0


def test_that_it_is_out_of_date_is_said_once(qtbot, trained_session, run_job, window):
    run_job(trained_session, "evaluate")
    trained_session.change("classify.lr_max", 0.1)
    assert run_job(trained_session, "classify").status == "done"
    window.go("evaluate")
    assert "changed since the last run" in window.hint.text
    screen = window.screens["evaluate"]
    assert screen.bar.status.text() == "" and screen.bar.start_button.isEnabled()
    run_job(trained_session, "evaluate")
    assert screen.bar.status.text() == "Done."


def test_a_kind_that_never_occurs_says_so(qtbot, shown):
    click(qtbot, shown.confusion, 0, 2)
    assert shown.wrong.count.text() == "0 of “billing” taken for “other”"
    assert not shown.wrong.table.isVisible() and shown.wrong.all.isVisible()


def test_without_a_wrong_answer_it_says_that_nothing_was_wrong(shown):
    right = {label: {**row, "f1": 1.0} for label, row in REPORT["per_class"].items()}
    shown.show_report({**REPORT, "confusion": [[5, 0, 0], [0, 8, 0], [0, 0, 1]], "per_class": right})
    shown.show_wrong([])
    assert shown.wrong.count.text() == "Nothing was wrong: all 14 answers are right."
    assert not shown.wrong.finding.isVisible() and not shown.wrong.table.isVisible()


def test_the_list_is_sorted_by_headings_and_by_the_list_of_orders(qtbot, shown):
    header = shown.wrong.table.horizontalHeader()

    def press(column: int) -> None:
        place = QPoint(header.sectionViewportPosition(column) + 10, header.height() // 2)
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)

    sure = lambda: [row[2] for row in shown.wrong.table.texts()]  # noqa: E731
    press(2)
    assert sure()[0] == "90.0%" and sure()[-1] == "50.0%" and shown.wrong.order.read() == "sure"
    press(2)
    assert sure()[0] == "50.0%" and sure()[-1] == "90.0%"
    press(3)
    assert texts(shown) == sorted(texts(shown)) and header.isSortIndicatorShown()
    shown.wrong.order.setFocus()
    qtbot.keyClick(shown.wrong.order, Qt.Key.Key_Home)
    assert texts(shown)[0] == "the money never came" and not header.isSortIndicatorShown()


def test_ten_thousand_wrong_answers_are_listed_and_sorted_at_once(shown):
    shares = [n / MOST for n in range(MOST)]
    many = [WrongAnswer(f"{n % 977} " + "word " * 400, "refund", "billing", s, s / 2) for n, s in enumerate(shares)]
    shown.show_wrong(many)
    began = time.process_time()
    shown.wrong._order_by(3)
    assert time.process_time() - began < 0.2, "making every row anew takes longer"
    assert texts(shown)[0].startswith("0 word") and len(shown.wrong.shown) == MOST


def test_return_opens_the_whole_text_in_try_it(qtbot, trained_session, window):
    window.go("evaluate")
    report = window.screens["evaluate"].report
    report.show_report(REPORT)
    long = WrongAnswer("word " * 300, "refund", "billing", 0.9, 0.001)
    report.show_wrong([*WRONG, long])
    qtbot.keyClick(report.wrong.table, Qt.Key.Key_Return)
    assert window.current == "try_it"
    assert window.screens["try_it"].classifier.text.toPlainText() == long.text
    assert window.focusWidget() is window.screens["try_it"].classifier.text


def test_a_chosen_cell_keeps_its_shade(qtbot, shown):
    """Filled in the colour of choice it would read as a cell that holds all of its row."""
    area = shown.confusion.visualRect(shown.confusion.model().index(0, 2))
    inside = area.adjusted(4, 4, -4, -4).topLeft()
    shown.ensureVisible(0, 0)
    before = shown.confusion.viewport().grab().toImage().pixelColor(inside)
    shown.confusion.choose(0, 2)
    after = shown.confusion.viewport().grab().toImage()
    assert after.pixelColor(inside) == before
    assert after.pixelColor(area.left() + 1, area.center().y()) == QColor(theme.colours().text), "the outline"


def test_an_evaluation_of_an_earlier_version_lists_what_its_report_kept(tmp_path):
    kept = {"text": "well", "label": "a", "predicted": "b", "probability": 0.8}
    (one,) = read_wrong(Measured(tmp_path, {"worst": [kept]}))
    assert (one.text, one.truth, one.given, one.sure) == ("well", "a", "b", 0.8)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_counts_are_readable_on_every_shade(qapp, name):
    try:
        theme.apply(qapp, name)
        ratios = [contrast(*shade_and_ink(part / 20)) for part in range(21)]
    finally:
        theme.apply(qapp, "light")
    assert min(ratios) >= 4.5


def contrast(one: QColor, other: QColor) -> float:
    def luminance(colour: QColor) -> float:
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
