"""The row of tools above a run's plots: what is drawn and how, which part of it, and taking it elsewhere."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from studio import theme
from studio.widgets.third_plot import KINDS

SMOOTHING = {"off": "Each step only, not smoothed", "less": "Smoothed a little", "more": "Smoothed a lot"}
SAVE = {
    "picture": "Copy as a &picture",
    "figures": "Copy the &figures that are drawn",
    "png": "Save as a picture (P&NG)…",
    "svg": "Save as a drawing (&SVG)…",
    "csv": "Save the figures of e&very step (CSV)…",
}
# Slim, so that the plots keep the height.
STYLE = "QPushButton { padding: 1px 8px; min-height: 18px; } QPushButton:focus { padding: 0 7px; }"


class PlotTools(QWidget):
    """Holds what was chosen: `smoothing`, the `third` plot, both logarithms.

    `changed` when the drawing must follow, `asked(what)` for one of SAVE.
    """

    changed = Signal()
    all_wanted = Signal()
    follow_wanted = Signal(bool)
    asked = Signal(str)
    window_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.smoothing = "less"
        self.third = ""
        self.view = _button("View", "Smooth the loss or not, logarithmic axes, and a third plot of something else.")
        self.show_all = _button("Show all", "Show the whole training again (or double-click, or press 0).")
        self.follow = _button("Follow", "Move on with the newest step. Without it the view stays where it is.")
        self.save = _button("Save", "Take the curves elsewhere: as a picture or as figures.")
        self._make_menus()
        self._connect()
        self._lay_out()
        self.offer(False, False, False)

    @property
    def log_loss(self) -> bool:
        return self._log_loss.isChecked()

    @property
    def log_steps(self) -> bool:
        return self._log_steps.isChecked()

    def offer(self, zoomed: bool, following: bool, part: bool) -> None:
        """Both buttons are of use only while not all is seen, one of them while a part of the steps is."""
        self.show_all.setVisible(zoomed)
        self.follow.setVisible(part)
        self.follow.setChecked(following)

    def _choose_smoothing(self, action: QAction) -> None:
        self.smoothing = action.data()
        self.changed.emit()

    def _choose_third(self, action: QAction) -> None:
        self.third = action.data()
        self.changed.emit()

    def _ask(self, action: QAction) -> None:
        self.asked.emit(action.data())

    # Making it

    def _make_menus(self) -> None:
        menu = QMenu(self)
        self.smoothings = QActionGroup(menu)
        for name, title in SMOOTHING.items():
            _add(menu, title, name, self.smoothings).setChecked(name == self.smoothing)
        menu.addSeparator()
        self._log_loss = _add(menu, "Logarithmic axis of the loss", "")
        self._log_steps = _add(menu, "Logarithmic axis of the steps", "")
        self._add_thirds(menu)
        menu.addSeparator()
        menu.addAction("In a &window of its own").triggered.connect(self.window_wanted)
        self.view.setMenu(menu)
        saving = QMenu(self)
        for name, title in SAVE.items():
            saving.addAction(title).setData(name)
        saving.insertSeparator(saving.actions()[2])
        saving.triggered.connect(self._ask)
        self.save.setMenu(saving)

    def _add_thirds(self, menu: QMenu) -> None:
        below = menu.addMenu("&Third plot")
        below.setToolTipsVisible(True)
        self.thirds = QActionGroup(below)
        for kind, (choice, _, meaning, _) in KINDS.items():
            action = _add(below, choice, kind, self.thirds)
            action.setToolTip(meaning)
            action.setChecked(kind == self.third)

    def _connect(self) -> None:
        self.smoothings.triggered.connect(self._choose_smoothing)
        self._log_loss.toggled.connect(self.changed)
        self._log_steps.toggled.connect(self.changed)
        self.thirds.triggered.connect(self._choose_third)
        self.show_all.clicked.connect(self.all_wanted)
        self.follow.setCheckable(True)
        self.follow.clicked.connect(self.follow_wanted)

    def _lay_out(self) -> None:
        self.setStyleSheet(STYLE)
        kept = self.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # a picture is taken without them, and nothing moves
        self.setSizePolicy(kept)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.SMALL)
        for part in (self.follow, self.show_all, self.view, self.save):
            row.addWidget(part)


def _button(text: str, tip: str) -> QPushButton:
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setAccessibleDescription(tip)
    return made


def _add(menu: QMenu, title: str, data: str, group: QActionGroup | None = None) -> QAction:
    action = menu.addAction(title)
    action.setCheckable(True)
    action.setData(data)
    if group:
        group.addAction(action)
    return action
