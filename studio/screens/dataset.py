"""The Data screen: choose files, say what the columns mean, import, and see what came in.

What is chosen stays a draft until an import is done with it, so an error leaves the project as it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QTabWidget

from studio import theme
from studio.job_bar import JobBar
from studio.screens.imported import Imported, LeftOut, PreviewPage, summary_of
from studio.screens.mapping import Mapping
from studio.screens.screen import Screen
from studio.session import Session
from studio.widgets.path_field import dropped_path
from studio.worker import Background
from ulmfit_core.config import DataSettings
from ulmfit_core.events import Ended, Event, Message
from ulmfit_core.project import Project

PREVIEW_ROWS = 100
RESHAPING = {"data", "delimiter", "encoding", "header"}  # knobs after which the file looks different


def preview_of(project: Project | None, settings: DataSettings) -> Any:
    """The first rows of the chosen file. Takes a moment: call it off the main thread."""
    from ulmfit_core.data import readers  # bring pyarrow, which the first paint need not wait for
    from ulmfit_core.jobs.import_data import locate

    path = locate(project, settings.data) if project else None
    return readers.preview(path or Path(settings.data), settings, PREVIEW_ROWS)


class DatasetScreen(Screen):
    step = "import"
    title = "Data"
    explanation = "Choose the texts to learn from, and say which column holds the text and which the label."

    def __init__(self, session: Session):
        super().__init__(session)
        self.draft = DataSettings()
        self._folder: Path | None = None
        self._columns: list[str] = []
        self._warnings: list[str] = []
        self.mapping = Mapping(self.draft)
        self.preview = PreviewPage()
        self.imported = Imported()
        self.left_out = LeftOut()
        self.tabs = QTabWidget()
        self.bar = JobBar(session, "import", "&Import")
        self._looking = Background(self)  # at the chosen file
        self._counting = Background(self)  # what was imported
        self.setAcceptDrops(True)
        self._fill_body()
        self._connect()

    def refresh(self) -> None:
        project = self.session.project
        if project and project.folder != self._folder:
            self._folder = project.folder
            self._take_over(project.recipe.data)
        self._show_draft()
        self._count()

    def _fill_body(self) -> None:
        self.tabs.addTab(self.preview, "Preview")
        self.tabs.addTab(self.imported, "Imported")
        self.tabs.addTab(self.left_out, "Rows left out")
        self.tabs.tabBar().setAccessibleName("What to see of the data")
        sides = QHBoxLayout()
        sides.setSpacing(theme.LARGE)
        sides.addWidget(self.mapping)
        sides.addWidget(self.tabs, 1)
        self.body.addLayout(sides, 1)
        self.body.addWidget(self.bar)

    def _connect(self) -> None:
        self.mapping.changed.connect(self._change)
        self.bar.wanted.connect(self._import)
        self.session.event.connect(self._follow)
        self.session.run_ended.connect(self._follow_end)
        self._looking.answered.connect(self._show_preview)
        self._looking.refused.connect(self._show_unreadable)
        self._counting.answered.connect(self._show_summary)

    # The draft

    def _take_over(self, settings: DataSettings) -> None:
        """Begin from what the project has."""
        self.draft = settings.model_copy(deep=True)
        self._columns = []
        self._look()

    @Slot(str, object)
    def _change(self, name: str, value: Any) -> None:
        self.clear_message()
        setattr(self.draft, name, value)
        if name == "data":
            # Another file has other columns: let the guesses for it be made anew.
            self.draft.text, self.draft.label, self.draft.split_column = [], "", ""
        if name in RESHAPING:
            self._look()
        self._show_draft()

    def _show_draft(self) -> None:
        self.mapping.set_settings(self.draft)
        self.preview.show_roles(self.draft)
        project = self.session.project
        waiting = self._reason_to_wait()
        same = project is not None and self.draft == project.recipe.data and bool(project.finished_run("import"))
        said = "This is what was imported." if same else "Not imported yet: press Import to use it."
        self.bar.set_ready(not waiting, waiting or said, same)

    def _reason_to_wait(self) -> str:
        if not self.draft.data:
            return "Choose a file with your texts first."
        if not self._columns:
            return "Waits until the file can be read."
        return "" if self.draft.text else "Tick the column that holds the text."

    # Looking at the file

    def _look(self) -> None:
        if not self.draft.data:
            self._columns = []
            self.mapping.set_columns([])
            self.preview.clear()
            return
        project, settings = self.session.project, self.draft.model_copy(deep=True)
        self.preview.say(f"Reading {Path(settings.data).name}…")
        self._looking.ask(lambda: preview_of(project, settings))

    @Slot(object)
    def _show_preview(self, preview: Any) -> None:
        self._columns = preview.columns
        if not set(self.draft.text) <= set(preview.columns) or not self.draft.text:
            self.draft.text, self.draft.label = list(preview.text), preview.label
        if "split" in preview.columns and not self.draft.split_column and self._is_new():
            self.draft.split_column = "split"
        self.mapping.set_columns(preview.columns)
        self.preview.show_rows(preview)
        self._show_draft()
        if self._is_new():
            self.tabs.setCurrentWidget(self.preview)

    @Slot(str)
    def _show_unreadable(self, reason: str) -> None:
        self._columns = []
        self.mapping.set_columns([])
        self.preview.clear()
        self.show_message(reason, "error")
        self._show_draft()

    def _is_new(self) -> bool:
        return self.session.project is None or self.draft.data != self.session.project.recipe.data.data

    # The import

    @Slot()
    def _import(self) -> None:
        if self.session.project is None:
            return
        self.clear_message()
        self._warnings.clear()
        recipe = self.session.project.recipe.model_copy(deep=True)
        recipe.data = self.draft.model_copy(deep=True)
        self.session.start("import", recipe=recipe)

    @Slot(object)
    def _follow(self, event: Event) -> None:
        if self.session.job == "import" and isinstance(event, Message) and event.level != "info":
            self._warnings.append(event.text)

    @Slot(str, object)
    def _follow_end(self, job: str, ended: Ended) -> None:
        if job != "import":
            return
        if ended.status == "done":
            self.tabs.setCurrentWidget(self.imported)
            if self._warnings:
                self.show_message("\n".join(self._warnings), "warning")
        else:
            self.show_message(ended.reason, "error" if ended.status == "failed" else "info")

    def _count(self) -> None:
        project = self.session.project
        if project is None or not (project.dataset_folder / "dataset.json").exists():
            self._show_summary(None)
            return
        folder = project.dataset_folder
        self._counting.ask(lambda: summary_of(folder))

    @Slot(object)
    def _show_summary(self, summary: Any) -> None:
        self.imported.show_summary(summary)
        self.left_out.show_summary(summary)
        count = summary.bad_row_count if summary else 0
        self.tabs.setTabText(2, f"Rows left out ({count:,})" if count else "Rows left out")

    # A file dropped anywhere on the screen

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_path(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.mapping.fields["data"].choose(dropped_path(event))
        event.acceptProposedAction()
