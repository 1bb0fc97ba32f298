"""A pretrained model on another vocabulary: known rows copied, new ones the mean, decoder and embedding one tensor."""

import pytest
import torch

from ulmfit_core.config import FinetuneSettings, ModelSettings
from ulmfit_core.models.bundle import new_language_model
from ulmfit_core.models.mapping import NEW, rows_of, take_rows


@pytest.fixture
def model():
    model = new_language_model(ModelSettings(embedding=4, hidden=6, layers=2), 5, FinetuneSettings())
    with torch.no_grad():
        model.bias.copy_(torch.arange(5.0))
    return model.eval()


def test_rows_are_found_by_string():
    assert rows_of(["xxunk", "the", "film"], ["film", "xxunk", "new", "▁the"]) == [2, 0, NEW, NEW]


def test_known_rows_are_copied_and_new_ones_are_the_mean(model):
    embedding, bias = model.encoder.embedding.detach().clone(), model.bias.detach().clone()
    take_rows(model, [3, NEW, 0, 0, NEW, 1, 2])
    assert model.encoder.embedding.shape == (7, 4) and model.bias.shape == (7,)
    assert torch.equal(model.encoder.embedding[[0, 2, 3, 5, 6]], embedding[[3, 0, 0, 1, 2]])
    assert torch.equal(model.bias[[0, 2, 3, 5, 6]], bias[[3, 0, 0, 1, 2]])
    for row in (1, 4):
        assert torch.allclose(model.encoder.embedding[row], embedding.mean(0)) and model.bias[row] == 2.0


def test_logits_of_known_tokens_stay(model):
    ids = torch.tensor([[0, 3, 2, 4]])
    before = model(ids, model.encoder.initial_state(1)).logits
    rows = [4, 2, NEW, 0, 3]
    take_rows(model, rows)
    moved = torch.tensor([[rows.index(int(number)) for number in ids[0]]])
    after = model(moved, model.encoder.initial_state(1)).logits
    assert torch.allclose(after[..., [3, 1, 4, 0]], before[..., [0, 2, 3, 4]], atol=1e-6)


def test_the_decoder_is_still_the_embedding_and_learns_with_it(model):
    take_rows(model, [1, NEW, 2])
    assert len(model.groups()[-1][1]) == 2 and model.encoder.embedding.requires_grad
    output = model(torch.tensor([[0, 1]]), model.encoder.initial_state(1))
    output.logits.sum().backward()
    assert (model.encoder.embedding.grad[2] != 0).any()  # token 2 was not read: only the decoder teaches its row
