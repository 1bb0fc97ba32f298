"""How the program looks: a light and a dark palette, line colours for plots, spacing, a short stylesheet.

Text keeps a contrast of 4.5:1 (tests/studio/test_theme.py measures it).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from string import Template

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from resources import resource_path
from studio.remembered import settings as remembered_settings

# Distances in pixels, used by all layouts.
SMALL, MEDIUM, LARGE = 6, 12, 20


@dataclass(frozen=True)
class Colours:
    """Named colours as “#rrggbb”."""

    background: str
    surface: str
    raised: str
    text: str
    muted: str
    border: str
    accent: str
    on_accent: str
    accent_soft: str
    good: str
    warning: str
    warning_soft: str
    bad: str
    bad_soft: str
    grid: str


LIGHT = Colours(
    background="#f3f4f7", surface="#ffffff", raised="#e9ebf0", text="#1c2230", muted="#566070",
    border="#c9ced8", accent="#2456c4", on_accent="#ffffff", accent_soft="#e3ebfb", good="#17713f",
    warning="#855300", warning_soft="#fdf1d8", bad="#b3261e", bad_soft="#fbe6e4", grid="#dfe3ea",
)  # fmt: skip
DARK = Colours(
    background="#15181e", surface="#1e232b", raised="#2a303b", text="#e8ebf1", muted="#a7b0be",
    border="#444d5c", accent="#84adff", on_accent="#0e1726", accent_soft="#223354", good="#63d69d",
    warning="#f2bf63", warning_soft="#3a2f19", bad="#ff958b", bad_soft="#40221f", grid="#343c48",
)  # fmt: skip
THEMES = {"light": LIGHT, "dark": DARK}

# After Okabe and Ito: each stands out by 3:1 from its surface, and also eyes without red or green cones tell any two
# apart (tests/studio/test_theme.py measures both).
LINES = {
    "light": ("#0072b2", "#c65300", "#00805c", "#c0508f", "#4527a0", "#5f4200", "#37474f", "#1f9bb5"),
    "dark": ("#489ed6", "#d88833", "#2cc087", "#e094bc", "#fef260", "#e9f6f6", "#49ddf1", "#3a8ef8"),
}


class _Notifier(QObject):
    changed = Signal()


_notifier = _Notifier()
changed = _notifier.changed
"""Emitted after the theme was applied; what paints itself connects here and repaints."""

_name = "light"


def current() -> str:
    """The name of the theme in use: light or dark."""
    return _name


def colours() -> Colours:
    return THEMES[_name]


def line_colours() -> tuple[str, ...]:
    """Colours of lines in plots, told apart also by the colour-blind; take them in this order."""
    return LINES[_name]


def remembered() -> str:
    """The theme chosen last time; light at first."""
    name = remembered_settings().value("theme", "light")
    return name if isinstance(name, str) and name in THEMES else "light"


def remember(name: str) -> None:
    remembered_settings().setValue("theme", name)


def apply(app: QApplication, name: str) -> None:
    """Give the whole program the light or the dark look."""
    global _name
    _name = name
    app.setStyleSheet("")  # to exchange one for another costs several times as much: 4 s for all screens of a project
    if app.style().name() != "fusion":
        app.setStyle("Fusion")
    app.setPalette(palette(THEMES[name]))
    app.setStyleSheet(stylesheet(name))
    changed.emit()


def palette(colours: Colours) -> QPalette:
    """Fusion draws everything from these roles; without a platform theme nothing else makes it dark."""
    role = QPalette.ColorRole
    active = {
        role.Window: colours.background, role.WindowText: colours.text, role.Base: colours.surface,
        role.AlternateBase: colours.background, role.Text: colours.text, role.PlaceholderText: colours.muted,
        role.Button: colours.raised, role.ButtonText: colours.text, role.BrightText: colours.bad,
        role.ToolTipBase: colours.raised, role.ToolTipText: colours.text, role.Highlight: colours.accent,
        role.HighlightedText: colours.on_accent, role.Accent: colours.accent, role.Link: colours.accent,
        role.LinkVisited: colours.accent, role.Light: colours.raised, role.Midlight: colours.border,
        role.Mid: colours.border, role.Dark: colours.border, role.Shadow: colours.background,
    }  # fmt: skip
    made = QPalette()
    for name, value in active.items():
        made.setColor(name, QColor(value))
    for name in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, name, QColor(colours.muted))
    return made


def stylesheet(name: str) -> str:
    """The style sheet in a theme's colours and with its signs. All that it does not name is Fusion's."""
    text = resource_path("themes/studio.qss").read_text(encoding="utf-8")
    icons = resource_path(f"themes/{name}").as_posix()
    return Template(text).substitute(dataclasses.asdict(THEMES[name]), icons=icons)
