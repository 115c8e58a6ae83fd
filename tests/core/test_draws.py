"""The draws without torch are torch's."""

import numpy as np
import pytest
import torch

from musicvae_lite.core.draws import Draws
from musicvae_lite.core.random import Noise

CPU = torch.device("cpu")


@pytest.mark.parametrize("seed", [(0, 1), (7, 2), (2**62, 1, 96)])
@pytest.mark.parametrize("shape", [(1,), (3, 2), (2, 8), (2, 128), (5, 7), (32, 90)])
def test_draws_are_those_of_torch(seed, shape):
    noise, draws = Noise(*seed), Draws(*seed)
    for _ in range(3):
        assert np.array_equal(draws.uniform(shape), noise.uniform(shape, CPU).numpy())
        wanted = noise.normal(shape, CPU).numpy()
        np.testing.assert_allclose(draws.normal(shape), wanted, atol=2e-6)


def test_a_part_of_a_batch_draws_its_own_rows():
    part, whole = Draws(3, rows=32), Noise(3, world=8)
    for _ in range(2):
        assert np.array_equal(part.uniform((4, 5)), whole.uniform((4, 5), CPU).numpy())
