"""On the Evaluate screen, what is seen first: how often the classifier is right, beside what simpler means reach."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from studio import theme
from studio.screens import evaluation_words as words
from studio.screens.evaluation_matrix import Matrix
from studio.screens.wrong_answers import WrongAnswers
from studio.session import Session
from studio.widgets.bars import Bars
from studio.widgets.card import card, line
from studio.widgets.fold_card import FoldCard
from studio.widgets.table import Table
from ulmfit_core.inference import findings
from ulmfit_core.inference.findings import FIGURES, Which, WrongAnswer

LEAST_TABLE = 112  # two classes with their heading
LEAST_COLUMN = 82  # the widest heading of figures; longer labels give way to them
ROW = 27  # pixels of a row of the table of figures
CLASS_HEADS = {
    "Label": "A click on a class lists the wrong answers that have to do with it.",
    "Rows": "How many of the measured texts have this label.",
    "Precision": "Of the texts that were called so, the share that truly are.",
    "Recall": "Of the texts that truly are, the share that was called so.",
    "F1": "Precision and recall in one figure, their harmonic mean: it is low where one of them is.",
}
FIGURE_HEADS = {
    "Figure": "Rest on a figure to read what it means.",
    "Value": "As measured on these texts.",
    "Likely between": "In 95 of 100 such measurements with other texts of the same kind it would lie about here.",
}
BASELINES = (
    "Network alone: without the word counts that are mixed into the answers. Word counts (TF-IDF): a simple method "
    "that only counts words. Commonest class: always answering the label that occurs most."
)


class ModestTable(Table):
    """Asks for its least height alone: else the page is as high as its tables would like, and more than the window."""

    def sizeHint(self) -> QSize:
        return self.minimumSize()


class Report(QScrollArea):
    """Big figures, bars, confusion matrix, classes and the wrong answers, which follow what is clicked above them."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._report: dict[str, Any] = {}
        self.accuracy, self.macro_f1 = QLabel(), QLabel()
        for figure in (self.accuracy, self.macro_f1):
            figure.setProperty("role", "figure")
        self.rows, self.verdict = line(), line("", "muted")
        self.rows.setTextFormat(Qt.TextFormat.PlainText)  # the name of a file stays what it is
        self.comparison = Bars("Accuracy beside the baselines")
        self.figures = ModestTable("All figures with their intervals")
        self.more = FoldCard("More figures", self.figures)
        self.more.setProperty("card", False)  # it stands in a card already
        self.more.layout().setContentsMargins(0, 0, 0, 0)  # type: ignore[union-attr]
        self.matrix = Matrix()
        self.confusion = self.matrix.table
        self.classes = ModestTable("Figures of each class")
        self.classes.narrowest = LEAST_COLUMN
        self.wrong = WrongAnswers(session)
        self._lay_out()
        self.matrix.picked.connect(self._show_cell)
        for pressed in (self.classes.cellClicked, self.classes.cellActivated):
            pressed.connect(self._show_row)
        self.wrong.freed.connect(self._unmark)
        self.wrong.chosen.heading.clicked.connect(self._bring_into_sight)

    def show_report(self, report: dict[str, Any]) -> None:
        """`report` is what the job of evaluating returned. Its wrong answers follow by `show_wrong`."""
        self._report = report
        self.accuracy.setText(f"{report['accuracy']:.1%}")
        self.macro_f1.setText(f"{report['macro_f1']:.1%}")
        self.rows.setText(" ".join(filter(None, (words.rows_sentence(report), words.interval_sentence(report)))))
        self.verdict.setText(" ".join(filter(None, (words.verdict(report), words.blend_sentence(report)))))
        self.comparison.set_values(words.compared(report), "This classifier")
        self._show_figures(report)
        self.matrix.show_report(report)
        sorted_report = {**report, "per_class": findings.worst_first(report)}
        self.classes.set_rows(list(CLASS_HEADS), words.class_rows(sorted_report))
        explain_columns(self.classes, CLASS_HEADS)
        self._unmark()
        self.wrong.show_report(report)
        self.verticalScrollBar().setValue(0)

    @Slot(object)
    def show_wrong(self, found: list[WrongAnswer]) -> None:
        self.wrong.show_found(found)
        if self.confusion.selectedIndexes() or self.classes.selectedIndexes():  # clicked before they were read
            self._bring_into_sight()

    def show_class(self, label: str) -> None:
        """List the wrong answers that have to do with a class, as a click on it does."""
        row = list(findings.worst_first(self._report)).index(label)
        self.classes.selectRow(row)
        self._show_row(row, 0)

    def _show_figures(self, report: dict[str, Any]) -> None:
        rows = words.figure_rows(report)
        self.more.setVisible(bool(rows))
        self.figures.set_rows(list(FIGURE_HEADS), rows)
        self.figures.setMinimumHeight((len(rows) + 1) * ROW + 8)
        explain_columns(self.figures, FIGURE_HEADS)
        meanings = dict(FIGURES.values())
        for row in range(self.figures.rowCount()):
            for item in filter(None, (self.figures.item(row, column) for column in range(len(FIGURE_HEADS)))):
                item.setToolTip(meanings[rows[row][0]])

    # What is listed follows what is clicked

    @Slot(str, str)
    def _show_cell(self, truth: str, given: str) -> None:
        self.classes.clearSelection()
        self._show_only(Which(truth=truth, given="" if truth == given else given))

    @Slot(int, int)
    def _show_row(self, row: int, column: int) -> None:
        self.confusion.clearSelection()
        self._show_only(Which(either=list(findings.worst_first(self._report))[row]))

    def _show_only(self, which: Which) -> None:
        self.wrong.show_only(which)
        self._bring_into_sight()

    @Slot()
    @Slot(bool)
    def _bring_into_sight(self, _: bool = True) -> None:
        """The list, once it is laid out, with what is said of the chosen text."""
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self.wrong, 0, theme.MEDIUM))

    @Slot()
    def _unmark(self) -> None:
        self.confusion.clearSelection()
        self.classes.clearSelection()

    # Making it

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.MEDIUM)
        column.addLayout(beside(self._figures(), 1, self._comparison(), 1))
        column.addLayout(beside(self.matrix, 1, self._classes(), 1))
        column.addWidget(card("Wrong answers", "", self.wrong), 1)
        self.classes.setMinimumHeight(LEAST_TABLE)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it

    def _figures(self) -> QFrame:
        figures = QWidget()
        across = QHBoxLayout(figures)
        across.setContentsMargins(0, 0, 0, 0)
        for figure, name in ((self.accuracy, "accuracy"), (self.macro_f1, "macro_f1")):
            title, told = FIGURES[name]
            stack = QVBoxLayout()
            stack.setSpacing(0)
            stack.addWidget(figure)
            stack.addWidget(QLabel(title))
            across.addLayout(stack)
            figure.setAccessibleName(title)
            figure.setToolTip(f"{title}: {told[0].lower()}{told[1:]}")
        frame = card("", "", figures, self.rows, self.verdict, self.more)
        frame.layout().addStretch()  # type: ignore[union-attr]
        return frame

    def _comparison(self) -> QFrame:
        frame = card("Accuracy beside simpler means", "", self.comparison)
        frame.setToolTip(BASELINES)
        frame.layout().addStretch()  # type: ignore[union-attr]
        return frame

    def _classes(self) -> QFrame:
        return card("Each class", "Click a class to list its wrong answers.", self.classes)


def explain_columns(table: Table, heads: dict[str, str]) -> None:
    """What each column means, where the mouse rests on its heading."""
    for place, told in enumerate(heads.values()):
        head = table.horizontalHeaderItem(place)
        if head:
            head.setToolTip(told)


def beside(left: QWidget, left_share: int, right: QWidget, right_share: int) -> QHBoxLayout:
    across = QHBoxLayout()
    across.setSpacing(theme.MEDIUM)
    across.addWidget(left, left_share)
    across.addWidget(right, right_share)
    return across
