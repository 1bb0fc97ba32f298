"""A project is a folder; what is done, ready or stale follows from fingerprints."""

import subprocess
import sys
import threading
import time

import pytest

from ulmfit_core import events, files
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.project import INPUTS, Project
from ulmfit_core.run import Run, launch


@pytest.fixture
def project(tmp_path, reviews):
    data = DataSettings(data=str(reviews), text=["text"], label="label")
    return Project.create(tmp_path / "project", Recipe(data=data))


def test_a_project_opens_as_it_was_saved(project):
    assert Project.open(project.folder).recipe == project.recipe
    assert project.recipe.name == "project"


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "something").write_text("here")
    with pytest.raises(UserError, match="exists already and is not empty"):
        Project.create(tmp_path)


def test_a_place_where_nothing_can_be_made_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be created in .* too long. Choose another place"):
        Project.create(tmp_path / ("long" * 100))
    with pytest.raises(UserError, match="too long"):
        Project.open(tmp_path / ("long" * 100))


def test_a_folder_without_a_project_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not a project: it has no project.toml"):
        Project.open(tmp_path)


def test_the_way_from_ready_to_done_to_stale(project):
    assert project.state("import").mark == "ready"
    assert project.state("vocab") == type(project.state("vocab"))("empty", "Waits for “Data”.")
    assert launch(project, "import").status == "done"
    assert project.state("import").mark == "done" and project.state("vocab").mark == "ready"
    project.recipe.data.seed = 7
    assert project.state("import").mark == "stale"
    project.recipe.data.seed = 42
    assert project.state("import").mark == "done"


def test_steps_that_are_not_part_of_the_recipe(project):
    assert project.state("pretrain").mark == "skipped"
    assert "No general text" in project.skip_reason("pretrain")
    project.recipe.data.label = ""
    assert project.state("classify").mark == project.state("evaluate").mark == "skipped"
    project.recipe.finetune.enabled = False
    assert project.skip_reason("finetune") == "Switched off in the settings."


def test_without_data_nothing_can_start(tmp_path):
    state = Project.create(tmp_path / "p").state("import")
    assert state.mark == "empty" and "Choose a file" in state.reason


def test_a_change_reaches_all_that_is_downstream_and_nothing_else(project):
    before = {step: project.fingerprint(step) for step in INPUTS}
    project.recipe.finetune.epochs += 1
    changed = {step for step in INPUTS if project.fingerprint(step) != before[step]}
    assert changed == {"finetune", "classify", "evaluate"}


def test_runs_are_listed_and_can_be_deleted(project):
    launch(project, "import")
    (run,) = project.runs()
    assert (run.job, run.status, run.resumable) == ("import", "done", False)
    assert run.fingerprint == project.fingerprint("import")
    project.delete_run(run)
    assert project.runs() == []


def test_an_unfinished_run_with_a_checkpoint_can_be_resumed(project):
    folder = project.new_run_folder("finetune")
    assert project.resumable_run("finetune") is None
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / "state.json").write_text("{}")
    assert project.resumable_run("finetune").folder == folder
    project.recipe.finetune.epochs += 1
    assert project.resumable_run("finetune") is None


def finished(project, step, names_itself=True):
    """The files of a finished training: its run, and the bundle that took the place of the one before."""
    run = Run(project.new_run_folder(step))
    run.emit(events.Ended("done"))
    run.close()
    if names_itself:
        files.write_json(project.bundle_folder(step) / "model.json", {"facts": {"run": run.folder.name}})
    return run.folder.name


@pytest.mark.parametrize("names_itself", [True, False], ids=["named", "of an earlier version"])
def test_a_step_is_done_only_where_todays_settings_made_what_is_there(project, names_itself):
    for step in ("import", "vocab"):
        finished(project, step, False)
    first = finished(project, "finetune", names_itself)
    assert project.finished_run("finetune").id == first and project.waits_for("classify") == ""
    project.recipe.finetune.epochs += 1
    time.sleep(0.002)  # runs are named by the millisecond
    second = finished(project, "finetune", names_itself)
    assert project.finished_run("finetune").id == second
    project.recipe.finetune.epochs -= 1  # back to what the first run had, whose model is gone
    assert project.state("finetune").mark == "stale"
    assert project.waits_for("classify") == "Waits for “Fine-tune”.", "else it would begin from the other model"
    project.recipe.finetune.epochs += 1
    assert project.state("finetune").mark == "done"


def test_a_model_whose_run_was_deleted_counts_for_no_settings(project):
    finished(project, "finetune")
    project.recipe.finetune.epochs += 1
    time.sleep(0.002)
    second = finished(project, "finetune")
    project.delete_run(next(run for run in project.runs() if run.id == second))
    project.recipe.finetune.epochs -= 1
    assert project.state("finetune").mark == "stale", "the run that is left did not make this model"


def test_a_training_killed_after_its_model_was_saved_is_not_done(project):
    finished(project, "finetune")
    project.recipe.finetune.epochs += 1
    killed = project.new_run_folder("finetune")
    files.write_json(project.bundle_folder("finetune") / "model.json", {"facts": {"run": killed.name}})
    assert project.state("finetune").mark == "stale"
    project.recipe.finetune.epochs -= 1
    assert project.state("finetune").mark == "stale"


def test_an_import_is_done_only_with_the_rows_that_are_there(project):
    launch(project, "import")
    project.recipe.data.seed = 7
    launch(project, "import")
    assert project.state("import").mark == "done"
    project.delete_run(project.runs()[-1])
    project.recipe.data.seed = 42
    assert project.state("import").mark == "stale"


def test_a_run_that_is_removed_while_one_looks_is_left_out(tmp_path):
    """The worker removes the folder of a refused import while the window asks where things stand."""
    project = Project.create(tmp_path / "p")
    kept = project.new_run_folder("vocab")
    def come_and_go():
        for _ in range(150):
            files.remove_folder(project.new_run_folder("import"))

    worker = threading.Thread(target=come_and_go)
    worker.start()
    while worker.is_alive():
        assert [run.folder for run in project.runs() if run.job == "vocab"] == [kept]
    worker.join()
    assert [run.folder for run in project.runs()] == [kept]
    assert [path.name for path in (project.folder / "runs").iterdir()] == [kept.name]


# Makes runs as fast as it can, from the moment that the others are there too, and marks each.
MAKER = """
import sys
from pathlib import Path
from ulmfit_core.project import Project

project = Project.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(40):
    (project.new_run_folder("predict") / f"mark {sys.argv[2]}").touch()
"""


def test_no_two_processes_are_given_the_same_run(tmp_path):
    """The clock was set back, so that all look for a name after that of the newest run."""
    project = Project.create(tmp_path / "p")
    (project.folder / "runs" / "20990101-000000-000-predict").mkdir(parents=True)
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", MAKER, project.folder, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for number in range(3)
    ]
    for maker in makers:
        maker.stdout.readline()
    for maker in makers:
        maker.stdin.close()
    assert [maker.wait() for maker in makers] == [0, 0, 0]
    made = project.run_folders()[1:]
    assert len(made) == 120 and all(len(list(folder.glob("mark *"))) == 1 for folder in made)


def test_a_run_that_can_have_no_folder_is_told(tmp_path):
    project = Project.create(tmp_path / "p")
    (project.folder / "runs").write_text("no folder")
    with pytest.raises(FileExistsError):
        project.new_run_folder("import")
