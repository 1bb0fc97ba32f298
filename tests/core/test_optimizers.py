"""The optimizers step by hand, their state over unfreezing and checkpoints, and the average of NT-ASGD."""

import functools
import math

import pytest
import torch
from torch import nn

from tests.core.toy import ToyStage, toy_settings
from ulmfit_core import config
from ulmfit_core.catalog import OPTIMIZERS
from ulmfit_core.run import Run
from ulmfit_core.training import optimizers
from ulmfit_core.training.averaging import Average, has_stalled
from ulmfit_core.training.trainer import Trainer

MATRIX, VECTOR = [[0.5, -2.0], [1.0, 4.0]], [3.0, -1.0]
GRADIENT = [[0.1, 0.2], [-0.3, 0.4]]


def one_group(optimizer, **changes):
    """A matrix, a vector, and the optimizer of that name over both."""
    matrix, vector = nn.Parameter(torch.tensor(MATRIX)), nn.Parameter(torch.tensor(VECTOR))
    settings = config.StageSettings(optimizer=optimizer, momentum=0.7, beta2=0.99, **changes)
    return matrix, vector, optimizers.make_optimizer([("all", [matrix, vector])], settings)


def step(made, rate=0.1, momentum=0.7, decay=0.5):
    matrix, vector, optimizer = made
    matrix.grad, vector.grad = torch.tensor(GRADIENT), torch.tensor([0.0, 0.2])
    optimizers.set_rates(optimizer, [rate], momentum, decay)
    optimizer.step()
    return matrix.detach().flatten().tolist()


def flat(rows):
    return [value for row in rows for value in row]


def adam_step(gradient, first=0.7, second=0.99):
    """Adam's first move of one weight at rate 1 (Kingma & Ba 2015, algorithm 1), written out."""
    m, v = (1 - first) * gradient, (1 - second) * gradient**2
    return (m / (1 - first)) / (math.sqrt(v / (1 - second)) + 1e-7)


def test_adamw_takes_the_decay_from_the_weight_itself():
    expected = [w * (1 - 0.1 * 0.5) - 0.1 * adam_step(g) for w, g in zip(flat(MATRIX), flat(GRADIENT), strict=True)]
    assert step(one_group("adamw")) == pytest.approx(expected, rel=1e-6)


def test_adam_takes_the_decay_into_the_gradient():
    expected = [w - 0.1 * adam_step(g + 0.5 * w) for w, g in zip(flat(MATRIX), flat(GRADIENT), strict=True)]
    made = step(one_group("adam"))
    assert made == pytest.approx(expected, rel=1e-6)
    # The size of the decay hardly matters in a first step: only the gradient's sign does.
    assert [abs(w - new) for w, new in zip(flat(MATRIX), made, strict=True)] == pytest.approx([0.1] * 4, rel=1e-4)


@pytest.mark.parametrize("name", ["sgd", "nt_asgd"])
def test_sgd_has_momentum_and_decay_in_the_gradient(name):
    made = one_group(name)
    first = [g + 0.5 * w for w, g in zip(flat(MATRIX), flat(GRADIENT), strict=True)]
    weights = [w - 0.1 * b for w, b in zip(flat(MATRIX), first, strict=True)]
    assert step(made) == pytest.approx(weights, rel=1e-6)
    second = [0.9 * b + g + 0.5 * w for b, w, g in zip(first, weights, flat(GRADIENT), strict=True)]
    weights = [w - 0.2 * b for w, b in zip(weights, second, strict=True)]
    assert step(made, rate=0.2, momentum=0.9) == pytest.approx(weights, rel=1e-6)


# Against torch's own, one operation after another

PLAIN = {
    "adamw": functools.partial(torch.optim.AdamW, betas=(0.7, 0.99), eps=1e-7),
    "adam": functools.partial(torch.optim.Adam, betas=(0.7, 0.99), eps=1e-7),
    "sgd": functools.partial(torch.optim.SGD, momentum=0.7),
}


def random_weights(rng):
    return nn.Parameter(torch.randn(50, 37, generator=rng))


def plain_and_ours(name):
    """The same weights under torch's optimizer, not fused, and under ours; `advance` takes a step of both."""
    rng = torch.Generator().manual_seed(0)
    theirs = random_weights(rng)
    ours = nn.Parameter(theirs.detach().clone())
    plain = PLAIN[name]([theirs], lr=0.01, weight_decay=0.1, foreach=False, fused=False)
    settings = config.StageSettings(optimizer=name, momentum=0.7, beta2=0.99)
    made = optimizers.make_optimizer([("all", [ours])], settings)
    optimizers.set_rates(made, [0.01], 0.7, 0.1)

    def advance(both=True):
        theirs.grad = torch.randn(theirs.shape, generator=rng)
        ours.grad = theirs.grad.clone()
        plain.step()
        if both:
            made.step()

    return theirs, plain, ours, made, advance


@pytest.mark.parametrize("name", PLAIN)
def test_fused_steps_are_those_of_torch_one_operation_after_another(name):
    theirs, _, ours, made, advance = plain_and_ours(name)
    for _ in range(30):
        advance()
    assert made.defaults["fused"]
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PLAIN)
def test_moments_of_an_optimizer_that_was_not_fused_can_be_gone_on_from(name):
    """Checkpoints from before."""
    theirs, plain, ours, made, advance = plain_and_ours(name)
    for _ in range(5):
        advance(both=False)
    ours.data.copy_(theirs)
    optimizers.restore_moments(made, {key: value.clone() for key, value in optimizers.moments(plain).items()})
    for _ in range(5):
        advance()
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    if name != "sgd":
        assert optimizers.moments(made)["0.step"] == 10


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_forbidden_step_touches_neither_weights_nor_moments(name, before):
    free, held = one_group(name), one_group(name)
    for _ in range(before):
        step(free)
        step(held)
    matrix, vector, optimizer = held
    matrix.grad, vector.grad = torch.full_like(matrix, math.nan), torch.full_like(vector, math.inf)
    optimizers.step_unless(torch.tensor(1.0), optimizer)
    assert torch.equal(matrix, free[0]) and torch.equal(vector, free[1])
    for made in (free, held):
        made[0].grad, made[1].grad = torch.tensor(GRADIENT), torch.tensor([0.0, 0.2])
        optimizers.set_rates(made[2], [0.1], 0.7, 0.5)
        optimizers.step_unless(torch.tensor(0.0), made[2])
    assert torch.equal(matrix, free[0]) and torch.equal(vector, free[1])
    expected = optimizers.moments(free[2])
    assert expected and all(torch.equal(value, expected[key]) for key, value in optimizers.moments(optimizer).items())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_biases_and_norms_never_decay(name):
    decayed, plain = one_group(name), one_group(name)
    for _ in range(3):
        step(decayed, decay=0.5)
        step(plain, decay=0.0)
    assert torch.equal(decayed[1], plain[1]) and not torch.equal(decayed[0], plain[0])
    assert decayed[1][0] == VECTOR[0]  # no gradient, no decay: not moved at all


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_comes_back_from_a_checkpoint_bit_for_bit(name):
    first, second = one_group(name), one_group(name)
    for _ in range(3):
        step(first)
    saved = {key: value.clone() for key, value in optimizers.moments(first[2]).items()}
    assert saved
    with torch.no_grad():
        second[0].copy_(first[0])
        second[1].copy_(first[1])
    optimizers.restore_moments(second[2], saved)
    for momentum in (0.7, 0.8):
        step(first, momentum=momentum)
        step(second, momentum=momentum)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_frozen_groups_do_not_move_and_unfreezing_keeps_the_state_of_the_others(tmp_path, name):
    """Phases: head, then middle and head. The head's count of steps goes on, the middle's begins."""
    phases = [config.PhaseSettings(groups=top, lr_max=0.01, schedule="constant") for top in (1, 2)]
    stage = ToyStage(toy_settings(optimizer=name, phases=phases))
    start = [parameter.detach().clone() for parameter in stage.model.parameters()]
    trainer = Trainer(stage, Run(), tmp_path, torch.device("cpu"))
    states = []
    stage.after_epoch = lambda epoch, run: states.append(
        {key: value.clone() for key, value in optimizers.moments(trainer.optimizer).items()}
    )
    trainer.fit()
    below, middle = start[:2], start[2:4]
    now = list(stage.model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(below, now[:2], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(middle, now[2:4], strict=True))
    head = {key for key in states[0] if int(key.split(".")[0]) >= 4}
    assert set(states[0]) == head and head < set(states[1])  # 4 and 5 are the head's weight and bias
    if name != "sgd":
        steps = {key: float(value) for key, value in states[1].items() if key.endswith(".step")}
        assert steps == {"2.step": 5, "3.step": 5, "4.step": 10, "5.step": 10}


def test_a_group_alone_trains_alone_and_keeps_its_place_in_the_ladder(tmp_path):
    rows = [config.PhaseSettings(groups=2, alone=True, lr_max=0.01, schedule="constant")]
    stage = ToyStage(toy_settings(phases=rows, layer_factor=2.6))
    start = [parameter.detach().clone() for parameter in stage.model.parameters()]
    trainer = Trainer(stage, Run(), tmp_path, torch.device("cpu"))
    assert trainer.plan.rates(0) == [0.0, pytest.approx(0.01 / 2.6), 0.0]
    trainer.fit()
    moved = [not torch.equal(a, b) for a, b in zip(start, stage.model.parameters(), strict=True)]
    assert moved == [False, False, True, True, False, False]


# NT-ASGD


@pytest.mark.parametrize(
    "losses, nonmono, expected",
    [
        ([5, 4, 3, 2, 1, 6], 5, False),  # five before the newest: too few
        ([5, 4, 3, 2, 1, 0.5, 6], 5, True),  # worse than 5, the best of all but the last five
        ([5, 4, 3, 2, 1, 0.5, 4.5], 5, False),  # worse than the last five, better than 5
        ([5, 4, 3, 2, 1, 0.5, 5], 5, False),  # equal is not worse
        ([5, 4, 3, 2, 1, 0.5, 0.4, 4.5], 5, True),  # now 4 counts too
        ([3, 2, 4], 1, True),
        ([3, 2, 2.5], 1, False),
        ([3, 4], 1, False),
        ([3], 1, False),
    ],
)
def test_averaging_begins_when_a_validation_is_worse_than_the_best_of_all_but_the_last(losses, nonmono, expected):
    assert has_stalled(losses, nonmono) is expected


def test_the_average_is_that_of_torch_asgd():
    """torch's ASGD with t0 = 0 leaves the first step out of its average; from the second on both are the same."""
    ours, theirs = (nn.Parameter(torch.tensor([1.0, 2.0, 3.0])) for _ in range(2))
    sgd = torch.optim.SGD([ours], lr=0.1)
    asgd = torch.optim.ASGD([theirs], lr=0.1, t0=0, lambd=0.0)
    average = Average([ours])
    for number in range(20):
        if number == 1:
            average.start()
        for weights, optimizer in ((ours, sgd), (theirs, asgd)):
            weights.grad = weights.detach() ** 2 - number * 0.1
            optimizer.step()
        average.update()
    assert torch.equal(ours, theirs)
    with average.in_place():
        assert torch.allclose(ours, asgd.state[theirs]["ax"], atol=1e-6)
        assert not torch.allclose(ours, theirs, atol=1e-3)


def test_the_raw_weights_come_back_bit_for_bit_also_after_an_error():
    weights = nn.Parameter(torch.randn(50, generator=torch.Generator().manual_seed(1)))
    average = Average([weights])
    average.start()
    for _ in range(3):
        with torch.no_grad():
            weights.mul_(1.1)
        average.update()
    raw = weights.detach().clone()
    with pytest.raises(KeyError), average.in_place():
        assert not torch.equal(weights, raw)
        raise KeyError
    assert torch.equal(weights, raw)


def test_an_average_that_has_not_begun_changes_nothing():
    weights = nn.Parameter(torch.ones(3))
    average = Average([weights])
    average.update()
    with average.in_place():
        assert torch.equal(weights, torch.ones(3))
    assert average.tensors() == {} and not average.started


def test_validation_sees_the_mean_of_the_weights_after_every_step_and_training_does_not(tmp_path):
    """Losses written out so that averaging begins after the fourth epoch (nonmono 2)."""
    valid = [5, 4, 3, 6, 2, 1]
    stages = {}
    for name in ("sgd", "nt_asgd"):
        stages[name] = ToyStage(toy_settings(optimizer=name, epochs=6, nonmono=2, momentum=0.5), valid=valid)
        Trainer(stages[name], Run(), tmp_path / name, torch.device("cpu")).fit()
    plain, averaged = stages["sgd"], stages["nt_asgd"]
    assert all(torch.equal(a, b) for a, b in zip(plain.seen, averaged.seen, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(plain.shown[:4], averaged.shown[:4], strict=True))
    after_steps = [*plain.seen[21:], plain.shown[5]]  # the weights after steps 21 to 30
    assert torch.allclose(averaged.shown[4], torch.stack(after_steps[:5]).mean(0), atol=1e-6)
    assert torch.allclose(averaged.shown[5], torch.stack(after_steps).mean(0), atol=1e-6)
    assert torch.equal(averaged.flat(), averaged.shown[5])  # the best epoch, the last, is the final model
