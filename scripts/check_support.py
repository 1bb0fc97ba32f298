"""Check the support messages in resources/support: counts, near-copies, and that single words do not give them away.

Run it as ``python scripts/check_support.py [FOLDER]``. It prints one summary line; if something is wrong, it also
prints each problem (near-copies as pairs of texts) and exits with status 1.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from ulmfit_core.inference.baseline import majority_guesses, tfidf_guesses

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "support"
LABELS = ("urgent", "can wait")
TRAIN, TEST, MIN_UNLABELLED = 628, 157, 590
LIMIT = 0.3  # two texts whose runs of five characters overlap this much (Jaccard) count as near-copies
TFIDF, MAJORITY = (0.75, 0.92), 0.66  # what words alone may reach on the test rows, and what guessing may


def read_messages(folder: Path = FOLDER) -> list[dict[str, str]]:
    """Return the rows of messages.csv, each with text, urgency and split."""
    with open(folder / "messages.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def near_copies(texts: list[str]) -> list[str]:
    """Return a problem for each pair of texts that overlap by LIMIT or more."""
    runs = CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True).fit_transform(texts).astype(np.float32)
    shared = (runs @ runs.T).toarray()
    counts = shared.diagonal()
    scores = shared / (counts[:, None] + counts[None, :] - shared)
    pairs = np.argwhere(np.triu(scores >= LIMIT, 1))
    return [f"near-copies ({scores[a, b]:.2f}): {texts[a]!r} | {texts[b]!r}" for a, b in pairs]


def wrong_counts(rows: list[dict[str, str]], unlabelled: list[str]) -> list[str]:
    """Return the problems with labels, splits and numbers of rows."""
    splits = Counter(row["split"] for row in rows)
    problems = [f"unknown urgency: {row}" for row in rows if row["urgency"] not in LABELS]
    if splits != {"train": TRAIN, "test": TEST}:
        problems.append(f"not {TRAIN} train and {TEST} test rows: {dict(splits)}")
    if len(unlabelled) < MIN_UNLABELLED:
        problems.append(f"{len(unlabelled)} unlabelled messages, at least {MIN_UNLABELLED} wanted")
    return problems


def baselines(rows: list[dict[str, str]]) -> tuple[float, float]:
    """Return the test accuracy of TF-IDF with logistic regression, and of the most frequent urgency."""
    train, test = ([row for row in rows if row["split"] == split] for split in ("train", "test"))
    known, wanted = (np.array([LABELS.index(row["urgency"]) for row in some]) for some in (train, test))
    guesses = tfidf_guesses([row["text"] for row in train], known, [row["text"] for row in test])
    return float(np.mean(guesses == wanted)), float(np.mean(majority_guesses(known, len(test)) == wanted))


def main(folder: Path = FOLDER) -> int:
    """Check the whole folder, print the result, and return the exit status."""
    rows = read_messages(folder)
    unlabelled = (folder / "unlabelled.txt").read_text(encoding="utf-8").splitlines()
    tfidf, majority = baselines(rows)
    problems = wrong_counts(rows, unlabelled) + near_copies([row["text"] for row in rows] + unlabelled)
    if not TFIDF[0] <= tfidf <= TFIDF[1] or majority > MAJORITY:
        problems.append(f"too easy or too hard: TF-IDF {tfidf:.3f}, majority {majority:.3f}")
    counts = f"{len(rows)} messages, {len(unlabelled)} unlabelled, TF-IDF {tfidf:.3f}, majority {majority:.3f}"
    print(f"support: {counts}, {len(problems)} problem(s)")
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
