"""The Vocabulary screen: choose how texts are cut, build the vocabulary, see what it is worth, try it on a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from studio import theme
from studio.base_model import vocabulary_of_base
from studio.job_bar import JobBar
from studio.screens.screen import Screen
from studio.screens.token_lists import MARKS, SHOWN_PIECES, TokenLists
from studio.screens.trial import Trial
from studio.screens.worth import Worth
from studio.session import Session
from studio.widgets.card import card, line
from studio.widgets.declared import extra
from studio.widgets.form import Form
from studio.widgets.start_from import StartFrom
from studio.worker import Background
from ulmfit_core import events
from ulmfit_core.config import SCRATCH, VOCAB_SIZES, VocabSettings
from ulmfit_core.events import Ended, Event, Message
from ulmfit_core.project import Project

SETTINGS_WIDTH = 330
WORTH, LISTS, TRIAL = TABS = ("What it is worth", "Tokens", "Try a text")
FIRST = ("reuse", "extend", "kind", "size", "rules", "max_tokens")
BUILD, GO_ON = "B&uild the vocabulary", "Go on b&uilding"
# What the settings come to, in a few words: of each kind, and beside a pretrained model.
KINDS = {
    "unigram": "Frequent words stay whole, rare ones fall into pieces. 4,000 to 32,000 pieces are usual.",
    "bpe": "Pieces again, but put together from letters that often stand side by side. 4,000 to 32,000 are usual.",
    "char": "Each character is a token: hardly anything is unknown, but texts become long and training slow.",
    "word": "Each word is a token, as in the paper; rare words are unknown. 30,000 to 60,000 words are usual.",
}
TAKEN = "Texts are cut with the pretrained model's vocabulary, so that the model knows every token."
EXTENDED = (
    "Your texts' most frequent pieces are added to the pretrained model's vocabulary. Each of them starts as the mean "
    "of the pieces that it was cut into before."
)
NEW = "A new vocabulary is learned: the pretrained model keeps what it knows of the tokens that both have, and no more."
NOT_EXTENDED = "Its vocabulary cannot be extended: only pieces of the kind “Pieces of words” can."
UNITS = {"char": "characters", "word": "words"}
GOES_ON = "An earlier build did not come to its end. What it has encoded is kept, and it goes on from there."
CUT_OFF = "The last build was cut off before it came to the texts: it begins anew."
STOP = "Stop soon. Texts that are encoded by then are kept, and the next build goes on from there."


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
        self._goes_on = False
        settings = session.project.recipe.vocab if session.project else VocabSettings()
        self.about = line(role="hint")
        self.form = Form(settings, FIRST)
        self.start_from = StartFrom(session)
        self.bar = JobBar(session, "vocab", BUILD)
        self.bar.stop.setToolTip(STOP)
        self.worth, self.lists, self.trial = Worth(), TokenLists(), Trial()
        self.pieces = self.lists.pieces
        self._loading = Background(self)
        self._asking = Background(self)
        self._fill_body()
        self._connect()

    def refresh(self) -> None:
        project = self.session.project
        assert project is not None
        self._show_settings(project)
        self._ask_goes_on(project)
        self._show_standing(project)
        self._load_if_new(project)

    # Settings

    def _show_settings(self, project: Project) -> None:
        """Only what counts: of a vocabulary that is taken from a model nothing is learned but what extends it."""
        settings, has_base = project.recipe.vocab, project.recipe.base != SCRATCH
        taken = has_base and settings.reuse
        base = vocabulary_of_base(project.recipe.base)
        may_extend = base.get("kind", "unigram") == "unigram"
        learned, extended = not taken, taken and settings.extend > 0 and may_extend
        of_pieces = settings.kind != "word"
        self.form.set_model(settings)
        self.form.show_rows(["reuse"], has_base)
        self.form.show_rows(["extend"], taken)
        self.form.let_change(["extend"], may_extend or settings.extend > 0)
        self.form.show_rows(["kind", "size", "rules"], learned)
        self.form.show_rows(["sample_mb"], learned or extended)
        self.form.show_rows(["min_frequency"], learned and not of_pieces)
        self.form.show_rows(["coverage"], learned and of_pieces or extended)
        self.form.show_rows(["byte_fallback"], learned and of_pieces)
        self.form.advanced.setVisible(learned or extended)
        self._name_units(UNITS.get(settings.kind, extra(VocabSettings.model_fields["size"], "unit")))
        self.about.setText(about(settings, has_base, may_extend))
        self.trial.show_rules(base.get("rules", settings.rules) if taken else settings.rules, taken and "rules" in base)

    def _name_units(self, unit: str) -> None:
        self.form.rows["size"].control.set_words(unit, "")  # type: ignore[union-attr]

    @Slot(str, object)
    def _change(self, name: str, value: Any) -> None:
        """A size that was never touched follows the kind."""
        project = self.session.project
        assert project is not None
        before = project.recipe.vocab
        follows = name == "kind" and before.size == VOCAB_SIZES[before.kind] != VOCAB_SIZES[value]
        if self.session.change(f"vocab.{name}", value) and follows:
            self.session.change("vocab.size", VOCAB_SIZES[value])

    # Building

    def _ask_goes_on(self, project: Project) -> None:
        """Whether an earlier build broke off: found out off the main thread, for it opens the data."""
        self._asking.forget()
        if project.waits_for("vocab") or project.state("vocab").mark == "done":
            self._goes_on = False
        elif self.session.job is None:
            folder, recipe = project.folder, project.recipe.model_copy(deep=True)
            self._asking.ask(lambda: goes_on(Project(folder, recipe)))

    @Slot(object)
    def _show_goes_on(self, found: bool) -> None:
        project = self.session.project
        if project and self.session.job is None:
            self._goes_on = found
            self._show_standing(project)

    def _show_standing(self, project: Project) -> None:
        waiting, mark = project.waits_for("vocab"), project.state("vocab").mark
        self.bar.start.setText(GO_ON if self._goes_on else BUILD)
        self.bar.set_ready(not waiting, waiting or standing(project, mark, self._goes_on), mark == "done")

    @Slot()
    def _build(self) -> None:
        self.clear_message()
        self.session.start("vocab")

    @Slot(object)
    def _follow(self, event: Event) -> None:
        if self.session.job == "vocab" and isinstance(event, Message):
            self.show_message(event.text, event.level)

    @Slot(str, object)
    def _follow_end(self, job: str, ended: Ended) -> None:
        if job != "vocab":
            return
        if ended.status != "done":
            self.show_message(ended.reason, "error" if ended.status == "failed" else "info")
        elif self.notice.property("notice") == "info":
            self.clear_message()  # of how it went; what was built is seen now

    # What was built

    def _load_if_new(self, project: Project) -> None:
        """The vocabulary of the newest finished build, loaded once."""
        done = next((run for run in project.runs_of("vocab") if run.status == "done"), None)
        built = (project.vocab_folder, done.id) if done else None
        if built == self._built and built:
            return
        self._built = built
        self._report = report_of(done.folder) if done else {}
        if built:
            self._loading.ask(lambda: load_vocabulary(project.vocab_folder))
        else:
            self._loading.forget()
            self._show_nothing()

    def _show_nothing(self) -> None:
        self.trial.set_vocabulary(None)
        self.worth.show_report({}, "")
        self.lists.clear()
        self.tabs.setCurrentIndex(TABS.index(TRIAL))

    @Slot(object)
    def _show_vocabulary(self, loaded: Loaded) -> None:
        """A build that was cut off may have left another vocabulary than the one that was reported on."""
        vocabulary = loaded.vocabulary
        told = self._report if self._report.get("hash", vocabulary.hash) == vocabulary.hash else {}
        unit = UNITS.get(vocabulary.facts.get("kind"), vocabulary.unit)
        self.worth.show_report(told, unit)
        self.lists.show_facts(told, loaded.first, unit)
        self.trial.set_vocabulary(vocabulary)
        self.tabs.setCurrentIndex(TABS.index(WORTH))

    # Making the screen

    def _fill_body(self) -> None:
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("What was built")
        worth = scrolled(self.worth)
        worth.setAccessibleName(WORTH)
        worth.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # nothing in it takes the focus, and the arrows scroll it
        for page, title in zip((worth, self.lists, scrolled(self.trial)), TABS):
            self.tabs.addTab(page, title)
        sides = QHBoxLayout()
        sides.setSpacing(theme.LARGE)
        sides.addWidget(self._settings())
        sides.addWidget(self.tabs, 1)
        self.body.addLayout(sides, 1)
        self.body.addWidget(self.bar)
        self._show_nothing()

    def _settings(self) -> QScrollArea:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, theme.SMALL, 0)
        column.setSpacing(theme.MEDIUM)
        column.addWidget(card("Start from", "", self.start_from))
        column.addWidget(card("Settings", "", self.about, self.form))
        column.addStretch()
        area = scrolled(inside)
        area.setFixedWidth(SETTINGS_WIDTH)
        return area

    def _connect(self) -> None:
        self.form.changed.connect(self._change)
        self.bar.wanted.connect(self._build)
        self.trial.refused.connect(self.show_message)
        self.session.event.connect(self._follow)
        self.session.run_ended.connect(self._follow_end)
        self._loading.answered.connect(self._show_vocabulary)
        self._loading.refused.connect(self.show_message)
        self._asking.answered.connect(self._show_goes_on)
        self._asking.refused.connect(self.show_message)


def scrolled(page: QWidget) -> QScrollArea:
    """A page that may be higher than its place."""
    area = QScrollArea()
    area.setWidget(page)
    area.setWidgetResizable(True)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
    return area


class Loaded(NamedTuple):
    """A vocabulary, and its most frequent pieces or words."""

    vocabulary: Any
    first: list[str]


def load_vocabulary(folder: Path) -> Loaded:
    """Off the main thread: reading a large vocabulary takes a moment."""
    from ulmfit_core.text.vocab import Vocabulary

    vocabulary = Vocabulary.load(folder)
    return Loaded(vocabulary, [piece for piece in vocabulary.pieces if piece not in MARKS][:SHOWN_PIECES])


def goes_on(project: Project) -> bool:
    """Off the main thread: it opens dataset and vocabulary."""
    from ulmfit_core.jobs import build_vocab

    return build_vocab.goes_on(project)


def report_of(folder: Path) -> dict[str, Any]:
    """The report of a finished run."""
    told = events.read_events(folder / "events.jsonl")
    return next((event.report for event in told if isinstance(event, Ended)), {})


def about(settings: VocabSettings, has_base: bool, may_extend: bool) -> str:
    """What these settings come to."""
    if not has_base:
        return KINDS[settings.kind]
    if not settings.reuse:
        return f"{NEW} {KINDS[settings.kind]}"
    if not may_extend:
        return f"{TAKEN} {NOT_EXTENDED}"
    return EXTENDED if settings.extend else TAKEN


def standing(project: Project, mark: str, goes_on: bool) -> str:
    """Where the build stands, in a sentence."""
    if goes_on:
        return GOES_ON
    last = next(project.runs_of("vocab"), None)
    if mark != "done" and last and last.status == "unfinished":
        return CUT_OFF
    return {
        "done": "Built with these settings.",
        "stale": "Built with other settings or data: build it again to use these.",
    }.get(mark, "Ready to build. It takes seconds to a few minutes.")
