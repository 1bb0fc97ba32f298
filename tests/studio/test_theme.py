"""Both themes are readable: contrast is measured, not guessed."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QPalette

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


@pytest.mark.parametrize("name", theme.THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("ink", ["text", "muted"])
def test_text_stands_out_from_every_ground(name: str, ground: str, ink: str) -> None:
    colours = theme.THEMES[name]
    assert contrast(getattr(colours, ink), getattr(colours, ground)) >= 4.5


@pytest.mark.parametrize("name", theme.THEMES)
@pytest.mark.parametrize("ink", ["accent", "good", "warning", "bad"])
def test_coloured_words_stand_out(name: str, ink: str) -> None:
    colours = theme.THEMES[name]
    assert contrast(getattr(colours, ink), colours.background) >= 4.5
    assert contrast(getattr(colours, ink), colours.surface) >= 4.5
    assert contrast(colours.on_accent, colours.accent) >= 4.5


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


def test_the_choice_is_remembered() -> None:
    assert theme.remembered() == "light"
    theme.remember("dark")
    assert theme.remembered() == "dark"
