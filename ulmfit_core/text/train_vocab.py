"""Trains a SentencePiece model in a child process, whose log is the progress.

Training is one C++ call that cannot be paused or stopped, so the parent (`train`) watches a child that runs
this file (`main`), and holds or ends the whole child.
"""

from __future__ import annotations

import ctypes
import errno
import json
import math
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import sentencepiece as spm

from ulmfit_core import files
from ulmfit_core.config import VocabSettings
from ulmfit_core.errors import UserError
from ulmfit_core.events import Progress
from ulmfit_core.run import PROGRESS_SECONDS, Run
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import UNKNOWN

LINE_CHARACTERS = 2000
SHRUNK = re.compile(r"EM sub_iter=\d+ size=(\d+)")
MERGED = re.compile(r" merges=(\d+) |Completed (\d+) merge steps")
TOO_SMALL = re.compile(r"smaller than required_chars\D*(\d+) vs (\d+)")
TOO_SMALL_FOR_BYTES = re.compile(r"\(vocab_size\) >= \(0\)")
# As the system names them, in whatever SentencePiece says of them.
DISK = re.compile(r"No space left on device|Disk quota exceeded|Input/output error|Read-only file system")
LAST_FIELD = b"identity"  # of a model's file: the name of its normalisation
BYTES = 256
# The three parts of the work; how long the second one takes is not known before it ends.
SAMPLE_LABEL, SEED_LABEL = "Preparing the texts to learn from", "Looking for frequent pieces"
LABEL = "Learning the vocabulary"
# From Linux's sys/prctl.h.
PR_SET_PDEATHSIG = 1


def train(prepared: Iterable[str], settings: VocabSettings, folder: Path, run: Run) -> bytes:
    """Train on prepared texts. `folder` is a temporary place for sample and model. Returns the model's bytes.

    While the person pauses the child stands still, too; on Windows, which cannot hold a process, the pause begins
    when the child is done. Raises UserError with the reason if SentencePiece refuses, Stopped if the person stops.
    """
    write_sample(folder / "sample.txt", _followed(prepared, settings.sample_mb * 1e6, run))
    arguments = json.dumps(_arguments(settings))
    asked = [arguments, str(folder.absolute()), str(os.getpid())]
    command = [sys.executable, "-m", "ulmfit_core.text.train_vocab", *asked]
    root = Path(__file__).parent.parent.parent
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=root)
    try:
        log = list(_watch(child, settings, run))
    finally:
        child.kill()
        child.wait()
    if child.returncode != 0:
        raise UserError(_refusal(log, settings))
    model = (folder / "spm.model").read_bytes()
    for name in ("sample.txt", "spm.model", "spm.vocab"):
        (folder / name).unlink()
    return model


def write_sample(path: Path, prepared: Iterable[str]) -> None:
    """One line a piece of text of at most 2,000 characters: SentencePiece leaves longer lines out."""
    log = files.AppendLog(path)
    for text in prepared:
        for line in lines_of(text):
            log.write(line.encode() + b"\n")
    log.close()


def _followed(prepared: Iterable[str], characters: float, run: Run) -> Iterator[str]:
    """The texts, of about so many characters in all, with progress and a look at the stop button."""
    read, shown = 0, 0.0
    for text in prepared:
        run.poll()
        read += len(text)
        if time.monotonic() - shown >= PROGRESS_SECONDS:
            shown = time.monotonic()
            run.emit(Progress(SAMPLE_LABEL, min(read, characters), characters))
        yield text


def lines_of(text: str) -> Iterator[str]:
    """A text in lines of at most 2,000 characters, cut before spaces where there are any."""
    while len(text) > LINE_CHARACTERS:
        cut = text.rfind(" ", 1, LINE_CHARACTERS)
        cut = cut if cut > 0 else LINE_CHARACTERS
        yield text[:cut]
        text = text[cut:]
    if text:
        yield text


def _arguments(settings: VocabSettings) -> dict[str, Any]:
    return {
        "input": "sample.txt",  # the model keeps these names: a place in them would change its hash
        "model_prefix": "spm",
        "vocab_size": settings.size,
        "character_coverage": settings.coverage,
        "model_type": settings.kind,
        "hard_vocab_limit": False,
        "byte_fallback": settings.byte_fallback,
        "unk_id": 0, "unk_piece": SPECIALS[0], "unk_surface": SPECIALS[0],
        "bos_id": -1, "eos_id": -1, "pad_id": -1,
        "user_defined_symbols": [*SPECIALS[1:], *([UNKNOWN] if settings.byte_fallback else [])],
        # The rules have done it all: each word has its space already.
        "normalization_rule_name": "identity", "add_dummy_prefix": False, "remove_extra_whitespaces": False,
        "max_sentence_length": 4 * LINE_CHARACTERS,
        "num_threads": 2,
    }  # fmt: skip


def _watch(child: subprocess.Popen[bytes], settings: VocabSettings, run: Run) -> Iterator[str]:
    """The lines of the child's log, with progress and a look at the buttons ten times a second."""
    lines: queue.Queue[str | None] = queue.Queue()
    assert child.stderr is not None
    threading.Thread(target=_forward, args=(child.stderr, lines), daemon=True).start()
    first = 0
    run.emit(Progress(SEED_LABEL, 0.0, 0.0))
    while True:
        _poll(child, run)
        try:
            line = lines.get(timeout=0.1)
        except queue.Empty:
            continue
        if line is None:
            child.wait()
            run.poll()  # a Ctrl-C in the terminal ends the child, too
            return
        if found := SHRUNK.search(line):
            first = first or int(found[1])
            run.emit(Progress(LABEL, 100 * _share(first, int(found[1]), settings.size), 100.0))
        if found := MERGED.search(line):
            merges = int(found[1] or found[2])
            run.emit(Progress(LABEL, min(100.0, 100 * merges / settings.size), 100.0))
        yield line


def _poll(child: subprocess.Popen[bytes], run: Run) -> None:
    """`run.poll`, with the child held for as long as a pause lasts."""
    if not run.control.paused:
        run.poll()
    elif hasattr(signal, "SIGSTOP"):
        child.send_signal(signal.SIGSTOP)
        try:
            run.poll()
        finally:
            child.send_signal(signal.SIGCONT)
    else:
        run.message("What learns the vocabulary cannot be held on this system: it goes on to its end, then waits.")
        run.poll()


def _forward(pipe: IO[bytes], lines: queue.Queue[str | None]) -> None:
    for line in pipe:
        lines.put(line.decode(errors="replace").rstrip())
    lines.put(None)


def _share(first: int, now: int, wanted: int) -> float:
    """SentencePiece prunes a large set of pieces by a quarter at a time until the wanted size is left."""
    if first <= wanted:
        return 1.0
    return min(1.0, math.log(first / now) / math.log(first / wanted))


def _refusal(log: list[str], settings: VocabSettings) -> str:
    text = "\n".join(log)
    if found := TOO_SMALL.search(text):
        characters = int(found[2]) - len(SPECIALS) - (1 + BYTES) * settings.byte_fallback
        bytes_too = f" besides {BYTES} bytes" if settings.byte_fallback else ""
        return (
            f"A vocabulary of {settings.size:,} pieces is too small for this text, which has {characters:,} different "
            f"characters{bytes_too}. Raise the size or lower the coverage."
        )
    if TOO_SMALL_FOR_BYTES.search(text):
        return f"A vocabulary of {settings.size:,} pieces has no room for {BYTES} bytes. Raise the size."
    if found := DISK.search(text):
        return (
            f"The vocabulary could not be written: {found[0].lower()}. Make room or see to the disk, then build the "
            "vocabulary again."
        )
    reason = next((line for line in reversed(log) if line.strip()), "no reason was given")
    return f"SentencePiece could not learn a vocabulary: {reason[-300:]}. Give it more text or another size."


def _end_with_parent(parent: int) -> None:
    """Have Linux end this process when its parent is gone: one that is held could not see to that itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before
            sys.exit()


def main() -> None:
    _end_with_parent(int(sys.argv[3]))
    os.chdir(sys.argv[2])
    spm.SentencePieceTrainer.train(**json.loads(sys.argv[1]))
    _check_whole(Path("spm.model"))


def _check_whole(path: Path) -> None:
    """Raises OSError where a failing disk cut the file short, of which SentencePiece says nothing."""
    model = path.read_bytes()
    if LAST_FIELD not in model[-100:] or not spm.SentencePieceProcessor().LoadFromSerializedProto(model):
        number = errno.ENOSPC if files.free_bytes(Path()) < files.BUFFER else errno.EIO
        raise OSError(number, os.strerror(number), str(path))


if __name__ == "__main__":
    main()
