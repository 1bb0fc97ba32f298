"""A pretrained model on another vocabulary: known rows copied, new ones the mean, decoder and embedding one tensor."""

import pytest
import torch

from ulmfit_core.config import FinetuneSettings, ModelSettings, VocabSettings
from ulmfit_core.models.bundle import Bundle, load, new_language_model, save
from ulmfit_core.models.mapping import NEW, parts_of, rows_of, take_rows
from ulmfit_core.run import Run
from ulmfit_core.text import train_vocab
from ulmfit_core.text.model_file import with_pieces
from ulmfit_core.text.vocab import new_vocabulary


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


class Grown:
    """A vocabulary of characters and one that has two more pieces, made of the old ones."""

    def __init__(self, folder):
        settings = VocabSettings(kind="char", size=100, coverage=1.0)
        content = train_vocab.train(["▁ a b c abc cab".replace("▁", "")] * 5, settings, folder, Run())
        self.old = new_vocabulary("char", content, "plain", {})
        more = with_pieces(content, [("▁abc", -1.0), ("ca", -2.0), ("z", -3.0)])
        self.new = new_vocabulary("char", more, "plain", {"extends": self.old.hash})


def test_a_new_piece_begins_as_the_mean_of_its_old_pieces(tmp_path):
    both = Grown(tmp_path)
    size = both.old.size
    ids = {piece: both.old.id_of(piece) for piece in ("▁", "a", "b", "c")}
    parts = parts_of(both.old, both.new)
    # What the old vocabulary cannot write has no parts.
    assert parts == {size: list(ids.values()), size + 1: [ids["c"], ids["a"]]}
    model = new_language_model(ModelSettings(embedding=4, hidden=6, layers=2), size, FinetuneSettings())
    with torch.no_grad():
        model.bias.copy_(torch.arange(float(size)))
    embedding, bias = model.encoder.embedding.detach().clone(), model.bias.detach().clone()
    take_rows(model, rows_of(both.old.pieces, both.new.pieces), parts)
    grown = model.encoder.embedding
    assert torch.equal(grown[:size], embedding) and torch.equal(model.bias[:size], bias)
    assert torch.allclose(grown[size], embedding[list(ids.values())].mean(0))
    assert model.bias[size + 1] == (ids["c"] + ids["a"]) / 2
    assert torch.allclose(grown[size + 2], embedding.mean(0)) and model.bias[size + 2] == bias.mean()


def test_another_vocabulary_has_no_parts(tmp_path):
    both = Grown(tmp_path)
    assert parts_of(both.old, both.old) == parts_of(both.new, both.old) == {}


def test_an_extended_model_comes_back_from_its_bundle(tmp_path):
    both = Grown(tmp_path)
    network = ModelSettings(embedding=4, hidden=6, layers=2)
    model = new_language_model(network, both.old.size, FinetuneSettings())
    take_rows(model, rows_of(both.old.pieces, both.new.pieces), parts_of(both.old, both.new))
    save(tmp_path / "bundle", Bundle("language_model", network, model, both.new), "")
    back = load(tmp_path / "bundle")
    assert back.vocab.hash == both.new.hash and back.vocab.facts["settings"]["extends"] == both.old.hash
    assert torch.equal(back.model.encoder.embedding, model.encoder.embedding)
