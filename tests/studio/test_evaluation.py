"""The screen of evaluating: a real report in figures, bars and tables."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from studio import theme
from studio.screens.evaluation import EvaluationScreen, Report, blend_sentence, compared, verdict
from studio.widgets.confusion import shade_and_ink


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


def test_a_real_evaluation_is_shown(qtbot, trained_session):
    screen = show(qtbot, trained_session)
    with qtbot.waitSignal(trained_session.run_ended, timeout=60_000) as ended:
        qtbot.mouseClick(screen.bar.start_button, Qt.MouseButton.LeftButton)
    report = ended.args[1].report
    shown = screen.report
    assert screen._pages.currentWidget() is shown
    assert shown.accuracy.text() == f"{report['accuracy']:.1%}"
    assert f"{report['rows']} test rows" in shown.rows.text()
    cells = [[shown.confusion.item(row, column).text() for column in range(2)] for row in range(2)]
    assert cells == [[str(count) for count in row] for row in report["confusion"]]
    assert shown.confusion.verticalHeaderItem(0).text() == "happy"
    assert [row[0] for row in shown.classes.texts()] == ["happy", "sad"]
    assert len(shown.worst.texts()) == report["rows"] - sum(report["confusion"][i][i] for i in range(2))
    assert "TF-IDF baseline" in shown.comparison.accessibleDescription()
    later = show(qtbot, trained_session)
    assert later.report.classes.texts() == shown.classes.texts(), "it is there next time"


def test_the_matrix_shows_six_classes_and_no_table_leaves_its_card(qtbot):
    labels = ["ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"]
    figures = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 10}
    shown = Report()
    qtbot.addWidget(shown)
    shown.show_report({
        "accuracy": 0.5, "macro_f1": 0.5, "rows": 60, "split": "test", "majority": 0.2, "labels": labels,
        "baseline_tfidf": {"accuracy": 0.6}, "confusion": [[10] * 6] * 6,
        "per_class": dict.fromkeys(labels, figures), "worst": [],
    })  # fmt: skip
    shown.resize(1000, 560)
    shown.show()
    qtbot.waitExposed(shown)
    matrix = shown.confusion
    assert matrix.height() >= matrix.horizontalHeader().height() + matrix.verticalHeader().length()
    for table in (matrix, shown.classes, shown.worst):
        assert table.geometry().bottom() < table.parentWidget().rect().bottom(), table.accessibleName()


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [(0.9, "more often by 10.0 points"), (0.7, "less often by 10.0 points"), (0.8, "exactly")],
)
def test_the_verdict_is_honest(accuracy, words):
    assert words in verdict({"accuracy": accuracy, "baseline_tfidf": {"accuracy": 0.8}})


def test_a_blend_is_not_shown_as_the_network():
    report = {"accuracy": 0.9, "baseline_tfidf": {"accuracy": 0.8}, "majority": 0.5}
    assert list(compared(report)) == ["This classifier", "TF-IDF baseline", "Commonest class"]
    assert blend_sentence(report) == ""
    report |= {"network": {"accuracy": 0.7}, "blend": {"weight": 0.35}}
    assert compared(report)["Network alone"] == 0.7
    assert blend_sentence(report) == "Its answers are blended with word counts: weight .35."


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
