"""The network does what the papers say: dropouts, tying, state, pooling without influence of batch mates."""

import copy
import threading

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn import functional as F

from ulmfit_core.inference.predictor import class_scores
from ulmfit_core.models.awd_lstm import AwdLstm, WeightDropLSTM, detach
from ulmfit_core.models.classifier import Classifier, Head
from ulmfit_core.models.dropout import Dropouts, dropout, locked_dropout, unknown_noise, word_mask
from ulmfit_core.models.language_model import LanguageModel, LanguageOutput, activation_penalty

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


def assert_rate(mask, p):
    """A mask of n independent entries has the rate `p` within 4 standard errors, and the scale 1/(1-p)."""
    kept = mask[mask != 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / (1 - p)))
    assert (mask == 0).double().mean() == pytest.approx(p, abs=4 * (p * (1 - p) / mask.numel()) ** 0.5)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.5])
def test_dropout_has_the_papers_rate_and_scale(p):
    assert_rate(dropout(torch.ones(200, 50, 20), p, rng()), p)


@pytest.mark.parametrize("p", [0.05, 0.4])
def test_elements_are_dropped_independently_of_their_neighbours(p):
    """Four of a mask's elements come from one number drawn: how many of the four are dropped is binomial."""
    dropped = (dropout(torch.ones(100_000, 4), p, rng()) == 0).double()
    four = dropped.sum(1)
    assert four.var().item() == pytest.approx(4 * p * (1 - p), rel=0.02)
    assert dropped.mean(0).numpy() == pytest.approx([p] * 4, abs=4 * (p * (1 - p) / 100_000) ** 0.5)
    assert not torch.equal(dropped[1:], dropped[:-1])


@pytest.mark.parametrize("p", [0.05, 0.4])
def test_locked_dropout_has_one_mask_for_all_time_steps(p):
    dropped = locked_dropout(torch.ones(64, 30, 400), p, rng())
    assert (dropped == dropped[:, :1]).all()
    assert_rate(dropped[:, 0], p)
    assert not torch.equal(dropped[0], dropped[1])


@pytest.mark.parametrize("p", [0.05, 0.25])
def test_embedding_dropout_drops_whole_words_wherever_they_stand(p):
    ids = torch.cat([torch.arange(2000).view(20, 100), torch.randint(0, 2000, (20, 100), generator=rng())])
    factor = word_mask(torch.empty(2000, 4), ids, p, rng())
    by_word = factor[:20].flatten()
    assert_rate(by_word, p)
    assert torch.equal(factor.squeeze(-1), by_word[ids])


def test_embedding_dropout_leaves_the_tied_decoder_whole():
    model = LanguageModel(encoder(Dropouts(embedding=0.9)))
    ids = torch.randint(0, 50, (3, 9), generator=rng())
    output = model(ids, model.encoder.initial_state(3), rng(1))
    dropped_words = word_mask(model.encoder.embedding, ids, 0.9, rng(1)) == 0
    assert dropped_words.any()
    assert torch.equal(output.logits, F.linear(output.dropped, model.encoder.embedding, model.bias))


def test_the_five_dropouts_are_scaled_together_and_stay_below_one():
    assert ALL.scaled(0.5) == Dropouts(0.05, 0.15, 0.15, 0.25, 0.2)
    assert max(vars(ALL.scaled(10)).values()) < 1


def test_noise_replaces_ordinary_tokens_at_its_rate():
    ids = torch.randint(0, 500, (200, 300), generator=rng())
    ordinary = torch.arange(500) >= 100
    noisy = unknown_noise(ids, ordinary, 7, 0.3, rng(1))
    special = ids < 100
    assert torch.equal(noisy[special], ids[special])
    changed = noisy[~special] != ids[~special]
    assert (noisy[~special][changed] == 7).all()
    assert changed.double().mean() == pytest.approx(0.3, abs=0.01)


def test_no_noise_draws_no_number():
    generator = rng(1)
    before = generator.get_state()
    ids = torch.randint(0, 50, (3, 9), generator=rng())
    assert unknown_noise(ids, torch.ones(50, dtype=torch.bool), 0, 0.0, generator) is ids
    assert torch.equal(before, generator.get_state())


def test_hidden_dropout_stands_between_layers_and_not_after_the_last():
    model = encoder(Dropouts(hidden=0.5))
    inputs = []
    for layer in model.layers:
        layer.register_forward_hook(lambda module, given, result: inputs.append(given[0]))
    output, _ = model(torch.randint(0, 50, (8, 9), generator=rng()), model.initial_state(8), rng(1))
    assert (inputs[0] != 0).all() and (output != 0).all()
    for between in inputs[1:]:
        gone = between == 0
        assert torch.equal(gone, gone[:, :1].expand_as(gone)) and gone[:, 0].float().mean() > 0.3
    one = AwdLstm(50, 12, 20, 1, Dropouts(hidden=0.9))
    one.reset(rng())
    ids = torch.randint(0, 50, (3, 9), generator=rng())
    assert torch.equal(one(ids, one.initial_state(3), rng(1))[0], one(ids, one.initial_state(3))[0])


def test_output_dropout_of_the_language_model_is_locked_over_time():
    model = LanguageModel(encoder(Dropouts(output=0.4)))
    output = model(torch.randint(0, 50, (200, 9), generator=rng()), model.encoder.initial_state(200), rng(1))
    mask = (output.dropped / output.raw).detach()
    assert torch.allclose(mask, mask[:, :1].expand_as(mask), atol=1e-5)
    assert_rate(mask[:, 0], 0.4)


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


def saved_and_loaded(model):
    fresh = AwdLstm(50, 12, 20, 3, model.drops)
    fresh.load_state_dict(safetensors.torch.load(safetensors.torch.save(dict(model.state_dict()))))
    return fresh


@pytest.mark.parametrize("way", [copy.deepcopy, lambda model: model.to(torch.float64), saved_and_loaded])
def test_the_raw_weight_survives_copies_moves_and_files(way):
    """The weight the optimizer holds is the one that is read, with a gradient, wherever the model has been."""
    model = encoder(Dropouts(weight=0.5))
    ids = torch.randint(0, 50, (3, 9), generator=rng())
    model(ids, model.initial_state(3), rng(3))  # a forward pass before must leave nothing stale behind
    model = way(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    before, _ = model(ids, model.initial_state(3))
    model(ids, model.initial_state(3), rng(3))[0].square().sum().backward()
    assert all(layer.weight_hh.is_leaf and layer.weight_hh.grad.abs().sum() > 0 for layer in model.layers)
    for layer in model.layers:
        layer.weight_ih.grad = layer.bias_ih.grad = layer.bias_hh.grad = None
    model.embedding.grad = None
    optimizer.step()
    assert not torch.equal(before, model(ids, model.initial_state(3))[0])


def test_weight_dropout_is_on_hidden_to_hidden_only_with_the_papers_rate_and_scale():
    layer = WeightDropLSTM(10, 200, 0.5)
    layer.reset(rng())
    x, state = torch.randn(4, 6, 10, generator=rng()), (torch.zeros(1, 4, 200), torch.zeros(1, 4, 200))
    output, _ = layer(x, state, rng(1))
    output.square().sum().backward()
    assert layer.weight_hh.grad.eq(0).float().mean() == pytest.approx(0.5, abs=0.01)
    assert not layer.weight_ih.grad.eq(0).any()
    masked = copy.deepcopy(layer)
    mask = dropout(torch.ones_like(layer.weight_hh), 0.5, rng(1))
    masked.weight_hh.data *= mask
    assert torch.equal(output, masked(x, state, None)[0])
    assert_rate(mask, 0.5)


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


def test_decoder_and_embedding_are_still_tied_after_a_load_and_a_move():
    model = LanguageModel(encoder())
    other = LanguageModel(encoder(vocabulary=50))
    other.encoder.embedding.data += 1
    model.load_state_dict(other.state_dict())
    model.to(torch.float64)
    ids = torch.randint(0, 50, (2, 5), generator=rng())
    output = model(ids, model.encoder.initial_state(2))
    assert torch.equal(output.logits, F.linear(output.raw, model.encoder.embedding, model.bias))
    output.logits.sum().backward()
    assert model.encoder.embedding.grad.abs().sum(1).min() > 0  # words that were not read learn as outputs


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


def test_penalties_of_half_precision_activations_are_float32():
    raw, dropped = (torch.randn(4, 9, 12, generator=rng(i)) for i in (0, 1))
    half = activation_penalty(LanguageOutput(raw, raw.bfloat16(), dropped.bfloat16(), []), 2, 1)
    same = activation_penalty(LanguageOutput(raw, raw.bfloat16().float(), dropped.bfloat16().float(), []), 2, 1)
    assert half.dtype == torch.float32 and torch.equal(half, same)


@pytest.mark.parametrize("max_length", [1400, 14, 3])
def test_batch_mates_do_not_change_a_documents_scores(max_length):
    model = classifier(max_length)
    documents = [torch.randint(0, 50, (n,), generator=rng(n)) for n in (1, 3, 7, 8, 30, 45, 300)]
    ids = torch.nn.utils.rnn.pad_sequence(documents, batch_first=True)
    lengths = torch.tensor([len(d) for d in documents])
    with torch.inference_mode():
        together = model(ids, lengths)
        alone = torch.cat([model(d[None], torch.tensor([len(d)])) for d in documents])
    assert torch.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("bptt", [1, 4, 100])
def test_the_state_is_carried_from_chunk_to_chunk_of_a_document(bptt):
    model = classifier()
    ids, lengths = torch.randint(0, 50, (3, 30), generator=rng()), torch.tensor([30, 17, 4])
    with torch.inference_mode():
        assert torch.allclose(model.pool(ids, lengths), model.pool(ids, lengths, bptt=bptt), atol=1e-6)


def test_the_state_is_detached_between_chunks():
    """The last position's gradient ends at the beginning of its chunk: 7 tokens each, 40 in all."""
    model = classifier()
    model.pool(torch.arange(40)[None], torch.tensor([40]))[:, :12].sum().backward()
    used = model.encoder.embedding.grad.abs().sum(1) > 0
    assert used.nonzero().flatten().tolist() == list(range(35, 40))


def test_padding_is_in_none_of_the_three_pools():
    model = classifier()
    ids = torch.randint(0, 50, (1, 12), generator=rng())
    with torch.inference_mode():
        pools = [model.pool(F.pad(ids, (0, 30), value=v), torch.tensor([12])) for v in (1, 33)]
        pools.append(model.pool(ids, torch.tensor([12])))
    assert torch.allclose(pools[0], pools[2], atol=1e-6) and torch.allclose(pools[1], pools[2], atol=1e-6)


def test_one_model_answers_several_threads_at_once():
    """No state lives in the module: what one thread reads does not reach another's answer. In the documents' order."""
    model = classifier()
    sets = [[np.random.default_rng([i, n]).integers(0, 50, n) for n in (3, 40, 11, 25)] for i in range(4)]
    alone = [class_scores(model, documents, 2) for documents in sets]
    together: dict[int, list[np.ndarray]] = {i: [] for i in range(4)}

    def answer(number):
        together[number] = [class_scores(model, sets[number], 2) for _ in range(20)]

    threads = [threading.Thread(target=answer, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(len(together[i]) == 20 for i in range(4))
    assert all(np.array_equal(scores, alone[i]) for i in range(4) for scores in together[i])
    single = np.concatenate([class_scores(model, [document], 2) for document in sets[0]])
    assert np.allclose(alone[0], single, atol=1e-6)


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
    ids, kept = torch.arange(40)[None] % 50, []
    model.encoder.register_forward_hook(lambda module, given, result: kept.append(result[0].requires_grad))
    model.pool(ids, torch.tensor([40])).sum().backward()
    assert kept == [False] * 4 + [True] * 2  # what is only read costs no memory
    used = model.encoder.embedding.grad.abs().sum(1) > 0
    assert not used[:28].any() and used[28:40].all()


def test_groups_are_ordered_from_the_bottom_up():
    assert [name for name, _ in LanguageModel(encoder()).groups()] == ["rnn1", "rnn2", "rnn3", "embedding+decoder"]
    assert [name for name, _ in classifier().groups()] == ["embedding", "rnn1", "rnn2", "rnn3", "head"]
