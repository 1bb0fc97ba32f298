"""A file whose rows are to be answered: how it is read, which of its columns count, what stands beside the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ulmfit_core.config import DataSettings
from ulmfit_core.data.formats import BadRow, Source
from ulmfit_core.data.readers import Row, column_index, has_column, inspect, read_rows
from ulmfit_core.errors import UserError

COLUMNS = ("text", "label", "id_column")
# How the project's file is read, which a file of the same kind is taken to share.
SHAPE = ("delimiter", "encoding", "header", "text_unit", "line_pattern")


@dataclass(frozen=True)
class Unseen:
    """`settings` name the columns that are read; `kept` are the names of those that stand beside the answers."""

    path: Path
    source: Source
    settings: DataSettings
    kept: list[str]

    @property
    def several(self) -> bool:
        """Whether its rows stand in several files, so that a row's number alone does not tell which it is."""
        return bool(self.source.parts)

    @property
    def left_out(self) -> tuple[BadRow, ...]:
        """The files in it that are not read."""
        return self.source.left_out

    def rows(self) -> Iterator[Row | BadRow]:
        """Every row in the file's order. Raises UserError like `read_rows`."""
        for row in read_rows(self.path, self.settings, self.source):
            if row not in self.left_out:
                yield row


def settings_for(path: Path, project: DataSettings) -> DataSettings:
    """How a file is read that no import knows: with the project's columns, and in its way where it is of its kind."""
    alike = Path(project.data).suffix.lower() == path.suffix.lower()
    names = (*COLUMNS, *(SHAPE if alike else ()))
    return DataSettings(data=str(path), **{name: getattr(project, name) for name in names})


def open_unseen(path: Path, settings: DataSettings, keep: Sequence[str] = ()) -> Unseen:
    """Look at a file and find its columns. `keep`: columns by name or number, or `all`, or `none`.

    The only column of a file holds its text, whatever it is called. Raises UserError like `inspect`, and where a
    column of the text or one that is to be kept is missing.
    """
    source = inspect(path, settings, thorough=True)
    first = _first(source)
    texts = [first.columns[0]] if len(first.columns) == 1 else settings.text
    missing = [name for name in texts if not has_column(source, name)]
    if missing or not texts:
        raise UserError(_no_text(first, missing))
    there = {name: getattr(settings, name) for name in ("label", "id_column")}
    found = {name: column if column and has_column(source, column) else "" for name, column in there.items()}
    settings = settings.model_copy(update={"text": list(texts), **found, "split_column": "", "group_column": ""})
    kept = _kept(first, settings, list(keep))
    return Unseen(path, source, settings.model_copy(update={"keep": list(kept)}), list(kept.values()))


def _first(source: Source) -> Source:
    """The file, or the first of those that are read one after the other, all of which have its columns."""
    return _first(source.parts[0]) if source.parts else source


def _no_text(source: Source, missing: list[str]) -> str:
    known = ", ".join(f"“{column}”" for column in source.columns)
    lacks = f"has no column “{missing[0]}”, which holds the project's text" if missing else "has several columns"
    return f"{source.name} {lacks}. Its columns are: {known}. Say which of them holds the text (with --text COLUMN)."


def _kept(source: Source, settings: DataSettings, keep: list[str]) -> dict[str, str]:
    """The columns to keep as `read_rows` finds them → their names. Raises UserError for one that is not there."""
    if keep in ([], ["none"]):
        return {}
    names = _others(source, settings) if keep == ["all"] else keep
    return {name: source.columns[column_index(source, name)] for name in names}


def _others(source: Source, settings: DataSettings) -> list[str]:
    """All columns but the id and the one that is the text, which stand in the answers anyway.

    Several that are joined to the text are kept as they are. Columns that share their name go by number.
    """
    used = [*(settings.text if len(settings.text) == 1 else []), *filter(None, [settings.id_column])]
    places = {column_index(source, name) for name in used}
    columns = source.columns
    return [
        name if columns.count(name) == 1 else str(place + 1)
        for place, name in enumerate(columns) if place not in places
    ]  # fmt: skip
