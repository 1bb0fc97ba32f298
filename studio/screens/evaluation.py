"""The screen that measures the classifier on rows it never learned from, beside what simpler means reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from studio import theme
from studio.screens.screen import Screen
from studio.screens.wrong_answers import WrongAnswers, read_wrong
from studio.session import Session
from studio.widgets.bars import Bars
from studio.widgets.card import card, line
from studio.widgets.confusion import Confusion
from studio.widgets.run_bar import RunBar
from studio.widgets.table import Table
from studio.worker import Background
from ulmfit_core import events
from ulmfit_core.config import blend_note
from ulmfit_core.inference.findings import Which, WrongAnswer, chance_sentence
from ulmfit_core.project import Project

LEAST_TABLE = 112  # two classes with their heading
LEAST_COLUMN = 82  # the widest heading of figures; longer labels give way to them
SPLITS = {"test": "test rows", "valid": "validation rows"}
NOTHING = (
    "Here will stand how often the classifier is right on texts it never saw, beside a word-counting baseline;\n"
    "which labels it takes for which; and the texts it got wrong."
)
ACCURACY = "Accuracy: the share of all texts that are answered right."
MACRO_F1 = (
    "Macro F1: the mean of the classes' F1, each counting alike however rare it is. F1 is high where few texts of a "
    "class are missed and few others are taken for it."
)
CLASS_HEADS = {
    "Label": "A click on a class lists the wrong answers that have to do with it.",
    "Rows": "How many of the measured texts have this label.",
    "Precision": "Of the texts that were called so, the share that truly are.",
    "Recall": "Of the texts that truly are, the share that was called so.",
    "F1": "Precision and recall in one figure, their harmonic mean: it is low where one of them is.",
}
BASELINES = (
    "Network alone: without the word counts that are mixed into the answers. Word counts (TF-IDF): a simple method "
    "that only counts words. Commonest class: always answering the label that occurs most."
)


class EvaluationScreen(Screen):
    """Shows the report of the newest finished evaluation."""

    step = "evaluate"
    title = "Evaluate"
    explanation = "How good is the classifier on texts that it never saw, and what did the language model add?"

    def __init__(self, session: Session):
        super().__init__(session)
        self.bar = Bar(session, self.step, "&Evaluate")
        self.report = Report()
        self._shown: Path | None = None  # the folder of the run whose report is seen
        self._reading = Background(self)
        self._nothing = line(NOTHING, "muted")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(self.report)
        self.body.addWidget(self.bar)
        self.body.addWidget(self._pages, 1)
        self._connect()

    def refresh(self) -> None:
        """A report that is seen already stays as it is, with what is chosen in it."""
        self.bar.refresh()
        found = newest_report(self.session.project) if self.session.project else None
        self._pages.setCurrentIndex(1 if found else 0)
        if found and found[0] != self._shown:
            self._shown, report = found
            self.report.show_report(report)
            self._reading.ask(lambda: read_wrong(found[0], report))

    def _connect(self) -> None:
        self.session.run_ended.connect(self._end)
        self._reading.answered.connect(self.report.show_wrong)
        self._reading.refused.connect(self._complain)
        self.report.wrong.opened.connect(self._try_text)

    @Slot(str)
    def _try_text(self, text: str) -> None:
        self.wants.emit("try_it", text)

    @Slot(str)
    def _complain(self, sentence: str) -> None:
        self.show_message(sentence, "error")

    @Slot(str, object)
    def _end(self, job: str, ended: events.Ended) -> None:
        if job == self.step and ended.status == "failed":
            self.show_message(ended.reason, "error")
        elif job == self.step:
            self.clear_message()
            self.report.verticalScrollBar().setValue(0)


class Bar(RunBar):
    """Without the reason why the step is out of date: the strip over the screen tells it."""

    def _show_idle(self) -> None:
        super()._show_idle()
        project = self.session.project
        state = project.state(self.step) if project else None
        if state and state.mark == "stale" and self.status.text() == state.reason:
            self.status.clear()


class ModestTable(Table):
    """Asks for its least height alone: else the page is as high as its tables would like, and more than the window."""

    def sizeHint(self) -> QSize:
        return self.minimumSize()


class Report(QScrollArea):
    """Big figures, bars, confusion matrix, classes and the wrong answers, which follow what is clicked above them."""

    def __init__(self) -> None:
        super().__init__()
        self._report: dict[str, Any] = {}
        self.accuracy, self.macro_f1 = QLabel(), QLabel()
        for figure in (self.accuracy, self.macro_f1):
            figure.setProperty("role", "figure")
        self.rows, self.verdict = line(), line("", "muted")
        self.comparison = Bars("Accuracy beside the baselines")
        self.confusion = Confusion()
        self.classes = ModestTable("Figures of each class")
        self.classes.narrowest = LEAST_COLUMN
        self.wrong = WrongAnswers()
        self._lay_out()
        self.confusion.picked.connect(self._show_cell)
        for pressed in (self.classes.cellClicked, self.classes.cellActivated):
            pressed.connect(self._show_class)
        self.wrong.freed.connect(self._unmark)

    def show_report(self, report: dict[str, Any]) -> None:
        """`report` is what the job of evaluating returned. Its wrong answers follow by `show_wrong`."""
        self._report = report
        self.accuracy.setText(f"{report['accuracy']:.1%}")
        self.macro_f1.setText(f"{report['macro_f1']:.1%}")
        self.rows.setText(" ".join(filter(None, (rows_sentence(report), chance_sentence(report)))))
        self.verdict.setText(" ".join(filter(None, (verdict(report), blend_sentence(report)))))
        self.comparison.set_values(compared(report), "This classifier")
        self.confusion.set_counts(report["labels"], report["confusion"])
        self.classes.set_rows(list(CLASS_HEADS), class_rows(report))
        self._explain_columns()
        self._unmark()
        self.wrong.show_report(report)
        self.verticalScrollBar().setValue(0)

    @Slot(object)
    def show_wrong(self, found: list[WrongAnswer]) -> None:
        self.wrong.show_found(found)
        if self.confusion.selectedIndexes() or self.classes.selectedIndexes():  # clicked before they were read
            self._bring_into_sight()

    def _explain_columns(self) -> None:
        for place, told in enumerate(CLASS_HEADS.values()):
            head = self.classes.horizontalHeaderItem(place)
            if head:
                head.setToolTip(told)

    # What is listed follows what is clicked

    @Slot(str, str)
    def _show_cell(self, truth: str, given: str) -> None:
        self.classes.clearSelection()
        self._show_only(Which(truth=truth, given="" if truth == given else given))

    @Slot(int, int)
    def _show_class(self, row: int, column: int) -> None:
        self.confusion.clearSelection()
        self._show_only(Which(either=self._report["labels"][row]))

    def _show_only(self, which: Which) -> None:
        self.wrong.show_only(which)
        self._bring_into_sight()

    def _bring_into_sight(self) -> None:
        """The list, once it is laid out."""
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
        column.addLayout(beside(self._matrix(), 1, self._classes(), 1))
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
        for figure, name, told in ((self.accuracy, "Accuracy", ACCURACY), (self.macro_f1, "Macro F1", MACRO_F1)):
            stack = QVBoxLayout()
            stack.setSpacing(0)
            stack.addWidget(figure)
            stack.addWidget(QLabel(name))
            across.addLayout(stack)
            figure.setAccessibleName(name)
            figure.setToolTip(told)
        frame = card("", "", figures, self.rows, self.verdict)
        frame.layout().addStretch()  # type: ignore[union-attr]
        return frame

    def _comparison(self) -> QFrame:
        frame = card("Accuracy beside simpler means", "", self.comparison)
        frame.setToolTip(BASELINES)
        frame.layout().addStretch()  # type: ignore[union-attr]
        return frame

    def _matrix(self) -> QFrame:
        frame = card("Confusion matrix", "Rows: true labels. Columns: answers. Click a cell.", self.confusion)
        frame.setToolTip("Which label was taken for which. The stronger a cell's colour, the more of its row is in it.")
        return frame

    def _classes(self) -> QFrame:
        return card("Each class", "Click a class to list its wrong answers.", self.classes)


# What the report says


def newest_report(project: Project) -> tuple[Path, dict[str, Any]] | None:
    """The folder and the report of the newest finished evaluation."""
    run = next((run for run in project.runs_of("evaluate") if run.status == "done"), None)
    if run is None:
        return None
    last = events.read_events(run.folder / "events.jsonl")[-1]
    return (run.folder, last.report) if isinstance(last, events.Ended) and last.report else None


def rows_sentence(report: dict[str, Any]) -> str:
    rows = f"Measured on {report['rows']:,} {SPLITS.get(report['split'], 'rows of ' + report['split'])}."
    if report["split"] == "valid":
        rows += " There are no test rows, and the best epoch was chosen by these: the figures flatter a little."
    return rows


def compared(report: dict[str, Any]) -> dict[str, float]:
    return {
        "This classifier": report["accuracy"],
        **({"Network alone": report["network"]["accuracy"]} if "blend" in report else {}),
        "Word counts (TF-IDF)": report["baseline_tfidf"]["accuracy"],
        "Commonest class": report["majority"],
    }


def verdict(report: dict[str, Any]) -> str:
    """The difference from the baseline in words, kind or not."""
    points = 100 * (report["accuracy"] - report["baseline_tfidf"]["accuracy"])
    baseline = "TF-IDF counts words with no sense of their order."
    if abs(points) < 0.05:
        return f"{baseline} The classifier is exactly as often right."
    side = "more" if points > 0 else "less"
    return f"{baseline} The classifier is right {side} often by {abs(points):.1f} points."


def blend_sentence(report: dict[str, Any]) -> str:
    """That the classifier's answers are not the network's alone, where they are not."""
    if "blend" not in report:
        return ""
    return f"Its answers are {blend_note(report['blend']['weight'])}."


def class_rows(report: dict[str, Any]) -> list[list[str]]:
    return [
        [label, f"{row['support']:,.0f}", f"{row['precision']:.1%}", f"{row['recall']:.1%}", f"{row['f1']:.1%}"]
        for label, row in report["per_class"].items()
    ]


def beside(left: QWidget, left_share: int, right: QWidget, right_share: int) -> QHBoxLayout:
    across = QHBoxLayout()
    across.setSpacing(theme.MEDIUM)
    across.addWidget(left, left_share)
    across.addWidget(right, right_share)
    return across
