"""The job of pretraining: a language model from the general text, saved as models/pretrained."""

from __future__ import annotations

from typing import Any

import numpy as np

from ulmfit_core import device as devices
from ulmfit_core.data.batches import Documents
from ulmfit_core.data.tokens import Tokens
from ulmfit_core.errors import UserError
from ulmfit_core.jobs import began
from ulmfit_core.jobs.insight import wishes_of
from ulmfit_core.jobs.language_model_stage import LanguageModelStage, held_out
from ulmfit_core.jobs.training_job import open_tokens, train_and_save
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.text.vocab import Vocabulary

VALID_SHARE = 0.02
MOST_VALID_TOKENS = 100_000


def pretrain(project: Project, run: Run, resume: bool = False) -> dict[str, Any]:
    """Train on the general corpus. Raises UserError where there is none."""
    stage, bundle = make_stage(project, run)
    return train_and_save(project, run, stage, bundle, resume)


def make_stage(project: Project, run: Run) -> tuple[LanguageModelStage, Bundle]:
    """A fresh model over the general text, and the bundle it will be."""
    settings, network = began.with_sizes(project.recipe.pretrain, run.folder), project.recipe.model
    vocab = Vocabulary.load(project.vocab_folder)
    tokens = open_tokens(project, vocab, "corpus")
    train, valid = split(tokens, settings.seed)
    model = bundles.new_language_model(network, vocab.size, settings)
    model.to(devices.best_device(settings.device))
    stage = LanguageModelStage("pretrain", settings, model, vocab, train, valid, wishes_of(project))
    return stage, Bundle("language_model", network, model, vocab)


def split(tokens: Tokens, seed: int) -> tuple[Documents, Documents]:
    """What pretraining reads of the corpus, and what it holds out."""
    if len(tokens) < 2:
        raise UserError("The general text holds fewer than two documents. Give a longer file, one document a line.")
    lengths = np.asarray(tokens.lengths)
    parts = held_out(len(tokens), lengths, seed, VALID_SHARE, MOST_VALID_TOKENS)
    train, valid = (Documents([(tokens, rows, lengths[rows])]) for rows in parts)
    return train, valid
