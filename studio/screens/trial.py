"""On the Vocabulary screen: a text of one's own, what each set of text rules makes of it, and how it is cut."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QLineEdit, QSizePolicy, QTextBrowser, QVBoxLayout, QWidget

from studio import theme
from studio.screens.token_lists import MARKS, visible
from studio.widgets.card import line
from studio.widgets.controls import CHOICES
from studio.worker import Background
from ulmfit_core import catalog

EXAMPLE = "WOW!!! In Paris it was so so so GOOD: we met Émile on day 1000."
LONGEST = 300  # characters shown of what the rules make of a text
NOTHING = "Build the vocabulary to see how it cuts this text."
UNKNOWN = "xxunk"
MARK = re.compile(rf" ?({'|'.join(MARKS)}) ?")
BYTE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class Token:
    """kind: piece, mark (of the text rules), unknown or bytes. `text` is what stands in the typed text for the last
    two, `codes` the bytes in hexadecimal digits."""

    text: str
    kind: str = "piece"
    codes: str = ""


@dataclass(frozen=True)
class Answer:
    """What the rule sets make of a text, by name, and its tokens where there is a vocabulary."""

    words: int
    after: dict[str, str]
    tokens: list[Token] = field(default_factory=list)


class Trial(QWidget):
    """`refused` is a sentence on what went wrong."""

    refused = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._vocabulary: Any = None
        self.text = QLineEdit(EXAMPLE)
        self.after = {name: line() for name in catalog.RULES}
        self.names = {name: QLabel() for name in catalog.RULES}
        self.tokens = QTextBrowser()
        self.meanings = line(role="hint")
        self.count = line(NOTHING, "muted")
        self._asking = Background(self)
        self._name_all()
        self._lay_out()
        self.text.textChanged.connect(self._ask)
        self._asking.answered.connect(self._show)
        self._asking.refused.connect(self.refused)
        theme.changed.connect(self._ask)
        self.show_rules("")
        self._ask()

    def set_vocabulary(self, vocabulary: Any) -> None:
        """Cut with this one, or with none."""
        self._vocabulary = vocabulary
        self._ask()

    def show_rules(self, chosen: str, fixed: bool = False) -> None:
        """Mark the rule set that the settings name; `fixed` where the pretrained model brings its own."""
        for name, label in self.names.items():
            used = " (the model's)" if fixed else " (chosen)"
            label.setText(f"{CHOICES.get(name, name.capitalize())}{used if name == chosen else ''}")
            for part in (label, self.after[name]):
                part.setProperty("role", "" if name == chosen else "muted")
                part.style().polish(part)
                part.setVisible(not fixed or name == chosen)

    @Slot()
    def _ask(self) -> None:
        vocabulary, text = self._vocabulary, self.text.text()
        self._asking.ask(lambda: look(text, vocabulary))

    @Slot(object)
    def _show(self, answer: Answer) -> None:
        for name, after in answer.after.items():
            self.after[name].setText(after)
        self.meanings.setText(meanings(" ".join(answer.after.values())))
        self.meanings.setVisible(bool(self.meanings.text()))
        self.tokens.setVisible(bool(answer.tokens))
        self.tokens.setHtml(" ".join(chip(token) for token in answer.tokens))
        self.count.setText(summary(answer) if answer.tokens else NOTHING)

    def _name_all(self) -> None:
        self.text.setCursorPosition(0)  # the beginning is seen, not the end
        self.text.setAccessibleName("A text to cut into tokens")
        self.text.setPlaceholderText("Type a text to see its tokens")
        self.text.setToolTip("Any text of your own; it is cut as you type and kept nowhere.")
        self.tokens.setAccessibleName("The tokens of the typed text")
        self.tokens.setToolTip("Each token on a ground of its own. The line above says how marks and the unknown look.")
        self.tokens.setMinimumHeight(96)
        self.tokens.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)  # as high as there is room
        for name, label in self.after.items():
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setAccessibleName(f"The text after the rules {name}")
            for part in (label, self.names[name]):
                part.setToolTip(catalog.RULES[name].title)

    def _lay_out(self) -> None:
        rules = QGridLayout()
        rules.setHorizontalSpacing(theme.MEDIUM)
        rules.setColumnStretch(1, 1)
        for row, name in enumerate(catalog.RULES):
            rules.addWidget(self.names[name], row, 0, Qt.AlignmentFlag.AlignTop)
            rules.addWidget(self.after[name], row, 1, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(*[theme.MEDIUM] * 4)
        column.setSpacing(theme.SMALL)
        column.addWidget(line("Your text", "subheading"))
        column.addWidget(self.text)
        column.addSpacing(theme.SMALL)
        column.addWidget(line("After the text rules", "subheading"))
        column.addLayout(rules)
        column.addWidget(self.meanings)
        column.addSpacing(theme.SMALL)
        column.addWidget(line("Tokens", "subheading"))
        column.addWidget(self.count)
        column.addWidget(self.tokens, 1)
        column.addStretch(0)


def look(text: str, vocabulary: Any) -> Answer:
    """Off the main thread: the rules take a moment to load."""
    after = {name: shortened(apart(catalog.resolve("rules", name)(text))) for name in catalog.RULES}
    return Answer(len(text.split()), after, cut(text, vocabulary) if vocabulary else [])


def apart(text: str) -> str:
    """With a space on both sides of each mark, some of which touch their words: easier to read."""
    return MARK.sub(r" \1 ", text).strip()


def meanings(text: str) -> str:
    """What the marks in a text say."""
    return "; ".join(f"{mark}: {meaning}" for mark, meaning in MARKS.items() if mark in text.split())


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def cut(text: str, vocabulary: Any) -> list[Token]:
    """The tokens of a text with what is unknown in it, and bytes put together to the characters they stand for."""
    unknown = iter(vocabulary.unknown_in([text]))
    tokens: list[Token] = []
    codes: list[str] = []
    for piece in [*vocabulary.tokens(text), ""]:
        if found := BYTE.fullmatch(piece):
            codes.append(found[1])
            continue
        tokens += characters(codes)
        codes = []
        if piece:
            kind = "unknown" if piece == UNKNOWN else "mark" if piece in MARKS else "piece"
            tokens.append(Token(next(unknown, piece) if kind == "unknown" else piece, kind))
    return tokens


def characters(codes: list[str]) -> list[Token]:
    """One token for each character that these bytes write."""
    written = bytes.fromhex("".join(codes)).decode("utf-8", "replace")
    found, at = [], 0
    for character in written:
        size = len(character.encode())
        found.append(Token(character, "bytes", " ".join(codes[at : at + size])))
        at += size
    return found


def summary(answer: Answer) -> str:
    """How many tokens there are, and how to read what is no ordinary one."""
    sizes = [len(token.codes.split()) or 1 for token in answer.tokens]
    kinds = {token.kind for token in answer.tokens}
    told = [f"{sum(sizes)} tokens for {answer.words} words."]
    if "mark" in kinds:
        told.append("Slanted: marks of the text rules.")
    if "unknown" in kinds:
        told.append(f"Struck through: unknown, the model reads {UNKNOWN}.")
    if "bytes" in kinds:
        told.append("With an equals sign: a rare character and the bytes that write it, a token each.")
    return " ".join(told)


def chip(token: Token) -> str:
    """A token on a ground of its own, so that its borders are seen; its kind is seen without colours."""
    colours = theme.colours()
    text = html.escape(visible(token.text))
    ground, ink, shown = {
        "piece": (colours.accent_soft, colours.text, text),
        "mark": (colours.raised, colours.muted, f"<i>{text}</i>"),
        "unknown": (colours.warning_soft, colours.text, f"<s>{text}</s> → {UNKNOWN}"),
        "bytes": (colours.accent_soft, colours.text, f"{text} = {token.codes}"),
    }[token.kind]
    style = f"background:{ground}; color:{ink}; font-size:12pt;"
    return f'<span style="{style}">&nbsp;{shown.replace(" ", "&nbsp;")}&nbsp;</span>'
