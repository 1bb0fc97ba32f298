"""General text for the forgetting meter: how well does a model still know what it learned before fine-tuning?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resources import resource_path
from ulmfit_core.config import SCRATCH
from ulmfit_core.data.batches import Documents
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.jobs.language_model_stage import GeneralText
from ulmfit_core.jobs.pretrain import split
from ulmfit_core.jobs.training_job import open_tokens
from ulmfit_core.project import Project
from ulmfit_core.text.vocab import Vocabulary

MOST_TOKENS = 10_000  # read after each epoch: a second or two with the smaller models
MOST_UNKNOWN = 0.1  # share of the shipped text that a vocabulary may not know: beyond that it is another language's
SHIPPED = "sample/corpus.txt"


class InMemory:
    """Documents as token ids that lie in no file, laid end to end."""

    def __init__(self, documents: Sequence[np.ndarray]):
        self.ids = np.concatenate(documents)
        self.offsets = np.cumsum([0, *map(len, documents)])

    def all(self) -> Documents:
        return Documents([(self, np.arange(len(self.offsets) - 1), np.diff(self.offsets))])


def general_text(project: Project, vocab: Vocabulary) -> GeneralText | None:
    """Held-out text of the project's corpus; for a model from elsewhere without one an English text that ships.

    None where the model was taught no general text, the vocabulary is not of English, or nobody wants to know.
    """
    taught = not project.skip_reason("pretrain") or project.recipe.base != SCRATCH
    if not taught or not project.recipe.insight.forgetting:
        return None
    if Dataset.open(project.dataset_folder).has_corpus:
        held_out = split(open_tokens(project, vocab, "corpus"), project.recipe.pretrain.seed)[1]
        return GeneralText("the general text of this project that pretraining does not read", _first(held_out))
    return _shipped(vocab)


def _first(documents: Documents) -> Documents:
    """As many of the first documents as have MOST_TOKENS, one at least."""
    count = int(np.searchsorted(np.cumsum(documents.lengths), MOST_TOKENS)) + 1
    return InMemory([documents[number] for number in range(min(count, len(documents)))]).all()


def _shipped(vocab: Vocabulary) -> GeneralText | None:
    encoded = vocab.encode(resource_path(SHIPPED).read_text(encoding="utf-8").splitlines())
    text = InMemory(encoded)
    if np.mean(text.ids == vocab.unk) > MOST_UNKNOWN:
        return None
    return GeneralText("plain English sentences that come with the program", _first(text.all()))
