"""Our side of the comparison of prediction: a saved classifier under this program's own `Predictor` (`predict.py`).

The task: `bundle` (a folder), `eight_bits`, `texts` (a file with the lists of texts by their name). Each command names
one of these lists: {"one": true} reads its texts one by one, {"reviews": true} all of them at once; with `_read` behind
the name the token ids are there before and nothing but the network is asked. Each answer has `seconds`, one figure for
one text or for a whole list, and {"told": true} the probabilities of the texts of `one`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from peers import Answer, Slices, timed

from ulmfit_core.inference.predictor import ROWS, Predictor, read


def commands(predictor: Predictor, texts: dict[str, list[str]], clock: str) -> dict[str, Callable[[], Answer]]:
    made: dict[str, Callable[[], Answer]] = {"told": lambda: {"told": predictor.probabilities(texts["one"]).tolist()}}
    for name, found in texts.items():
        parts = [[text] for text in found] if name == "one" else [found]
        whole = [partial(predictor.predict, part) for part in parts]
        ready = [partial(read, predictor.model, predictor.documents(part), ROWS) for part in parts]
        made |= {name: partial(timed, clock, whole), f"{name}_read": partial(timed, clock, ready)}
    return made


def main() -> None:
    slices = Slices()
    task = slices.task()
    predictor = Predictor.load(Path(task["bundle"]), task["eight_bits"])
    assert not predictor.refusal, predictor.refusal
    texts = json.loads(Path(task["texts"]).read_text(encoding="utf-8"))
    predictor.predict(texts["one"][:1])
    lengths = {name: sum(map(len, predictor.documents(found))) for name, found in texts.items()}
    slices.ready(commands(predictor, texts, task["clock"]), torch=torch.__version__, tokens=lengths)
    slices.wait()


if __name__ == "__main__":
    main()
