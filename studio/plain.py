"""Data as it is written, in places where Qt looks for markup in whatever it is given.

What a stranger wrote (names of projects, files and columns, labels, texts) must not load a picture from disk, offer a
link or hide words. Labels are told so by `QLabel.setTextFormat`; tips have no such setting.
"""

from __future__ import annotations

import html

from PySide6.QtGui import Qt


def tip(text: str) -> str:
    """A tip that shows the text as it is written."""
    if not Qt.mightBeRichText(text):
        return text
    return f"<span>{html.escape(text)}</span>".replace("\n", "<br>")
