"""Both themes are readable: contrast is measured, not guessed."""

from __future__ import annotations

import dataclasses
from itertools import combinations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QTabWidget, QWidget

from studio import theme


def luminance(name: str) -> float:
    """WCAG 2: relative luminance of a colour."""
    colour = QColor(name)
    parts = (colour.redF(), colour.greenF(), colour.blueF())
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


GROUNDS = ("background", "surface", "raised", "accent_soft", "warning_soft", "bad_soft")
INKS = ("text", "muted", "accent", "good", "warning", "bad")


@pytest.mark.parametrize("name", theme.THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("ink", INKS)
def test_every_ink_stands_out_from_every_ground(name: str, ground: str, ink: str) -> None:
    colours = theme.THEMES[name]
    assert contrast(getattr(colours, ink), getattr(colours, ground)) >= 4.5


@pytest.mark.parametrize("name", theme.THEMES)
def test_words_on_the_accent_and_on_a_pressed_button_stand_out(name: str) -> None:
    colours = theme.THEMES[name]
    assert contrast(colours.on_accent, colours.accent) >= 4.5
    assert contrast(colours.text, colours.border) >= 4.5


def test_no_colour_is_left_out() -> None:
    """A new colour is an ink, a ground or a line, and is measured as such."""
    measured = {*GROUNDS, *INKS, "on_accent", "border"}
    assert {field.name for field in dataclasses.fields(theme.Colours)} == measured | {"grid"}


# How the linear colours look to an eye without the red or the green cones (Machado et al. 2009, severity 1).
EYES = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = XYZ.sum(axis=1)


def seen(name: str, eye: str) -> np.ndarray:
    """CIE L*a*b* of a colour as an eye sees it: distances of 2 are just noticed side by side."""
    colour = QColor(name)
    parts = np.array([colour.redF(), colour.greenF(), colour.blueF()])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(XYZ @ np.clip(EYES[eye] @ linear, 0.001, 1) / WHITE)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("name", theme.THEMES)
def test_lines_are_told_apart_by_colour_blind_eyes(name: str, eye: str) -> None:
    colours = [seen(line, eye) for line in theme.LINES[name]]
    apart = {pair: float(np.linalg.norm(colours[pair[0]] - colours[pair[1]])) for pair in combinations(range(8), 2)}
    assert min(apart.values()) >= 15, min(apart.items(), key=lambda item: item[1])


@pytest.mark.parametrize("name", theme.THEMES)
def test_lines_stand_out_and_differ(name: str) -> None:
    lines = theme.LINES[name]
    assert all(contrast(line, theme.THEMES[name].surface) >= 3 for line in lines)
    assert len(set(lines)) == len(lines)


def test_the_palette_makes_it_dark(application, qtbot) -> None:
    with qtbot.waitSignal(theme.changed):
        theme.apply(application, "dark")
    assert application.palette().color(QPalette.ColorRole.Window).name() == theme.DARK.background
    assert theme.current() == "dark"
    theme.apply(application, "light")
    assert application.palette().color(QPalette.ColorRole.Window).name() == theme.LIGHT.background


@pytest.mark.parametrize("name", theme.THEMES)
def test_the_focus_on_tabs_is_seen(application, qtbot, name) -> None:
    theme.apply(application, name)
    tabs = QTabWidget()
    qtbot.addWidget(tabs)
    tabs.setDocumentMode(True)
    for title in ("One", "Two"):
        tabs.addTab(QWidget(), title)
    tabs.show()
    tabs.activateWindow()
    frames = []
    for part in (tabs.currentWidget(), tabs.tabBar()):
        part.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        part.setFocus()
        qtbot.waitUntil(part.hasFocus)
        image = tabs.tabBar().grab().toImage()
        seen = [image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())]
        frames.append(seen.count(QColor(theme.THEMES[name].accent).name()))
    theme.apply(application, "light")
    assert frames[0] == 0 and frames[1] > 80


def test_the_choice_is_remembered() -> None:
    assert theme.remembered() == "light"
    theme.remember("dark")
    assert theme.remembered() == "dark"
