"""The model in training, to be tried: a copy of it as it is now, which the job gives between two passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.session import Session
from ulmfit_core.errors import UserError
from ulmfit_core.run import Control

if TYPE_CHECKING:  # it imports torch
    from ulmfit_core.inference.snapshot import Snapshot

PATIENCE_SECONDS = 20.0
# What the model of a training step can be asked for.
CLASSIFIERS, WRITERS = ("classify",), ("pretrain", "finetune")


def control_of(session: Session, steps: tuple[str, ...]) -> Control | None:
    """The control of the job at work if it trains one of these steps."""
    return session.control if session.job in steps else None


def snapshot(control: Control) -> Snapshot:
    """Wait for a copy of the model. Not for the main thread. Raises UserError where none can be had."""
    waiting = control.ask()
    try:
        lent: Snapshot = waiting.result(PATIENCE_SECONDS)
    except TimeoutError:
        waiting.cancel()
        raise UserError("The training is busy and did not answer. Try again in a moment.") from None
    return lent


def since(lent: Snapshot) -> str:
    """How old an answer is."""
    return f"as of step {lent.step:,}"
