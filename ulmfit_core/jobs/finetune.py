"""The job of fine-tuning: the language model learns how the project's own texts are written."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ulmfit_core import device as devices
from ulmfit_core.data.batches import Documents
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.errors import UserError
from ulmfit_core.jobs import began
from ulmfit_core.jobs.general_text import general_text
from ulmfit_core.jobs.insight import wishes_of
from ulmfit_core.jobs.language_model_stage import LanguageModelStage, held_out
from ulmfit_core.jobs.training_job import base_bundle, open_tokens, train_and_save
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.text.vocab import Vocabulary

VALID_SHARE = 0.1
MOST_VALID_TOKENS = 100_000


def finetune(project: Project, run: Run, resume: bool = False) -> dict[str, Any]:
    """Train on all texts but the test's, labelled or not, starting from the pretrained model where there is one.

    The report says how well the model knew these texts before and after (loss, perplexity).
    """
    stage, bundle = make_stage(project, run)
    before = _validate(stage, run)
    if not resume:  # else its log has it
        stage.tell_insight(-1, run)
    report = train_and_save(project, run, stage, bundle, resume)
    return {**report, "before": before}


def make_stage(project: Project, run: Run) -> tuple[LanguageModelStage, Bundle]:
    """The model to go on from, over the project's texts, and the bundle it will be."""
    settings = began.with_sizes(project.recipe.finetune, run.folder)
    vocab = Vocabulary.load(project.vocab_folder)
    bundle = _start(project, vocab, run)
    train, valid = _documents(project, vocab, settings.seed)
    assert isinstance(bundle.model, LanguageModel)
    wishes, general = wishes_of(project), general_text(project, vocab)
    return LanguageModelStage("finetune", settings, bundle.model, vocab, train, valid, wishes, general), bundle


def _start(project: Project, vocab: Vocabulary, run: Run) -> Bundle:
    """The model to go on from: pretrained here, given as base, or fresh."""
    settings = project.recipe.finetune
    bundle = base_bundle(project, "pretrain", vocab, run)
    if bundle is None:
        network = project.recipe.model
        model = bundles.new_language_model(network, vocab.size, settings)
        bundle = Bundle("language_model", network, model, vocab)
    if not isinstance(bundle.model, LanguageModel):
        raise UserError("The base of this project is not a language model. Choose another base.")
    bundle.model.to(devices.best_device(settings.device))
    return bundle


def _documents(project: Project, vocab: Vocabulary, seed: int) -> tuple[Documents, Documents]:
    """Every text that is not the test's; a tenth of them is held out to measure."""
    tokens = open_tokens(project, vocab, "dataset")
    rows = Dataset.open(project.dataset_folder).lm_rows()
    if len(rows) < 2:
        raise UserError("The data holds fewer than two texts to learn from. Add rows and import again.")
    lengths = np.asarray(tokens.lengths)[rows]
    parts = held_out(len(rows), lengths, seed, VALID_SHARE, MOST_VALID_TOKENS)
    train, valid = (Documents([(tokens, rows[part], lengths[part])]) for part in parts)
    return train, valid


def _validate(stage: LanguageModelStage, run: Run) -> dict[str, float]:
    stage.model.eval()
    with torch.inference_mode():
        return stage.validate(run)
