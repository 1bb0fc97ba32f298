"""What is looked at of each layer group is what happened to it, and looking changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ulmfit_core import device
from ulmfit_core.run import Run, read_steps
from ulmfit_core.training.group_norms import LOOK_EVERY, GroupNorms, columns


def two_groups():
    torch.manual_seed(1)
    lower, upper = nn.Linear(4, 3), nn.Linear(3, 2)
    return [("lower", list(lower.parameters())), ("upper", list(upper.parameters()))]


def norm(values):
    return float(torch.cat([value.detach().flatten() for value in values]).norm())


def test_the_gradient_is_the_whole_one_and_the_update_that_of_the_step():
    groups = two_groups()
    for parameter in [p for _, group in groups for p in group]:
        parameter.grad = torch.randn_like(parameter)
    norms = GroupNorms(groups)
    before = [[p.detach().clone() for p in group] for _, group in groups]
    gradients = [norm([p.grad for p in group]) for _, group in groups]
    norms.before(0)
    nn.utils.clip_grad_norm_(groups[0][1], 0.01)  # clipping comes after the look
    torch.optim.SGD([p for _, group in groups for p in group], lr=0.1).step()
    found = norms.after().tolist()
    pairs = [(group, olds) for (_, group), olds in zip(groups, before)]
    moved = [norm([new - old for new, old in zip(group, olds)]) / norm(olds) for group, olds in pairs]
    assert found[:2] == pytest.approx(gradients)
    assert found[2:] == pytest.approx(moved, rel=1e-5) and found[2] < found[3]


def test_a_frozen_group_and_a_step_in_between_are_zero():
    groups = two_groups()
    for parameter in groups[1][1]:
        parameter.grad = torch.ones_like(parameter)
    norms = GroupNorms(groups)
    norms.before(LOOK_EVERY)
    found = norms.after().tolist()
    assert found[0] == found[2] == found[3] == 0 and found[1] == pytest.approx(8**0.5), "nothing was updated"
    norms.before(LOOK_EVERY + 1)
    assert norms.after().tolist() == [0, 0, 0, 0]


def test_the_weights_keep_every_bit():
    groups = two_groups()
    for parameter in [p for _, group in groups for p in group]:
        parameter.grad = torch.randn_like(parameter)
    before = [(p.detach().clone(), p.grad.clone()) for _, group in groups for p in group]
    norms = GroupNorms(groups)
    norms.before(0)
    norms.after()
    assert all(
        torch.equal(p, old) and torch.equal(p.grad, gradient)
        for p, (old, gradient) in zip([p for _, group in groups for p in group], before)
    )


def test_a_log_of_an_earlier_version_goes_on_with_its_columns(tmp_path):
    old = Run(tmp_path)
    old.open_steps(["step", "loss", "seconds"])
    old.emit_step([1, 5, 10])
    old.close()
    new = Run(tmp_path)
    new.open_steps(["step", "loss", *columns(["head"]), "seconds"])
    new.emit_step([2, 4, 0.5, 0.25, 20])
    new.close()
    steps = read_steps(tmp_path / "steps.f32")
    assert steps.columns == ("step", "loss", "seconds")
    assert np.array(steps.values).tolist() == [[1, 5, 10], [2, 4, 20]]


@pytest.mark.skipif(torch.cuda.is_available(), reason="has an accelerator")
def test_without_an_accelerator_there_is_nothing_to_say_of_it():
    assert device.accelerator_figures() == ""
