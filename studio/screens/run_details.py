"""All that is to be seen of one run: curves, epochs, texts, notes, settings and its card."""

from __future__ import annotations

from pathlib import Path

import tomlkit
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from studio import remembered, theme
from studio.screens.run_notes import NotesEditor
from studio.screens.run_story import Story, epoch_table
from studio.widgets.live_plot import LivePlot
from studio.widgets.rate_curve import RateCurve
from studio.widgets.table import Table
from ulmfit_core import files, project, reading
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run_card import Card, make_card


class RunDetails(QTabWidget):
    """Tabs of one run, of which those are seen that it has something for."""

    def __init__(self) -> None:
        super().__init__()
        self.story: Story | None = None
        self.curves, self.search = LivePlot(), RateCurve()
        self.epochs = Table("Epochs of the chosen run")
        self.epochs.nothing = "The first epoch is not over yet."
        self.texts = Table("Texts that the language model wrote")
        self.notes = NotesEditor()
        self.settings = QPlainTextEdit(readOnly=True)
        self.settings.setAccessibleName("Settings of the chosen run")
        self.settings.setToolTip("The settings of this run as they stand in its config.toml.")
        self.card = CardPage()
        self._opened: Project | None = None
        self._fill()
        self.currentChanged.connect(self._make_card)

    def show_story(self, opened: Project, story: Story) -> None:
        """Show a run, or what it has gained since it was shown."""
        another = self.story is None or self.story.info.id != story.info.id
        self._opened, self.story = opened, story
        headers, rows = epoch_table(story.epochs)
        self.epochs.set_rows(headers, rows)
        self.texts.set_rows(["Epoch", "Text"], [[event.epoch + 1, event.prompt + event.text] for event in story.texts])
        self.notes.show_run(story.info)
        if another:
            self.settings.setPlainText(settings_of(story))
            self._show_curves(story)
        elif story.searched:
            self.search.show_report(story.report)
            self.search.reread()
        self._show_tabs(story)
        self.card.clear()
        self._make_card()

    def forget(self) -> None:
        """Let go of the run's files: its folder is going to be moved."""
        self.story = None
        self.curves.clear()
        self.search.show_search(None, {})

    @Slot()
    def _make_card(self) -> None:
        """Only when it is looked at: it reads more of the run than the other pages."""
        if self.currentWidget() is self.card and self._opened and self.story:
            self.card.show_card(self._opened, self.story)

    def _fill(self) -> None:
        for part in (self.curves, self.search):
            part.setContentsMargins(*[theme.MEDIUM] * 4)
        pages = {
            "Curves": self.curves, "Curve": self.search, "Epochs": self.epochs, "Texts": self.texts,
            "Card": self.card, "Settings": self.settings, "Notes": self.notes,
        }  # fmt: skip
        for title, page in pages.items():
            self.addTab(page, title)
        self.setTabToolTip(self.indexOf(self.card), "All of this run on one page, to copy or save.")
        self.setTabToolTip(self.indexOf(self.notes), "Tags and notes of your own.")
        self.tabBar().setAccessibleName("What to see of the chosen run")
        self.tabBar().setToolTip("What to see of the chosen run.")

    def _show_curves(self, story: Story) -> None:
        self.curves.clear()
        if story.searched:
            self.search.show_search(story.info.folder, story.report)
        elif story.stepped:
            self.curves.show_run(story.info.folder)

    def _show_tabs(self, story: Story) -> None:
        """An import has no curves: its settings are what there is to see."""
        trained = bool(story.epochs) or (story.stepped and not story.searched)
        if trained and self.curves.curves is None:
            self.curves.show_run(story.info.folder)  # its first step has come since it was chosen
        before = [self.isTabVisible(self.indexOf(page)) for page in (self.curves, self.search)]
        now = [trained, story.searched]
        for page, shown in zip((self.curves, self.search, self.epochs, self.texts), (*now, trained, bool(story.texts))):
            self.setTabVisible(self.indexOf(page), shown)
        if any(now) and now != before and self.currentWidget() is not self.notes:
            self.setCurrentWidget(self.search if story.searched else self.curves)


class CardPage(QWidget):
    """The card as text, with the ways to take it along. `refused(sentence)` where it cannot be saved."""

    refused = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.card: Card | None = None
        self.text = QPlainTextEdit(readOnly=True)
        self.text.setAccessibleName("Card of the chosen run")
        self.text.setToolTip("What was done, with what, how it went, and the commands that do it again.")
        font = self.text.font()
        font.setFamilies(["monospace", "Consolas", "Menlo"])
        self.text.setFont(font)
        self.copy_text = QPushButton("Copy as te&xt")
        self.copy_markdown = QPushButton("Copy as &Markdown")
        self.save = QPushButton("Save &as…")
        self.copy_text.setToolTip("Copy the card as it stands here.")
        self.copy_markdown.setToolTip("Copy the card with headings and tables, for a README or a wiki.")
        self.save.setToolTip("Save the card as a Markdown or text file.")
        self._lay_out()
        self.copy_text.clicked.connect(self._copy_text)
        self.copy_markdown.clicked.connect(self._copy_markdown)
        self.save.clicked.connect(self._choose_file)

    def clear(self) -> None:
        self.card = None

    def show_card(self, opened: Project, story: Story) -> None:
        if self.card:
            return
        try:
            self.card = make_card(opened, story.info)
        except UserError as error:
            self.text.setPlainText(str(error))
            self._let_take(False)
            return
        place = self.text.verticalScrollBar().value()
        self.text.setPlainText(self.card.text())
        self.text.verticalScrollBar().setValue(place)
        self._let_take(True)

    def save_as(self, path: Path) -> None:
        """Markdown, or plain text where the name ends so."""
        assert self.card is not None
        try:
            files.write_text(path, self.card.text() if path.suffix == ".txt" else self.card.markdown())
        except OSError as error:
            self.refused.emit(f"The card cannot be saved as {path}: {error.strerror}. Choose another place.")

    def _let_take(self, may: bool) -> None:
        for button in (self.copy_text, self.copy_markdown, self.save):
            button.setEnabled(may)

    @Slot()
    def _copy_text(self) -> None:
        if self.card:
            QApplication.clipboard().setText(self.card.text())

    @Slot()
    def _copy_markdown(self) -> None:
        if self.card:
            QApplication.clipboard().setText(self.card.markdown())

    @Slot()
    def _choose_file(self) -> None:
        if self.card is None:
            return
        start = str(Path(remembered.folder()) / f"{self.card.title.split(': ')[-1]}.md")
        path, _ = QFileDialog.getSaveFileName(self, "Save the card", start, "Markdown (*.md);;Text (*.txt)")
        if path:
            remembered.use_folder(path)
            self.save_as(Path(path))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(*[theme.SMALL] * 4)
        column.addWidget(self.text, 1)
        row = QHBoxLayout()
        for button in (self.copy_text, self.copy_markdown, self.save):
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)


def settings_of(story: Story) -> str:
    """The part of the recipe that this run used, as it stands in its config.toml."""
    run = story.info
    path = run.folder / "config.toml"
    table = reading.fitting(reading.toml(reading.text(path), path).get("recipe"), reading.Record, path)
    step = {"import": "data"}.get(story.step, story.step)
    parts = {step: table.get(step, {})}
    if step in project.BUNDLES:
        parts["model"] = table.get("model", {})
    return f"# {run.folder}\n\n{tomlkit.dumps(parts)}"
