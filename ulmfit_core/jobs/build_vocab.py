"""Build the vocabulary, of pieces or of words, or take the pretrained model's, and encode all texts with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ulmfit_core import catalog, files
from ulmfit_core.config import VocabSettings
from ulmfit_core.data import tokens
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.events import Artefact
from ulmfit_core.jobs.base import base_folder
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.text import vocab, words
from ulmfit_core.text.train_vocab import train
from ulmfit_core.text.vocab import Vocabulary

CHUNK = 1000
SAMPLE_CHUNK = 200
CORPUS_CHUNK = 20


def build_vocab(project: Project, run: Run) -> dict[str, Any]:
    """Fill vocab/ and tokens/<hash>/. Returns size, tokens, tokens_per_word, unknown (share of tokens), seconds.

    Raises UserError if nothing was imported, the pretrained model is missing, or the text is not enough.
    """
    began = time.monotonic()
    dataset = Dataset.open(project.dataset_folder)
    settings = project.recipe.vocab
    with files.replacing_folder(project.vocab_folder) as folder:
        if project.recipe.base != "none" and settings.reuse:
            Vocabulary.load(base_folder(project.recipe.base)).copy_to(folder)
        else:
            content = _learn(dataset, settings, folder, run)
            facts = settings.model_dump(mode="json")
            vocab.new_vocabulary(settings.kind, content, settings.rules, facts).copy_to(folder)
    vocabulary = Vocabulary.load(project.vocab_folder)
    report = encode_all(project, dataset, vocabulary, run)
    run.emit(Artefact("vocabulary", str(project.vocab_folder)))
    return {"size": vocabulary.size, **report, "seconds": time.monotonic() - began}


# Learning


def _learn(dataset: Dataset, settings: VocabSettings, folder: Path, run: Run) -> bytes:
    """The content of the vocabulary's file: words.json or spm.model."""
    size = int(settings.sample_mb * 1e6)
    texts = sample_texts(dataset, size)
    if settings.kind == "word":
        return words.to_json(words.learn(texts, settings, run, size))
    rule = catalog.resolve("rules", settings.rules)
    return train((vocab.prepare(text, rule) for text in texts), settings, folder, run)


def sample_texts(dataset: Dataset, size: int) -> Iterator[str]:
    """Up to `size` characters of text, half of it general where there is some; never text of test rows."""
    rows = np.random.default_rng(0).permutation(dataset.lm_rows())
    share = size // 2 if dataset.has_corpus else size
    used = 0
    for text in _upto(share, len(rows), SAMPLE_CHUNK, lambda start, stop: dataset.texts(rows[start:stop])):
        used += len(text)
        yield text
    yield from _upto(size - used, dataset.corpus_size, CORPUS_CHUNK, dataset.corpus_texts)


def _upto(size: int, count: int, chunk: int, texts: Callable[[int, int], list[str]]) -> Iterator[str]:
    for start in range(0, count, chunk):
        for text in texts(start, start + chunk):
            if size <= 0:
                return
            yield text[:size]
            size -= len(text)


# Encoding


def encode_all(project: Project, dataset: Dataset, vocabulary: Vocabulary, run: Run) -> dict[str, Any]:
    """Encode rows and general text. Returns tokens, tokens_per_word and unknown, all of the rows."""
    place = project.tokens_folder / vocabulary.hash
    meta = {"fingerprint": project.fingerprint("import"), "vocabulary": vocabulary.hash}
    limit = project.recipe.vocab.max_tokens
    counts = {"words": 0, "tokens": 0, "unknown": 0}
    rows = _encoded(dataset.texts_between, len(dataset), CHUNK, vocabulary, run, "Encoding the texts", counts)
    cut = (ids[:limit] if limit else ids for ids in rows)
    tokens.write(place / "dataset", cut, vocabulary.dtype, meta)
    if dataset.has_corpus:
        texts, label = dataset.corpus_texts, "Encoding the general text"
        corpus = _encoded(texts, dataset.corpus_size, CORPUS_CHUNK, vocabulary, run, label)
        tokens.write(place / "corpus", corpus, vocabulary.dtype, meta)
    return {
        "tokens": counts["tokens"],
        "tokens_per_word": counts["tokens"] / max(counts["words"], 1),
        "unknown": counts["unknown"] / max(counts["tokens"], 1),
    }


def _encoded(
    texts: Callable[[int, int], list[str]], count: int, chunk: int, vocabulary: Vocabulary, run: Run, label: str,
    counts: dict[str, int] | None = None,
) -> Iterator[np.ndarray]:  # fmt: skip
    for start in run.track(range(0, count, chunk), label):
        batch = texts(start, start + chunk)
        for text, ids in zip(batch, vocabulary.encode(batch)):
            if counts is not None:
                counts["words"] += len(text.split())
                counts["tokens"] += len(ids)
                counts["unknown"] += int((ids == vocabulary.unk).sum())
            yield ids
