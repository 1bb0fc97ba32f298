"""Opens a SentencePiece model in a process of its own, because its C++ code trusts much of what stands in the file.

Whatever a model can be asked for in this program is asked there first, of each of its pieces.
"""

from __future__ import annotations

import functools
import math
import sys

import sentencepiece as spm

from ulmfit_core import trial

TEXT = " xxmaj the  quick\tbrown fox jumps !? ÄÖÜ ß é 漢字 かな кириллица 🙂 \x00 \uf8ff" * 20


@functools.lru_cache(maxsize=16)
def bears(content: bytes) -> bool:
    """Whether a child process lives through opening and using this model, and finds it sound."""
    return trial.bears("ulmfit_core.text.trial", content)


def use(content: bytes) -> None:
    """Ask a model for all that the program asks of one. Raises an exception of some sort where it is not sound."""
    model = spm.SentencePieceProcessor(model_proto=content)
    numbers = range(model.get_piece_size())
    pieces = [model.id_to_piece(number) for number in numbers]
    if not all(math.isfinite(model.get_score(number)) for number in numbers):
        raise ValueError("a score is no number")
    for number in filter(model.is_byte, numbers):
        bytes.fromhex(pieces[number][3:5])
    for kind in (int, str):  # numpy would ask for more memory than it may have
        model.encode([TEXT, *pieces], out_type=kind, num_threads=1)


def main() -> None:
    trial.limit()
    use(sys.stdin.buffer.read())


if __name__ == "__main__":
    main()
