"""Manners: every part that can have the focus has a name and a tooltip; F1 helps; the keys are listed; it fits."""

from __future__ import annotations

import logging

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QApplication,
    QLabel,
    QLineEdit,
    QPushButton,
    QTabBar,
    QTabWidget,
    QWhatsThis,
    QWidget,
)

from studio import help, log, recent, theme
from studio.main_window import MainWindow
from studio.screens import SCREENS
from studio.widgets.declared import default_text, help_of, meaning, range_text
from studio.widgets.form import Form
from studio.widgets.room import Room
from ulmfit_core.config import ClassifySettings, DataSettings, FinetuneSettings, ModelSettings, VocabSettings

KINDS = (FinetuneSettings, ClassifySettings, ModelSettings, VocabSettings, DataSettings)


def focusable(part: QWidget) -> bool:
    """What Tab can reach; the line inside a spin box and the like belong to what is around them.

    A strip whose message has nothing to press keeps a button without a caption, unseen.
    """
    inner = isinstance(part.parent(), QAbstractItemView | QAbstractScrollArea | QTabBar) or part.focusProxy()
    if isinstance(part, QPushButton) and part.isHidden() and not part.text():
        return False
    inside_box = isinstance(part, QLineEdit) and part.objectName() == "qt_spinbox_lineedit"
    return bool(part.focusPolicy() & Qt.FocusPolicy.TabFocus) and not inner and not inside_box


def shortcomings(part: QWidget) -> list[str]:
    named = part.accessibleName() or getattr(part, "text", str)()
    return [word for word, there in (("name", named), ("tooltip", part.toolTip())) if not there]


def where(part: QWidget) -> str:
    said = part.accessibleName() or getattr(part, "text", str)()
    return f"{type(part).__name__} {part.objectName()} {said} in {type(part.parent()).__name__}"


@pytest.mark.parametrize("name", ["welcome", *SCREENS])
def test_every_part_has_a_name_and_a_tooltip(window: MainWindow, recipe, tmp_path, name):
    if name != "welcome":
        window.session.create(tmp_path / "project", recipe)
    window.go(name)
    parts = [part for part in window.findChildren(QWidget) if part.window() is window and focusable(part)]
    assert len(parts) > 3
    lacking = {where(part): shortcomings(part) for part in parts if shortcomings(part)}
    assert not lacking


@pytest.mark.parametrize("name", ["welcome", *SCREENS])
def test_every_screen_fits_a_small_window(window: MainWindow, recipe, tmp_path, name):
    window.session.create(tmp_path / "project", recipe)
    window.go(name)
    window.resize(1024, 660)
    assert window.size().toTuple() == (1024, 660)
    area = window.screens[name].findChild(Room)
    assert area.horizontalScrollBar().maximum() == 0, "only too little height may make it scroll"


def letters(window: MainWindow) -> list[str]:
    """Of each mnemonic that Alt reaches now, with what it belongs to; a tab's counts like a button's."""
    parts = [part for part in window.findChildren(QWidget) if part.isVisibleTo(window)]
    texts = [action.text() for action in window.menuBar().actions()]
    texts += [part.text() for part in parts if isinstance(part, QAbstractButton)]
    texts += [part.text() for part in parts if isinstance(part, QLabel) and part.buddy()]
    texts += [bar.tabText(at) for bar in parts if isinstance(bar, QTabBar) for at in range(bar.count())]
    keys = [(QKeySequence.mnemonic(text).toString(), text) for text in texts]
    return [f"{key} {text}" for key, text in keys if key]


def assert_no_letter_stands_twice(window: MainWindow) -> None:
    found = letters(window)
    assert len(found) > 4
    keys = [each.split()[0] for each in found]
    twice = [each for each in found if keys.count(each.split()[0]) > 1]
    assert not twice, "the key takes turns between them"


@pytest.mark.parametrize("name", ["welcome", *SCREENS])
def test_no_letter_stands_for_two_things(window: MainWindow, recipe, tmp_path, name):
    if name != "welcome":
        window.session.create(tmp_path / "project", recipe)
    window.go(name)
    for tabs in [part for part in window.findChildren(QTabWidget) if part.isVisible()] or [None]:
        for number in range(tabs.count() if tabs else 1):
            if tabs:
                tabs.setCurrentIndex(number)
            assert_no_letter_stands_twice(window)


def test_no_letter_stands_for_two_things_where_there_is_a_classifier(
    qtbot, window: MainWindow, trained_session, run_job
):
    """With corrections, wrong answers, suspect labels: with all that is seen only then."""
    assert run_job(trained_session, "evaluate").status == "done"
    for name in ("evaluate", "try_it"):
        window.go(name)
        screen = window.screens[name]
        for button in screen.findChildren(QPushButton):
            button.setVisible(bool(button.text()))
        for tabs in screen.findChildren(QTabWidget):
            for number in range(tabs.count()):
                tabs.setCurrentIndex(number)
                qtbot.wait(50)
                assert_no_letter_stands_twice(window)


class Flashes(QObject):
    """Notes what is shown as a window of its own."""

    def __init__(self):
        super().__init__()
        self.seen: list[str] = []

    def eventFilter(self, part: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(part, QWidget) and part.isWindow():
            self.seen.append(where(part))
        return False


def test_no_part_flashes_up_as_a_window_of_its_own(window: MainWindow, recipe, tmp_path, application):
    """What is shown before it has its place in the window is one for a moment."""
    window.session.create(tmp_path / "project", recipe)
    flashes = Flashes()
    application.installEventFilter(flashes)
    for name in SCREENS:
        window.go(name)
    application.removeEventFilter(flashes)
    assert flashes.seen == []


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_the_declaration_is_told(qtbot, kind):
    form = Form(kind())
    qtbot.addWidget(form)
    for name, row in form.rows.items():
        field = kind.model_fields[name]
        for told in (row.control.toolTip(), row.control.whatsThis()):
            assert "Default: " in told and f"In project.toml: {name}" in told
        assert meaning(field) in row.control.accessibleDescription()
        assert row.note.text() not in row.control.whatsThis(), "help says what does not stand below the field anyway"
        assert row.note.text() == meaning(field), "no name of the file's in the line a newcomer reads"
        source = field.json_schema_extra["source"]
        assert not source or f"Source: {source}" in row.control.accessibleDescription()


def test_default_and_range_read_as_the_control_does():
    fields = FinetuneSettings.model_fields
    assert default_text(fields["batch_size"]) == "automatic"
    assert default_text(fields["schedule"]) == "Slanted triangle"
    assert default_text(fields["enabled"]) == "on"
    assert default_text(DataSettings.model_fields["label"]) == "none"
    assert default_text(fields["checkpoint_seconds"]).endswith(" s")
    assert range_text(fields["epochs"]).endswith(" epochs") and " to " in range_text(fields["epochs"])
    assert range_text(fields["schedule"]) == ""
    assert "&lt;" not in help_of(FinetuneSettings, "schedule")


def test_f1_helps_on_what_has_the_focus(window: MainWindow, recipe, tmp_path, qtbot, monkeypatch):
    shown: list[str] = []
    monkeypatch.setattr(QWhatsThis, "showText", lambda place, text, part=None: shown.append(text))
    window.session.create(tmp_path / "project", recipe)
    window.go("finetune")
    control = window.screens["finetune"].form.control("lr_max")
    control.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is control)
    qtbot.keyClick(control, Qt.Key.Key_F1)
    assert shown == [control.whatsThis()]


def test_the_keys_are_listed(window: MainWindow):
    listed = help.keys_of(window)
    assert listed["Project: New project"] == "Ctrl+N" and listed["Go: Classify"] == "Ctrl+5"
    table = help.Shortcuts(window).table
    rows = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount())}
    assert listed.items() <= rows.items() and "Tab, Shift+Tab" in rows.values()
    keys = [key for each in listed.values() for key in each.split(", ")]
    assert len(set(keys)) == len(keys), "no key does two things"


def test_a_missing_project_is_told_and_can_be_taken_off(window: MainWindow, qtbot, recipe, tmp_path):
    window.session.create(tmp_path / "there", recipe)
    window.session.close_project()
    recent.add(tmp_path / "gone")
    window.go("welcome")
    welcome = window.screens["welcome"]
    welcome.refresh()
    entries = welcome.start.recent
    assert [entries.item(row).text().splitlines()[0] for row in range(2)] == ["gone", "there"]
    assert "the folder is not there" in entries.item(0).text()
    assert entries.item(0).foreground().color().name() == theme.colours().muted
    entries.setFocus()
    entries.setCurrentRow(0)
    qtbot.keyClick(entries, Qt.Key.Key_Return)
    assert window.session.project is None
    qtbot.keyClick(entries, Qt.Key.Key_Delete)
    assert recent.listed() == [tmp_path / "there"] and entries.count() == 1


def test_the_log_tells_errors_and_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(log.platformdirs, "user_log_dir", lambda *names, **more: str(tmp_path / "logs"))
    for name in ("excepthook",):
        monkeypatch.setattr(log.sys, name, log.sys.__excepthook__)
        monkeypatch.setattr(log.threading, name, log.threading.__excepthook__)
    monkeypatch.setattr(log, "qInstallMessageHandler", lambda handler: None)
    monkeypatch.setattr(log.sys, "__excepthook__", lambda *facts: None)
    monkeypatch.setattr(log.logger, "handlers", [])
    log.begin()
    try:
        raise ValueError("made up")
    except ValueError as error:
        log.sys.excepthook(ValueError, error, error.__traceback__)
    logging.getLogger("ulmfit_studio").info("said")
    text = (tmp_path / "logs" / "studio.log").read_text()
    assert "ULMFiT Studio" in text and "ValueError: made up" in text and "INFO said" in text
