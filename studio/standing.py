"""Who answers more held-out texts right, the trained classifier or plain word counts (TF-IDF), in a sentence."""

from __future__ import annotations

from typing import Any

WORDS = "plain word counts (TF-IDF)"


def standing_of_training(report: dict[str, Any]) -> str:
    """After “Classify”: the network beside word counts on the validation texts; empty where they were not compared."""
    found = report.get("blend", {})
    if "word_counts" not in found:
        return ""
    network, words = found["network"]["accuracy"], found["word_counts"]["accuracy"]
    sentence = (
        f"Of the validation texts the network answers {network:.1%} right, {WORDS} {words:.1%}: "
        f"{ahead(network, words, found['valid_rows'])}."
    )
    used = {"word_counts": "Word counts give the answers for now.", "blend": "The answers are made of both."}
    return " ".join(filter(None, [sentence, used.get(found.get("answers", ""), "")]))


def standing_of_evaluation(report: dict[str, Any]) -> str:
    """After “Evaluate”: the answers beside word counts."""
    texts = "test" if report.get("split") == "test" else "validation"
    right, words = report["accuracy"], report["baseline_tfidf"]["accuracy"]
    return (
        f"Of the {texts} texts {right:.1%} are answered right; {WORDS} reach {words:.1%}: "
        f"{ahead(right, words, report['rows'], 'the answers are', 'word counts are')}."
    )


def ahead(ours: float, words: float, rows: int, us: str = "the network is", them: str = "word counts are") -> str:
    """Who is ahead and by how many points and texts."""
    texts = round(abs(ours - words) * rows)
    if texts == 0:
        return "both are alike"
    by = f"ahead by {100 * abs(ours - words):.1f} points ({texts:,} of {rows:,} texts)"
    return f"{us if ours > words else them} {by}"
