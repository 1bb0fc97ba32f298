"""A saved classifier, ready to answer: texts in, probabilities out, in the order of the texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ulmfit_core import device as devices
from ulmfit_core.config import NOT_SURE, UNKNOWN, AnswerSettings
from ulmfit_core.data import batches
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.errors import UserError
from ulmfit_core.inference import new_class
from ulmfit_core.inference.eight_bits import refusal as eight_bits_refusal
from ulmfit_core.inference.eight_bits import to_eight_bits
from ulmfit_core.inference.new_class import NewLabels
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.models.scope import Scope
from ulmfit_core.models.word_counts import Pool
from ulmfit_core.project import Project
from ulmfit_core.text.vocab import Vocabulary

# Texts that are read together, at most: with 64 a layer of 1,152 features is as fast as the products alone.
ROWS = 64


@dataclass(frozen=True)
class Prediction:
    """What is answered to one text. `label` is always the likeliest one, whatever the `answer` is.

    `blend_weight`: the share of word counts in the probabilities; 0: they are the network's. `familiar`: the share
    (0 to 1) of validation rows that are no more familiar than this text; None: nobody can say.
    """

    text: str
    label: str
    probabilities: dict[str, float]
    blend_weight: float = 0.0
    unknown: bool = False
    unsure: bool = False
    familiar: float | None = None

    @property
    def answer(self) -> str:
        return UNKNOWN if self.unknown else NOT_SURE if self.unsure else self.label


def as_record(prediction: Prediction) -> dict[str, Any]:
    """What JSON output holds for one text."""
    told = prediction
    return {
        "text": told.text, "label": told.label, "answer": told.answer, "familiar": told.familiar,
        "probabilities": told.probabilities,
    }  # fmt: skip


@torch.inference_mode()
def read(
    model: Classifier, documents: Sequence[np.ndarray], batch: int, between: Callable[[], object] = bool
) -> tuple[np.ndarray, np.ndarray]:
    """Pooled features (documents, 3 × features) and scores (documents, classes), float32, in the documents' order.

    `between` is called before each chunk is read.
    """
    device = model.encoder.embedding.device
    lengths = np.array([len(document) for document in documents])
    features = np.empty((len(documents), model.head.linear1.in_features), np.float32)
    scores = np.empty((len(documents), model.head.linear2.out_features), np.float32)
    for rows in batches.by_length(lengths, batch):
        ids, sizes = batches.pad([documents[row] for row in rows])
        pooled = model.read(torch.from_numpy(ids).to(device), torch.from_numpy(sizes).to(device), between)
        features[rows] = pooled.cpu().numpy()
        scores[rows] = model.head(pooled, None).float().cpu().numpy()
    return features, scores


def class_scores(
    model: Classifier, documents: Sequence[np.ndarray], batch: int, between: Callable[[], object] = bool
) -> np.ndarray:
    """Scores (documents, classes) in the documents' order. `between` is called before each chunk is read."""
    return read(model, documents, batch, between)[1]


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities (documents, classes), each row summing to 1."""
    shifted = np.exp(scores - scores.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


class Predictor:
    """Owns its model: training elsewhere never touches it. Safe to call from several threads.

    `pool`: what each answer is made of beside the network's, or None: answers are the network's as it was trained.
    `scope`: by what unknown texts are told; None: none are. `settings`: when an answer is withheld; by default every
    answer is given. `refusal`: why eight bits were asked for and float32 is used, a sentence; otherwise "".
    """

    def __init__(
        self, model: Classifier, vocab: Vocabulary, labels: list[str], max_tokens: int = 0, pool: Pool | None = None,
        scope: Scope | None = None,
    ):  # fmt: skip
        self.labels = labels
        self.pool = pool
        self.scope = scope
        self.new_labels: NewLabels | None = None
        self.settings = AnswerSettings(unknown=0)
        self.refusal = ""
        self._model = model.eval()
        self._vocab = vocab
        self._max_tokens = max_tokens

    @classmethod
    def of(cls, project: Project, eight_bits: bool = False, between: Callable[[], object] = bool) -> Predictor:
        """The project's classifier, which withholds answers as the recipe's `answers` say and knows the labels that
        the person's corrections have and it was not trained on (`inference/new_class.py`).

        Raises UserError where none was trained. `between` is called before each chunk is read.
        """
        predictor = cls.load(project.bundle_folder("classify"), eight_bits)
        predictor.settings = project.recipe.answers
        examples = new_class.examples_of(project, predictor.labels)
        if examples:
            others = new_class.compared_rows(Dataset.open(project.dataset_folder))
            read_with = partial(predictor._features_and_old, between=between)
            predictor.learn(new_class.learn(examples, others, read_with))
        return predictor

    def learn(self, new: NewLabels) -> None:
        """Answer these labels too from now on; `labels` has them after those of the network."""
        self.new_labels = new
        self.labels = [*self.labels, *new.labels]

    @classmethod
    def load(cls, folder: Path, eight_bits: bool = False) -> Predictor:
        """Open a bundle, to compute in eight bits if wished. Raises UserError if it holds no classifier."""
        bundle = bundles.load(folder)
        if not isinstance(bundle.model, Classifier):
            raise UserError(f"{folder} holds a language model, not a classifier. Train the classifier first.")
        model = bundle.model.to(devices.best_device())
        refusal = eight_bits_refusal(model) if eight_bits else ""
        if eight_bits and not refusal:
            to_eight_bits(model)
        predictor = cls(model, bundle.vocab, bundle.labels, bundle.max_tokens, bundle.pool, bundle.scope)
        predictor.refusal = refusal
        return predictor

    @property
    def blend_weight(self) -> float:
        """The share of word counts in each answer; 0 without them."""
        return self.pool.exponents.weight if self.pool else 0.0

    def probabilities(self, texts: Sequence[str], between: Callable[[], object] = bool) -> np.ndarray:
        """(texts, classes) of the answers, each row summing to 1."""
        features, old = self._features_and_old(texts, between)
        return self.new_labels.joined(old, features) if self.new_labels else old

    def _features_and_old(self, texts: Sequence[str], between: Callable[[], object]) -> tuple[np.ndarray, np.ndarray]:
        """Features, and the answers among the labels that were trained."""
        features, network = self._read(texts, between)
        return features, self.pooled(network, texts)

    def pooled(self, network: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """The answers from the network's probabilities for the same texts, among the labels that were trained."""
        return self.pool.answers(network, texts) if self.pool else network

    def network_probabilities(self, texts: Sequence[str], between: Callable[[], object] = bool) -> np.ndarray:
        """(texts, classes) of the network as it was trained, each row summing to 1."""
        return self._read(texts, between)[1]

    def features(self, texts: Sequence[str], between: Callable[[], object] = bool) -> np.ndarray:
        """(texts, 3 × features) float32: what the head reads of each text."""
        return self._read(texts, between)[0]

    def predict(self, texts: Sequence[str], between: Callable[[], object] = bool) -> list[Prediction]:
        documents = self.documents(texts)
        features, scores = read(self._model, documents, ROWS, between)
        old = self.pooled(softmax(scores), texts) if texts else scores
        familiar = self.scope.familiar(documents, scores, old) if self.scope else [None] * len(texts)
        rows = self.new_labels.joined(old, features) if self.new_labels else old
        return [self._prediction(*each) for each in zip(texts, rows, familiar, strict=True)]

    @property
    def model(self) -> Classifier:
        """In evaluation mode. It is not to be changed."""
        return self._model

    @property
    def vocab(self) -> Vocabulary:
        return self._vocab

    def documents(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Token ids of each text, as many as the model reads."""
        cut = self._max_tokens or None
        return [ids[:cut] for ids in self._vocab.encode(texts)] if texts else []

    def _read(self, texts: Sequence[str], between: Callable[[], object]) -> tuple[np.ndarray, np.ndarray]:
        """Features and the network's probabilities, from one reading."""
        features, scores = read(self._model, self.documents(texts), ROWS, between)
        return features, softmax(scores) if texts else scores

    def _prediction(self, text: str, row: np.ndarray, familiar: float | None) -> Prediction:
        by_label = {label: float(p) for label, p in zip(self.labels, row, strict=True)}
        unsure = float(row.max()) < self.settings.least_sure
        share = None if familiar is None else float(familiar)
        trained = int(row.argmax()) < len(self.labels) - len(self.new_labels.each if self.new_labels else [])
        # To the network a label that it was not trained on is unknown.
        unknown = trained and share is not None and share < self.settings.unknown
        return Prediction(text, self.labels[int(row.argmax())], by_label, self.blend_weight, unknown, unsure, share)
