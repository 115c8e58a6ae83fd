"""The likelihood of grooves, and decoding with a part given."""

import math

import pytest
import torch

from musicvae_lite.config import load_config
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.medium import build_model
from musicvae_lite.core.random import Noise
from musicvae_lite.nn.likelihood import Groove
from tests.config.test_presets import grooves, reduced


@pytest.fixture
def target():
    return grooves(
        build_codec(load_config("groove-2bar").codec.model_dump()), torch.Generator().manual_seed(0)
    )


def test_nats_are_those_of_bernoulli_and_normal_variables_but_for_a_constant(target):
    outputs = torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
    logits, velocity, offset = outputs.chunk(3, -1)
    hit, true_velocity, true_offset = target.chunk(3, -1)
    lit = torch.distributions.Bernoulli(logits=logits).log_prob(hit)
    for scales in ((0.1, 0.3), (0.5**0.5, 0.5**0.5)):
        normal = torch.distributions.Normal
        rest = normal(torch.sigmoid(velocity), scales[0]).log_prob(true_velocity)
        rest = rest + normal(torch.tanh(offset), scales[1]).log_prob(true_offset)
        rest = rest + sum(math.log(scale * math.sqrt(2 * math.pi)) for scale in scales)
        torch.testing.assert_close(
            Groove(9, *scales).nll(outputs, target), -(lit + rest).sum(-1), rtol=1e-4, atol=1e-3
        )
        torch.testing.assert_close(
            Groove(9, *scales, hits_only=True).nll(outputs, target),
            -(lit + rest * hit).sum(-1),
            rtol=1e-4,
            atol=1e-3,
        )


def test_only_hits_are_drawn():
    outputs = torch.zeros(2000, 27)
    likelihood = Groove(9)
    drawn = likelihood.sample(outputs, 1.0, Noise(0))
    assert drawn[:, :9].mean().item() == pytest.approx(0.5, abs=0.02)
    assert (drawn[:, 9:18] == 0.5).all() and (drawn[:, 18:] == 0).all()
    assert not likelihood.sample(outputs, 0.0, None)[:, :9].any()
    outputs[:, :9] = 1
    cold, hot = (likelihood.sample(outputs, t, Noise(0))[:, :9].mean().item() for t in (0.1, 10.0))
    assert cold > 0.99 and hot == pytest.approx(torch.sigmoid(torch.tensor(0.1)).item(), abs=0.02)
    with pytest.raises(ValueError, match="noise"):
        likelihood.sample(outputs, 1.0, None)


def test_what_is_given_stays_and_no_hit_has_no_velocity():
    likelihood = Groove(9, hits_only=True)
    given = torch.full((1, 27), torch.nan)
    given[0, :9] = torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0, 1])
    step = likelihood.sample(torch.ones(1, 27), 0.0, None, given)
    assert torch.equal(step[0, :9], given[0, :9]) and (step[0, 9:18] > 0).tolist() == [
        True,
        *[False] * 7,
        True,
    ]


@pytest.mark.parametrize("preset", ["groove-2bar", "groovae_2bar_humanize"])
def test_decoding_with_hits_given(preset, target):
    config = reduced(preset)
    model = build_model(config, build_codec(config.codec.model_dump())).eval()
    given = torch.full_like(target, torch.nan)
    given[..., :9] = target[..., :9]
    z = torch.randn(4, model.latent_size, generator=torch.Generator().manual_seed(2))
    heard = model.decode(z, 32, given=given)
    assert torch.equal(heard[..., :9], target[..., :9])
    # The steps before are heard as they were given: teacher forcing with the result says the same.
    logits = model.logits(z, Batch(heard, heard))
    hit = target[..., :9] > 0
    torch.testing.assert_close(heard[..., 9:18][hit], torch.sigmoid(logits[..., 9:18])[hit])


def test_only_grooves_can_be_given():
    config = reduced("mel-2bar")
    model = build_model(config, build_codec(config.codec.model_dump()))
    with pytest.raises(ValueError, match="groove"):
        model.decode(torch.zeros(1, 6), 32, given=torch.zeros(1, 32, 1))
