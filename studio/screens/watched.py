"""On a training screen: sentences that the model reads after each epoch, and how its answers change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor, QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from studio import theme
from studio.plain import tip
from studio.read_only import WRITES
from studio.session import Session
from studio.widgets.epoch_curves import EpochCurves, Line, sign
from studio.widgets.table import Table
from ulmfit_core import reading
from ulmfit_core.config import WatchedSentence
from ulmfit_core.events import Event, WatchedScores
from ulmfit_core.project import Project

MOST = 8  # as many lines as can be told apart
FULL = f"{MOST} sentences are watched already. Remove one to watch another."
ANY = "any label"
SOON = "after an epoch"
NOTHING = {
    "classify": "Watch a sentence: the classifier answers it after each epoch, and a line shows how sure it is.",
    "": "Watch a sentence: after each epoch you see how well the language model foretells its words.",
}
TITLES = {"classify": "Probability of the label, by epoch", "": "Loss per word, by epoch (lower: better foretold)"}


class Watched(QWidget):
    """The sentences of the project, what the shown run said of them, and the field to add one."""

    def __init__(self, session: Session, step: str):
        super().__init__()
        self.session = session
        self.step = step
        self._classifies = step == "classify"
        self._scores: list[WatchedScores] = []
        kind = step if self._classifies else ""
        self.curves = EpochCurves(TITLES[kind], shares=self._classifies)
        self.table = Table("Watched sentences")
        self.table.nothing = NOTHING[kind]
        self._make_controls()
        self._lay_out()
        theme.changed.connect(self._draw)

    def refresh(self) -> None:
        """Show the project's sentences and labels as they are now."""
        project = self.session.project
        if project is None:
            return
        labels = [ANY, *labels_of(project)]
        if labels != [self.label.itemText(at) for at in range(self.label.count())]:
            self.label.clear()
            self.label.addItems(labels)
        self._draw()

    def show_events(self, told: Sequence[Event]) -> None:
        self._scores = [event for event in told if isinstance(event, WatchedScores)]
        self._draw()

    @property
    def sentences(self) -> list[WatchedSentence]:
        return list(self.session.project.recipe.insight.watched) if self.session.project else []

    # What a person does

    @Slot()
    def add(self) -> None:
        text = " ".join(self.text.text().split())
        label = self.label.currentText() if self.label.currentIndex() > 0 else ""
        if text and watch(self.session, text, label):
            self.text.selectAll()  # it stays to be seen; what is typed next takes its place

    @Slot()
    def remove(self) -> None:
        chosen = {index.row() for index in self.table.selectedIndexes()}
        kept = [sentence for number, sentence in enumerate(self.sentences) if number not in chosen]
        if len(kept) < len(self.sentences):
            self.session.change("insight.watched", kept)

    # What is seen

    @Slot()
    def _draw(self) -> None:
        texts = self._texts()
        lines = [self._line(text) for text in texts]
        self.curves.setVisible(any(line.values for line in lines))
        self.curves.show_lines(lines)
        headers = ["", "Answer" if self._classifies else "Loss", "Sentence"]
        self.table.set_rows(headers, [self._row(number, text) for number, text in enumerate(texts)])
        for number in range(len(texts)):
            colours, mark, said = theme.line_colours(), self.table.item(number, 0), self.table.item(number, 1)
            if mark:
                mark.setForeground(QColor(colours[number % len(colours)]))
            if said and (expected := self._expected(texts[number])):
                said.setToolTip(tip(f"It should be “{expected}”."))

    def _texts(self) -> list[str]:
        """Those that the project watches, then those that only the shown run did."""
        now = [sentence.text for sentence in self.sentences]
        then = [row["text"] for event in self._scores for row in event.rows]
        return list(dict.fromkeys([*now, *then]))[:MOST]

    def _line(self, text: str) -> Line:
        found = [(event.epoch + 1, row) for event in self._scores for row in event.rows if row["text"] == text]
        shown = self._label_of(text, found[-1][1]) if found and self._classifies else ""
        return Line(text, [epoch for epoch, _ in found], [figure(row, shown) for _, row in found])

    def _row(self, number: int, text: str) -> list[str]:
        rows = [row for event in self._scores for row in event.rows if row["text"] == text]
        newest = rows[-1] if rows else {}
        if not self._classifies:
            return [sign(number), f"{newest['loss']:.2f}" if "loss" in newest else SOON, text]
        return [sign(number), answer(newest, self._expected(text)), text]

    def _expected(self, text: str) -> str:
        return next((sentence.label for sentence in self.sentences if sentence.text == text), "")

    def _label_of(self, text: str, newest: dict[str, Any]) -> str:
        """The label whose probability is drawn: the expected one, or the newest answer."""
        shares = newest.get("probabilities", {})
        expected = self._expected(text) or newest["label"]
        return expected if expected in shares else max(shares, key=shares.get, default="")

    # Making it

    def _make_controls(self) -> None:
        self.text = QLineEdit()
        self.text.setAccessibleName("Sentence to watch")
        self.text.setPlaceholderText("A sentence to watch")
        self.text.setToolTip("Return: the model reads it after each epoch, from the next one on. The project keeps it.")
        self.text.returnPressed.connect(self.add)
        self.label = QComboBox()
        self.label.setAccessibleName("Label that the sentence should have")
        self.label.setToolTip("The label that it should have: its probability is drawn. Any: that of the answer.")
        if not self._classifies:  # to show it here would make it a window of its own
            self.label.hide()
        self.add_button, self.remove_button = QPushButton("&Watch it"), QPushButton("Rem&ove")
        self.add_button.setToolTip("Watch this sentence from the next epoch on.")
        self.remove_button.setToolTip("Watch the marked sentence no longer (Delete).")
        for part in (self.text, self.label, self.add_button, self.remove_button):
            part.setProperty(WRITES, True)
        self.add_button.clicked.connect(self.add)
        self.remove_button.clicked.connect(self.remove)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.table, self.remove)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)

    def _lay_out(self) -> None:
        controls = QHBoxLayout()
        controls.addWidget(self.text, 1)
        for part in (self.label, self.add_button, self.remove_button):
            controls.addWidget(part)
        both = QHBoxLayout()
        both.setSpacing(theme.MEDIUM)
        both.addWidget(self.table, 4)
        both.addWidget(self.curves, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.SMALL, theme.SMALL, theme.SMALL, theme.SMALL)
        column.setSpacing(theme.SMALL)
        column.addLayout(controls)
        column.addLayout(both, 1)


def watch(session: Session, text: str, label: str = "") -> bool:
    """Keep a sentence in the project to be watched. False, with a reason through `refused`, where that cannot be."""
    if session.project is None:
        return False
    others = [sentence for sentence in session.project.recipe.insight.watched if sentence.text != text]
    if len(others) >= MOST:
        session.refused.emit(FULL)
        return False
    return session.change("insight.watched", [*others, WatchedSentence(text=text, label=label)])


class Labelled(reading.Record):
    """What of dataset.json is asked here."""

    labels: list[str]


def labels_of(project: Project) -> list[str]:
    """The classes of the imported data; none before an import."""
    path = project.dataset_folder / "dataset.json"
    return list(reading.record(path, Labelled)["labels"]) if path.exists() else []


def figure(row: dict[str, Any], label: str) -> float:
    return float(row["probabilities"].get(label, 0.0) if "probabilities" in row else row["loss"])


def answer(row: dict[str, Any], expected: str) -> str:
    """The likeliest label, and whether it is the expected one, if any is."""
    shares: dict[str, float] = row.get("probabilities", {})
    if not shares:
        return SOON
    likeliest = max(shares, key=lambda label: shares[label])
    check = "" if not expected else " ✓" if likeliest == expected else " ✗"
    return f"{likeliest} {shares[likeliest]:.0%}{check}"
