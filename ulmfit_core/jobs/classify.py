"""The job of training the classifier on the fine-tuned encoder, layer group by layer group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ulmfit_core import device as devices
from ulmfit_core.config import ClassifySettings
from ulmfit_core.data import batches
from ulmfit_core.data.batches import ClassBatches
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.tokens import Tokens
from ulmfit_core.errors import UserError
from ulmfit_core.inference.predictor import class_scores
from ulmfit_core.jobs.training_job import base_bundle, open_tokens, train_and_save
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.awd_lstm import AwdLstm
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.training import metrics
from ulmfit_core.training.stage import StepResult


def classify(project: Project, run: Run, resume: bool = False) -> dict[str, Any]:
    """Train on the labelled rows, starting from the encoder of the last language model there is."""
    settings = project.recipe.classify
    vocab = Vocabulary.load(project.vocab_folder)
    dataset = Dataset.open(project.dataset_folder)
    tokens = open_tokens(project, vocab, "dataset")
    encoder, network = _encoder(project, vocab)
    model = bundles.new_classifier(encoder, len(dataset.labels), settings).to(devices.best_device())
    stage = ClassifierStage(settings, model, _split(dataset, tokens, "train"), _split(dataset, tokens, "valid"))
    max_tokens = project.recipe.vocab.max_tokens
    bundle = Bundle("classifier", network, model, vocab, dataset.labels, max_tokens)
    return train_and_save(project, run, stage, bundle, resume)


class LabelledDocuments:
    """Documents and their label numbers, in rows' order."""

    def __init__(self, tokens: Tokens, rows: np.ndarray, labels: np.ndarray):
        self._tokens = tokens
        self._rows = rows
        self.labels = labels
        self.lengths = np.asarray(tokens.lengths)[rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._tokens[int(self._rows[index])]


def _split(dataset: Dataset, tokens: Tokens, split: str) -> LabelledDocuments:
    labelled = dataset.labelled_rows(split)
    if len(labelled) < 2:
        raise UserError(f"The {split} split has {len(labelled)} labelled rows; at least 2 are needed. Add rows.")
    return LabelledDocuments(tokens, labelled, dataset.label_ids[labelled])


def _encoder(project: Project, vocab: Vocabulary) -> tuple[AwdLstm, Any]:
    """The fine-tuned encoder; without any language model a fresh one (training from scratch)."""
    bundle = base_bundle(project, "finetune", vocab)
    if bundle is None:
        network = project.recipe.model
        return bundles.new_language_model(network, vocab.size, project.recipe.classify).encoder, network
    if not isinstance(bundle.model, LanguageModel):
        raise UserError("The base of this project is not a language model. Choose another base.")
    return bundle.model.encoder, bundle.network


class ClassifierStage:
    """Labelled documents as a stage of the trainer. Nothing is carried from step to step."""

    name = "classify"

    def __init__(
        self, settings: ClassifySettings, model: Classifier, train: LabelledDocuments, valid: LabelledDocuments
    ):
        self.settings = settings
        self.model = model
        self.best_metric = settings.keep_best_by
        self.higher_is_better = settings.keep_best_by != "valid_loss"
        self._train = train
        self._valid = valid
        self._device = model.encoder.embedding.device
        self._batch = settings.batch_size or batches.class_batch(len(train), self._device.type != "cpu")
        self._batches = ClassBatches(train.lengths, self._batch, seed=settings.seed)

    def groups(self) -> list[tuple[str, list[nn.Parameter]]]:
        return self.model.groups()

    def steps_of_epoch(self, epoch: int) -> int:
        return len(self._batches)

    def tokens_of_epoch(self, epoch: int) -> int:
        return int(self._train.lengths.sum())

    def begin_epoch(self, epoch: int) -> None:
        return None

    def backward(
        self, epoch: int, index: int, state: None, rng: torch.Generator, poll: Callable[[], object]
    ) -> StepResult:
        """One batch: the documents are read chunk by chunk, with `poll` between, then the head runs once."""
        rows = self._batches.order(epoch)[index]
        ids, lengths = batches.pad([self._train[row] for row in rows])
        truth = torch.from_numpy(self._train.labels[rows].astype(np.int64)).to(self._device)
        with devices.autocast(self._device):
            scores = self.model(
                torch.from_numpy(ids).to(self._device), torch.from_numpy(lengths).to(self._device), rng, poll
            )
        loss = F.cross_entropy(scores.float(), truth)
        loss.backward()
        return StepResult(float(loss.detach()), len(rows), int(lengths.sum()), 1.0, None)

    def validate(self, run: Run) -> dict[str, float]:
        documents = [self._valid[i] for i in range(len(self._valid))]
        scores = class_scores(self.model, documents, self._batch, run.poll)
        truth = torch.from_numpy(self._valid.labels.astype(np.int64))
        loss = float(F.cross_entropy(torch.from_numpy(scores), truth))
        return {"valid_loss": loss, **metrics.classification(scores.argmax(1), self._valid.labels)}

    def after_epoch(self, epoch: int, run: Run) -> None:
        """A classifier has nothing more to show than its figures."""
