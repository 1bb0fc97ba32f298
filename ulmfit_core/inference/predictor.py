"""A saved classifier, ready to answer: texts in, probabilities out, in the order of the texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ulmfit_core import device as devices
from ulmfit_core.data import batches
from ulmfit_core.errors import UserError
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.models.word_counts import Pool
from ulmfit_core.text.vocab import Vocabulary


@dataclass(frozen=True)
class Prediction:
    text: str
    label: str
    probabilities: dict[str, float]
    # The share of word counts in the probabilities; 0: they are the network's.
    blend_weight: float = 0.0


@torch.inference_mode()
def class_scores(
    model: Classifier, documents: Sequence[np.ndarray], batch: int, between: Callable[[], object] = bool
) -> np.ndarray:
    """Scores (documents, classes) in the documents' order. `between` is called before each chunk is read."""
    device = model.encoder.embedding.device
    lengths = np.array([len(document) for document in documents])
    scores = np.empty((len(documents), model.head.linear2.out_features), np.float32)
    for rows in batches.by_length(lengths, batch):
        ids, sizes = batches.pad([documents[row] for row in rows])
        answer = model(torch.from_numpy(ids).to(device), torch.from_numpy(sizes).to(device), None, between)
        scores[rows] = answer.float().cpu().numpy()
    return scores


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities (documents, classes), each row summing to 1."""
    shifted = np.exp(scores - scores.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


class Predictor:
    """Owns its model: training elsewhere never touches it. Safe to call from several threads.

    `pool`: what each answer is made of beside the network's, or None: answers are the network's as it was trained.
    """

    def __init__(
        self, model: Classifier, vocab: Vocabulary, labels: list[str], max_tokens: int = 0, pool: Pool | None = None
    ):
        self.labels = labels
        self.pool = pool
        self._model = model.eval()
        self._vocab = vocab
        self._max_tokens = max_tokens

    @classmethod
    def load(cls, folder: Path) -> Predictor:
        """Open a bundle. Raises UserError if it holds no classifier."""
        bundle = bundles.load(folder)
        if not isinstance(bundle.model, Classifier):
            raise UserError(f"{folder} holds a language model, not a classifier. Train the classifier first.")
        model = bundle.model.to(devices.best_device())
        return cls(model, bundle.vocab, bundle.labels, bundle.max_tokens, bundle.pool)

    @property
    def blend_weight(self) -> float:
        """The share of word counts in each answer; 0 without them."""
        return self.pool.exponents.weight if self.pool else 0.0

    def probabilities(self, texts: Sequence[str], between: Callable[[], object] = bool) -> np.ndarray:
        """(texts, classes) of the answers, each row summing to 1."""
        return self.pooled(self.network_probabilities(texts, between), texts)

    def pooled(self, network: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """The answers from the network's probabilities for the same texts."""
        return self.pool.answers(network, texts) if self.pool else network

    def network_probabilities(self, texts: Sequence[str], between: Callable[[], object] = bool) -> np.ndarray:
        """(texts, classes) of the network as it was trained, each row summing to 1."""
        if not texts:
            return np.empty((0, len(self.labels)), np.float32)
        cut = self._max_tokens or None
        documents = [ids[:cut] for ids in self._vocab.encode(texts)]
        return softmax(class_scores(self._model, documents, 32, between))

    def predict(self, texts: Sequence[str], between: Callable[[], object] = bool) -> list[Prediction]:
        rows = self.probabilities(texts, between)
        return [self._prediction(text, row) for text, row in zip(texts, rows, strict=True)]

    def _prediction(self, text: str, row: np.ndarray) -> Prediction:
        by_label = {label: float(p) for label, p in zip(self.labels, row, strict=True)}
        return Prediction(text, self.labels[int(row.argmax())], by_label, self.blend_weight)
