"""What the Try it screen says of answers, words and corrections."""

from __future__ import annotations

import pytest

from studio.kept_tries import Try
from studio.screens.try_it_tries import goes_on, try_row
from studio.screens.try_it_words import (
    ENOUGH,
    answer_sentence,
    answered_unlearned,
    corrections_sentence,
    familiar_sentence,
    headline,
    new_label_sentence,
    new_labels,
    removal_sentence,
)
from ulmfit_core.config import AnswerSettings
from ulmfit_core.edit_log import Edit
from ulmfit_core.inference import new_class
from ulmfit_core.inference.predictor import Prediction


def prediction(**changed: object) -> Prediction:
    return Prediction("text", "sad", {"sad": 0.7, "happy": 0.3}, **changed)


def test_a_blended_answer_says_so():
    assert answer_sentence(prediction()) == "The classifier gives “sad” 70.0%."
    blended = prediction(blend_weight=0.35)
    assert answer_sentence(blended) == "The classifier gives “sad” 70.0%, blended with word counts, which weigh 35%."
    assert answer_sentence(prediction(blend_weight=1.0)) == (
        "The classifier gives “sad” 70.0%, from word counts alone, since the network adds nothing yet."
    )


def test_an_answer_that_is_withheld_says_why():
    unsure = prediction(unsure=True)
    assert headline(unsure) == "Not sure" and headline(prediction()) == "sad"
    assert answer_sentence(unsure, AnswerSettings(least_sure=0.9)) == (
        "Only 70% sure; you ask for 90%. The likeliest label would be “sad”."
    )
    unknown = prediction(unknown=True, familiar=0.01)
    assert headline(unknown) == "Unknown"
    assert answer_sentence(unknown) == (
        "Unlike anything it was trained on: 99% of the validation texts are more familiar. "
        "The likeliest label would be “sad” with 70%."
    )
    assert familiar_sentence(unknown) == "", "it is said already"


def test_how_familiar_a_text_is_is_told_where_it_is_known():
    assert familiar_sentence(prediction()) == ""
    assert "unusual text" in familiar_sentence(prediction(familiar=0.03))
    assert "rather unusual" in familiar_sentence(prediction(familiar=0.1))
    assert familiar_sentence(prediction(familiar=0.63)) == (
        "A familiar kind of text: 63% of the validation texts are less familiar than this one."
    )


def test_a_label_that_was_never_trained_is_said_to_be_so():
    assert answer_sentence(prediction(), untrained=["sad"]).startswith("Like your own examples of “sad”: 70.0%.")
    assert answer_sentence(prediction(), untrained=["odd"]) == answer_sentence(prediction())


def test_the_model_in_training_says_how_old_it_is():
    assert answer_sentence(prediction(), since="as of step 12") == (
        "The model in training gives “sad” 70.0%, as of step 12."
    )


@pytest.mark.parametrize(("change", "told"), [(0.22, "93% → 71%"), (-0.05, "93% → 98%"), (0.95, "93% → 0%")])
def test_what_a_word_changes(change, told):
    assert removal_sentence("great", "positive", 0.93, change) == f"Without “great”: positive {told}"


REFUNDS = [Edit(number, "add", f"text {number}", "refund") for number in range(5)]


def test_new_labels_are_counted_by_text():
    again = Edit(9, "add", " text  0", "refund")
    moved = Edit(10, "relabel", "text 1", "sad")
    assert new_labels([*REFUNDS[:3], again], ["sad"]) == {"refund": 3}
    assert new_labels([*REFUNDS[:3], moved], ["sad"]) == {"refund": 2}, "the last label holds"
    assert new_labels([Edit(1, "confirmed", "text", "odd")], ["sad"]) == {}
    assert answered_unlearned(REFUNDS[:4], ["sad"]) == () and len(answered_unlearned(REFUNDS, ["sad"])) == 5
    assert answered_unlearned(REFUNDS, ["refund"]) == ()


def test_a_new_label_says_what_it_lacks():
    assert ENOUGH == new_class.EXAMPLES, "the engine decides"
    assert "2 of 5. With 3 more examples it is answered" in new_label_sentence("refund", 2)
    assert "With 1 more example it" in new_label_sentence("refund", 4)
    assert "its 5 examples are enough" in new_label_sentence("refund", 5)


def test_whether_corrections_are_taken_in():
    assert "say above what it should be" in corrections_sentence(0, True)
    assert corrections_sentence(1, False).startswith("1 correction kept. “Train everything” takes it in")
    assert "2 corrections kept" in corrections_sentence(2, False)
    assert corrections_sentence(2, True) == "The classifier has learned from them: 2 corrections."


def test_a_text_typed_further_is_the_same_try():
    assert goes_on("We danced", "We danced all") and goes_on("We danced all", "We ") and goes_on("", "We")
    assert not goes_on("We danced", "They danced")


def test_a_try_without_an_answer_has_no_probability() -> None:
    rows = [try_row(Try(label, 0.949, "a  text")) for label in ("can wait", "unknown", "not sure")]
    assert rows == [["can wait", "94.9%", "a text"], ["unknown", "", "a text"], ["not sure", "", "a text"]]
