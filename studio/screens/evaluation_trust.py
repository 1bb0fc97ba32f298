"""On the Evaluate screen: whether the classifier is as sure as it is right, and when it had better be silent."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QStyle, QVBoxLayout, QWidget

from studio import theme
from studio.screens.evaluation_pages import EARLIER, Measured, Page
from studio.screens.evaluation_trust_words import (
    UNKNOWN,
    UNLIKE,
    calibration_sentences,
    coverage_sentence,
    in_use_sentence,
    no_unknown_sentence,
    spoken_bins,
    unknown_choices,
)
from studio.screens.try_it_models import classifier_record
from studio.session import Session
from studio.widgets.beside import Beside
from studio.widgets.card import card, line
from studio.widgets.controls import ChoiceBox
from studio.widgets.share_plot import SharePlot, Shares

PARTS = 1000  # of the slider
HANDLE = 16  # pixels of its handle, as the style sheet has them
PRESETS = (0.95, 0.99)
NARROW = 560  # pixels, below which the two plots stand under each other
LEAST_SURE, UNKNOWN_KEY = "answers.least_sure", "answers.unknown"
CALIBRATION = (
    "Each dot stands for texts that were answered about equally surely. On the diagonal the classifier is exactly as "
    "often right as it says; below it, it is too sure of itself, above it too modest."
)


class TrustPage(Page):
    """How sure against how right; how many texts are answered, and how well, above a threshold that one chooses."""

    def __init__(self, session: Session):
        super().__init__(session)
        self.calibration = Calibration()
        self.threshold = Threshold()
        self.unknown = Unknown()
        plots = Beside(NARROW, {
            card("Is it as right as it is sure?", "", self.calibration): 1,
            card("When shall it answer?", "", self.threshold): 1,
        })  # fmt: skip
        self.column.addWidget(plots, 1)
        self.column.addWidget(card("Texts unlike all that it learned", "", self.unknown))
        self.threshold.wanted.connect(self._use_threshold)
        self.unknown.choice.chosen.connect(self._use_unknown)
        session.project_changed.connect(self._follow)

    def look_up(self, measured: Measured) -> Any:
        """(the points of the coverage curve, the threshold of each preset or None)."""
        from ulmfit_core.inference import analysis

        answers = measured.answers()
        return analysis.coverage(answers), {goal: analysis.threshold_for(answers, goal) for goal in PRESETS}

    def show_found(self, found: Any) -> None:
        assert self.measured is not None
        coverage, presets = found
        self.calibration.show_report(self.measured.report)
        self.threshold.show_coverage(coverage, presets)
        self._follow()

    @Slot()
    def _follow(self) -> None:
        """What the project's settings say now."""
        project = self.session.project
        if project is None:
            return
        settings = project.recipe.answers
        may = not self.session.read_only
        self.threshold.show_in_use(settings.least_sure, may)
        self.unknown.show_share(settings.unknown, may, no_unknown_sentence(classifier_record(project)))

    @Slot(float)
    def _use_threshold(self, least_sure: float) -> None:
        self.session.change(LEAST_SURE, least_sure)

    @Slot(object)
    def _use_unknown(self, share: float) -> None:
        if not self.session.change(UNKNOWN_KEY, share):
            self._follow()


class Calibration(QWidget):
    """The curve, and what it says in a sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.plot = SharePlot("How right", "how sure it says it is", "how often it is right")
        self.plot.setToolTip(CALIBRATION)
        self.sentence, self.error = line(), line("", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for part in (self.sentence, self.plot, self.error):
            column.addWidget(part, 1 if part is self.plot else 0)

    def show_report(self, report: dict[str, Any]) -> None:
        calibration = report.get("calibration")
        self.plot.setVisible(bool(calibration))
        self.error.setVisible(bool(calibration))
        if not calibration:
            self.sentence.setText(EARLIER)
            return
        before, after = (filled(calibration[side]) for side in ("network", "answers"))
        diagonal = Shares("exactly as right", [0, 1], [0, 1], -1, "dashed")
        self.plot.draw(
            [
                diagonal,
                Shares("the network alone", *points(before), -1, "hollow"),
                Shares("the answers", *points(after), 0, "points"),
            ],
            spoken_bins(after),
        )
        told, error = calibration_sentences(calibration)
        self.sentence.setText(told)
        self.error.setText(error)


class Threshold(QWidget):
    """`wanted(least sure)`: from now on only answers that are at least so sure are given."""

    wanted = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._coverage: Any = None
        self._presets: dict[float, float | None] = {}
        self.plot = SharePlot("Answered and right", "least sure", "share of texts")
        self.sentence, self.in_use = line(), line("", "muted")
        self.slider = Slider()
        self.slider.setRange(0, PARTS)
        self.slider.setSingleStep(PARTS // 100)
        self.slider.setPageStep(PARTS // 20)
        self.presets = {goal: QPushButton(f"{goal:.0%} right") for goal in PRESETS}
        self._in_use, self._may_change = -1.0, True  # the setting; -1 until it is known
        self.use = QPushButton("&Use this threshold")
        self.always = QPushButton("Answer al&ways")
        self._name_all()
        self._lay_out()
        self.slider.valueChanged.connect(self._move)
        self.use.clicked.connect(self._use)
        self.always.clicked.connect(self._answer_always)
        for button in self.presets.values():
            button.clicked.connect(self._choose_preset)

    @property
    def least_sure(self) -> float:
        """What the slider says, 0 to 1."""
        return self.slider.value() / PARTS

    def show_coverage(self, coverage: Any, presets: dict[float, float | None]) -> None:
        self._coverage, self._presets = coverage, presets
        self.plot.draw(
            [
                Shares("right of the answered", coverage.thresholds, coverage.accuracy, 0),
                Shares("answered", coverage.thresholds, coverage.coverage, 1, "dashed"),
            ],
            "Share of texts that are answered, and share of these that are right, against the least certainty.",
        )
        self._offer()
        self._move()

    def show_in_use(self, least_sure: float, may_change: bool) -> None:
        """The slider follows the setting where that changed, and else stays where the person moved it."""
        changed = least_sure != self._in_use
        self._in_use, self._may_change = least_sure, may_change
        if changed:
            self.slider.setValue(round(least_sure * PARTS))
        self.in_use.setText(in_use_sentence(least_sure))
        self._offer()

    def _offer(self) -> None:
        moved = self.slider.value() != round(self._in_use * PARTS)
        self.use.setEnabled(self._may_change and moved)
        self.always.setEnabled(self._may_change and self._in_use > 0)
        for goal, button in self.presets.items():
            found = self._presets.get(goal)
            button.setEnabled(found is not None)
            reached = f"The lowest threshold from which {goal:.0%} of the answers are right."
            button.setToolTip(reached if found is not None else f"No threshold reaches {goal:.0%} on these texts.")

    @Slot()
    @Slot(int)
    def _move(self, _: int = 0) -> None:
        self.plot.mark(self.least_sure)
        if self._coverage is not None:
            self.sentence.setText(coverage_sentence(self.least_sure, *self._coverage.at(self.least_sure)))
            self.slider.setAccessibleDescription(self.sentence.text())
        self._offer()

    @Slot()
    def _choose_preset(self) -> None:
        """Rounded up to the slider's next part, which answers no less rightly."""
        found = next((self._presets[goal] for goal, button in self.presets.items() if button is self.sender()), None)
        if found is not None:
            self.slider.setValue(math.ceil(found * PARTS - 1e-6))
            self.slider.setFocus()

    @Slot()
    def _use(self) -> None:
        self.slider.setFocus()  # the button can be pressed no more
        self.wanted.emit(self.least_sure)

    @Slot()
    def _answer_always(self) -> None:
        self.slider.setFocus()  # the button can be pressed no more
        self.slider.setValue(0)
        self.wanted.emit(0.0)

    def _name_all(self) -> None:
        self.plot.setToolTip("The higher the threshold, the fewer texts are answered, and the more of these rightly.")
        self.slider.setAccessibleName("Answer only when at least so sure")
        self.slider.setToolTip("How sure the classifier must be to answer; below, it says “not sure”. Arrows move it.")
        self.use.setToolTip("From now on, answers that are less sure than this read “not sure”. Nothing is retrained.")
        self.always.setToolTip("Give every answer, however unsure it is: this undoes the threshold.")

    def _lay_out(self) -> None:
        presets, uses = QHBoxLayout(), QHBoxLayout()
        self.below = BelowAxis(self.plot, self.slider)
        presets.addWidget(QLabel("Set it to:"))
        for button in self.presets.values():
            presets.addWidget(button)
        presets.addStretch(1)
        for button in (self.use, self.always):
            uses.addWidget(button)
        uses.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.sentence)
        column.addWidget(self.plot, 1)
        column.addWidget(self.below)
        column.addLayout(presets)
        column.addLayout(uses)
        column.addWidget(self.in_use)


class Slider(QSlider):
    """A click on its groove takes the handle there."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            across = round(event.position().x()) - HANDLE // 2
            self.setValue(QStyle.sliderValueFromPosition(0, PARTS, across, self.width() - HANDLE))
        super().mousePressEvent(event)  # which takes hold of the handle


class BelowAxis(QWidget):
    """A slider below a plot, its ends below 0 and 100 % of the axis."""

    def __init__(self, plot: SharePlot, slider: Slider):
        super().__init__()
        self._plot = plot
        self._row = QHBoxLayout(self)
        self._row.addWidget(slider)
        plot.resized.connect(self._align)

    @Slot()
    def _align(self) -> None:
        left, right = self._plot.ends()
        self._row.setContentsMargins(left - HANDLE // 2, 0, max(0, self.width() - right - HANDLE // 2), 0)


class Unknown(QWidget):
    """The share of familiar texts that one accepts to be called unknown."""

    def __init__(self) -> None:
        super().__init__()
        self.choice = ChoiceBox(UNKNOWN, UNKNOWN)
        self.choice.setAccessibleName("Familiar texts that may be called unknown")
        self.choice.setToolTip("The more of them you accept, the more of the texts that fit no label are found.")
        self.told = line(UNLIKE, "muted")
        across = QHBoxLayout()
        across.addWidget(self.choice)
        across.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.told)
        column.addLayout(across)

    def show_share(self, share: float, may_change: bool, why_not: str) -> None:
        """`why_not`: why the classifier cannot tell unknown texts; "" where it can."""
        choices = unknown_choices(share)
        if [self.choice.itemData(number) for number in range(self.choice.count())] != list(choices):
            self.choice.clear()
            for value, words in choices.items():
                self.choice.addItem(words, value)
        self.choice.write(share)
        self.choice.setEnabled(may_change and not why_not)
        self.told.setText(why_not or UNLIKE)


def filled(side: dict[str, Any]) -> list[dict[str, Any]]:
    """The bins in which there are texts."""
    return [found for found in side["bins"] if found["rows"]]


def points(bins: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    return [found["confidence"] for found in bins], [found["accuracy"] for found in bins]
