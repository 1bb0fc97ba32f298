"""Which way of weighing words finds the words that an answer rests on?

    python benchmarks/explain.py --project FOLDER --test FILE [--documents 200] [--only NAME ...] [--json]

The deletion test: from texts that the classifier answers right, the words that weigh most are taken out, 1 to 20 % of
them; the less the label's probability is then, on the mean of six shares, the better a way knows the words that count.
The insertion test keeps them alone: the more the better. `project` is any folder with a trained classifier, `test` a
CSV with the columns text and label. Each way appends a row to docs/results/explain.jsonl.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import study
import torch
from torch import Tensor

from ulmfit_core.inference.explain import answers_without, log_odds, removals, without, words_of
from ulmfit_core.inference.leave_out import Span, counts_without, tokens_of
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.project import Project

RESULTS = Path("docs/results/explain.jsonl")
SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2)
STEPS = 20  # of integrated gradients
FEWEST_WORDS, SEED = 5, 0


@dataclass(frozen=True)
class Case:
    """A text that is answered right, and its words."""

    predictor: Predictor
    text: str
    label: int
    words: list[Span]

    @property
    def name(self) -> str:
        return self.predictor.labels[self.label]


# The ways: each gives a weight to each word


def at_random(case: Case) -> np.ndarray:
    return np.random.default_rng(len(case.text)).random(len(case.words))


def occlusion(case: Case) -> np.ndarray:
    """Each word left out, each text read anew."""
    return np.array([share.weight for share in removals(case.predictor, case.text, case.name)])


def left_out(case: Case, window: int = 0) -> np.ndarray:
    """The program's way; `window` tokens behind a word are read again, 0: as many as it takes itself."""
    answers = answers_without(case.predictor, case.text, case.words, window=window)[:, case.label]
    odds = log_odds(answers)
    return odds[0] - odds[1:]


def word_counts(case: Case) -> np.ndarray:
    """The word counts' part alone, in log-odds."""
    pool = case.predictor.pool
    if not pool or not pool.words:
        return np.zeros(len(case.words))
    odds = log_odds(counts_without(pool.words, case.text, case.words)[:, case.label])
    return pool.exponents.words * (odds[0] - odds[1:])


def gradient_times_input(case: Case) -> np.ndarray:
    return _with_word_counts(case, lambda embedded: embedded * _gradient(case, embedded))


def integrated_gradients(case: Case) -> np.ndarray:
    """Sundararajan et al. 2017, from zero."""

    def path(embedded: Tensor) -> Tensor:
        places = (torch.arange(STEPS) + 0.5) / STEPS
        slopes = [_gradient(case, part[:, None, None] * embedded).sum(0, keepdim=True) for part in places.split(10)]
        return embedded * torch.cat(slopes).sum(0, keepdim=True) / STEPS

    return _with_word_counts(case, path)


def pooled_outputs(case: Case) -> np.ndarray:
    """What the output at each token adds to the pooled features, by the head's gradient."""

    def linear(embedded: Tensor) -> Tensor:
        with torch.no_grad():
            outputs = _outputs(case, embedded)
        outputs = outputs.detach().requires_grad_()
        _odds(case, outputs).sum().backward()
        return (outputs - outputs.mean(1, keepdim=True)).detach() * outputs.grad

    return _with_word_counts(case, linear)


WAYS: dict[str, Callable[[Case], np.ndarray]] = {
    "random": at_random,
    "word_counts": word_counts,
    "pooled_outputs": pooled_outputs,
    "gradient_times_input": gradient_times_input,
    "integrated_gradients": integrated_gradients,
    "left_out_8": lambda case: left_out(case, 8),
    "left_out_16": lambda case: left_out(case, 16),
    "left_out_32": lambda case: left_out(case, 32),
    "left_out": left_out,
    "occlusion": occlusion,
}


def _with_word_counts(case: Case, weigh: Callable[[Tensor], Tensor]) -> np.ndarray:
    """Weights of the embedded tokens (1, tokens, features) added up by word, and the word counts' part."""
    predictor, pool = case.predictor, case.predictor.pool
    ids = predictor.documents([case.text])[0]
    embedded = predictor.model.encoder.embedding.detach()[torch.from_numpy(ids.astype(np.int64))][None]
    by_token = weigh(embedded).sum(2)[0].detach().numpy()
    spans = tokens_of(case.words, case.text, predictor.vocab.tokens(case.text)[: len(ids)])
    network = np.array([by_token[begin:end].sum() for begin, end in spans])
    return (pool.exponents.network if pool else 1) * network + word_counts(case)


def _gradient(case: Case, embedded: Tensor) -> Tensor:
    embedded = embedded.detach().requires_grad_()
    _odds(case, _outputs(case, embedded)).sum().backward()
    assert embedded.grad is not None
    return embedded.grad


def _outputs(case: Case, embedded: Tensor) -> Tensor:
    encoder = case.predictor.model.encoder
    outputs = embedded
    for layer, state in zip(encoder.layers, encoder.initial_state(len(embedded)), strict=True):
        outputs, _ = layer(outputs, state, None)
    return outputs


def _odds(case: Case, outputs: Tensor) -> Tensor:
    """(batch,) the network's log-odds of the label."""
    model = case.predictor.model
    kept = outputs[:, model.first_pooled(outputs.shape[1]) :]
    scores = model.head(torch.cat([outputs[:, -1], kept.amax(1), kept.mean(1)], 1), None)
    others = torch.cat([scores[:, : case.label], scores[:, case.label + 1 :]], 1)
    return scores[:, case.label] - others.logsumexp(1)


# The test


def cases(predictor: Predictor, test: Path, count: int) -> Iterator[Case]:
    """The first `count` texts, in an order drawn by SEED, that are long enough and answered right."""
    with test.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    for place in np.random.default_rng(SEED).permutation(len(rows)):
        text, label = rows[place]
        words = words_of(text)
        if count and len(words) >= FEWEST_WORDS and predictor.predict([text])[0].label == label:
            count -= 1
            yield Case(predictor, text, predictor.labels.index(label), words)


def curves(case: Case, weights: np.ndarray) -> tuple[list[float], list[float]]:
    """The label's probability at each of SHARES: without the words that weigh most, and with them alone."""
    order = np.argsort(-weights, kind="stable").tolist()
    taken = [[case.words[place] for place in order[: math.ceil(share * len(order))]] for share in SHARES]
    texts = [without(case.text, spans) for spans in taken]
    texts += [" ".join(case.text[start:end] for start, end in sorted(spans)) for spans in taken]
    answers = case.predictor.probabilities(texts)[:, case.label].tolist()
    return answers[: len(SHARES)], answers[len(SHARES) :]


def measure(name: str, chosen: list[Case]) -> study.Row:
    deletion, insertion, seconds = [], [], 0.0
    for case in chosen:
        began = time.process_time()
        weights = WAYS[name](case)
        seconds += time.process_time() - began
        without_them, alone = curves(case, weights)
        deletion.append(without_them)
        insertion.append(alone)
    areas = np.mean(deletion, 1)
    return {
        "way": name, "documents": len(chosen), "words": float(np.mean([len(case.words) for case in chosen])),
        "deletion": float(areas.mean()), "deletion_error": float(areas.std(ddof=1) / math.sqrt(len(areas))),
        "insertion": float(np.mean(insertion)), "seconds": seconds / len(chosen), "shares": SHARES,
        "deletion_curve": np.mean(deletion, 0).tolist(), "insertion_curve": np.mean(insertion, 0).tolist(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--network", action="store_true", help="explain the network alone, without word counts")
    parser.add_argument("--json", action="store_true", help="print the rows; none is written")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    project = Project.open(asked.project)
    predictor = Predictor.load(project.bundle_folder("classify"))
    if asked.network:
        predictor.pool = None
    chosen = list(cases(predictor, asked.test, asked.documents))
    facts: dict[str, Any] = {"data": project.recipe.name, "word_counts_weigh": round(predictor.blend_weight, 3)}
    rows = []
    for name in asked.only:
        rows.append(facts | measure(name, chosen))
        if not asked.json:
            study.append(RESULTS, rows[-1])
    if asked.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
