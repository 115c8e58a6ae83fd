"""The latent space that every model shares: the posterior, and paths and directions between its
points.

Letters in shapes: B batch, Z latent size, L length of a latent sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.core import geometry
from musicvae_lite.core.geometry import Path as Path
from musicvae_lite.core.random import Noise
from musicvae_lite.core.validation import whole


class Posterior(Protocol):
    """What an encoder says of the code of each example: a distribution, a point, a codebook entry.

    Attributes:
        mean: the code that stands for the example, [B, Z] or [B, Z, L].
        scale: standard deviation about it, same shape; zeros where there is none.
    """

    @property
    def mean(self) -> Tensor:
        """Code that stands for the example, [B, Z] or [B, Z, L]."""
        ...

    @property
    def scale(self) -> Tensor:
        """Standard deviation about ``mean``, of its shape."""
        ...

    def sample(self, noise: Noise) -> Tensor:
        """Draw z, shape of ``mean``."""
        ...

    def penalties(self) -> dict[str, Tensor]:
        """Return what the code costs beside the reconstruction, by name with its unit.

        ``kl_nats`` [B, Z, ...] (the KL divergence to the prior, per dimension) is charged by beta
        and free bits; any other [B, ...] is added as it is.
        """
        ...


@dataclass(frozen=True)
class Latent:
    """A diagonal normal posterior q(z|x), or a point where there is no scale (a plain autoencoder).

    Attributes:
        mean: [B, Z] or [B, Z, L].
        log_scale: log of the standard deviation, same shape as ``mean``; None for a deterministic
            code.
    """

    mean: Tensor
    log_scale: Tensor | None = None

    def __post_init__(self) -> None:
        if self.log_scale is not None and self.log_scale.shape != self.mean.shape:
            shapes = f"{tuple(self.log_scale.shape)} and {tuple(self.mean.shape)}"
            raise ValueError(f"log_scale and mean differ in shape: {shapes}")

    @cached_property
    def scale(self) -> Tensor:
        """Standard deviation, same shape as the mean; zeros for a deterministic code."""
        return torch.zeros_like(self.mean) if self.log_scale is None else self.log_scale.exp()

    def sample(self, noise: Noise) -> Tensor:
        """Draw z = mean + scale * noise (reparameterisation, Kingma & Welling 2014), shape of
        ``mean``.
        """
        if self.log_scale is None:
            return self.mean
        return self.at(noise.normal(self.mean.shape, self.mean.device))

    def at(self, noise: Tensor) -> Tensor:
        """Return mean + scale * ``noise`` for given standard normal noise of the mean's shape."""
        return self.mean + self.scale * noise.to(self.mean.dtype)

    def kl(self) -> Tensor:
        """KL(q(z|x) || N(0, I)) in nats per dimension, shape of ``mean``.

        Zeros for a deterministic code.
        """
        if self.log_scale is None:
            return torch.zeros_like(self.mean)
        return 0.5 * (self.mean.square() + self.scale.square() - 1) - self.log_scale

    def penalties(self) -> dict[str, Tensor]:
        """Return ``kl_nats``, see :meth:`kl`; nothing for a deterministic code."""
        return {} if self.log_scale is None else {"kl_nats": self.kl()}


def kl_nats(posterior: Posterior) -> Tensor:
    """Return the KL divergence to the prior in nats per dimension, [B, Z, ...].

    Zeros where the codes follow no prior.
    """
    kl = posterior.penalties().get("kl_nats")
    return torch.zeros_like(posterior.mean) if kl is None else kl


@overload
def interpolate(start: Tensor, end: Tensor, steps: int, path: Path = "slerp") -> Tensor: ...
@overload
def interpolate(
    start: NDArray[Any], end: NDArray[Any], steps: int, path: Path = "slerp"
) -> NDArray[Any]: ...
def interpolate(
    start: Tensor | NDArray[Any], end: Tensor | NDArray[Any], steps: int, path: Path = "slerp"
) -> Tensor | NDArray[Any]:
    """Return ``steps`` points from ``start`` to ``end``, both included exactly; see :func:`along`.

    Args:
        start: [Z].
        end: [Z].
        steps: number of points, at least 2 (or 1, which gives ``start``).
        path: ``slerp`` or ``lerp`` (straight line).

    Returns:
        [steps, Z], of the kind and dtype of ``start``: a tensor for tensors, an array for arrays.

    Raises:
        ArgumentError: if ``steps`` is no whole number from 1 on, or there is no such path.
        ValueError: if the ends differ in shape.
    """
    if not isinstance(start, Tensor) or not isinstance(end, Tensor):
        return geometry.interpolate(np.asarray(start), np.asarray(end), steps, path)
    steps = whole(steps, 1, f"steps is {steps}; a whole number, at least 1, is needed")
    return along(start, end, torch.linspace(0, 1, steps, dtype=torch.float64), path)


def along(start: Tensor, end: Tensor, fractions: Tensor, path: Path = "slerp") -> Tensor:
    """Return the points at ``fractions`` [S] of the way from ``start`` [Z] to ``end`` [Z], [S, Z].

    At 0 and 1 the ends exactly.

    ``slerp`` goes along the great circle and moves the length linearly from one end's to the
    other's (Shoemake 1985 for the direction; White 2016 for its use in latent spaces). Equal,
    opposite or zero ends, where the circle is not defined, fall back on the straight line,
    ``lerp``.

    Raises:
        ArgumentError: if there is no such path.
        ValueError: if the ends differ in shape.
    """
    a, b, at = (one.detach().cpu().double().numpy() for one in (start, end, fractions))
    points = geometry.along(a, b, at, path)
    return torch.from_numpy(points).to(start)


def grid(corners: Tensor, rows: int, columns: int, path: Path = "slerp") -> Tensor:
    """Return points between four corners, [rows, columns, Z].

    The corners of the grid are ``corners`` exactly.

    Bilinear: each row is a path between a point of the left side and one of the right side, which
    are paths themselves.

    Args:
        corners: [4, Z]: top left, top right, bottom left, bottom right.
        rows: at least 2.
        columns: at least 2.
        path: ``slerp`` or ``lerp``, see :func:`along`.

    Raises:
        ValueError: if there are not four corners, or too few rows or columns.
    """
    points = geometry.grid(corners.detach().cpu().numpy(), rows, columns, path)
    return torch.from_numpy(points).to(corners)


def towards(draws: Tensor, goal: Tensor, fraction: float) -> Tensor:
    """Return the points at ``fraction`` of the great circle from each draw [N, Z] to ``goal`` [Z],
    [N, Z]; see :func:`along`.
    """
    return torch.cat([along(draw, goal, torch.tensor([fraction])) for draw in draws])


def active_units(means: Tensor, threshold: float = 0.01) -> int:
    """Count the latent dimensions whose posterior mean varies over the data (Burda et al. 2016).

    Args:
        means: [N, Z] posterior means of N examples.
        threshold: least variance of an active unit.
    """
    if means.shape[0] < 2:
        return 0
    return int((torch.var(means.cpu().double().flatten(1), dim=0) > threshold).sum())
