"""One way from texts to token ids, for `tokenise.py`: a child that passes over all texts each time it is asked to.

The task, one line of JSON: `route` (a name in ROUTES), `processes`, `texts` (a file of JSON strings, one a line),
`folder` (of the prepared vocabularies) and `packages` (where SentencePiece lies, for a Python without it). Each answer
has the seconds on the wall and those of the processor, child processes included. fastai's routes import nothing of this
program, ours nothing of fastai.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Task = dict[str, Any]
SIZE = 8000


def ours(task: Task) -> Callable[[], None]:
    """Rules and SentencePiece, from an Arrow file to files of token ids."""
    return _numericalised(task, "pieces")


def ours_words(task: Task) -> Callable[[], None]:
    """Rules and spaCy's tokenizer as fastai has them, from an Arrow file to files of token ids."""
    return _numericalised(task, "words")


def _numericalised(task: Task, kind: str) -> Callable[[], None]:
    from ulmfit_core.data.numericalise import numericalise
    from ulmfit_core.run import Run
    from ulmfit_core.text.vocab import Vocabulary

    Vocabulary.threads = 1
    folder = Path(task["folder"])
    work = folder / f"parts-{kind}-{task['processes']}"

    def work_through() -> None:
        shutil.rmtree(work, ignore_errors=True)
        numericalise(folder / "texts.arrow", folder / kind, work, Run(), "", processes=task["processes"])

    return work_through


def raw(task: Task) -> Callable[[], None]:
    """SentencePiece alone on texts that the rules have gone over already: what we could reach at best."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(Path(task["folder"]) / "pieces" / "spm.model"))
    prepared = _texts(Path(task["folder"]) / "prepared.jsonl")
    return lambda: processor.encode(prepared, num_threads=task["processes"])


def fastai_spacy(task: Task) -> Callable[[], None]:
    """fastai's rules, its spaCy tokenizer and its numericalising."""
    from fastai.text.core import SpacyTokenizer

    return _fastai(task, SpacyTokenizer())


def fastai_pieces(task: Task) -> Callable[[], None]:
    """fastai's rules, its SentencePiece tokenizer and its numericalising; learning is outside of the clock."""
    sys.path.append(task["packages"])
    from fastai.text.core import SentencePieceTokenizer, defaults

    cache = Path(task["folder"]) / "fastai-pieces"
    learned = cache / "spm.model"
    tokenizer = SentencePieceTokenizer(vocab_sz=SIZE, cache_dir=cache, sp_model=learned if learned.exists() else None)
    tokenizer.setup(_texts(Path(task["texts"])), defaults.text_proc_rules)
    return _fastai(task, tokenizer)


def _fastai(task: Task, tokenizer: Any) -> Callable[[], None]:
    from collections import Counter
    from itertools import chain

    from fastai.data.transforms import L
    from fastai.text.core import defaults, parallel_tokenize
    from fastai.text.data import Numericalize, make_vocab

    texts = L(_texts(Path(task["texts"])))
    workers = task["processes"] if task["processes"] > 1 else 0
    number = Numericalize(vocab=[])

    def work_through() -> None:
        tokens = parallel_tokenize(texts, tokenizer, defaults.text_proc_rules, n_workers=workers)
        found = [part for _, part in tokens]
        if not number.o2i:
            words = make_vocab(Counter(chain.from_iterable(found)), min_freq=1)
            number.vocab, number.o2i = words, {word: place for place, word in enumerate(words)}
        for part in found:
            number(part)

    work_through()  # finds the vocabulary, outside of the clock
    return work_through


ROUTES = {route.__name__: route for route in (ours, ours_words, raw, fastai_spacy, fastai_pieces)}


def _texts(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _processor_seconds() -> float:
    """Of this process and of those it started that have ended."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    task = json.loads(sys.stdin.readline())
    work_through = ROUTES[task["route"]](task)
    print(json.dumps({"pid": os.getpid()}), file=answers, flush=True)
    for _ in sys.stdin:
        began, before = time.perf_counter(), _processor_seconds()
        work_through()
        spent = {"seconds": time.perf_counter() - began, "processor": _processor_seconds() - before}
        print(json.dumps(spent), file=answers, flush=True)


if __name__ == "__main__":
    main()
