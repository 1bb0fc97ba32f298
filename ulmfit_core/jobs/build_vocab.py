"""Build the vocabulary, of pieces or of words, or take the pretrained model's, and encode all texts with it."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ulmfit_core import __version__, catalog, files, reading
from ulmfit_core.config import SCRATCH, VocabSettings
from ulmfit_core.data import tokens
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.numericalise import numericalise
from ulmfit_core.data.tokens import Tokens
from ulmfit_core.errors import UserError
from ulmfit_core.events import Artefact
from ulmfit_core.jobs.base import base_folder
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.text import coverage, extend, vocab, words
from ulmfit_core.text.train_vocab import train
from ulmfit_core.text.vocab import Pieces, Vocabulary

SAMPLE_CHUNK = 200
CORPUS_CHUNK = 20
# Characters of text for the facts about a vocabulary, and how many tokens each list of them has.
FACTS_SAMPLE = 500_000
FACTS_SHOWN = 100
LABELS = {"dataset": "Encoding the texts", "corpus": "Encoding the general text"}
COMPARED = "Comparing it with smaller ones"
# In a working folder, the hash of the vocabulary with which its parts were encoded.
BEGUN = "vocabulary.txt"


def build_vocab(project: Project, run: Run) -> dict[str, Any]:
    """Fill vocab/ and tokens/<hash>/. Returns size, tokens, tokens_per_word, unknown (share of tokens), seconds,
    what it is (hash, kind, rules, origin), and, to judge the vocabulary by: by_size (size, tokens_per_word, unknown),
    frequent and not_known (token, count), shared (with the pretrained model's, share of its tokens; None without one).
    by_size and not_known are of a sample of as many characters as `sample` says, the others of all rows. Where test
    texts were read, `transductive` is True.

    What breaks off while texts are encoded goes on from there the next time, if neither data nor settings changed.
    Raises UserError if nothing was imported, the pretrained model is missing, or the text is not enough.
    """
    began = time.monotonic()
    dataset = Dataset.open(project.dataset_folder)
    work = _working_folder(project, dataset)
    for other in project.tokens_folder.glob("*.work-*"):
        if other != work:
            shutil.rmtree(other)
    vocabulary = _begun(project, work)
    if vocabulary is None:
        vocabulary = _build(project, dataset, run)
        files.write_text(work / BEGUN, vocabulary.hash)
    else:
        run.message("The vocabulary stands already; its texts are encoded on from where the last run came to.")
    report = encode_all(project, dataset, vocabulary, work, run) | _facts(project, dataset, vocabulary, run)
    files.remove_folder(work)
    run.emit(Artefact("vocabulary", str(project.vocab_folder)))
    return {"size": vocabulary.size, **report, "seconds": time.monotonic() - began}


def _build(project: Project, dataset: Dataset, run: Run) -> Vocabulary:
    """Fill vocab/."""
    settings = project.recipe.vocab
    with files.replacing_folder(project.vocab_folder) as folder:
        base = _base(project)
        if base and settings.reuse and settings.extend:
            _extended(base, dataset, settings, folder, run).copy_to(folder)
        elif base and settings.reuse:
            base.copy_to(folder)
        else:
            content = _learn(dataset, settings, folder, run)
            facts = settings.model_dump(mode="json")
            vocab.new_vocabulary(settings.kind, content, settings.rules, facts).copy_to(folder)
    return Vocabulary.load(project.vocab_folder)


# Going on after a break


def goes_on(project: Project) -> bool:
    """Whether an earlier build broke off while it encoded the texts, and the next one takes up what it finished."""
    if not (project.dataset_folder / "dataset.json").exists():
        return False
    return _begun(project, _working_folder(project, Dataset.open(project.dataset_folder))) is not None


def _working_folder(project: Project, dataset: Dataset) -> Path:
    """Where finished parts wait until all are there: its name follows from settings, data and program."""
    stamps = [(source.name, *_stamp(source)) for source in _sources(dataset).values()]
    made_of = json.dumps([__version__, project.fingerprint("vocab"), stamps])
    return project.tokens_folder / f".work-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"


def _stamp(source: Path) -> tuple[int, int]:
    """Size and time of change; zeros where it is gone."""
    if not source.exists():
        return (0, 0)
    found = source.stat()
    return (found.st_size, found.st_mtime_ns)


def _begun(project: Project, work: Path) -> Vocabulary | None:
    """The vocabulary with which the parts of a working folder were encoded, if it is still the project's."""
    if not (work / BEGUN).exists():
        return None
    try:
        vocabulary = Vocabulary.load(project.vocab_folder)
    except UserError:
        return None  # it is made anew
    return vocabulary if vocabulary.hash == reading.text(work / BEGUN) else None


def _sources(dataset: Dataset) -> dict[str, Path]:
    """The Arrow files whose texts are encoded, by the name of their tokens."""
    names = {"dataset": "rows.arrow", **({"corpus": "corpus.arrow"} if dataset.has_corpus else {})}
    return {kind: dataset.folder / name for kind, name in names.items()}


def _base(project: Project) -> Vocabulary | None:
    """The pretrained model's vocabulary."""
    return Vocabulary.load(base_folder(project.recipe.base)) if project.recipe.base != SCRATCH else None


# Learning


def _extended(base: Vocabulary, dataset: Dataset, settings: VocabSettings, folder: Path, run: Run) -> Vocabulary:
    """The base with the pieces that a vocabulary of its size and `settings.extend` has from these texts besides."""
    pieces = extend.check(base)
    size = base.size + settings.extend
    given = {"kind": extend.KIND, "rules": base.rules, "size": size, "byte_fallback": False}
    wanted = settings.model_copy(update=given)
    learned = Pieces(_learn(dataset, wanted, folder, run), {"rules": base.rules})
    found = extend.extended(pieces, learned, settings.extend)
    if found.size == base.size:
        run.message("These texts have no frequent piece that the pretrained model lacks: none was added.", "warning")
    else:
        run.message(f"{found.size - base.size:,} new pieces follow the {base.size:,} of the pretrained model.")
    return found


def _learn(dataset: Dataset, settings: VocabSettings, folder: Path, run: Run) -> bytes:
    """The content of the vocabulary's file: words.json or spm.model."""
    size = int(settings.sample_mb * 1e6)
    texts = sample_texts(dataset, size)
    if settings.kind == "word":
        return words.to_json(words.learn(texts, settings, run, size))
    rule = catalog.resolve("rules", settings.rules)
    return train(vocab.prepare_all(texts, rule), settings, folder, run)


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


def encode_all(project: Project, dataset: Dataset, vocabulary: Vocabulary, work: Path, run: Run) -> dict[str, Any]:
    """Encode rows and general text. Returns tokens, tokens_per_word and unknown, all of the rows."""
    meta = {"fingerprint": project.fingerprint("import"), "vocabulary": vocabulary.hash}
    counts = tokens.Counts()
    for kind, source in _sources(dataset).items():
        parts_folder = work / f"{vocabulary.hash}-{kind}"
        limit = project.recipe.vocab.max_tokens if kind == "dataset" else 0
        stamp = _stamp(source)
        parts = numericalise(source, project.vocab_folder, parts_folder, run, LABELS[kind], limit)
        if _stamp(source) != stamp:
            raise UserError(
                f"{source} was changed or removed while its texts were encoded. Import the data again, then build the "
                "vocabulary."
            )
        tokens.join(project.tokens_folder / vocabulary.hash / kind, parts, vocabulary.dtype, meta)
        counts = tokens.counts_of(parts) if kind == "dataset" else counts
    return {
        "tokens": counts.tokens,
        "tokens_per_word": counts.tokens / max(counts.words, 1),
        "unknown": counts.unknown / max(counts.tokens, 1),
    }


# Facts


def _facts(project: Project, dataset: Dataset, vocabulary: Vocabulary, run: Run) -> dict[str, Any]:
    sample = list(sample_texts(dataset, FACTS_SAMPLE))
    encoded = Tokens.open(project.tokens_folder / vocabulary.hash / "dataset")
    base = _base(project)
    sizes = run.track(coverage.smaller_sizes(vocabulary, base.size if base else 0), COMPARED)
    return {
        "hash": vocabulary.hash,
        "kind": vocabulary.facts.get("kind", "unigram"),
        "rules": vocabulary.rules,
        "origin": _origin(vocabulary, base),
        "by_size": [asdict(figures) for figures in coverage.by_size(vocabulary, sample, sizes)],
        "frequent": coverage.most_frequent(encoded.ids, vocabulary, FACTS_SHOWN),
        "not_known": coverage.most_unknown(vocabulary, sample, FACTS_SHOWN),
        "sample": sum(map(len, sample)),
        "shared": coverage.overlap(vocabulary, base) if base else None,
        **({"transductive": True} if dataset.transductive else {}),
    }


def _origin(vocabulary: Vocabulary, base: Vocabulary | None) -> str:
    """Whether it was learned, taken from the pretrained model, or that one's was extended."""
    if base and vocabulary.hash == base.hash:
        return "taken"
    extends = vocabulary.facts.get("settings", {}).get("extends")
    return "extended" if base and extends == base.hash else "learned"
