"""The job of training the classifier on the fine-tuned encoder, layer group by layer group."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ulmfit_core import device as devices
from ulmfit_core import events
from ulmfit_core.config import ClassifySettings, planned_phases, with_epochs
from ulmfit_core.data import batches
from ulmfit_core.data.batches import ClassBatches
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.tokens import Tokens
from ulmfit_core.errors import UserError
from ulmfit_core.inference import scope, watched
from ulmfit_core.inference.predictor import class_scores, softmax
from ulmfit_core.jobs import began, grow
from ulmfit_core.jobs.blend import blend_with_words
from ulmfit_core.jobs.insight import wishes_of
from ulmfit_core.jobs.training_job import base_bundle, open_tokens, train_and_save
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.awd_lstm import AwdLstm
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.models.dropout import unknown_noise
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.training import metrics
from ulmfit_core.training.regularisation import dropouts_at, noise_at, ordinary_tokens
from ulmfit_core.training.stage import Differentiate, StepResult

# Of more training documents than these the ones are drawn that tell which texts are familiar.
MOST_SAMPLED = 50_000


def classify(project: Project, run: Run, resume: bool = False) -> dict[str, Any]:
    """Train on the labelled rows, from the encoder of the last language model there is, or the present classifier."""
    stage, bundle = make_stage(project, run)

    def finish() -> dict[str, Any]:
        scores = stage.valid_scores(run)
        report, answers = blend_with_words(project, run, bundle, softmax(scores))
        bundle.scope = scope.fit(*stage.training_sample(run), stage.valid_documents(), scores, answers)
        return bundle.facts | report

    return train_and_save(project, run, stage, bundle, resume, finish)


def make_stage(project: Project, run: Run) -> tuple[ClassifierStage, Bundle]:
    """What the training begins with, over the labelled rows, and the bundle it will be.

    That is a fresh head on the encoder, or with `classify.grow` the project's classifier.
    """
    vocab = Vocabulary.load(project.vocab_folder)
    dataset = Dataset.open(project.dataset_folder)
    tokens = open_tokens(project, vocab, "dataset")
    train, valid = (_split(dataset, tokens, split) for split in ("train", "valid"))
    settings = with_epochs(began.with_sizes(project.recipe.classify, run.folder), len(train))
    grown = grow.begin(project, run, vocab, dataset.labels, train.of_label) if settings.grow else None
    if grown:
        model, network, facts = grown.model, grown.network, {"grown": grown.told}
    else:
        encoder, network = _encoder(project, vocab, run)
        model, facts = bundles.new_classifier(encoder, len(dataset.labels), settings), {}
    model.to(devices.best_device(settings.device))
    max_tokens = project.recipe.vocab.max_tokens
    bundle = Bundle("classifier", network, model, vocab, dataset.labels, max_tokens, facts)

    def told(epoch: int, run: Run) -> None:
        sentences = wishes().watched
        if sentences:
            run.emit(events.WatchedScores(epoch, watched.classified(bundle, sentences)))

    wishes = wishes_of(project)
    return ClassifierStage(settings, model, vocab, train, valid, told), bundle


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

    def of_label(self, label: int, most: int) -> list[np.ndarray]:
        """The first documents of a label, at most so many."""
        return [self[index] for index in np.flatnonzero(self.labels == label)[:most]]


def _split(dataset: Dataset, tokens: Tokens, split: str) -> LabelledDocuments:
    labelled = dataset.labelled_rows(split)
    if len(labelled) < 2:
        raise UserError(f"The {split} split has {len(labelled)} labelled rows; at least 2 are needed. Add rows.")
    return LabelledDocuments(tokens, labelled, dataset.label_ids[labelled])


def _encoder(project: Project, vocab: Vocabulary, run: Run) -> tuple[AwdLstm, Any]:
    """The fine-tuned encoder; without any language model a fresh one (training from scratch)."""
    bundle = base_bundle(project, "finetune", vocab, run)
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
        self, settings: ClassifySettings, model: Classifier, vocab: Vocabulary,
        train: LabelledDocuments, valid: LabelledDocuments,
        told: Callable[[int, Run], None] = lambda epoch, run: None,
    ):  # fmt: skip
        """`told(epoch, run)` tells after each epoch what there is to see besides its figures."""
        self.after_epoch = told
        self.settings = settings
        self.model = model
        self.best_metric = settings.keep_best_by
        self.higher_is_better = metrics.HIGHER_IS_BETTER[self.best_metric]
        self._vocab = vocab
        self._train = train
        self._valid = valid
        self._device = model.encoder.embedding.device
        devices.number_format(self._device, settings.precision)  # refuse what this device cannot before any work
        self._ordinary = ordinary_tokens(vocab, self._device)
        self._class_weights = self._weigh_classes()
        self._batch = settings.batch_size or batches.class_batch(len(train), self._device.type != "cpu")
        self.sizes = {"batch_size": self._batch}
        self._halved = 0
        self._batches = ClassBatches(train.lengths, self._batch * settings.accumulate, seed=settings.seed)
        self._chunks = batches.windows_of_phases(planned_phases(settings, len(self.groups())), settings.bptt)
        self.set_progress(0.0)

    def groups(self) -> list[tuple[str, list[nn.Parameter]]]:
        return self.model.groups()

    def steps_of_epoch(self, epoch: int) -> int:
        return len(self._batches)

    def tokens_of_epoch(self, epoch: int) -> int:
        return int(self._train.lengths.sum())

    def begin_epoch(self, epoch: int) -> None:
        return None

    def set_progress(self, share: float) -> None:
        drops = dropouts_at(self.settings, share)
        self.model.encoder.set_dropouts(drops)
        self.model.head.drops = (drops.output, self.settings.head_drop)
        self._noise = noise_at(self.settings, share)

    def backward(
        self, epoch: int, index: int, state: None, rng: torch.Generator, poll: Callable[[], object],
        differentiate: Differentiate,
    ) -> StepResult:  # fmt: skip
        """One step: its documents are read in passes of `batch_size` or less, with `poll` before each chunk.

        The head runs once over all of them, since its BatchNorm would see other statistics in each pass.
        """
        rows = self._batches.order(epoch)[index]
        truth = torch.from_numpy(self._train.labels[rows].astype(np.int64)).to(self._device)

        def read(part: np.ndarray) -> Tensor:
            return self._pool(part, self._chunks[epoch], rng, poll)

        with _undone_by_failure(self.model.head):
            if len(rows) <= self._documents_of_pass(len(rows)):
                loss = self._learn(read(rows), truth, rng, differentiate)
            else:
                loss = self._learn_in_passes(rows, truth, read, rng, differentiate)
        return StepResult(loss, len(rows), int(self._train.lengths[rows].sum()), 1.0, None)

    def _pool(self, rows: np.ndarray, chunk: int, rng: torch.Generator, poll: Callable[[], object]) -> Tensor:
        return self._features([self._train[i] for i in rows], chunk, rng, poll)

    def _features(
        self, documents: list[np.ndarray], chunk: int, rng: torch.Generator, poll: Callable[[], object]
    ) -> Tensor:
        """Pooled features (documents, 3 × features) in float32, whatever the precision of the passes."""
        ids, lengths = (torch.from_numpy(part).to(self._device) for part in batches.pad(documents))
        ids = unknown_noise(ids, self._ordinary, self._vocab.unk, self._noise, rng)
        with devices.autocast(self._device, self.settings.precision):
            return self.model.pool(ids, lengths, rng, poll, chunk)

    def _learn(self, pooled: Tensor, truth: Tensor, rng: torch.Generator, differentiate: Differentiate) -> Tensor:
        """Differentiate the smoothed, weighted loss; return the plain one, which compares with the validation's."""
        scores = self.model.head(pooled, rng)
        smoothing = self.settings.label_smoothing
        differentiate(F.cross_entropy(scores, truth, self._class_weights, label_smoothing=smoothing))
        return F.cross_entropy(scores.detach(), truth)

    def _learn_in_passes(
        self, rows: np.ndarray, truth: Tensor, read: Callable[[np.ndarray], Tensor], rng: torch.Generator,
        differentiate: Differentiate,
    ) -> Tensor:  # fmt: skip
        """The gradient of the whole step in the memory of one pass.

        All passes are read without gradient and the head learns from their features. Then each pass is read
        again with the same masks and takes its part of the gradient down through the encoder. `rng` ends
        where it stood after the head: the second reading takes no number more.
        """
        size = self._documents_of_pass(len(rows))
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        before: list[Tensor] = []
        pooled: list[Tensor] = []
        with torch.no_grad():
            for part in parts:
                before.append(rng.get_state())
                pooled.append(read(part))
        features = torch.cat(pooled).requires_grad_()
        loss = self._learn(features, truth, rng, differentiate)
        after = rng.get_state()
        if any(p.requires_grad for p in self.model.encoder.parameters()):
            assert features.grad is not None
            gradients = features.grad.split([len(part) for part in parts])
            for part, state, gradient in zip(parts, before, gradients, strict=True):
                rng.set_state(state)
                read(part).backward(gradient)  # scaled already: it comes from the scaled loss
        rng.set_state(after)
        return loss

    def halve_passes(self, times: int = 1) -> str:
        if self._batch >> self._halved <= 1:
            return ""
        self._halved += times
        documents = max(1, self._batch >> self._halved)
        return f"{documents} document{'s' * (documents > 1)}"

    def _documents_of_pass(self, documents: int) -> int:
        """Of a step of so many. An ordinary step is one pass, also where it has one document more than others."""
        if self.settings.accumulate == 1 and not self._halved:
            return documents
        return max(1, self._batch >> self._halved)

    def rehearse(self, rows: int, rng: torch.Generator) -> int:
        """The first chunk of each document. The head is left out, whose BatchNorm would take note of them."""
        chunk = self._chunks[0]
        documents = [self._train[i][:chunk] for i in self._batches.order(0)[0][: min(rows, self._batch)]]
        self._features(documents, chunk, rng, bool).sum().backward()
        return len(documents)

    def _weigh_classes(self) -> Tensor | None:
        """(classes,) n / (classes · count) over the training rows, as scikit-learn's “balanced”; None: all alike.

        A class without training rows does not count as a class and weighs 0.
        """
        if self.settings.class_weights == "none":
            return None
        count = np.bincount(self._train.labels, minlength=self.model.head.linear2.out_features)
        weights = np.where(count > 0, len(self._train) / ((count > 0).sum() * np.maximum(count, 1)), 0)
        return torch.from_numpy(weights).float().to(self._device)

    def validate(self, run: Run) -> dict[str, float]:
        """The plain loss, neither smoothed nor weighted, so that runs of different settings can be compared."""
        scores = self.valid_scores(run)
        truth = torch.from_numpy(self._valid.labels.astype(np.int64))
        loss = float(F.cross_entropy(torch.from_numpy(scores), truth))
        figures = metrics.classification(scores.argmax(1), self._valid.labels)
        return {"valid_loss": loss, **figures, "valid_rows": len(self._valid)}

    def valid_scores(self, run: Run) -> np.ndarray:
        """(validation rows, classes), before softmax."""
        return class_scores(self.model, self.valid_documents(), max(1, self._batch >> self._halved), run.poll)

    def valid_documents(self) -> list[np.ndarray]:
        return [self._valid[i] for i in range(len(self._valid))]

    def training_sample(self, run: Run) -> tuple[Iterator[np.ndarray], int]:
        """Training documents, at most MOST_SAMPLED of them drawn by the seed, and how many tokens they have in all."""
        rows = np.random.default_rng(self.settings.seed).permutation(len(self._train))[:MOST_SAMPLED]
        tracked = run.track(rows, "Noting what it learned from")
        return (self._train[row] for row in tracked), int(self._train.lengths[rows].sum())


@contextlib.contextmanager
def _undone_by_failure(head: nn.Module) -> Iterator[None]:
    """Give BatchNorm its running statistics back where a stop or want of memory drops the step after the head ran."""
    before = {name: value.clone() for name, value in head.named_buffers()}
    try:
        yield
    except BaseException:
        head.load_state_dict(before, strict=False)
        raise
