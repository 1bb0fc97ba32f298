"""What fastai 2.8 answered (tests/fixtures/parity, written by record.py) is what this program answers."""

from pathlib import Path

import pytest
import torch

from tests.parity import measure
from tests.parity.measure import MODEL_CHECKS, PART_CHECKS, Recording
from ulmfit_core.config import PretrainSettings
from ulmfit_core.models.language_model import LanguageOutput, activation_penalty
from ulmfit_core.training.optimizers import make_optimizer

FOLDER = Path(__file__).parents[1] / "fixtures" / "parity"
RECORDED = Recording(FOLDER)


def named(checks):
    return [pytest.param(check, id=check.__name__) for check in checks.values()]


@pytest.mark.parametrize("check", named(MODEL_CHECKS))
def test_models(check):
    row = check(RECORDED)
    assert row.within, row


@pytest.mark.parametrize("check", named(PART_CHECKS))
def test_parts(check):
    row = check(RECORDED)
    assert row.within, row


def test_rules_and_words_on_public_texts(data_folder):
    row = measure.public_texts(RECORDED, data_folder)
    assert row.within, row


def test_a_check_notices_a_difference():
    loud = measure.compare([([1.0, 2.0], [1.0, 2.1])], 1e-5)
    assert not loud.within and loud.difference == pytest.approx(0.1)


# The deliberate differences of docs/parity.md.


def test_fastai_leaves_tar_out_for_a_batch_of_one():
    logits, raw, dropped = (RECORDED.parts[f"penalty/{name}"][:1] for name in ("logits", "raw", "dropped"))
    output = LanguageOutput(logits, raw, dropped, [])
    theirs = RECORDED.facts["penalty"]["one_row"]
    assert theirs == pytest.approx(float(activation_penalty(output, 2.0, 0.0)))
    assert theirs < float(activation_penalty(output, 2.0, 1.0))


def test_fastai_decays_the_biases_of_recurrent_layers():
    theirs = RECORDED.facts["groups"]["lm"]
    model = measure.language_model(RECORDED)
    optimizer = make_optimizer(model.groups(), PretrainSettings(weight_decay=0.1))
    spared = {id(p) for part in optimizer.param_groups if not part["weight_decay"] for p in part["params"]}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in spared}
    biases = {name for name in names if ".bias_" in name}
    assert len(biases) == 6
    assert names - biases == measure.under({f"x/{n}": torch.empty(0) for n in theirs["not_decayed"]}, "x").keys()


def test_fastais_padded_batch_is_not_its_own_answer_for_each_document():
    assert measure.fastais_padding(RECORDED).difference > 1e-3
    assert measure.scores(RECORDED).difference < 1e-5
