"""Parts of image models: the same numbers as the plain form of the lesson, and an adversary that
teaches both sides.
"""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from musicvae_lite.config import load_config
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.medium import build_model
from musicvae_lite.core.random import Noise
from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.nn.discriminator import Adversary
from musicvae_lite.nn.kernels import Linear, convolve_few, enlarge_and_convolve, max_pool
from musicvae_lite.nn.likelihood import Bernoulli, Gaussian


def model_of(name, *changes):
    config = load_config(name, changes)
    return build_model(config, ImageCodec(**config.codec.model_dump(exclude={"kind"})))


def pictures(count=3, size=28, channels=1):
    return torch.rand((count, channels, size, size), generator=torch.Generator().manual_seed(0))


def lesson_forward(model, x):
    """The lesson's convolutional autoencoder, written out (lesson.md A1), with the weights
    of ours.
    """
    for layer in model.encoder.layers:
        x = F.max_pool2d(torch.relu(layer(x)), 2, ceil_mode=True)
    code = x
    first, second, third, last = model.decoder.layers
    x = F.interpolate(torch.relu(first(x)), scale_factor=2)
    x = F.interpolate(torch.relu(second(x)), scale_factor=2)
    x = torch.relu(F.conv2d(x, third.weight, third.bias))  # 16 to 14 pixels, without padding
    return code, torch.sigmoid(last(F.interpolate(x, scale_factor=2)))


def test_the_autoencoder_is_the_lessons():
    model, x = model_of("mnist-ae"), pictures()
    code, picture = lesson_forward(model, x)
    latent = model.encode(Batch(x, x)).latent
    assert code.shape == (3, 8, 4, 4)
    torch.testing.assert_close(latent.mean, code.flatten(1))
    torch.testing.assert_close(model.decode(latent.mean), picture, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.predict(latent.mean, Batch(x, x)), picture, atol=1e-5, rtol=0)


def test_the_super_resolver_sees_a_quarter_of_the_pixels():
    model = model_of("mnist-superres")
    small = pictures(size=14)
    latent = model.encode(Batch(small, pictures())).latent
    assert latent.mean.shape == (3, 128) and model.decode(latent.mean).shape == (3, 1, 28, 28)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (32, 20), (17, 30), (8, 8)])
def test_any_size_comes_back(height, width):
    sizes = [f"codec.height={height}", f"codec.width={width}"]
    model, x = model_of("mnist-ae", *sizes), torch.rand(2, 1, height, width)
    assert model.decode(model.encode(Batch(x, x)).latent.mean).shape == x.shape


def test_too_few_stages_are_told():
    with pytest.raises(UsageError, match="enlarge the code 2 times, to 16 pixels of 28"):
        model_of("mnist-ae", "model.decoder.channels=[8, 8]")


def test_enlarging_and_convolving_at_once_gives_the_same_numbers_and_gradients():
    layer, x = nn.Conv2d(3, 5, 3, padding=1), torch.randn(2, 3, 7, 4, requires_grad=True)
    ours, plain = enlarge_and_convolve(x, layer), layer(F.interpolate(x, scale_factor=2))
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=0)
    weights = torch.randn_like(plain)
    for result in (ours, plain):
        found = torch.autograd.grad((result * weights).sum(), [x, layer.weight], retain_graph=True)
        expected = torch.autograd.grad(
            (plain * weights).sum(), [x, layer.weight], retain_graph=True
        )
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(6, 8), (7, 4), (5, 5)])
def test_pooling_is_torchs(size):
    x = torch.randn(2, 3, *size, requires_grad=True)
    for wanted in (torch.contiguous_format, torch.channels_last):
        ours, plain = (
            max_pool(x.contiguous(memory_format=wanted)),
            F.max_pool2d(x, 2, ceil_mode=True),
        )
        assert torch.equal(ours, plain)
        weights = torch.randn_like(plain)
        gradients = [
            torch.autograd.grad((pooled * weights).sum(), x, retain_graph=True)[0]
            for pooled in (ours, plain)
        ]
        assert torch.equal(*gradients)


def test_likelihoods_are_what_their_names_say():
    outputs, target = torch.randn(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    plain = (
        -(target * F.logsigmoid(outputs) + (1 - target) * F.logsigmoid(-outputs)).flatten(1).sum(1)
    )
    torch.testing.assert_close(Bernoulli().nll(outputs, target), plain)
    normal = torch.distributions.Normal(torch.sigmoid(outputs), 0.3)
    torch.testing.assert_close(
        Gaussian(0.3).nll(outputs, target), -normal.log_prob(target).flatten(1).sum(1)
    )


def test_a_gaussian_of_variance_one_half_costs_the_squared_error():
    outputs, target = torch.randn(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    squared = (torch.sigmoid(outputs) - target).square().flatten(1).sum(1)
    nats = Gaussian(0.5**0.5).nll(outputs, target)
    torch.testing.assert_close(nats - squared, torch.full((2,), 16 * 0.5 * math.log(math.pi)))


def test_each_side_of_the_contest_has_its_own_gradient():
    adversary = Adversary(4, [8])
    z = torch.randn(16, 4, requires_grad=True)
    contest = adversary(z, Noise(0))
    contest.discriminator.backward(retain_graph=True)
    assert z.grad is None and all(p.grad is not None for p in adversary.parameters())
    before = [p.grad.clone() for p in adversary.parameters()]
    contest.encoder.backward()
    assert z.grad is not None and z.grad.abs().sum() > 0
    assert all(
        torch.equal(p.grad, old) for p, old in zip(adversary.parameters(), before, strict=True)
    )
    assert 0 <= contest.accuracy <= 1


def test_the_discriminator_learns_and_the_encoder_pushes_back():
    """Codes far from the prior are told apart; codes that may move end up where they cannot be."""
    torch.manual_seed(0)
    adversary = Adversary(2, [32, 32])
    codes = nn.Parameter(torch.randn(256, 2) * 0.2 + 3)
    told = []
    optimiser = torch.optim.Adam(
        [{"params": adversary.parameters(), "lr": 1e-2}, {"params": [codes], "lr": 0.0}]
    )
    for step in range(400):
        if step == 100:
            optimiser.param_groups[1]["lr"] = 5e-2
        contest = adversary(codes, Noise(step))
        optimiser.zero_grad()
        (contest.discriminator + contest.encoder).backward()
        optimiser.step()
        told.append(float(contest.accuracy))
    assert told[99] > 0.95
    assert sum(told[-20:]) / 20 < 0.8
    assert codes.mean().abs() < 1


def test_a_conditional_model_wants_the_class():
    model, x = model_of("mnist-cvae"), pictures(2)
    classes = torch.eye(10)[[3, 7]]
    z = model.encode(Batch(x, x, condition=classes)).latent.mean
    assert not torch.equal(
        model.decode(z, condition=classes), model.decode(z, condition=classes.flip(0))
    )
    with pytest.raises(ValueError, match="10 classes"):
        model.decode(z)


def test_a_convolutional_model_can_be_conditional_too():
    model = model_of("mnist-conv-vae", "model.classes=10")
    x, classes = pictures(2), torch.eye(10)[[3, 7]]
    assert not torch.equal(
        model.encode(Batch(x, x, condition=classes)).latent.mean,
        model.encode(Batch(x, x, condition=classes.flip(0))).latent.mean,
    )


def test_a_residual_model_starts_from_the_enlarged_input():
    changes = ["model.residual=true", "model.likelihood=gaussian"]
    model, small = model_of("mnist-superres", *changes), pictures(size=14)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.zero_()
    enlarged = F.interpolate(small, size=(28, 28), mode="bicubic", align_corners=False).clamp(0, 1)
    batch = Batch(small, pictures())
    torch.testing.assert_close(model.predict(model.encode(batch).latent.mean, batch), enlarged)


@pytest.mark.parametrize("planes", [1, 3, 4])
def test_convolving_few_planes_gives_the_same_numbers_and_gradients(planes):
    torch.manual_seed(0)
    layer, x = nn.Conv2d(planes, 5, 3, padding=1), torch.randn(2, planes, 6, 9)
    results = [convolve_few(x, layer), layer(x)]
    gradients = [
        torch.autograd.grad(result.square().sum(), list(layer.parameters())) for result in results
    ]
    torch.testing.assert_close(*results)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("inputs", [2, 40])
def test_linear_layers_give_torchs_numbers_and_gradients(inputs):
    torch.manual_seed(0)
    ours, x = Linear(inputs, 30), torch.randn(5, inputs, requires_grad=True)
    results = [ours(x), F.linear(x, ours.weight, ours.bias)]
    gradients = [
        torch.autograd.grad(result.square().sum(), [x, *ours.parameters()]) for result in results
    ]
    torch.testing.assert_close(*results)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)
