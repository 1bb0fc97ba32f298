"""What a project starts from: chosen in the window, refused where it is no language model; a fastai model imported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog

from studio.base_model import read_base
from studio.import_fastai import ImportFastai, run_import
from studio.main_window import MainWindow
from studio.screens.training import PretrainScreen
from studio.screens.vocab import VocabScreen
from studio.widgets.start_from import SAVED, StartFrom
from ulmfit_core.errors import UserError

FASTAI = Path(__file__).parent.parent / "fixtures" / "fastai" / "v2"


@pytest.fixture
def part(qtbot, project_session) -> StartFrom:
    made = StartFrom(project_session)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def bundle(tmp_path) -> Path:
    """The description of a language model of two layers, which is all that the window reads of it."""
    network = {"embedding": 8, "hidden": 16, "layers": 2}
    facts = {"kind": "language_model", "network": network, "vocabulary": {"size": 99}}
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text(json.dumps(facts))
    return tmp_path / "model"


def choose(part: StartFrom, kind: str) -> None:
    index = part.choice.findData(kind)
    part.choice.setCurrentIndex(index)
    part.choice.activated.emit(index)


def test_a_saved_model_is_chosen_by_its_folder(qtbot, project_session, part, bundle):
    assert not part.folder.isVisible()
    choose(part, SAVED)
    assert part.folder.isVisible() and project_session.project.recipe.base == "none", "no folder was given yet"
    qtbot.keyClicks(part.folder.edit, str(bundle))
    qtbot.keyClick(part.folder.edit, Qt.Key.Key_Return)
    assert project_session.project.recipe.base == str(bundle)
    assert part.note.text() == "2 recurrent layers of 16, embedding 8, 99 tokens."
    choose(part, "none")
    assert project_session.project.recipe.base == "none" and not part.folder.isVisible()


@pytest.mark.parametrize(
    ("content", "words"), [(None, "is not there"), ('{"kind": "classifier"}', "another kind"), ("{", "is damaged")]
)
def test_what_is_no_language_model_is_refused_and_said(project_session, part, tmp_path, content, words):
    if content:
        (tmp_path / "model.json").write_text(content)
    choose(part, SAVED)
    part.folder.choose(str(tmp_path))
    assert words in part.note.text() and part.note.property("role") == "problem"
    assert project_session.project.recipe.base == "none"
    assert part.folder.path() == str(tmp_path), "what was typed stays"
    with pytest.raises(UserError, match=words):
        read_base(str(tmp_path))


def test_a_base_that_is_gone_is_said(project_session, part):
    project_session.change("base", "/nowhere")
    assert part.choice.read() == SAVED and "is not there" in part.note.text()


def test_the_base_decides_on_the_layers_of_the_schedule(qtbot, project_session, bundle):
    screen = PretrainScreen(project_session)
    qtbot.addWidget(screen)
    screen.show()
    project_session.change("base", str(bundle))
    assert screen.column.start_from.isVisible(), "here one can take it back"
    assert "starts from a pretrained" in screen.plot._sentence.text()
    assert screen.phases._groups == ("rnn1", "rnn2", "embedding+decoder")


def test_only_settings_that_count_are_shown_beside_a_base(qtbot, project_session, bundle):
    screen = VocabScreen(project_session)
    qtbot.addWidget(screen)
    screen.show()
    rows = screen.form.rows
    screen.form.advanced.heading.click()
    assert not rows["reuse"].isVisible() and rows["size"].isVisible() and not rows["min_frequency"].isVisible()
    project_session.change("vocab.kind", "word")
    assert rows["min_frequency"].isVisible() and not rows["coverage"].isVisible()
    project_session.change("base", str(bundle))
    assert rows["reuse"].isVisible() and not rows["size"].isVisible() and rows["max_tokens"].isVisible()
    project_session.change("vocab.reuse", False)
    assert rows["size"].isVisible() and rows["min_frequency"].isVisible()


# Importing


@pytest.fixture
def dialog(qtbot, project_session) -> ImportFastai:
    made = ImportFastai(project_session)
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(made)
    made.open()
    qtbot.waitExposed(made)
    return made


def test_a_model_of_fastai_becomes_the_base_of_the_project(qtbot, project_session, dialog):
    assert not dialog.start.isEnabled()
    qtbot.keyClicks(dialog.weights.edit, str(FASTAI / "weights.pth"))
    assert not dialog.start.isEnabled(), "the vocabulary is missing"
    qtbot.keyClicks(dialog.vocabulary.edit, str(FASTAI / "vocab.pkl"))
    folder = project_session.project.folder / "models" / "imported-weights"
    assert dialog.target_folder() == folder
    qtbot.mouseClick(dialog.start, Qt.MouseButton.LeftButton)
    assert dialog.progress.isVisible() and not dialog.weights.isEnabled()
    qtbot.waitUntil(dialog.take.isVisible, timeout=60_000)
    assert (folder / "weights.safetensors").exists() and not dialog.progress.isVisible()
    assert "recurrent layers" in dialog.notice.text
    qtbot.mouseClick(dialog.take, Qt.MouseButton.LeftButton)
    assert project_session.project.recipe.base == str(folder) and not dialog.isVisible()


def test_an_imported_model_is_fine_tuned_and_classifies(qtbot, project_session, run_job, tmp_path):
    run_import([FASTAI / "weights.pth", FASTAI / "vocab.pkl"], tmp_path / "imported")
    for key, value in {"base": str(tmp_path / "imported"), "finetune.epochs": 1, "classify.epochs": 1}.items():
        project_session.change(key, value)
    project_session.change("classify.unfreezing", "last")
    for job in ("import", "vocab", "finetune", "classify"):
        ended = run_job(project_session, job)
        assert ended.status == "done", ended.reason
    network = json.loads((project_session.project.bundle_folder("classify") / "model.json").read_text())["network"]
    assert network == read_base(str(tmp_path / "imported"))["network"]


def test_what_cannot_be_imported_is_said_in_words(qtbot, dialog, csv_file, tmp_path):
    dialog.weights.choose(str(csv_file))
    dialog.vocabulary.choose(str(csv_file))
    dialog.target.choose(str(tmp_path / "out"))
    qtbot.mouseClick(dialog.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.notice.text != "", timeout=60_000)
    assert "are needed" in dialog.notice.text and not dialog.take.isVisible()
    assert dialog.start.isEnabled() and not (tmp_path / "out").exists()
    assert dialog.weights.edit.hasFocus(), "Return must not close the dialog on what was typed"


def test_an_archive_needs_no_second_file(dialog):
    dialog.weights.choose("wt103-fwd.tgz")
    assert dialog.start.isEnabled() and dialog.target.path().endswith("imported-wt103-fwd")


def test_a_chosen_place_is_kept(dialog, tmp_path):
    dialog.target.choose(str(tmp_path / "mine"))
    dialog.weights.choose("other.pth")
    assert dialog.target.path() == str(tmp_path / "mine")


def test_the_menu_opens_the_import_also_without_a_project(qtbot, window: MainWindow):
    menu = window.menuBar().actions()[0].menu()
    action = next(each for each in menu.actions() if "fastai" in each.text())
    action.trigger()
    opened = window.findChild(QDialog)
    assert isinstance(opened, ImportFastai) and opened.isVisible()
    opened.close()
