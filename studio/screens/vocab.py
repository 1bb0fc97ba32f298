"""The Vocabulary screen: build it, look at its pieces, and see how a text of your own is cut."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QScrollArea, QTextBrowser, QVBoxLayout, QWidget

from studio import theme
from studio.job_bar import JobBar
from studio.screens.screen import Screen
from studio.session import Session
from studio.widgets.card import card, line
from studio.widgets.form import Form
from studio.widgets.start_from import StartFrom
from studio.widgets.table import Table
from studio.worker import Background
from ulmfit_core import events
from ulmfit_core.config import VocabSettings
from ulmfit_core.events import Ended
from ulmfit_core.project import Project

SHOWN_PIECES = 500
SETTINGS_WIDTH = 330
EXAMPLE = "The quick brown fox JUMPS over the lazy dog!"
NOTHING = "Build the vocabulary to see its pieces here, and how it cuts a text into tokens."
# What a vocabulary consists of, by its unit: heading, head of the column, what ▁ means there.
UNITS = {
    "pieces": ("Most frequent pieces", "Piece", "▁ marks the beginning of a word."),
    "words": ("Most frequent words", "Word", "▁ stands for a space within a word."),
}
# What the report of a finished build says, in this order: name, title, how it is written.
FIGURES = {
    "size": ("{unit}", "{:,.0f}"),
    "tokens_per_word": ("tokens a word", "{:.2f}"),
    "unknown": ("of the tokens unknown", "{:.2%}"),
}


class VocabScreen(Screen):
    step = "vocab"
    title = "Vocabulary"
    explanation = (
        "Texts are cut into whole words, or into pieces: parts of words where they are rare. "
        "One vocabulary serves the language model and the classifier."
    )

    def __init__(self, session: Session):
        super().__init__(session)
        self._built: tuple[Path, str] | None = None
        self._report: dict[str, Any] = {}
        self._vocabulary: Any = None
        settings = session.project.recipe.vocab if session.project else VocabSettings()
        self.form = Form(settings, ["kind", "size", "rules", "max_tokens"])
        self.start_from = StartFrom(session)
        self.bar = JobBar(session, "vocab", "B&uild the vocabulary")
        self.nothing = QLabel(NOTHING, wordWrap=True)
        self.nothing.setProperty("role", "muted")
        self.figures = QLabel(wordWrap=True)
        self.figures.setProperty("role", "subheading")
        self.text = QLineEdit(EXAMPLE)
        self.tokens = QTextBrowser()
        self.count = QLabel()
        self.pieces = Table("Pieces of the vocabulary, most frequent first")
        self._loading = Background(self)
        self._cutting = Background(self)
        self._fill_body()
        self._connect()

    def refresh(self) -> None:
        project = self.session.project
        assert project is not None
        self._show_settings(project)
        waiting = project.waits_for("vocab")
        self.bar.set_ready(not waiting, waiting or _standing(project), project.state("vocab").mark == "done")
        self._load_if_new(project)

    def _show_settings(self, project: Project) -> None:
        """Only what counts: a vocabulary that is taken from a model is not learned."""
        settings, has_base = project.recipe.vocab, project.recipe.base != "none"
        learned = not (has_base and settings.reuse)
        self.form.set_model(settings)
        self.form.show_rows(["reuse"], has_base)
        self.form.show_rows(["kind", "size", "rules", "sample_mb"], learned)
        self.form.show_rows(["min_frequency"], learned and settings.kind == "word")
        self.form.show_rows(["coverage"], learned and settings.kind == "unigram")

    # Building the screen

    def _fill_body(self) -> None:
        sides = QHBoxLayout()
        sides.setSpacing(theme.LARGE)
        sides.addWidget(self._settings())
        sides.addWidget(self._result(), 1)
        self.body.addLayout(sides, 1)
        self.body.addWidget(self.bar)

    def _settings(self) -> QScrollArea:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, theme.SMALL, 0)
        column.setSpacing(theme.MEDIUM)
        column.addWidget(card("Start from", "", self.start_from))
        column.addWidget(card("Settings", "", self.form))
        column.addStretch()
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        area.setFixedWidth(SETTINGS_WIDTH)
        return area

    def _result(self) -> QWidget:
        self.text.setAccessibleName("A text to cut into tokens")
        self.text.setPlaceholderText("Type a text to see its tokens")
        self.text.setToolTip("Any text of your own; it is cut as you type and kept nowhere.")
        self.tokens.setAccessibleName("The tokens of the typed text")
        self.tokens.setFixedHeight(96)
        self.count.setProperty("role", "muted")
        self.heading_of_list, self.hint = line(role="subheading"), line(role="muted")
        self.trial = card("How a text is cut", "", self.text, self.tokens, self.count)
        self.list = card("", "", self.heading_of_list, self.hint, self.pieces)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.MEDIUM)
        column.addWidget(self.nothing)
        column.addWidget(self.figures)
        column.addWidget(self.trial)
        column.addWidget(self.list, 1)
        column.addStretch(0)
        return whole

    def _connect(self) -> None:
        self.form.changed.connect(self._change)
        self.bar.wanted.connect(self._build)
        self.text.textChanged.connect(self._cut)
        self.session.run_ended.connect(self._follow_end)
        self._loading.answered.connect(self._show_vocabulary)
        self._loading.refused.connect(self.show_message)
        self._cutting.answered.connect(self._show_tokens)
        self._cutting.refused.connect(self.show_message)
        theme.changed.connect(self._cut)

    # What the person does

    @Slot(str, object)
    def _change(self, name: str, value: Any) -> None:
        self.session.change(f"vocab.{name}", value)

    @Slot()
    def _build(self) -> None:
        self.clear_message()
        self.session.start("vocab")

    @Slot(str, object)
    def _follow_end(self, job: str, ended: Ended) -> None:
        if job == "vocab" and ended.status != "done":
            self.show_message(ended.reason, "error" if ended.status == "failed" else "info")

    # What was built

    def _load_if_new(self, project: Project) -> None:
        """The vocabulary of the newest finished build, loaded once."""
        done = [run for run in project.runs() if run.job == "vocab" and run.status == "done"]
        built = (project.vocab_folder, done[-1].id) if done else None
        if built == self._built and built:
            return
        self._built = built
        self._report = _report(done[-1].folder) if done else {}
        self._show_result()
        if built:
            self._loading.ask(lambda: load_vocabulary(project.vocab_folder))

    def _show_result(self) -> None:
        """The places for what was built; the vocabulary itself is still being read."""
        self.nothing.setVisible(not self._built)
        for part in (self.figures, self.trial, self.list):
            part.setVisible(bool(self._built))
        self.figures.clear()

    @Slot(object)
    def _show_vocabulary(self, vocabulary: Any) -> None:
        self._vocabulary = vocabulary
        pieces = [piece for piece in vocabulary.pieces if not piece.startswith("xx")]
        # Quoted, so that a space is seen and a full stop is not taken for a number.
        rows = [[number, f"“{visible(piece)}”"] for number, piece in enumerate(pieces[:SHOWN_PIECES], 1)]
        heading, column, hint = UNITS[vocabulary.unit]
        self.heading_of_list.setText(heading)
        self.hint.setText(hint)
        self.pieces.set_rows(["Rank", column], rows)
        self._show_figures(vocabulary.unit)
        self._cut()

    def _show_figures(self, unit: str) -> None:
        told = [
            f"{form.format(self._report[name])} {title.format(unit=unit)}"
            for name, (title, form) in FIGURES.items() if name in self._report
        ]  # fmt: skip
        self.figures.setText("   ·   ".join(told))

    @Slot()
    def _cut(self) -> None:
        if self._vocabulary is not None:
            vocabulary, text = self._vocabulary, self.text.text()
            self._cutting.ask(lambda: vocabulary.tokens(text))

    @Slot(object)
    def _show_tokens(self, tokens: list[str]) -> None:
        self.tokens.setHtml(" ".join(_chip(token) for token in tokens))
        words = len(self.text.text().split())
        self.count.setText(f"{len(tokens)} tokens for {words} words. The grey ones are marks of the text rules.")


def load_vocabulary(folder: Path) -> Any:
    """Off the main thread: reading a large vocabulary takes a moment."""
    from ulmfit_core.text.vocab import Vocabulary

    return Vocabulary.load(folder)


def _report(folder: Path) -> dict[str, Any]:
    told = events.read_events(folder / "events.jsonl")
    return next((event.report for event in told if isinstance(event, Ended)), {})


def _standing(project: Project) -> str:
    mark = project.state("vocab").mark
    return {
        "done": "Built with these settings.",
        "stale": "Built with other settings or data: build it again to use these.",
    }.get(mark, "Ready to build. It takes seconds to a few minutes.")


def visible(token: str) -> str:
    """An imported vocabulary may have line breaks among its words."""
    return token.replace("\n", "↵")


def _chip(token: str) -> str:
    """A token on a ground of its own, so that its borders are seen."""
    colours = theme.colours()
    ink = colours.muted if token.startswith("xx") else colours.text
    ground = colours.raised if token.startswith("xx") else colours.accent_soft
    style = f"background:{ground}; color:{ink}; font-size:12pt;"
    return f'<span style="{style}">&nbsp;{html.escape(visible(token))}&nbsp;</span>'
