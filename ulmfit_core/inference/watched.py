"""What a model says of the watched sentences: probabilities of a classifier, loss per word of a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ulmfit_core.config import WatchedSentence
from ulmfit_core.inference.predictor import class_scores, softmax
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.text.vocab import Vocabulary


def classified(bundle: Bundle, sentences: Sequence[WatchedSentence]) -> list[dict[str, Any]]:
    """One dict a sentence: text, expected label and `probabilities` by label."""
    cut = bundle.max_tokens or None
    documents = [ids[:cut] for ids in bundle.vocab.encode([sentence.text for sentence in sentences])]
    shares = softmax(class_scores(bundle.model, documents, 32))  # type: ignore[arg-type]
    return [
        {**_named(sentence), "probabilities": dict(zip(bundle.labels, map(float, row), strict=True))}
        for sentence, row in zip(sentences, shares, strict=True)
    ]


def read(model: LanguageModel, vocab: Vocabulary, sentences: Sequence[WatchedSentence]) -> list[dict[str, Any]]:
    """One dict a sentence: text, expected label and `loss`, in nats per word."""
    texts = [sentence.text for sentence in sentences]
    losses = [loss_per_word(model, ids, text) for ids, text in zip(vocab.encode(texts), texts, strict=True)]
    return [{**_named(sentence), "loss": loss} for sentence, loss in zip(sentences, losses, strict=True)]


@torch.inference_mode()
def loss_per_word(model: LanguageModel, ids: np.ndarray, text: str) -> float:
    """Cross-entropy of all tokens of a text, begun afresh, over its number of words between spaces."""
    tokens = torch.from_numpy(ids.astype(np.int64)).to(model.bias.device)[None]
    features = model.read(tokens[:, :-1], model.encoder.initial_state(1))
    loss, _, _ = model.score(features.dropped, tokens[:, 1:])
    return float(loss) / max(1, len(text.split()))


def _named(sentence: WatchedSentence) -> dict[str, str]:
    return {"text": sentence.text, "label": sentence.label}
