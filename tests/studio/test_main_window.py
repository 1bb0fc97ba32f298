"""The window: the way through the steps, what it says about each, resuming, closing with care."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox, QPushButton, QWidget

from studio import steps
from studio.main_window import MainWindow
from studio.rail import MARK
from studio.screens import SCREENS
from studio.session import Session
from ulmfit_core import events, files
from ulmfit_core.config import Recipe


def opened(window: MainWindow, recipe, tmp_path) -> Session:
    window.session.create(tmp_path / "project", recipe)
    return window.session


def marks(window: MainWindow) -> dict[str, str]:
    items = [window.rail.item(number) for number in range(window.rail.count())]
    return {item.text(): item.data(MARK) for item in items}


def interrupt(session: Session, job: str) -> None:
    """A run as a power cut leaves it: events without a last word, and a checkpoint."""
    folder = session.project.new_run_folder(job)
    saved = events.CheckpointSaved(step=1234, seconds=0.1)
    files.write_bytes(folder / "events.jsonl", events.to_line(saved))
    files.write_json(folder / "checkpoint" / "state.json", {})


def press_in_dialog(text: str) -> None:
    """When a message box is up, press the button with this text."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(20, press)
            return
        next(button for button in box.buttons() if text in button.text().replace("&", "")).click()

    QTimer.singleShot(20, press)


def give_focus(qtbot, widget: QWidget) -> None:
    widget.window().activateWindow()
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(widget.hasFocus)


def test_without_a_project_it_welcomes(window: MainWindow) -> None:
    assert window.current == "welcome"
    assert not window.rail_panel.isVisible() and not window.bottom.isVisible()
    window.go("vocab")
    assert window.current == "welcome"


def test_a_new_project_begins_with_its_data(window: MainWindow, recipe, tmp_path) -> None:
    opened(window, recipe, tmp_path)
    assert window.current == "dataset"
    assert window.windowTitle().startswith("Verses")
    assert marks(window) == {
        "Data": "ready", "Vocabulary": "empty", "Pretrain": "skipped", "Fine-tune": "empty",
        "Classify": "empty", "Evaluate": "empty", "Try it": "empty", "Predict": "empty", "Runs": "none",
    }  # fmt: skip


def test_each_row_tells_a_screen_reader_its_state(window: MainWindow, recipe, tmp_path) -> None:
    opened(window, recipe, tmp_path)
    item = window.rail.item(1)
    assert item.data(Qt.ItemDataRole.AccessibleTextRole) == "Vocabulary, Waiting, Waits for “Data”."
    assert "Waits for “Data”." in item.toolTip()


def test_next_and_back_lead_past_what_is_left_out(window: MainWindow, recipe, tmp_path, qtbot) -> None:
    opened(window, recipe, tmp_path)
    seen = []
    while window.next.isEnabled():
        seen.append(window.current)
        qtbot.mouseClick(window.next, Qt.MouseButton.LeftButton)
    names = ["dataset", "vocab", "finetune", "classify", "evaluate", "try_it", "predict", "runs"]
    assert [*seen, window.current] == names
    qtbot.mouseClick(window.back, Qt.MouseButton.LeftButton)
    assert window.current == "predict"


def test_all_screens_open_by_key(window: MainWindow, recipe, tmp_path, qtbot) -> None:
    opened(window, recipe, tmp_path)
    window.activateWindow()
    for number, name in enumerate(SCREENS, 1):
        qtbot.keyClick(window, Qt.Key(Qt.Key.Key_0 + number), Qt.KeyboardModifier.ControlModifier)
        assert window.current == name
        assert window.screens[name].isVisible()


def test_the_rail_follows_and_leads(window: MainWindow, recipe, tmp_path, qtbot) -> None:
    opened(window, recipe, tmp_path)
    window.rail.setFocus()
    qtbot.keyClick(window.rail, Qt.Key.Key_Down)
    assert window.current == "vocab"
    window.go("runs")
    assert window.rail.currentRow() == 8


def test_a_waiting_step_says_for_what_and_leads_there(window: MainWindow, recipe, tmp_path, qtbot) -> None:
    opened(window, recipe, tmp_path)
    window.go("classify")
    assert window.hint.text == "This step cannot start yet. Waits for “Data”."
    qtbot.mouseClick(window.hint.action, Qt.MouseButton.LeftButton)
    assert window.current == "dataset"
    window.go("pretrain")
    assert window.hint.text.startswith("This step is left out. No general text was given")


def test_a_job_marks_its_row_and_its_end_is_told_elsewhere(
    window: MainWindow, recipe, tmp_path, qtbot, endless_import
) -> None:
    session = opened(window, recipe, tmp_path)
    window.go("runs")
    with qtbot.waitSignal(session.run_ended):
        session.start("import")
        assert marks(window)["Data"] == "running"
        assert window.status.text() == "Running: Import the data"
        session.pause()
        assert window.status.text() == "Paused: Import the data"
        session.resume()
        session.finish()
    assert marks(window)["Data"] == "done" and marks(window)["Vocabulary"] == "ready"
    assert window.alert.text == "“Import the data” is done."
    session.change("data.seed", 5)
    assert marks(window)["Data"] == "stale"


def test_the_end_of_training_everything_names_the_verdicts_that_advise(
    window: MainWindow, recipe, tmp_path, write_run
) -> None:
    session = opened(window, recipe, tmp_path)
    for step in ("finetune", "classify"):
        write_run(session.project, step, per_epoch=5)
    log = next(session.project.runs_of("classify")).folder / "events.jsonl"
    log.write_text(log.read_text().replace('"done", "reason": ""', '"failed", "reason": "training diverged"'))
    session.queue.done = ["import", "finetune", "classify"]
    session.queue.ended.emit("done", "Everything is trained.")
    assert window.alert.text == "Everything is trained. Classify: it diverges, see its “Verdict”."


def test_the_train_button_keeps_its_place(window: MainWindow, recipe, tmp_path, qtbot, endless_import) -> None:
    session = opened(window, recipe, tmp_path)
    window.show()
    qtbot.waitExposed(window)
    place = window.train.y()
    with qtbot.waitSignal(session.run_ended):
        assert session.queue.start()
        qtbot.wait(50)
        assert window.train_hindrance.isVisible() and window.train.y() == place
        session.queue.forget()
        session.finish()


def test_a_refusal_is_shown(window: MainWindow, recipe, tmp_path) -> None:
    opened(window, recipe, tmp_path).change("vocab.size", 1)
    assert "vocab.size" in window.alert.text


def test_an_interrupted_run_is_offered_again(window: MainWindow, recipe, tmp_path, qtbot) -> None:
    session = opened(window, recipe, tmp_path)
    interrupt(session, "finetune")
    session.close_project()
    session.open(tmp_path / "project")
    assert window.hint.text.startswith("“Fine-tune” was cut off at step 1,234, today at ")
    assert window.hint.text.endswith(" It can go on from there.")
    with qtbot.waitSignal(session.run_ended, timeout=60_000):
        qtbot.mouseClick(window.hint.action, Qt.MouseButton.LeftButton)
        assert session.job == "finetune" and window.current == "finetune"


def test_a_declined_offer_is_not_repeated(window: MainWindow, recipe, tmp_path, qtbot) -> None:
    session = opened(window, recipe, tmp_path)
    interrupt(session, "finetune")
    session.project_changed.emit()
    assert "cut off" in window.hint.text
    dismiss = window.hint.findChildren(QPushButton)[-1]
    qtbot.mouseClick(dismiss, Qt.MouseButton.LeftButton)
    session.project_changed.emit()
    assert "cut off" not in window.hint.text


def test_closing_while_working_asks_and_stops(window: MainWindow, recipe, tmp_path, qtbot, endless_import) -> None:
    session = opened(window, recipe, tmp_path)
    session.start("import")
    press_in_dialog("Keep it running")
    assert not window.close() and window.isVisible()
    press_in_dialog("Stop and close")
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=30_000)
    assert session.job is None


def test_another_project_shows_nothing_of_the_first(window: MainWindow, recipe, tmp_path) -> None:
    session = opened(window, recipe, tmp_path)
    first = window.screens["dataset"]
    session.create(tmp_path / "second", recipe.model_copy(update={"name": "Second"}))
    assert window.screens["dataset"] is not first
    assert window.project_name.text() == "Second"
    window.close_project()
    assert window.current == "welcome" and list(window.screens) == ["welcome"]


def test_every_control_has_a_name(window: MainWindow, recipe, tmp_path) -> None:
    opened(window, recipe, tmp_path)
    for name in ("dataset", "vocab", "runs"):
        window.go(name)
    own = [window.screens[name] for name in ("welcome", "dataset", "vocab", "runs")]
    fields = [field for screen in own for field in screen.findChildren(QLineEdit) if not _inside_spin_box(field)]
    assert fields and all(field.accessibleName() or field.toolTip() for field in fields)


def _inside_spin_box(field: QLineEdit) -> bool:
    return field.objectName() == "qt_spinbox_lineedit"


def test_the_table_of_screens_resolves() -> None:
    for row in SCREENS.values():
        assert row.resolve().title
    assert steps.screen_of("classify") == "classify" and steps.title_of("finetune") == "Fine-tune"


def test_to_come_by_the_rail_is_not_to_choose(window: MainWindow, recipe, tmp_path, qtbot) -> None:
    opened(window, recipe, tmp_path)
    window.new_project()
    give_focus(qtbot, window.rail)
    assert window.current == "welcome"
    qtbot.keyClick(window.rail, Qt.Key.Key_Return)
    assert window.current == "dataset"


def test_before_the_data_is_known_no_step_is_left_out(window: MainWindow, tmp_path) -> None:
    opened(window, Recipe(name="Empty"), tmp_path)
    found = marks(window)
    assert found.pop("Data") == "ready", "it waits for the person alone"
    assert set(found.values()) == {"empty", "none"}


def test_a_refusal_because_of_a_job_goes_with_it(window: MainWindow, recipe, tmp_path, endless_import, qtbot) -> None:
    session = opened(window, recipe, tmp_path)
    session.start("import")
    window.close_project()
    assert "still running" in window.alert.text
    with qtbot.waitSignal(session.run_ended, timeout=10_000):
        session.stop()
    assert not window.alert.text


def test_the_rail_shows_a_pause(window: MainWindow, recipe, tmp_path, endless_import, qtbot) -> None:
    session = opened(window, recipe, tmp_path)
    session.start("import")
    session.pause()
    assert marks(window)["Data"] == "paused"
    session.resume()
    assert marks(window)["Data"] == "running"


def test_the_focus_stays_where_work_was_started(window: MainWindow, recipe, tmp_path, endless_import, qtbot) -> None:
    session = opened(window, recipe, tmp_path)
    bar = window.screens["dataset"].bar  # type: ignore[attr-defined]
    qtbot.waitUntil(bar.start.isEnabled)
    give_focus(qtbot, bar.start)
    qtbot.keyClick(bar.start, Qt.Key.Key_Space)
    assert bar.stop.hasFocus()
    with qtbot.waitSignal(session.run_ended, timeout=10_000):
        qtbot.keyClick(bar.stop, Qt.Key.Key_Space)
    assert bar.start.hasFocus()


def test_tab_leads_from_the_rail_through_the_screen_to_back_and_next(window: MainWindow, recipe, tmp_path) -> None:
    opened(window, recipe, tmp_path)
    for name in SCREENS:
        window.go(name)
        places = {widget: number for number, widget in enumerate(focus_chain(window))}
        inside = [places[widget] for widget in window.screens[name].findChildren(QPushButton)]
        assert places[window.rail] < min(inside) < max(inside) < places[window.back] < places[window.next]


def focus_chain(window: MainWindow) -> list[QWidget]:
    chain: list[QWidget] = [window]
    while chain[-1].nextInFocusChain() is not window:
        chain.append(chain[-1].nextInFocusChain())
    return chain


def test_texts_in_another_language_are_told_of_with_a_way_out(
    window: MainWindow, recipe, tmp_path, qtbot, german, run_job
) -> None:
    recipe.base, recipe.data.data = "starter", str(german)
    session = opened(window, recipe, tmp_path)
    run_job(session, "import")
    qtbot.waitUntil(lambda: "do not look like English" in window.hint.text, timeout=60_000)
    window.go("finetune")
    assert window.hint.action.text() == "Begin from scratch"
    qtbot.mouseClick(window.hint.action, Qt.MouseButton.LeftButton)
    assert session.project.recipe.base == "none" and "English" not in window.hint.text
    session.change("base", "starter")
    assert "English" in window.hint.text
    qtbot.mouseClick(window.hint.findChildren(QPushButton)[-1], Qt.MouseButton.LeftButton)
    window.go("dataset")
    assert "English" not in window.hint.text, "it was dismissed"


def test_english_texts_are_not_spoken_of(window: MainWindow, recipe, tmp_path, qtbot, run_job) -> None:
    recipe.base = "starter"
    session = opened(window, recipe, tmp_path)
    run_job(session, "import")
    qtbot.waitUntil(lambda: not window.hint._looking.busy, timeout=60_000)
    assert not window.hint.text
