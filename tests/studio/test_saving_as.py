"""Save as: the copy is made off the main thread and then opened; a stopped one leaves nothing."""

from __future__ import annotations

from PySide6.QtCore import Qt

from studio.main_window import MainWindow
from studio.saving_as import SaveAs
from ulmfit_core.project import Project


def dialog_of(window: MainWindow, qtbot) -> SaveAs:
    window.save_project_as()
    dialog = window.findChildren(SaveAs)[-1]
    qtbot.waitUntil(dialog.isVisible)
    return dialog


def test_a_copy_is_made_and_opened(window: MainWindow, recipe, tmp_path, qtbot, run_job) -> None:
    window.session.create(tmp_path / "project", recipe)
    assert run_job(window.session, "import").status == "done"
    dialog = dialog_of(window, qtbot)
    assert dialog.target() == tmp_path / "Verses copy"
    dialog.name.selectAll()
    qtbot.keyClicks(dialog.name, "Other verses")
    dialog.without_runs.click()
    with qtbot.waitSignal(dialog.saved, timeout=30_000):
        qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert not dialog.isVisible()
    assert window.session.project.folder == tmp_path / "Other verses" and not window.session.read_only
    assert window.session.project.recipe.name == "Other verses"
    assert window.session.project.state("import").mark == "done"
    assert Project.open(tmp_path / "project").recipe.name == "Verses"


def test_a_name_in_use_is_refused_and_another_can_be_typed(window: MainWindow, recipe, tmp_path, qtbot) -> None:
    window.session.create(tmp_path / "project", recipe)
    dialog = dialog_of(window, qtbot)
    dialog.name.setText("project")
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "not empty" in dialog.notice.text)
    assert dialog.isVisible() and dialog.save.isEnabled()
    dialog.name.clear()
    assert not dialog.save.isEnabled()
    dialog.reject()
    assert window.session.project.folder == tmp_path / "project"
