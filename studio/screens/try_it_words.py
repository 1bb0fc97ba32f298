"""What the Try it screen says of an answer, of a word and of corrections: pure functions, no Qt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ulmfit_core.config import AnswerSettings, blend_note
from ulmfit_core.edit_log import ADD, RELABEL, Edit, key_of

if TYPE_CHECKING:
    from ulmfit_core.inference.predictor import Prediction

NO_CLASSIFIER = "There is no classifier yet. Train one under “Classify”, then its answers appear here as you type."
WAITING = "The answer appears here as you type."
# Below these shares of validation rows that are no more familiar, a text is said to be unusual, or a little so.
ODD, RARE = 0.05, 0.2
# Examples of a new label from which it is answered without training: inference/new_class.py's, which brings numpy.
ENOUGH = 5


def headline(answer: Prediction) -> str:
    """The answer, large: the label, or why none is given."""
    return answer.answer.capitalize() if withheld(answer) else answer.label


def withheld(answer: Prediction) -> bool:
    return answer.unknown or answer.unsure


def answer_sentence(
    answer: Prediction, settings: AnswerSettings | None = None, since: str = "", untrained: Sequence[str] = ()
) -> str:
    """The answer in words, why it is withheld if it is, and what gave it where that is not the saved network alone.

    `untrained`: labels of the person's own that are answered from their examples.
    """
    share = answer.probabilities[answer.label]
    if since:
        return f"The model in training gives “{answer.label}” {share:.1%}, {since}."
    if answer.unknown:
        return f"{unlike_sentence(answer)} The likeliest label would be “{answer.label}” with {share:.0%}."
    if answer.unsure:
        asked = f"; you ask for {settings.least_sure:.0%}" if settings else ""
        return f"Only {share:.0%} sure{asked}. The likeliest label would be “{answer.label}”."
    if answer.label in untrained:
        return f"Like your own examples of “{answer.label}”: {share:.1%}. It was not trained on this label yet."
    given = f"The classifier gives “{answer.label}” {share:.1%}"
    return f"{given}, {blend_note(answer.blend_weight)}." if answer.blend_weight else f"{given}."


def unlike_sentence(answer: Prediction) -> str:
    more = "" if answer.familiar is None else f": {1 - answer.familiar:.0%} of the validation texts are more familiar"
    return f"Unlike anything it was trained on{more}."


def familiar_sentence(answer: Prediction) -> str:
    """How familiar the text is; nothing where that is not known or said already."""
    if answer.familiar is None or answer.unknown:
        return ""
    less = f"{answer.familiar:.0%} of the validation texts are less familiar than this one"
    if answer.familiar < ODD:
        return f"An unusual text for this classifier: only {less}. Be careful with the answer."
    return f"{'A rather unusual' if answer.familiar < RARE else 'A familiar'} kind of text: {less}."


def removal_sentence(word: str, label: str, share: float, change: float) -> str:
    """What taking a word away does to a label's probability, which is `share`; `change` is what the word brings."""
    return f"Without “{word}”: {label} {share:.0%} → {_bounded(share - change):.0%}"


def _bounded(share: float) -> float:
    return min(1.0, max(0.0, share))


# Corrections


def changing(edits: Iterable[Edit]) -> list[Edit]:
    """Those that change the data, the newest first."""
    return [edit for edit in reversed(list(edits)) if edit.kind in (ADD, RELABEL)]


def new_labels(edits: Sequence[Edit], known: Sequence[str]) -> dict[str, int]:
    """How many texts there are of each label that the classifier does not know."""
    held = {key_of(edit.text): edit.label for edit in edits if edit.kind in (ADD, RELABEL)}
    labels = [label for label in held.values() if label not in known]
    return {label: labels.count(label) for label in dict.fromkeys(labels)}


def answered_unlearned(edits: Sequence[Edit], known: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Labels with their texts of which there are enough to answer a new label without training."""
    enough = [label for label, count in new_labels(edits, known).items() if count >= ENOUGH]
    return tuple((edit.label, edit.text) for edit in edits if edit.label in enough)


def new_label_sentence(label: str, count: int) -> str:
    """Whether a label of the person's own is answered already."""
    if count >= ENOUGH:
        return f"“{label}” is new; its {count} examples are enough to answer it now. Training makes it surer."
    lacking = ENOUGH - count
    examples = "example" if lacking == 1 else "examples"
    return f"“{label}” is new: {count} of {ENOUGH}. With {lacking} more {examples} it is answered without training."


def corrections_sentence(count: int, taken_in: bool) -> str:
    """Whether the classifier has learned from the corrections."""
    if not count:
        return "Where an answer is wrong, say above what it should be. The text joins your data."
    many = "1 correction" if count == 1 else f"{count} corrections"
    if taken_in:
        return f"The classifier has learned from {'it' if count == 1 else 'them'}: {many}."
    return f"{many} kept. “Train everything” takes {'it' if count == 1 else 'them'} in: import, then train again."
