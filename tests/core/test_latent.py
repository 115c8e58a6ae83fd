import math

import numpy as np
import pytest
import torch

from musicvae_lite.core.latent import Latent, active_units, along, grid, interpolate, towards
from musicvae_lite.core.random import Noise


def test_kl_is_that_of_torch_distributions():
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    log_scale = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, log_scale.exp()), normal(0.0, 1.0))
    torch.testing.assert_close(Latent(mean, log_scale).kl(), expected)


def test_kl_of_the_prior_is_zero_and_a_point_has_none():
    zeros = torch.zeros(2, 3)
    assert Latent(zeros, zeros).kl().abs().max() == 0
    assert Latent(torch.ones(2, 3)).kl().abs().max() == 0


def test_samples_have_the_posterior_moments():
    mean, log_scale = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, -1.0]])
    latent = Latent(mean.expand(40_000, 2), log_scale.expand(40_000, 2))
    z = latent.sample(Noise(1))
    torch.testing.assert_close(z.mean(0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(z.std(0), log_scale[0].exp(), atol=0.03, rtol=0)


def test_sampling_is_repeatable_and_a_point_samples_itself():
    latent = Latent(torch.zeros(3, 4), torch.zeros(3, 4))
    draws = [latent.sample(Noise(5)) for _ in range(2)]
    assert torch.equal(*draws)
    point = Latent(torch.randn(3, 4))
    assert torch.equal(point.sample(Noise(0)), point.mean)
    assert point.scale.abs().max() == 0


def test_gradients_reach_mean_and_scale():
    mean, log_scale = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    Latent(mean, log_scale).sample(Noise(0)).square().sum().backward()
    assert mean.grad is not None and log_scale.grad is not None
    assert log_scale.grad.abs().sum() > 0


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="differ in shape"):
        Latent(torch.zeros(2, 3), torch.zeros(2, 4))


def test_slerp_keeps_the_length_and_divides_the_angle_evenly():
    a, b = torch.tensor([3.0, 0, 0]), torch.tensor([0, 3.0, 0])
    points = interpolate(a, b, 7)
    torch.testing.assert_close(points.norm(dim=1), torch.full((7,), 3.0))
    cosines = torch.nn.functional.cosine_similarity(points[:-1], points[1:], dim=1)
    torch.testing.assert_close(cosines, torch.full((6,), math.cos(math.pi / 12)))


def test_slerp_equals_the_closed_form_between_lengths():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    middle = interpolate(a, b, 3)[1]
    torch.testing.assert_close(middle, torch.full((2,), 2 * math.sqrt(0.5)))


def test_lerp_is_the_straight_line():
    torch.testing.assert_close(
        interpolate(torch.tensor([0.0, 2.0]), torch.tensor([4.0, 0.0]), 5, "lerp"),
        torch.tensor([[0.0, 2.0], [1, 1.5], [2, 1], [3, 0.5], [4, 0]]),
    )


@pytest.mark.parametrize("path", ["slerp", "lerp"])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0], [2.0, 4.0]),
        ([1.0, 2.0], [-1.0, -2.0]),
        ([1.0, 2.0], [-1.0, -2.000001]),
        ([0.0, 0.0], [1.0, 2.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([1e-30, 0.0], [0.0, 1e30]),
    ],
)
def test_ends_are_exact_and_nothing_is_nan(a, b, path):
    start, end = torch.tensor(a), torch.tensor(b)
    points = interpolate(start, end, 9, path)
    assert torch.equal(points[0], start) and torch.equal(points[-1], end)
    assert torch.isfinite(points).all()
    assert torch.equal(interpolate(start, end, 1, path), start.unsqueeze(0))


def test_arrays_give_an_array():
    a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    points = interpolate(a, b, 3)
    assert isinstance(points, np.ndarray)
    np.testing.assert_array_equal(
        points, interpolate(torch.from_numpy(a), torch.from_numpy(b), 3).numpy()
    )


def test_interpolate_refuses_no_steps_and_unequal_sizes():
    with pytest.raises(ValueError, match="at least 1"):
        interpolate(torch.zeros(2), torch.zeros(2), 0)
    with pytest.raises(ValueError, match="one size"):
        interpolate(torch.zeros(2), torch.zeros(3), 2)


def test_active_units_counts_dimensions_that_vary():
    means = torch.zeros(100, 4)
    means[:, 1] = torch.linspace(-1, 1, 100)
    means[:, 3] = 0.05 * torch.linspace(-1, 1, 100)  # variance below the threshold
    assert active_units(means) == 1
    assert active_units(means[:1]) == 0


def test_a_grid_has_its_corners_exactly_and_paths_between_paths():
    corners = Noise(4).normal((4, 6), torch.device("cpu"))
    points = grid(corners, 3, 5)
    assert points.shape == (3, 5, 6)
    assert torch.equal(
        torch.stack([points[0, 0], points[0, -1], points[-1, 0], points[-1, -1]]), corners
    )
    left, right = interpolate(corners[0], corners[2], 3), interpolate(corners[1], corners[3], 3)
    assert torch.equal(points[1], interpolate(left[1], right[1], 5))
    flat = grid(corners, 3, 3, "lerp")
    torch.testing.assert_close(flat[1, 1], corners.mean(0))
    assert torch.isfinite(grid(torch.zeros(4, 2), 2, 2)).all()
    with pytest.raises(ValueError, match="corners"):
        grid(corners[:3], 3, 3)


def test_points_along_and_towards():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    points = along(a, b, torch.tensor([0.0, 0.5, 1.0]))
    assert torch.equal(points[[0, 2]], torch.stack([a, b]))
    torch.testing.assert_close(points[1], torch.full((2,), math.sqrt(0.5)))
    draws = Noise(1).normal((5, 2), torch.device("cpu"))
    assert torch.equal(towards(draws, b, 0.0), draws) and torch.equal(
        towards(draws, b, 1.0), b.expand(5, 2)
    )
