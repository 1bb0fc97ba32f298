"""Errors that other implementations made, where no other file has the test; docs/parity.md lists the tests of all."""

import json

import numpy as np
import pytest
import torch

from tests.core.toy import ToyStage, toy_settings
from ulmfit_core.config import ModelSettings, PretrainSettings
from ulmfit_core.errors import UserError
from ulmfit_core.inference.predictor import class_scores
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.awd_lstm import AwdLstm
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.classifier import Classifier, Head
from ulmfit_core.models.dropout import Dropouts
from ulmfit_core.run import Control, Run, Stopped
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import new_vocabulary
from ulmfit_core.text.words import to_json
from ulmfit_core.training.trainer import Trainer

CPU = torch.device("cpu")


def encoder():
    model = AwdLstm(40, 6, 8, 3, Dropouts())
    model.reset(torch.Generator().manual_seed(0))
    return model


def test_no_output_depends_on_the_tokens_after_it():
    """Trap 5: a language model that reads both ways in one network would see what it is to predict."""
    model = encoder()
    ids = torch.randint(0, 40, (2, 12), generator=torch.Generator().manual_seed(1))
    changed = torch.cat([ids[:, :7], 39 - ids[:, 7:]], 1)
    outputs = [model(tokens, model.initial_state(2))[0] for tokens in (ids, changed)]
    assert torch.equal(outputs[0][:, :7], outputs[1][:, :7])
    assert not torch.equal(outputs[0][:, 7:], outputs[1][:, 7:])


def words(*listed):
    return new_vocabulary("word", to_json([*SPECIALS, *listed]), "fastai", {})


@pytest.fixture
def saved(tmp_path):
    """The folder of a language model of its own three words."""
    network = ModelSettings(embedding=4, hidden=6, layers=2)
    vocab = words("good", "bad", "film")
    model = bundles.new_language_model(network, vocab.size, PretrainSettings())
    bundles.save(tmp_path / "model", Bundle("language_model", network, model, vocab), "A card.")
    return tmp_path / "model"


def test_a_bundle_holds_its_vocabulary_wherever_it_is_moved(saved, tmp_path):
    """Trap 16: weights without their vocabulary predict nothing."""
    there = saved.rename(tmp_path / "elsewhere")
    assert bundles.load(there).vocab.tokens("A good film") == ["xxbos", "xxunk", "good", "film"]


def test_another_vocabulary_in_the_bundle_is_refused(saved):
    """Trap 16: of the same size, it would give nonsense without an error."""
    words("bad", "good", "film").copy_to(saved)
    with pytest.raises(UserError, match="does not belong to this model"):
        bundles.load(saved)


def test_scores_come_in_the_order_of_the_documents():
    """Trap 18: documents are read by length, longest first, but answered as they were given."""
    head = Head(18, 5, 3, (0.0, 0.0))
    head.reset(torch.Generator().manual_seed(2))
    model = Classifier(encoder(), head, 7, 100).eval()
    numbers = np.random.default_rng(3)
    documents = [numbers.integers(2, 40, length) for length in (4, 30, 1, 12, 30, 7, 2, 19)]
    together = class_scores(model, documents, 3)
    alone = np.concatenate([class_scores(model, [document], 3) for document in documents])
    assert np.allclose(together, alone, atol=1e-5)
    assert len(np.unique(alone.round(4), axis=0)) == len(documents)


def first_step(tmp_path, clip):
    """How the weights of a toy change in its first step of plain SGD."""
    stage = ToyStage(toy_settings(optimizer="sgd", momentum=0.0, weight_decay=0.0, clip=clip, epochs=1))
    trainer = Trainer(stage, Run(tmp_path / str(clip)), tmp_path / str(clip), CPU)
    trainer.fit()
    trainer.run.close()
    return stage.seen[1] - stage.seen[0]


def test_clipping_shortens_the_gradient_and_keeps_its_direction(tmp_path):
    """Trap 21: taking the smaller of each element and the limit is no clipping."""
    free, clipped = (first_step(tmp_path, clip) for clip in (0.0, 0.05))
    assert float(free.norm()) > 2 * 0.01 * 0.05
    assert float(clipped.norm()) == pytest.approx(0.01 * 0.05, rel=1e-3)
    assert torch.allclose(clipped / clipped.norm(), free / free.norm(), atol=1e-4)


def test_a_resumed_run_computes_with_the_threads_it_began_with(tmp_path):
    """Trap 23: with another number of threads a gradient has other last bits."""
    control = Control()
    stage = ToyStage(toy_settings(epochs=1))
    run = Run(tmp_path, control)
    control.stop()
    with pytest.raises(Stopped):
        Trainer(stage, run, tmp_path, CPU).fit()
    run.close()
    path = tmp_path / "checkpoint" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "threads": 2}))
    before = torch.get_num_threads()
    try:
        run = Run(tmp_path)
        Trainer(ToyStage(toy_settings(epochs=1)), run, tmp_path, CPU).fit(resume=True)
        run.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
