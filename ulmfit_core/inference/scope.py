"""What the validation rows say of a classifier's scope: how familiar a text must be to be answered at all.

Validation rows did not train the network, so what is rare among them is rare among familiar texts. Few rows cannot
tell how rare: below the lowest ones their share is taken to fall exponentially (peaks over a threshold, Pickands 1975),
so that with few rows only what lies far out is called unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ulmfit_core.models.scope import MOST_POINTS, Pairs, Scope, Tail, signs, summed

# With fewer validation rows nothing can be said of their tail.
FEWEST_ROWS = 20
# Rows that the tail is fitted to, or a quarter of the rows where they are few.
TAIL_ROWS = 10
CAUTION = 20


def fit(
    training: Iterable[np.ndarray], training_tokens: int,
    documents: Sequence[np.ndarray], scores: np.ndarray, answers: np.ndarray,
) -> Scope | None:  # fmt: skip
    """The statistics, None with fewer than FEWEST_ROWS validation rows.

    `training`: token ids of training texts, `training_tokens` in all; the others are the validation rows' as
    `models.scope.signs` takes them: `answers` must be held out, as those of texts to come will be.
    """
    if len(documents) < FEWEST_ROWS:
        return None
    pairs = Pairs.of(training, training_tokens)
    found = signs(pairs, documents, scores, answers)
    centre, spread = found.mean(0), np.maximum(found.std(0), 1e-6)
    sums = np.sort(summed(found, centre, spread))
    tail = _tail(sums)
    above = sums[sums >= tail.start]
    points = np.quantile(above, np.linspace(0, 1, min(len(above), MOST_POINTS)))
    return Scope(len(sums), pairs, centre, spread, points, tail)


def _tail(sums: np.ndarray) -> Tail:
    """Of ascending sums. A few rows lie together by chance, and the fewer there are, the less is known of what lies
    below them. So below 200 rows the scale is no less than a normal distribution's, half a deviation, and it grows with
    1 / rows: without that 20 rows of a simulation, of which 2 % should be, called 3.6 % of like texts unknown."""
    count = min(TAIL_ROWS, len(sums) // 4)
    start = float(sums[count])
    least = float(sums.std()) / 2 if len(sums) < 200 else 1e-6
    scale = max(float((start - sums[:count]).mean()), least) * (1 + CAUTION / len(sums))
    return Tail(start, count / len(sums), scale)
