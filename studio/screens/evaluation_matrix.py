"""On the Evaluate screen: the confusion matrix with what is shown in it, counts or shares, all classes or some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHBoxLayout, QLabel, QVBoxLayout

from studio import theme
from studio.widgets.card import line
from studio.widgets.confusion import Confusion
from studio.widgets.controls import ChoiceBox

MOST = 12  # classes that are seen at once where there are more
FIGURES = {"counts": "Counts", "shares": "Shares of a row"}


class Matrix(QFrame):
    """`picked(true label, answer)` for a cell."""

    picked = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("card", True)
        self.setToolTip("Which label was taken for which. The stronger a cell's colour, the more of its row is in it.")
        self._counts: list[list[int]] = []
        self.table = Confusion()
        self.figures = ChoiceBox(FIGURES, FIGURES)
        self.classes = ChoiceBox(["mixed", "all"], {"mixed": f"The {MOST} most mixed up", "all": "All classes"})
        self._name_all()
        self._lay_out()
        self.table.picked.connect(self.picked)
        self.figures.chosen.connect(self._show_figures)
        self.classes.chosen.connect(self._show_classes)

    def show_report(self, report: dict[str, Any]) -> None:
        """Of many classes those that are mixed up most come first: all of them fill many screens."""
        self._counts = [[int(count) for count in row] for row in report["confusion"]]
        many = len(self._counts) > MOST
        self.classes.setVisible(many)
        self.classes.setItemText(1, f"All {len(self._counts):,} classes")
        self.classes.write("mixed" if many else "all")
        self.table.set_counts(report["labels"], self._counts)
        self._show_classes()

    def show_pair(self, row: int, column: int) -> None:
        """All classes, with this cell in sight."""
        self.classes.write("all")
        self._show_classes()
        self.table.choose(row, column)
        self.table.scrollTo(self.table.model().index(row, column), QAbstractItemView.ScrollHint.PositionAtCenter)

    @Slot()
    @Slot(object)
    def _show_figures(self, _: object = None) -> None:
        self.table.show_shares(self.figures.read() == "shares")

    @Slot()
    @Slot(object)
    def _show_classes(self, _: object = None) -> None:
        some = self.classes.read() == "mixed"
        self.table.show_classes(mixed_up(self._counts, MOST) if some else range(len(self._counts)))

    def _name_all(self) -> None:
        self.figures.setAccessibleName("Counts or shares")
        self.figures.setToolTip("How many texts, or how much of all texts with that true label.")
        self.classes.setAccessibleName("Which classes the matrix shows")
        self.classes.setToolTip("The classes that are taken for one another most often, or all of them.")

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        title = QLabel("Confusion matrix")
        title.setProperty("role", "subheading")
        head.addWidget(title, 1)
        head.addWidget(self.figures)
        some = QHBoxLayout()
        some.addWidget(self.classes)
        some.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(*[theme.MEDIUM] * 4)
        column.setSpacing(theme.SMALL)
        column.addLayout(head)
        column.addWidget(line("Rows: true labels. Columns: answers. Click a cell.", "muted"))
        column.addLayout(some)
        column.addWidget(self.table, 1)


def mixed_up(counts: Sequence[Sequence[int]], most: int) -> list[int]:
    """Places of the classes that make up the largest counts off the diagonal, those of one mix-up side by side.

    Where few are mixed up, those with the most texts follow.
    """
    classes = range(len(counts))
    wrong = [(counts[row][column], row, column) for row in classes for column in classes if row != column]
    largest = sorted((one for one in wrong if one[0]), key=lambda one: (-one[0], one[1:]))
    places = [place for _, row, column in largest for place in (row, column)]
    by_texts = sorted(classes, key=lambda place: -sum(counts[place]))
    return list(dict.fromkeys([*places, *by_texts]))[:most]
