"""Names, labels and texts of a stranger are shown as they are written: no part of the window takes them for markup.

A label that did would load pictures from disk (`<img src=file:…>`), offer links and hide words.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, QModelIndex, Qt
from PySide6.QtGui import Qt as Gui
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLabel, QWidget

from studio.main_window import MainWindow
from studio.screens import SCREENS
from ulmfit_core import files
from ulmfit_core.config import Recipe
from ulmfit_core.data import edits
from ulmfit_core.inference.analysis import label_errors
from ulmfit_core.inference.answers import load

MARK = "zz7"
MARKUP = f"<b>{MARK}</b>"
LABELS = (f"<img src='file:///{MARK}.png'>", f"<a href='http://{MARK}/'>good</a>")
TEXTS = (
    f"<i>{MARK}</i> a dreadful evening",
    f"<h1>{MARK}</h1> a lovely morning",
    f"tedious {MARKUP}",
    f"splendid {MARKUP}",
)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A file of which name, columns, labels and texts are markup."""
    rows = [f'"{TEXTS[n % 4]} number {n}","{LABELS[n % 2]}","<u>{MARK}</u> {n % 3}"' for n in range(80)]
    rows += [f'"{TEXTS[0]} once more","{LABELS[1]}","x"', "one,two,three,four"]
    path = tmp_path / f"<b>{MARK}<b>.csv"
    path.write_text("\n".join([f"text,label,<s>{MARK}</s>", *rows]) + "\n", encoding="utf-8")
    recipe = Recipe(name=f"Project {MARKUP}")
    recipe.data.data, recipe.data.text, recipe.data.label = str(path), ["text"], "label"
    recipe.data.keep, recipe.data.id_column = [f"<s>{MARK}</s>"], f"<s>{MARK}</s>"
    recipe.data.valid_fraction = recipe.data.test_fraction = 0.25
    recipe.vocab.size = 150
    recipe.model.embedding = recipe.model.hidden = 8
    recipe.finetune.epochs = recipe.classify.epochs = 1
    recipe.classify.unfreezing = "all"
    recipe.insight.prompt = MARKUP
    return recipe


@pytest.fixture
def done(window: MainWindow, project_session, run_job) -> MainWindow:
    """All is done, measured, corrected, and noted with markup."""
    for job in ("import", "vocab", "finetune", "classify", "evaluate"):
        ended = run_job(project_session, job)
        assert ended.status == "done", ended.reason
    project = project_session.project
    evaluated = next(project.runs_of("evaluate"))
    evaluated.annotate(f"A note {MARKUP}", [MARKUP])
    assert label_errors(load(evaluated.folder)) is not None
    edits.add(project, f"{MARKUP} another text", LABELS[0])
    (project.folder / "runs" / "20200101-000000-000-broken").mkdir()
    files.write_text(project.folder / "runs" / "20200101-000000-000-broken" / "config.toml", f"{MARKUP} =")
    return window


def rested(app: QApplication) -> None:
    """Let threads answer what the screens asked for."""
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        app.processEvents()
        time.sleep(0.005)


def is_taken_for_markup(text: str, form: Qt.TextFormat = Qt.TextFormat.AutoText) -> bool:
    """Whether a tag from the data would be one to Qt."""
    rich = form == Qt.TextFormat.RichText or (form == Qt.TextFormat.AutoText and Gui.mightBeRichText(text))
    inside = MARK in text and any(
        tag in text for tag in ("<b>zz7", "<i>zz7", "<h1>zz7", "<u>zz7", "<s>zz7", "<img", "<a ")
    )
    return (rich or form == Qt.TextFormat.MarkdownText) and inside


def cells(model: QAbstractItemModel) -> Iterator[QModelIndex]:
    for row in range(min(model.rowCount(QModelIndex()), 50)):
        for column in range(1 if isinstance(model, QAbstractListModel) else model.columnCount(QModelIndex())):
            yield model.index(row, column, QModelIndex())


def offenders(widget: QWidget) -> Iterator[str]:
    for part in [widget, *widget.findChildren(QWidget)]:
        where = f"{type(part).__name__} in {type(part.parentWidget()).__name__}"
        if isinstance(part, QLabel):
            text, form = part.text(), part.textFormat()
            if is_taken_for_markup(text, form) or (MARK in text and form == Qt.TextFormat.AutoText):
                yield f"{where}: {text[:80]}"
        if is_taken_for_markup(part.toolTip()):
            yield f"tip of {where}: {part.toolTip()[:80]}"
        if isinstance(part, QAbstractItemView) and part.model():
            for index in cells(part.model()):
                tip = index.data(Qt.ItemDataRole.ToolTipRole)
                if isinstance(tip, str) and is_taken_for_markup(tip):
                    yield f"tip of a cell of {where}: {tip[:80]}"


def test_the_check_finds_what_it_looks_for(qtbot) -> None:
    whole = QWidget()
    label, plain = QLabel(MARKUP, whole), QLabel(MARKUP, whole)
    plain.setTextFormat(Qt.TextFormat.PlainText)
    plain.setToolTip(f"{MARKUP}\nand more")
    qtbot.addWidget(whole)
    assert len(list(offenders(whole))) == 2
    label.setTextFormat(Qt.TextFormat.PlainText)
    plain.setToolTip("")
    assert not list(offenders(whole))


@pytest.mark.slow
def test_no_screen_takes_data_for_markup(done: MainWindow, qapp: QApplication) -> None:
    found: dict[str, list[str]] = {}
    shown = ""
    for name in ("welcome", *SCREENS):
        done.go(name)
        rested(qapp)
        shown += " ".join(label.text() for label in done.findChildren(QLabel))
        found |= {offender: [name] for offender in offenders(done) if offender not in found}
    assert MARKUP in shown and LABELS[0] in shown, "the data is shown somewhere"
    assert not found
