"""What computes a model of music for a session: torch, or NumPy where torch need not be loaded.

Imports no torch. Letters in shapes: N windows, T steps of a window, K numbers of a step, G steps of
its time, C control numbers, Z latent size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from musicvae_lite.config import RunConfig
    from musicvae_lite.core.codec import Codec
    from musicvae_lite.model_dir.bundle import Description

Floats = NDArray[np.float32]

# What a draw is for, mixed into its seed, so that no two kinds of draw see the same numbers.
EVENTS, PRIOR = 1, 2


@dataclass(frozen=True)
class Light:
    """A model folder whose weights an engine other than torch holds.

    Attributes:
        description: what the folder says.
        codec: what its arrays mean.
    """

    description: Description
    codec: Codec

    @property
    def config(self) -> RunConfig:
        """The run that made the model."""
        return self.description.config


class Density(Protocol):
    """Says how likely windows are."""

    def log_likelihood(
        self, windows: NDArray[Any], *, control: Floats | None = None
    ) -> NDArray[np.float64]:
        """Return the log-likelihood of windows [N, T] (or [N, T, K]) in nats [N]."""
        ...


class Engine(Protocol):
    """A model of music with its weights.

    Attributes:
        latent_size: Z.
        control_size: C; 0 where the model is told of nothing.
        timed: whether it is told of the time of events, not of each event.
        device: where it computes.
    """

    latent_size: int
    control_size: int
    timed: bool
    device: Any

    def encode(
        self,
        windows: NDArray[Any],
        length: NDArray[np.int64] | None,
        condition: Floats | None,
    ) -> tuple[Floats, Floats]:
        """Return mean and standard deviation [N, Z] of the posterior of windows [N, T] (or [N, T,
        K]).
        """
        ...

    def decode(
        self,
        z: Floats,
        temperature: float,
        seed: int,
        condition: Floats | None,
        given: Floats | None,
    ) -> NDArray[Any]:
        """Return windows [N, T] (or [N, T, K]) of points [N, Z]."""
        ...

    def draws(self, count: int, seed: int) -> Floats:
        """Return two draws from the prior for each of ``count`` pieces, [count, 2, Z].

        Those of piece i are the same for every ``count`` above i.
        """
        ...

    def density(self) -> Density | None:
        """Return the learned prior of the model, as far as it says how likely windows are."""
        ...

    def latent(self, mean: Floats, scale: Floats) -> Any:
        """Return a posterior as callers of Python know it."""
        ...
