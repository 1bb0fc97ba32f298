"""The Data screen: choose files, say what they are and what their columns mean, import, and see what came in.

What is chosen stays a draft until an import is done with it, so an error leaves the project as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtGui import QDragEnterEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QTabWidget

from studio import remembered, steps, theme
from studio.job_bar import JobBar
from studio.screens import draft, places, reading
from studio.screens.imported import Imported, LeftOut, summary_of
from studio.screens.mapping import Mapping
from studio.screens.preview import PreviewPage
from studio.screens.reading import Look
from studio.screens.screen import DropScreen
from studio.session import Session
from studio.widgets.path_field import FILTER
from studio.worker import Background
from ulmfit_core.config import DataSettings
from ulmfit_core.events import Ended
from ulmfit_core.project import Project

RESHAPING = ("data", "more", *reading.KNOBS)  # knobs after which the file looks different
ALONE = "Use only what was added"
AGAIN = "Import again"


class DatasetScreen(DropScreen):
    step = "import"
    title = "Data"
    drop = "Let go to add these files: each goes where its name and its columns say."
    explanation = "Drop your files anywhere on this page, and say which column holds the text and which the label."

    def __init__(self, session: Session):
        super().__init__(session)
        self.draft = DataSettings()
        self.look = Look()
        self._folder: Path | None = None
        self._added: list[str] = []
        self._act: Callable[[], None] = self.clear_message
        self.mapping = Mapping(self.draft)
        self.preview = PreviewPage()
        self.imported = Imported()
        self.left_out = LeftOut()
        self.tabs = QTabWidget()
        self.bar = JobBar(session, "import", "&Import")
        self._sorting = Background(self)  # several files into their places
        self._looking = Background(self)  # at the chosen file
        self._counting = Background(self)  # what was imported
        self._fill_body()
        self._connect()

    def refresh(self) -> None:
        project = self.session.project
        if project and project.folder != self._folder:
            self._folder = project.folder
            self._begin_from(project)
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
        self.mapping.fields["data"].several.connect(self._choose_only)
        self.mapping.add.clicked.connect(self._browse)
        self.mapping.places.moved.connect(self._move)
        self.mapping.places.removed.connect(self._remove)
        self.notice.acted.connect(self._do)
        self.bar.wanted.connect(self._import)
        self.session.run_ended.connect(self._follow_end)
        self._sorting.answered.connect(self._show_sorted)
        self._sorting.refused.connect(self._show_unsorted)
        self._looking.answered.connect(self._show_look)
        self._looking.refused.connect(self._show_unreadable)
        self._counting.answered.connect(self._show_summary)

    # The draft

    def _begin_from(self, project: Project) -> None:
        """What the project has; after an import that was cut off, what was chosen for that."""
        cut_off = None if self.session.job else steps.cut_off(project, "import")
        chosen = draft.chosen_for(cut_off, project) if cut_off else project.recipe.data
        self.draft = chosen.model_copy(deep=True)
        self.look = Look()
        self._look()
        if cut_off:
            self._act = self._import
            self.show_message(draft.cut_off_sentence(project, self.draft), "warning", AGAIN)

    @Slot(dict)
    def _change(self, knobs: dict[str, Any]) -> None:
        """The person set some knobs. A file that was not there before is guessed at anew."""
        self.clear_message()
        before = self.draft
        changed = before.model_copy(update=knobs)
        if changed.data not in ("", *places.places_of(before)):
            changed = changed.model_copy(update=draft.unknown(knobs))
        self.draft = changed
        if any(getattr(before, name) != getattr(changed, name) for name in RESHAPING):
            self._look()
        self._show_draft()

    def _show_draft(self) -> None:
        self.mapping.set_settings(self.draft, self.look)
        self.preview.show_roles(self.draft)
        project = self.session.project
        waiting = self._reason_to_wait()
        same = project is not None and not self._is_new() and bool(project.finished_run("import"))
        self.bar.set_ready(not waiting, waiting or self._standing(same), same)

    def _standing(self, same: bool) -> str:
        if same:
            return "This is what was imported."
        project = self.session.project
        changed = project is not None and (project.dataset_folder / "dataset.json").exists()
        return "Changed since the import: press Import to use it." if changed else "Not imported yet: press Import."

    def _reason_to_wait(self) -> str:
        if not self.draft.data:
            return "Choose a file with your texts first."
        if self._looking.busy:
            return "Waits until the file was looked at."
        if not self.look.preview:
            return "Choose what is read in the file." if self._has_choice() else "Waits until the file can be read."
        return self.mapping.splits.problem if self.draft.text else "Tick the column that holds the text."

    def _is_unreadable(self) -> bool:
        """Whether the chosen file was looked at in vain, and nothing that could be chosen in it would help."""
        return bool(self.look.refusal) and not self._looking.busy and not self._has_choice()

    def _has_choice(self) -> bool:
        return bool(self.look.members or self.look.sheets)

    # Which files

    @Slot(str, str)
    def _move(self, path: str, place: str) -> None:
        self._change(places.moved(self.draft, path, place))

    @Slot(str)
    def _remove(self, path: str) -> None:
        self._change(places.without(self.draft, path))

    @Slot(list)
    def _choose_only(self, paths: list[str]) -> None:
        """These files in place of those that were chosen."""
        self._sort(DataSettings(), paths)

    @Slot()
    def _browse(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Add files", remembered.start_at(self.draft.data), FILTER)
        if paths:
            remembered.use_folder(paths[0])
            self.take_files(paths)

    def take_files(self, paths: list[str]) -> None:
        """These files beside those that were chosen; in place of a file that cannot be read."""
        self._added = paths
        beside = self.draft.model_copy(update={"data": ""}) if self._is_unreadable() else self.draft
        self._sort(beside, paths)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if not self.session.read_only:
            super().dragEnterEvent(event)

    def _sort(self, beside: DataSettings, paths: list[str]) -> None:
        assert self.session.project is not None
        settings, folder = beside.model_copy(deep=True), self.session.project.folder
        self._sorting.ask(lambda: places.sorted_in(settings, paths, folder))

    @Slot(object)
    def _show_sorted(self, knobs: dict[str, Any]) -> None:
        had = bool(self.draft.data) and self.draft.data in places.places_of(DataSettings(**knobs))
        self._change(knobs)
        if had and self._added:
            self._offer_alone(f"Added to the files chosen before: {self._named_added()}.", "info")

    def _named_added(self) -> str:
        """The added files, each with what it is now for."""
        found = places.places_of(self.draft)
        added = [path for path in self._added if path in found]
        return ", ".join(f"{Path(path).name} as {places.PLACES[found[path]].lower()}" for path in added)

    @Slot(str)
    def _show_unsorted(self, reason: str) -> None:
        if self._added and self.draft.data:
            self._offer_alone(reason, "error")
        else:
            self.show_message(reason, "error")

    def _offer_alone(self, sentence: str, level: str) -> None:
        self._act = self._use_alone
        self.show_message(sentence, level, ALONE)

    def _use_alone(self) -> None:
        added, self._added = self._added, []
        self._choose_only(added)

    @Slot()
    def _do(self) -> None:
        """What the button in the notice offers."""
        self._act()

    # Looking at the file

    def _look(self) -> None:
        if not self.draft.data:
            self._looking.forget()
            self.look = Look()
            self.mapping.set_columns([])
            self.preview.clear()
            return
        project, settings = self.session.project, self.draft.model_copy(deep=True)
        self.preview.say(f"Reading {Path(settings.data).name}…")
        self._looking.ask(lambda: draft.look_at(project, settings))

    @Slot(object)
    def _show_look(self, look: Look) -> None:
        before, self.look = self.look.preview, look
        self.mapping.set_columns(look.preview.columns if look.preview else [])
        if look.preview:
            self.draft = draft.with_guesses(self.draft, look.preview, before)
            self.preview.show_rows(look.preview)
        else:
            choose = "Choose on the left, under “How it is read”." if self._has_choice() else "The reason stands above."
            self.preview.refuse(f"{Path(self.draft.data).name} cannot be shown yet. {choose}")
            self.show_message(look.refusal, "info" if self._has_choice() else "error")
        self._show_draft()
        if self._is_new():
            self.tabs.setCurrentWidget(self.preview)

    @Slot(str)
    def _show_unreadable(self, reason: str) -> None:
        """Something else than the file was wrong."""
        self._show_look(Look(refusal=reason))

    def _is_new(self) -> bool:
        """Whether something else is chosen than what the project has."""
        columns = self.look.preview.columns if self.look.preview else []
        project = self.session.project
        return project is None or self.draft != draft.by_name(project.recipe.data, columns)

    # The import

    @Slot()
    def _import(self) -> None:
        if self.session.project is None:
            return
        self.clear_message()
        recipe = self.session.project.recipe.model_copy(deep=True)
        recipe.data = self.draft.model_copy(deep=True)
        self.session.start("import", recipe=recipe)

    @Slot(str, object)
    def _follow_end(self, job: str, ended: Ended) -> None:
        if job != "import":
            return
        if ended.status == "done":
            self.tabs.setCurrentWidget(self.imported)
        elif ended.status == "failed":
            self.show_message(ended.reason, "error")
        else:
            self.show_message("The import was stopped. The project's data is as it was before.", "info")

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
