"""One update: the same numbers as torch's own, by a shorter way."""

import math

import torch
from torch import nn

from musicvae_lite.config import RunConfig
from musicvae_lite.training.optimiser import adam_step, clip_gradients, make_optimiser, set_rate

CONFIG = RunConfig(name="test")


def layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(7, 5), nn.Conv2d(1, 2, 3))


def give_gradients(model, seed):
    noise = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=noise)


def test_an_update_is_adams():
    ours, torchs = layers(), layers()
    optimisers = [make_optimiser(model, CONFIG) for model in (ours, torchs)]
    for step in range(4):
        for model, optimiser in zip((ours, torchs), optimisers, strict=True):
            give_gradients(model, step)
            if step == 2:
                model[1].bias.grad = None  # nothing to learn from in this step
            set_rate(optimiser, 0.1 / (1 + step), 1e-8, step)
        adam_step(optimisers[0])
        optimisers[1].step()
        for mine, theirs in zip(ours.parameters(), torchs.parameters(), strict=True):
            assert torch.equal(mine, theirs)
            assert optimisers[0].state[mine]["step"] == optimisers[1].state[theirs]["step"]


def test_gradients_are_clipped_by_their_norm():
    model = layers()
    parameters = list(model.parameters())
    give_gradients(model, 0)
    parameters[2].grad = parameters[2].grad.contiguous(memory_format=torch.channels_last)
    expected = math.sqrt(sum(float(p.grad.double().square().sum()) for p in parameters))
    assert math.isclose(clip_gradients(parameters, 2.0, 1e4), expected, rel_tol=1e-5)
    assert math.isclose(clip_gradients(parameters, 2.0, 1e4), 2.0, rel_tol=1e-5)
    for bad in (1e30, math.nan):
        parameters[0].grad[0, 0] = bad
        assert not clip_gradients(parameters, 2.0, 1e4) < 1e4
        assert not any(p.grad.any() for p in parameters)
