"""What the three training jobs share: where they start from, the trainer around the stage, the bundle they leave."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ulmfit_core import __version__, events, storage
from ulmfit_core.config import SCRATCH
from ulmfit_core.data import tokens
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.tokens import Tokens
from ulmfit_core.errors import UserError
from ulmfit_core.inference import snapshot
from ulmfit_core.jobs import began
from ulmfit_core.jobs.base import base_folder
from ulmfit_core.jobs.blend import decision
from ulmfit_core.jobs.together import invite
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models import mapping
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.project import TITLES, Project
from ulmfit_core.run import Run
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.training import checkpoint, threads
from ulmfit_core.training.stage import Stage
from ulmfit_core.training.trainer import Trainer

TRANSDUCTIVE = "- test texts: read by the language model, without their labels (transductive)\n"


def open_tokens(project: Project, vocab: Vocabulary, kind: str) -> Tokens:
    """Token ids of the `dataset` or the `corpus` in today's vocabulary and of today's import."""
    return tokens.open_tokens(project.tokens_folder, vocab, kind, project.fingerprint("import"))


def base_bundle(project: Project, step: str, vocab: Vocabulary, run: Run) -> Bundle | None:
    """The bundle that `step` left, or the project's base where that step is skipped, or None: start fresh.

    A base with another vocabulary is mapped onto the project's. Raises UserError where a step's own bundle is not
    of today's vocabulary.
    """
    if project.skip_reason(step):
        below = {"finetune": "pretrain"}.get(step)
        if below:
            return base_bundle(project, below, vocab, run)
        if project.recipe.base == SCRATCH:
            return None
        return _mapped(bundles.load(base_folder(project.recipe.base)), vocab, run)
    folder = project.bundle_folder(step)
    bundle = bundles.load(folder)
    if bundle.vocab.hash != vocab.hash:
        raise UserError(f"{folder} was trained with another vocabulary. Build the vocabulary again, then train.")
    return bundle


def _mapped(bundle: Bundle, vocab: Vocabulary, run: Run) -> Bundle:
    """The base on the project's vocabulary. What is no language model stays as it is, for its user to refuse."""
    if bundle.vocab.hash == vocab.hash or not isinstance(bundle.model, LanguageModel):
        return bundle
    rows = mapping.rows_of(bundle.vocab.pieces, vocab.pieces)
    parts = mapping.parts_of(bundle.vocab, vocab)
    mapping.take_rows(bundle.model, rows, parts)
    new = rows.count(mapping.NEW)
    mean = "the mean of their old pieces" if parts else "the mean of all its rows"
    run.message(
        f"The pretrained model was mapped onto the project's vocabulary: {len(rows) - new:,} of {len(rows):,} rows "
        f"were copied, {new:,} are new and begin as {mean}."
    )
    return replace(bundle, vocab=vocab)


def train_and_save(
    project: Project, run: Run, stage: Stage, bundle: Bundle, resume: bool,
    after_training: Callable[[], dict[str, Any]] = dict,
) -> dict[str, Any]:  # fmt: skip
    """Run the stage to its end and write its bundle under models/. Returns the run's report.

    `after_training` may add to the bundle; what it returns enters the report.
    """
    folder = run.folder or project.folder / "runs" / "silent"
    inputs = began.same_inputs(project, stage, bundle.vocab, folder)
    device = next(stage.model.parameters()).device
    count = 0 if resume else threads.choose(stage, run)
    ranks = invite(project, run, stage, folder, resume, count)
    trainer = Trainer(stage, run, folder, device, count, ranks, inputs)
    trainer.after_save = _keeping_to_limit(project, run, folder)
    lent = run.lending(lambda: snapshot.take(stage.name, trainer.at.step, bundle))
    with threads.kept(), lent:
        with ranks.one_fate():
            history = trainer.fit(resume)
        more = after_training()
    best = history[trainer.at.best_epoch]
    report = {"best": best, "epochs": len(history), "steps": trainer.at.step, "seconds": trainer.at.seconds, **more}
    if Dataset.open(project.dataset_folder).transductive:
        report["transductive"] = True
    bundle.facts = {"stage": stage.name, "run": folder.name, **report}
    target = project.bundle_folder(stage.name)
    run.refuse_gone()
    card = model_card(project, stage.name, bundle, best)
    run.when_there_is_room(lambda: bundles.save(target, bundle, card), checkpoint.bytes_of(stage.model.state_dict()))
    with contextlib.suppress(OSError):  # nobody goes on from what is finished: that it takes more room is no failure
        checkpoint.drop_older(folder / storage.FOLDER)
    run.emit(events.Artefact("bundle", str(target)))
    return report


def _keeping_to_limit(project: Project, run: Run, folder: Path) -> Callable[[], None]:
    """Called after each checkpoint: others give way where all take more than they may, at last the one before it."""
    told = False

    def look() -> None:
        nonlocal told, project
        project = storage.with_todays_limit(project)
        sentence = storage.make_room(project, folder)
        if sentence:
            run.message(sentence)
        if storage.is_over(project) and checkpoint.drop_older(folder / storage.FOLDER) and not told:
            told = True
            run.message(
                f"{storage.summary(project)} Only the last checkpoint is kept, so that one that a disk damages cannot "
                "be replaced by the one before. Raise the limit or delete old runs.", "warning",
            )  # fmt: skip

    return look


def model_card(project: Project, step: str, bundle: Bundle, best: dict[str, float]) -> str:
    """What the model is, made from what, and how good it was on held-out text."""
    figures = "\n".join(f"- {name}: {value:.4g}" for name, value in best.items())
    network = bundle.network
    return (
        f"# {project.recipe.name}: {TITLES[step]}\n\n"
        f"A {bundle.kind.replace('_', ' ')} made by ULMFiT Studio {__version__} (torch {torch.__version__}).\n\n"
        f"- network: AWD-{network.cell.upper()}, embedding {network.embedding}, hidden {network.hidden}, "
        f"layers {network.layers}\n"
        f"- vocabulary: {bundle.vocab.size} {bundle.vocab.unit}, hash {bundle.vocab.hash}, rules {bundle.vocab.rules}\n"
        f"- labels: {', '.join(bundle.labels) or 'none'}\n"
        f"{answers_line(bundle.facts)}"
        f"{TRANSDUCTIVE if bundle.facts.get('transductive') else ''}"
        f"- recipe: fingerprint {project.fingerprint(step)}, preset {project.recipe.preset}\n\n"
        f"On the held-out validation data, at the best epoch{of_network(bundle.facts)}:\n\n{figures}\n"
    )


def answers_line(facts: dict[str, Any]) -> str:
    """The model card's line on what a classifier's answers are made of; nothing where blending was off."""
    return f"- answers: {decision(facts['blend'])}\n" if "blend" in facts else ""


def of_network(facts: dict[str, Any]) -> str:
    return ", of the network as it was trained" if "blend" in facts else ""
