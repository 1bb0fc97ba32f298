"""Which words speak for an answer and which against it, and what an answer becomes without one of them.

What is explained is the answer as it is given, word counts and all: `benchmarks/explain.py` compares ways to do that,
`docs/results/explain.jsonl` has the figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ulmfit_core.inference.leave_out import Span, counts_without, read_without, tokens_of
from ulmfit_core.inference.predictor import Predictor, softmax
from ulmfit_core.models.word_counts import pooled

# Scripts without spaces between words, whose characters are words here: kana and Han.
ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
INSIDE = rf"[^\W{ALONE}]+"
# A word with inner apostrophes and hyphens, or signs in a row. The line breaks of HTML count as spaces.
WORD = re.compile(rf"<br ?/?>|([{ALONE}]|{INSIDE}(?:['’-]{INSIDE})*|[^\w\s]+)", re.IGNORECASE)
# No probability counts as nearer to 0 or 1.
NEAREST = 1e-12


@dataclass(frozen=True)
class Share:
    """What the characters from `start` to before `end` add to an answer: above 0 they speak for the label."""

    start: int
    end: int
    weight: float


def words_of(text: str) -> list[Span]:
    """Where the words of a text begin and end, signs such as “!” and “:-)” among them; in their order."""
    return [match.span(1) for match in WORD.finditer(text) if match[1]]


def attributions(predictor: Predictor, text: str, label: str, between: Callable[[], object] = bool) -> list[Share]:
    """How much each word adds to the label's log-odds (nats): those of the answer less those without the word.

    The time follows the length: a text of 2,000 words takes a few times that of one of 200. Of a long text the network
    reads only the tokens next to a word again without it (see `leave_out.py`). Words that the classifier does not read,
    beyond its longest text, have the weight 0. `between` is called every few milliseconds.
    """
    words = words_of(text)
    if not words:
        return []
    answers = answers_without(predictor, text, words, between)[:, predictor.labels.index(label)]
    odds = log_odds(answers)
    return _shares(words, odds[0] - odds[1:])


def removals(predictor: Predictor, text: str, label: str, between: Callable[[], object] = bool) -> list[Share]:
    """What each word adds to the label's probability: that of the text less that of the text without it, exactly.

    Each text is read anew, so that the time follows the square of the length; for one word ask `removal`.
    """
    return _removals(predictor, text, words_of(text), label, between)


def removal(predictor: Predictor, text: str, span: Span, label: str, between: Callable[[], object] = bool) -> Share:
    """The same of one word, or of any characters from the first number to before the second."""
    return _removals(predictor, text, [span], label, between)[0]


def without(text: str, spans: Iterable[Span]) -> str:
    """The text without these characters; a space keeps words apart that only they have parted."""
    place, parts = 0, []
    for start, end in sorted(spans):
        parts.append(text[place:start])
        if text[start - 1 : start].isalnum() and text[end : end + 1].isalnum():
            parts.append(" ")
        place = end
    return "".join([*parts, text[place:]])


def answers_without(
    predictor: Predictor, text: str, words: Sequence[Span], between: Callable[[], object] = bool, window: int = 0
) -> np.ndarray:
    """Probabilities (1 + words, labels) of the answers to the text, and to the text without each word.

    `window`: tokens behind a word that the network reads again without it; 0: as many as there is time for.
    """
    pool, new = predictor.pool, predictor.new_labels
    counted = counts_without(pool.words, text, words) if pool and pool.words else None
    if pool and pool.exponents.network == 0 and new is None:
        return pooled(None, counted, pool.exponents)  # the network is not asked
    ids = predictor.documents([text])[0]
    tokens = tokens_of(words, text, predictor.vocab.tokens(text)[: len(ids)])
    features, scores = read_without(predictor.model, ids, tokens, between, window)
    answers = pooled(softmax(scores), counted, pool.exponents) if pool else softmax(scores)
    return new.joined(answers, features) if new else answers


def log_odds(shares: np.ndarray) -> np.ndarray:
    """Of probabilities, in nats: differences stay visible where an answer is nearly certain."""
    exact = np.clip(shares.astype(np.float64), NEAREST, 1 - NEAREST)
    return np.log(exact) - np.log1p(-exact)


def _removals(
    predictor: Predictor, text: str, spans: Sequence[Span], label: str, between: Callable[[], object]
) -> list[Share]:
    texts = [text, *(without(text, [span]) for span in spans)]
    answers = predictor.probabilities(texts, between)[:, predictor.labels.index(label)].astype(np.float64)
    return _shares(spans, answers[0] - answers[1:])


def _shares(spans: Sequence[Span], weights: np.ndarray) -> list[Share]:
    return [Share(*span, weight) for span, weight in zip(spans, weights.tolist(), strict=True)]
