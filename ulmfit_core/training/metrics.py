"""Figures from predictions; scikit-learn does the counting."""

from __future__ import annotations

import math

import numpy as np

# Every metric by which the best epoch can be kept → whether more of it is better.
HIGHER_IS_BETTER = {"valid_loss": False, "next_word_accuracy": True, "accuracy": True, "macro_f1": True}


def perplexity(loss: float) -> float:
    """exp of the mean loss per token, in nats; infinite where that overflows."""
    return math.exp(loss) if loss < 700 else math.inf


def classification(guess: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Class numbers `guess` and `truth`, both (documents,) → accuracy and macro F1 over the classes that occur."""
    from sklearn.metrics import accuracy_score, f1_score

    return {
        "accuracy": float(accuracy_score(truth, guess)),
        "macro_f1": float(f1_score(truth, guess, average="macro", zero_division=0)),
    }
