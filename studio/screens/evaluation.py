"""The screen that measures the classifier on rows it never learned from, beside what simpler means reach."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from studio import theme
from studio.screens.screen import Screen
from studio.session import Session
from studio.widgets.bars import Bars
from studio.widgets.card import card, line
from studio.widgets.confusion import Confusion
from studio.widgets.run_bar import RunBar
from studio.widgets.table import Table
from ulmfit_core import events
from ulmfit_core.config import blend_note
from ulmfit_core.project import Project

LEAST_TABLE = 112  # two classes with their heading
SPLITS = {"test": "test rows", "valid": "validation rows"}
NOTHING = (
    "Here will stand how often the classifier is right on texts it never saw, beside a word-counting baseline;\n"
    "which labels it takes for which; and the texts it got most wrong."
)


class EvaluationScreen(Screen):
    """Shows the report of the newest finished evaluation."""

    step = "evaluate"
    title = "Evaluate"
    explanation = "How good is the classifier on texts that it never saw, and what did the language model add?"

    def __init__(self, session: Session):
        super().__init__(session)
        self.bar = RunBar(session, self.step, "&Evaluate")
        self.report = Report()
        self._nothing = line(NOTHING, "muted")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(self.report)
        self.body.addWidget(self.bar)
        self.body.addWidget(self._pages, 1)
        session.run_ended.connect(self._end)

    def refresh(self) -> None:
        self.bar.refresh()
        report = newest_report(self.session.project) if self.session.project else None
        if report:
            self.report.show_report(report)
        self._pages.setCurrentIndex(1 if report else 0)

    @Slot(str, object)
    def _end(self, job: str, ended: events.Ended) -> None:
        if job == self.step and ended.status == "failed":
            self.show_message(ended.reason, "error")
        elif job == self.step:
            self.clear_message()


class ModestTable(Table):
    """Asks for its least height alone: else the page is as high as its tables would like, and more than the window."""

    def sizeHint(self) -> QSize:
        return self.minimumSize()


class Report(QScrollArea):
    """Big figures, bars, confusion matrix, classes and the worst errors."""

    def __init__(self) -> None:
        super().__init__()
        self.accuracy, self.macro_f1 = QLabel(), QLabel()
        for figure in (self.accuracy, self.macro_f1):
            figure.setProperty("role", "figure")
        self.rows, self.verdict = line(), line()
        self.comparison = Bars("Accuracy beside the baselines")
        self.confusion = Confusion()
        self.classes = ModestTable("Figures of each class")
        self.worst = ModestTable("Worst errors")
        self._lay_out()

    def show_report(self, report: dict[str, Any]) -> None:
        """`report` is what the job of evaluating returned."""
        self.accuracy.setText(f"{report['accuracy']:.1%}")
        self.macro_f1.setText(f"{report['macro_f1']:.3f}")
        self.rows.setText(rows_sentence(report))
        self.verdict.setText(" ".join(filter(None, (verdict(report), blend_sentence(report)))))
        self.comparison.set_values(compared(report), "This classifier")
        self.confusion.set_counts(report["labels"], report["confusion"])
        self.classes.set_rows(["Label", "Rows", "Precision", "Recall", "F1"], class_rows(report))
        self.worst.set_rows(["True label", "Answer", "Given with", "Text"], worst_rows(report))

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.MEDIUM)
        column.addLayout(beside(self._figures(), 2, self._comparison(), 3))
        column.addLayout(beside(self._matrix(), 1, card("Each class", "", self.classes), 1), 1)
        about = "Wrong answers, those first where the true label was thought least likely."
        column.addWidget(card("Worst errors", about, self.worst), 1)
        for table in (self.confusion, self.classes, self.worst):
            table.setMinimumHeight(LEAST_TABLE)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it

    def _figures(self) -> QFrame:
        figures = QWidget()
        across = QHBoxLayout(figures)
        across.setContentsMargins(0, 0, 0, 0)
        for figure, name in ((self.accuracy, "Accuracy"), (self.macro_f1, "Macro F1")):
            stack = QVBoxLayout()
            stack.addWidget(figure)
            stack.addWidget(QLabel(name))
            across.addLayout(stack)
            figure.setAccessibleName(name)
        frame = card("", "", figures, self.rows)
        frame.layout().addStretch()  # type: ignore[union-attr]
        return frame

    def _comparison(self) -> QFrame:
        return card("Beside simpler means", "", self.comparison, self.verdict)

    def _matrix(self) -> QFrame:
        about = "Rows: true labels. Columns: answers. Shade: share of the row."
        return card("Confusion matrix", about, self.confusion)


# What the report says


def newest_report(project: Project) -> dict[str, Any] | None:
    done = [run for run in project.runs() if run.job == "evaluate" and run.status == "done"]
    if not done:
        return None
    last = events.read_events(done[-1].folder / "events.jsonl")[-1]
    return last.report if isinstance(last, events.Ended) and last.report else None


def rows_sentence(report: dict[str, Any]) -> str:
    rows = f"Measured on {report['rows']:,} {SPLITS.get(report['split'], 'rows of ' + report['split'])}."
    if report["split"] == "valid":
        rows += " There are no test rows, and the best epoch was chosen by these: the figures flatter a little."
    return rows


def compared(report: dict[str, Any]) -> dict[str, float]:
    return {
        "This classifier": report["accuracy"],
        **({"Network alone": report["network"]["accuracy"]} if "blend" in report else {}),
        "TF-IDF baseline": report["baseline_tfidf"]["accuracy"],
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
        [label, f"{row['support']:,.0f}", f"{row['precision']:.1%}", f"{row['recall']:.1%}", f"{row['f1']:.3f}"]
        for label, row in report["per_class"].items()
    ]


def worst_rows(report: dict[str, Any]) -> list[list[str]]:
    return [
        [row["label"], row["predicted"], f"{row['probability']:.1%}", " ".join(row["text"].split())]
        for row in report["worst"]
    ]


def beside(left: QWidget, left_share: int, right: QWidget, right_share: int) -> QHBoxLayout:
    across = QHBoxLayout()
    across.setSpacing(theme.MEDIUM)
    across.addWidget(left, left_share)
    across.addWidget(right, right_share)
    return across
