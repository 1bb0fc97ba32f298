"""What the training screens say when memory runs out, a graphics card fails or a file is gone; and going on from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
import torch
from PySide6.QtCore import Qt

from studio.screens.training import FinetuneScreen
from ulmfit_core import faults
from ulmfit_core.training.trainer import Trainer

LOST = "CUDA error: unspecified launch failure"


@pytest.fixture
def screen(qtbot, project_session, run_job):
    project_session.change("finetune.epochs", 2)
    project_session.change("finetune.threads", 1)
    project_session.change("finetune.checkpoint_seconds", 1e-6)
    for job in ("import", "vocab"):
        assert run_job(project_session, job).status == "done"
    made = FinetuneScreen(project_session)
    qtbot.addWidget(made)
    made.resize(1100, 800)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def in_step(monkeypatch) -> Callable[[int, Callable[[Trainer], None]], None]:
    """Let something happen within a step, once."""

    def let(step: int, happen: Callable[[Trainer], None]) -> None:
        plain, due = Trainer._clip, [True]

        def clip(trainer: Trainer) -> torch.Tensor:
            if trainer.at.step == step and due:
                due.clear()
                happen(trainer)
            return plain(trainer)

        monkeypatch.setattr(Trainer, "_clip", clip)

    return let


def lose_the_card(trainer: Trainer) -> None:
    raise RuntimeError(LOST)


def press(qtbot, screen, button):
    """Press a button that starts a training, and return its end."""
    with qtbot.waitSignal(screen.session.run_ended, timeout=120_000) as ended:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    return ended.args[1]


def test_a_card_that_fails_is_told_and_resume_goes_on_on_the_cpu(qtbot, screen, in_step, monkeypatch):
    monkeypatch.setattr(faults, "_lost", False)
    in_step(3, lose_the_card)
    ended = press(qtbot, screen, screen.bar.start_button)
    assert ended.status == "failed" and screen.notice.text == ended.reason
    assert "the graphics card stopped working" in screen.notice.text and "on the CPU" in screen.notice.text
    assert screen.bar.status.text().startswith("Broke off at step 3 of ")
    assert screen.bar.resume_button.isVisible() and screen.bar.resume_button.isEnabled()
    assert press(qtbot, screen, screen.bar.resume_button).status == "done"
    assert len(screen.epochs.texts()) == 2


def test_the_setting_that_the_failure_names_is_there_and_keeps_the_run(qtbot, screen, in_step, monkeypatch):
    monkeypatch.setattr(faults, "_lost", False)
    in_step(3, lose_the_card)
    press(qtbot, screen, screen.bar.start_button)
    control = screen.form.control("device")
    assert control.accessibleName() and control.toolTip()
    screen._change_setting("device", "cpu")
    assert screen.session.project.recipe.finetune.device == "cpu"
    assert screen.bar.resume_button.isVisible(), "another device makes no other training of it"


def test_smaller_passes_are_told_while_the_training_goes_on(qtbot, screen, monkeypatch):
    plain, due = Trainer._differentiate, [True]

    def differentiate(trainer: Trainer, loss: torch.Tensor) -> None:
        if trainer.at.step == 2 and due:
            due.clear()
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        plain(trainer, loss)

    monkeypatch.setattr(Trainer, "_differentiate", differentiate)
    told: list[str] = []
    shown = screen.show_message
    monkeypatch.setattr(screen, "show_message", lambda text, *rest: (told.append(text), shown(text, *rest)))
    assert press(qtbot, screen, screen.bar.start_button).status == "done"
    assert told[0].startswith("The memory ran out in step 3. From there on each step is made in smaller parts, of at")


def test_a_file_that_is_gone_is_named_and_resume_goes_on_once_it_is_back(qtbot, screen, in_step):
    project = screen.session.project
    tokens, aside = project.tokens_folder, project.folder / "aside"
    in_step(3, lambda trainer: shutil.move(tokens, aside))
    ended = press(qtbot, screen, screen.bar.start_button)
    assert ended.status == "failed" and screen.notice.text == ended.reason
    assert str(tokens) in ended.reason and "“Vocabulary”" in ended.reason
    refused = press(qtbot, screen, screen.bar.resume_button)
    assert refused.status == "failed" and "Build the vocabulary" in screen.notice.text
    shutil.move(aside, tokens)
    assert press(qtbot, screen, screen.bar.resume_button).status == "done"
