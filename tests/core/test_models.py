"""The network does what the papers say: dropouts, tying, state, pooling without influence of batch mates."""

import copy

import pytest
import torch

from ulmfit_core.models.awd_lstm import AwdLstm, detach
from ulmfit_core.models.classifier import Classifier, Head
from ulmfit_core.models.dropout import Dropouts, dropout, locked_dropout, word_mask
from ulmfit_core.models.language_model import LanguageModel, activation_penalty

NONE = Dropouts()
ALL = Dropouts(0.1, 0.3, 0.3, 0.5, 0.4)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def encoder(drops=NONE, vocabulary=50):
    model = AwdLstm(vocabulary, 12, 20, 3, drops)
    model.reset(rng())
    return model


def classifier(max_length=1400, bptt=7):
    head = Head(36, 10, 3, (0.0, 0.0))
    head.reset(rng(1))
    return Classifier(encoder(), head, bptt, max_length).eval()


def test_dropout_keeps_the_mean_and_the_rate():
    x = torch.ones(200, 50, 20)
    dropped = dropout(x, 0.3, rng())
    assert dropped.mean() == pytest.approx(1.0, abs=0.01)
    assert (dropped == 0).float().mean() == pytest.approx(0.3, abs=0.01)


def test_locked_dropout_has_one_mask_for_all_time_steps():
    dropped = locked_dropout(torch.ones(64, 30, 40), 0.4, rng())
    assert (dropped == dropped[:, :1]).all()
    assert (dropped[:, 0] == 0).float().mean() == pytest.approx(0.4, abs=0.03)


def test_embedding_dropout_drops_whole_words_wherever_they_stand():
    ids = torch.randint(0, 500, (8, 100), generator=rng())
    factor = word_mask(torch.empty(500, 4), ids, 0.25, rng())
    for word in ids.unique():
        assert len(factor[ids == word].unique()) == 1
    assert factor.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert (factor == 0).float().mean() == pytest.approx(0.25, abs=0.06)


def test_nothing_is_dropped_without_a_generator():
    model = encoder(ALL)
    ids = torch.randint(0, 50, (3, 9), generator=rng())
    first, second = (model(ids, model.initial_state(3))[0] for _ in range(2))
    assert torch.equal(first, second)


def test_weight_dropout_trains_the_raw_weight_with_a_new_mask_each_time():
    model = copy.deepcopy(encoder(Dropouts(weight=0.5)))
    ids = torch.randint(0, 50, (3, 9), generator=rng())
    generator = rng(3)
    first, second = (model(ids, model.initial_state(3), generator)[0] for _ in range(2))
    assert not torch.equal(first, second)
    second.sum().backward()
    for layer in model.layers:
        assert layer.weight_hh.grad.abs().sum() > 0


def test_training_leaves_the_process_wide_generator_alone():
    before = torch.get_rng_state()
    model = LanguageModel(encoder(ALL))
    output = model(torch.randint(0, 50, (3, 9), generator=rng()), model.encoder.initial_state(3), rng(1))
    output.logits.sum().backward()
    assert torch.equal(before, torch.get_rng_state())


def test_decoder_and_embedding_are_one_tensor():
    model = LanguageModel(encoder())
    names = [name for name, _ in model.named_parameters()]
    assert "encoder.embedding" in names and not any("decoder" in name for name in names)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for _, group in model.groups() for p in group)


def test_the_number_of_parameters_is_fastais():
    model = LanguageModel(AwdLstm(60_008, 400, 1152, 3, NONE))
    assert sum(p.numel() for p in model.parameters()) == 44_336_488
    two_classes = Classifier(model.encoder, Head(1200, 50, 2, (0, 0)), 70, 1400)
    assert sum(p.numel() for p in two_classes.parameters()) == 44_339_080


def test_the_state_carries_the_text_before():
    model = encoder()
    ids = torch.randint(0, 50, (2, 20), generator=rng())
    whole, _ = model(ids, model.initial_state(2))
    first, state = model(ids[:, :8], model.initial_state(2))
    second, _ = model(ids[:, 8:], detach(state))
    assert torch.allclose(whole, torch.cat([first, second], 1), atol=1e-6)


def test_penalties_are_the_formulas():
    model = LanguageModel(encoder(ALL))
    output = model(torch.randint(0, 50, (2, 9), generator=rng()), model.encoder.initial_state(2), rng(1))
    ar = 2 * (output.dropped**2).mean()
    tar = ((output.raw[:, 1:] - output.raw[:, :-1]) ** 2).mean()
    assert float(activation_penalty(output, 2, 1).detach()) == pytest.approx(float((ar + tar).detach()))


@pytest.mark.parametrize("max_length", [1400, 14])
def test_batch_mates_do_not_change_a_documents_scores(max_length):
    model = classifier(max_length)
    documents = [torch.randint(0, 50, (n,), generator=rng(n)) for n in (1, 3, 7, 8, 30, 45)]
    ids = torch.nn.utils.rnn.pad_sequence(documents, batch_first=True)
    lengths = torch.tensor([len(d) for d in documents])
    with torch.inference_mode():
        together = model(ids, lengths)
        alone = torch.cat([model(d[None], torch.tensor([len(d)])) for d in documents])
    assert torch.allclose(together, alone, atol=1e-6)


def test_pooling_is_last_max_mean():
    model = classifier()
    ids = torch.randint(0, 50, (1, 20), generator=rng())
    with torch.inference_mode():
        output, _ = model.encoder(ids, model.encoder.initial_state(1))
        pooled = model.pool(ids, torch.tensor([20]))
    expected = torch.cat([output[:, -1], output.amax(1), output.mean(1)], 1)
    assert torch.allclose(pooled, expected, atol=1e-6)


def test_only_the_end_of_a_long_document_gets_gradient():
    model = classifier(max_length=14)
    ids = torch.arange(40)[None] % 50
    model.pool(ids, torch.tensor([40])).sum().backward()
    used = model.encoder.embedding.grad.abs().sum(1) > 0
    assert not used[:28].any() and used[28:40].all()


def test_groups_are_ordered_from_the_bottom_up():
    assert [name for name, _ in LanguageModel(encoder()).groups()] == ["rnn1", "rnn2", "rnn3", "embedding+decoder"]
    assert [name for name, _ in classifier().groups()] == ["embedding", "rnn1", "rnn2", "rnn3", "head"]
