"""A run's card: what it tells, and that its commands do again what was done, to the last bit."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.test_cli import ROOT, new, ulmfit
from ulmfit_core import config, files, provenance, run_settings
from ulmfit_core.config import DataSettings, PhaseSettings, Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.events import Ended, Message, Started
from ulmfit_core.project import INPUTS, Project
from ulmfit_core.run import clear_refused, launch
from ulmfit_core.run_card import make_card, seconds_of, toml


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Project:
    """A small project with a blank in its data's name, trained up to the classifier, evaluated."""
    folder = tmp_path_factory.mktemp("card")
    rows = [f"{('bad ugly poor', 'good nice fine')[n % 2]} words {n},{('neg', 'pos')[n % 2]}" for n in range(100)]
    (folder / "my data.csv").write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    phases = "classify.phases=[{epochs=1, groups=1, lr_max=0.02}]"
    new(folder / "p", folder / "my data.csv", "--set", phases, "--set", "classify.seed=9")
    ulmfit("run", folder / "p")
    project = Project.open(folder / "p")
    project.recipe.classify.lr_max = 0.5  # what is set now is nothing to the runs that were
    assert launch(project, "evaluate").status == "done"
    return project


def weights(project: Path) -> dict[str, str]:
    found = project.glob("models/*/weights.safetensors")
    return {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def in_shell(commands: list[str], folder: Path) -> None:
    """Run the card's own lines, with an `ulmfit` of this checkout on the path."""
    program = folder / "bin" / "ulmfit"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ulmfit_core "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}  # the card's own counts
    command = ["sh", "-ec", "\n".join(commands)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_commands_of_a_card_repeat_the_run_to_the_bit(trained, tmp_path):
    run = next(trained.runs_of("classify"))
    card = make_card(trained, run)
    in_shell(card.commands, tmp_path)
    again = Project.open(tmp_path / "again")
    assert next(again.runs_of("classify")).fingerprint == run.fingerprint
    assert weights(again.folder) == weights(trained.folder) and len(weights(again.folder)) == 2


def test_a_card_tells_what_was_done_with_what(trained):
    run = next(trained.runs_of("classify")).annotate("A first try.", ["baseline"])
    card = make_card(trained, run)
    assert dict(card.sections["Run"])["Tags"] == "baseline" and dict(card.sections["Run"])["Notes"] == "A first try."
    changed = dict(card.sections["Settings that differ from their default"])
    assert changed["classify.seed"] == "9" and "lr_max 0.02" in changed["classify.phases"]
    assert changed.get("classify.lr_max") != "0.5" and "finetune.lr_max" not in changed
    hashes = dict(card.sections["Fingerprints"])
    assert hashes["Settings and inputs"] == run.fingerprint
    assert hashes["Data"] == provenance.data_hash(trained) and len(hashes["Data"]) == 16
    assert hashes["Vocabulary"] == json.loads((trained.vocab_folder / "vocab.json").read_text())["hash"]
    assert hashes["Weights at the start"] == weights(trained.folder)["finetuned"][:16]
    assert hashes["Pretrained base"] == "—"
    made = dict(card.sections["Made with"])
    assert made["Python"] == sys.version.split()[0] and made["Processor threads"] == "1" and made["Device"] == "cpu"


def test_a_card_as_text_markdown_and_json(trained):
    run = next(trained.runs_of("finetune"))
    card = make_card(trained, run)
    assert card.markdown().startswith(f"# Fine-tune the language model: {run.id}\n\n## Run\n")
    assert f"| Settings and inputs | {run.fingerprint} |" in card.markdown()
    assert "ulmfit run again finetune" in card.text() and "classify" not in card.commands[-1]
    assert card.record()["commands"] == card.commands


def test_a_bar_in_a_note_does_not_break_the_table(trained):
    run = next(trained.runs_of("vocab")).annotate("a|b", [])
    assert "| Notes | a\\|b |" in make_card(trained, run).markdown()


def test_an_evaluation_is_repeated_by_its_own_command(trained):
    commands = make_card(trained, next(trained.runs_of("evaluate"))).commands
    assert commands[-1] == "ulmfit evaluate again" and commands[-2].endswith("ulmfit run again classify")
    assert "lr_max=0.5" in commands[0]


def test_a_search_is_repeated_with_its_stage(trained, tmp_path):
    folder = trained.new_run_folder("find_lr")
    provenance.record(trained, "find_lr", folder, {"stage": "finetune", "groups": 2, "steps": 40})
    run = next(trained.runs_of("find_lr"))
    commands = make_card(trained, run).commands
    assert commands[-1] == "ulmfit find-lr again finetune --groups=2 --steps=40"
    assert not any("run again finetune" in command for command in commands)
    files.remove_folder(folder)


def test_a_run_of_an_earlier_version_shows_dashes(trained, tmp_path):
    project = Project.create(tmp_path / "p", trained.recipe.model_copy(deep=True))
    project.new_run_folder("classify")
    card = make_card(project, next(project.runs_of("classify")))
    assert set(dict(card.sections["Made with"]).values()) == {"—"}
    assert dict(card.sections["Fingerprints"])["Data"] == "—"


def test_files_in_the_projects_own_folder_are_named_in_full(trained, tmp_path):
    project = Project.create(tmp_path / "p", trained.recipe.model_copy(deep=True))
    (project.folder / "rows.csv").write_text("text,label\na,b\n")
    project.recipe.data.data = "rows.csv"
    project.new_run_folder("import")
    card = make_card(project, next(project.runs_of("import")))
    assert f"--data {project.folder / 'rows.csv'}" in card.commands[0] and "fingerprints" in card.remark


def test_what_a_resumed_run_goes_on_with_is_kept_beside_how_it_began(trained, tmp_path):
    project = Project.create(tmp_path / "p")
    folder = project.new_run_folder("import")
    provenance.record(project, "import", folder, {})
    known = provenance.read(folder)
    files.write_json(folder / provenance.NAME, known | {"versions": known["versions"] | {"torch": "1.0"}})
    provenance.record(project, "import", folder, {})
    assert provenance.read(folder)["versions"]["torch"] == "1.0"
    card = make_card(project, next(project.runs_of("import")))
    assert known["versions"]["torch"] in dict(card.sections["Made with"])["Resumed with"]


def test_the_time_before_a_run_was_resumed_does_not_count():
    told = [Started("x", "x", at=100.0), Message("info", "…", at=110.0), Started("x", "x", True, 5, at=500.0),
            Ended("done", at=505.0)]  # fmt: skip
    assert seconds_of(told) == 15.0


def test_the_card_on_the_command_line(trained):
    run = next(trained.runs_of("classify"))
    told = json.loads(ulmfit("runs", trained.folder, run.id, "--json")[0])
    assert told["Fingerprints"]["Settings and inputs"] == run.fingerprint
    assert ulmfit("runs", trained.folder, "classify", "--markdown")[0].startswith("# Train the classifier")
    assert ulmfit("runs", trained.folder, "last")[0].startswith("Evaluate the classifier")
    _, said = ulmfit("runs", trained.folder, "nothing", status=1)
    assert "has no run “nothing”" in said


def test_notes_and_tags_on_the_command_line(trained):
    next(trained.runs_of("import")).annotate("two\nlines", ["b", "a"])
    row = json.loads(ulmfit("runs", trained.folder, "--json")[0])[0]
    assert row["tags"] == ["b", "a"] and row["notes"] == "two\nlines"
    assert "[b, a]  two lines" in ulmfit("runs", trained.folder)[0].splitlines()[0]


# Notes


def test_a_note_is_no_part_of_the_fingerprint_and_outlives_a_refusal(tmp_path):
    project = Project.create(tmp_path / "p")
    folder = project.new_run_folder("import")
    before = project.fingerprint("import")
    (run,) = project.runs()
    run.annotate("  keep me ", ["x y", " ", "x  y"])
    (again,) = project.runs()
    assert (again.notes, again.tags) == ("keep me", ("x y",)) and project.fingerprint("import") == before
    clear_refused(folder, launch(project, "import", folder=folder))
    assert (folder / "notes.txt").read_text() == "keep me"


def test_a_note_that_cannot_be_kept_is_said(tmp_path):
    project = Project.create(tmp_path / "p")
    folder = project.new_run_folder("import")
    (run,) = project.runs()
    (folder / "notes.txt").mkdir()
    with pytest.raises(UserError, match="The notes cannot be kept in .*Copy them first"):
        run.annotate("lost?", [])
    files.remove_folder(folder)
    with pytest.raises(UserError, match="was deleted meanwhile. Copy them first"):
        run.annotate("lost?", [])
    assert not folder.exists()


def test_a_run_that_was_given_another_name_still_counts(tmp_path):
    project = Project.create(tmp_path / "p")
    folder = project.new_run_folder("import")
    folder.rename(folder.with_name("my best import"))
    project.new_run_folder("vocab")
    assert [run.id for run in project.runs_of("import")] == ["my best import"]


# Which settings a run used


@pytest.mark.parametrize("step", INPUTS)
def test_the_settings_of_a_step_are_those_of_its_fingerprint(step):
    recipe = Recipe(data=DataSettings(data="a.csv", corpus="b.txt", label="label"))
    used = run_settings.keys_of(recipe, step)
    before = Project(Path(), recipe).fingerprint(step)
    probes = {"data.seed": 7, "vocab.size": 500, "model.hidden": 30, "pretrain.epochs": 3, "finetune.epochs": 9,
              "classify.epochs": 9}  # fmt: skip
    for key, value in probes.items():
        changed = recipe.model_copy(deep=True)
        config.set_value(changed, key, value)
        assert (Project(Path(), changed).fingerprint(step) != before) == (key in used), key


def test_a_step_that_is_left_out_is_a_difference():
    full = Recipe(data=DataSettings(data="a.csv", label="label"))
    without = full.model_copy(deep=True)
    without.finetune.enabled = False
    keys = run_settings.keys_of(without, "classify")
    assert "finetune.enabled" in keys and "finetune.epochs" not in keys
    (change,) = run_settings.changes([full, without], keys)
    assert (change.key, change.values) == ("finetune.enabled", (True, False))


def test_values_are_written_as_set_reads_them():
    recipe = Recipe()
    values = {"data.text": ["a b", 'with "quotes"', "ü"], "classify.weight_decay": 1e-7, "data.header": "no",
              "data.transductive": True, "finetune.layer_shares": [0.5, 1.0],
              "classify.phases": [PhaseSettings(epochs=2, groups=1).model_dump()]}  # fmt: skip
    for key, value in values.items():
        config.set_value(recipe, key, config.parse_value(toml(value)))
        assert run_settings.value_of(recipe, key) == value
