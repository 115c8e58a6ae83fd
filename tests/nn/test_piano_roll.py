"""The distribution of the keys of a step."""

import itertools

import pytest
import torch

from musicvae_lite.core.random import Noise
from musicvae_lite.nn.piano_roll import PianoInput, PianoRoll


@pytest.fixture
def roll():
    """Three keys, two loudnesses, weights that matter."""
    part = PianoRoll(3, 4, 2)
    generator = torch.Generator().manual_seed(0)
    for parameter in part.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return part


def steps_after(before):
    """All steps of three keys that can follow one."""
    keys = [(0, 1, 2, 3) if key else (0, 2, 3) for key in before.tolist()]
    return torch.tensor(list(itertools.product(*keys)))


def test_probabilities_of_what_can_follow_add_up_to_one(roll):
    outputs = torch.randn(1, 2, roll.size, generator=torch.Generator().manual_seed(1))
    for before in (torch.tensor([2, 0, 3]), torch.tensor([0, 0, 0])):
        follow = steps_after(before)
        target = torch.stack([before.expand(len(follow), 3), follow], 1)
        nats = roll.nll(outputs.expand(len(follow), 2, -1), target)
        assert torch.exp(-nats[:, 1]).sum().item() == pytest.approx(1, abs=1e-5)


def test_draws_have_the_probabilities_that_are_charged(roll):
    outputs = torch.randn(1, 2, roll.size, generator=torch.Generator().manual_seed(2))
    before = torch.tensor([2, 0, 3])
    count = 40_000
    drawn = roll.sample(outputs[:, 1].expand(count, -1), 1.0, Noise(5, 0), before.expand(count, 3))
    follow = steps_after(before)
    target = torch.stack([before.expand(len(follow), 3), follow], 1)
    charged = torch.exp(-roll.nll(outputs.expand(len(follow), 2, -1), target)[:, 1])
    found = (drawn.unsqueeze(1) == follow).all(-1).float().mean(0)
    assert found.sum() == 1
    torch.testing.assert_close(found, charged, atol=0.012, rtol=0)


def test_greedy_takes_the_likelier_value_key_by_key(roll):
    outputs = torch.randn(50, roll.size, generator=torch.Generator().manual_seed(3))
    before = torch.tensor([2, 1, 0]).expand(50, 3)
    step = roll.sample(outputs, 0.0, None, before)
    cold = roll.sample(outputs, 1e-6, Noise(1, 0), before)
    assert torch.equal(step, cold)
    assert not (step[:, 2] == 1).any()  # nothing sounded that could be held


def test_a_temperature_needs_noise(roll):
    with pytest.raises(ValueError, match="noise"):
        roll.sample(torch.zeros(1, roll.size), 1.0, None, torch.zeros(1, 3))


def test_what_a_network_sees_of_keys():
    seen = PianoInput(2, 4)(torch.tensor([[0, 1], [2, 3]]))
    assert seen.tolist() == [[0, 0, 0, 1, 0, 0], [1, 1, 1, 1, 0.25, 0.75]]
    part = PianoInput(2, 4, projected=5)
    assert part(part.none).tolist() == [0] * 5


def test_loudness_can_count_for_less(roll):
    outputs = torch.randn(2, 3, roll.size, generator=torch.Generator().manual_seed(4))
    soft, hard = torch.full((2, 3, 3), 2), torch.full((2, 3, 3), 3)
    whole = roll.nll(outputs, hard) - roll.nll(outputs, soft)  # of the loudness alone
    roll.loudness_weight = 0.25
    part = roll.nll(outputs, hard) - roll.nll(outputs, soft)
    torch.testing.assert_close(part, 0.25 * whole)
