"""On the Vocabulary screen: the most frequent tokens, and what the vocabulary does not know, each with how often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio import theme
from studio.widgets.beside import Beside
from studio.widgets.card import line
from studio.widgets.table import Table

# What a vocabulary consists of, by its unit: head of the column, what ▁ means there.
UNITS = {
    "pieces": ("Piece", "▁ marks the beginning of a word."),
    "characters": ("Character", "▁ is a space."),
    "words": ("Word", "▁ stands for a space within a word."),
}
MARKS = {
    "xxunk": "anything unknown",
    "xxpad": "fills up short texts",
    "xxbos": "a text begins",
    "xxeos": "a text ends",
    "xxfld": "a column of the text begins",
    "xxrep": "a character is repeated",
    "xxwrep": "a word is repeated",
    "xxup": "a word in capitals follows",
    "xxmaj": "a capital follows",
    "xxfake": "fills up the vocabulary",
}
NARROW = 520  # pixels: less than that is not enough for two tables side by side
SHOWN_PIECES = 500
IN_PLACE = "The model reads xxunk in their place."


class TokenLists(Beside):
    def __init__(self) -> None:
        self.hint = line(role="muted")
        self.pieces = Table("Tokens of the vocabulary, most frequent first")
        self.unknown_hint = line(role="muted")
        self.unknown = Table("What the vocabulary does not know, most frequent first")
        self.right = column_of(line("Unknown", "subheading"), self.unknown_hint, self.unknown)
        left = column_of(line("Most frequent", "subheading"), self.hint, self.pieces)
        super().__init__(NARROW, {left: 3, self.right: 2})
        self.setContentsMargins(*[theme.MEDIUM] * 4)

    def clear(self) -> None:
        self.show_facts({}, [], "pieces")
        self.hint.setText("Build the vocabulary to see its tokens here.")
        self.pieces.hide()

    def show_facts(self, report: dict[str, Any], first: Sequence[str], unit: str) -> None:
        """What the report counted; where it counted nothing the vocabulary's `first` pieces, which are by frequency."""
        head, hint = UNITS[unit]
        self.hint.setText(hint)
        self.pieces.show()
        if report.get("frequent"):
            rows = [[quoted(token), f"{count:,}", meaning(token)] for token, count in report["frequent"]]
            self.pieces.set_rows([head, "Times", "What it says"], rows)
        else:
            self.pieces.set_rows(["Rank", head], [[rank, quoted(piece)] for rank, piece in enumerate(first, 1)])
        self._show_unknown(report)

    def _show_unknown(self, report: dict[str, Any]) -> None:
        rows = [[quoted(token), f"{count:,}"] for token, count in report.get("not_known", [])]
        self.right.setVisible("not_known" in report)
        self.unknown.set_rows(["In the texts", "Times"], rows)
        self.unknown.setVisible(bool(rows))
        self.unknown_hint.setText(unknown_text(report))


def unknown_text(report: dict[str, Any]) -> str:
    """Whether anything is unknown, and where that was looked for."""
    sample = f"a sample of {report['sample']:,} characters" if "sample" in report else "a sample"
    if report.get("not_known"):
        return f"{IN_PLACE} Counted in {sample}."
    if report.get("unknown"):
        return f"None in {sample}. Of the tokens of all texts {100 * report['unknown']:.2g} % are unknown."
    return "None: the vocabulary knows every token of your texts."


def quoted(token: str) -> str:
    """With line breaks that can be seen, and in quotes: so is a space, and a full stop is not taken for a number."""
    return f"“{visible(token)}”"


def visible(token: str) -> str:
    """What has no look of its own gets one: a line break among an imported vocabulary's words, a control character."""
    shown = token.replace("\n", "↵")
    return "".join(each if each.isprintable() else f"U+{ord(each):04X}" for each in shown)


def meaning(token: str) -> str:
    """What a token says that is no part of a word."""
    if token.startswith("<0x") and token.endswith(">"):
        return "a byte of a rare character"
    return MARKS.get(token, "")


def column_of(*parts: QWidget) -> QWidget:
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(theme.SMALL)
    for part in parts:
        column.addWidget(part, int(isinstance(part, Table)))
    column.addStretch(0)
    return whole
