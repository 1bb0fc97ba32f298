"""A field for the path of a file or folder: typed, browsed for, or dropped onto it."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from studio import remembered, theme

# The kinds of files that are read, and their endings; a file with another ending is read too if it is of a kind.
KINDS = {
    "Tables": "csv tsv tab parquet arrow feather",
    "Spreadsheets": "xlsx xlsm xlsb xls ods",
    "JSON": "json jsonl ndjson",
    "Databases": "db sqlite sqlite3",
    "Plain text": "txt text",
    "Archives and packed files": "zip tar tgz gz xz bz2 zst",
}


def _entry(title: str, endings: str) -> str:
    return f"{title} ({' '.join(f'*.{ending}' for ending in endings.split())})"


READ = {"All that can be read": " ".join(KINDS.values()), **KINDS}
FILTER = ";;".join([*(_entry(*row) for row in READ.items()), "All files (*)"])


class PathField(QWidget):
    """`chosen(path)` once a new path is complete: on Enter, on leaving the field, after Browse or a drop.

    Where `many` is set, several files at once may be browsed for or dropped: `several(paths)`.
    """

    chosen = Signal(str)
    several = Signal(list)

    def __init__(
        self, name: str, folders: bool = False, files: bool = True, kinds: str = FILTER, many: bool = False
    ):
        super().__init__()
        self._name = name
        self._many = many
        self._kinds = kinds  # of files, as Qt's dialog writes them
        self._told = ""
        self.edit = QLineEdit()
        self.edit.setAccessibleName(name)
        self.edit.setPlaceholderText("Path, or drop a file" if files else "Path of a folder")
        self.edit.editingFinished.connect(self._tell)
        self.browse = QPushButton("Browse…")
        self.browse.setAccessibleName(f"Browse for: {name}")
        self.browse.setToolTip("Choose one or several files in a dialog." if many else "Choose a file in a dialog.")
        self.browse.clicked.connect(self._browse_file)
        self.folder = QPushButton("Folder…")
        self.folder.setAccessibleName(f"Browse for a folder: {name}")
        texts = ": one with a sub-folder of text files for each label" if files else ""
        self.folder.setToolTip(f"Choose a folder in a dialog{texts}.")
        self.folder.clicked.connect(self._browse_folder)
        for button, wanted in ((self.browse, files), (self.folder, folders)):
            if not wanted:  # what is shown here would be a window of its own
                button.hide()
        self.edit.setAcceptDrops(False)  # the edit would insert the address as text
        self.setAcceptDrops(True)
        self.setFocusProxy(self.edit)
        self._lay_out()

    def path(self) -> str:
        return self.edit.text().strip()

    def set_path(self, path: str) -> None:
        """Show a path without `chosen`."""
        self._told = path
        if path != self.path():
            self.edit.setText(path)

    def choose(self, path: str) -> None:
        """As if the person had typed it."""
        self.edit.setText(path)
        self._tell()

    def take(self, paths: list[str]) -> None:
        """What was browsed for or dropped here; of several, only the first where there is room for one."""
        if self._many and len(paths) > 1:
            self.several.emit(paths)
        elif paths:
            self.choose(paths[0])

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SMALL)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self.browse)
        layout.addWidget(self.folder)

    @Slot()
    def _tell(self) -> None:
        if self.path() != self._told:
            self._told = self.path()
            self.chosen.emit(self._told)

    @Slot()
    def _browse_file(self) -> None:
        start = remembered.start_at(self.path())
        if self._many:
            paths, _ = QFileDialog.getOpenFileNames(self, self._name, start, self._kinds)
        else:
            paths = [QFileDialog.getOpenFileName(self, self._name, start, self._kinds)[0]]
        self._take_browsed([path for path in paths if path])

    @Slot()
    def _browse_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self._name, remembered.start_at(self.path()))
        self._take_browsed([path] if path else [])

    def _take_browsed(self, paths: list[str]) -> None:
        """The next dialog begins where these were found."""
        if paths:
            remembered.use_folder(paths[0])
        self.take(paths)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.take(dropped_paths(event))
        event.acceptProposedAction()


def dropped_paths(event: QDropEvent) -> list[str]:
    """The local files and folders that are dragged."""
    return [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
