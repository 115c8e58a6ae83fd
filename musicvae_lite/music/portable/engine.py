"""A model of music computed by NumPy; see :mod:`musicvae_lite.music.engine`. No torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.draws import Draws
from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import reason
from musicvae_lite.model_dir.bundle import CONFIG, WEIGHTS, Description
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.engine import EVENTS, PRIOR, Floats
from musicvae_lite.music.portable.density import NumpyDensity, read_density
from musicvae_lite.music.portable.loop import decode
from musicvae_lite.music.portable.model import NumpyModel

_BLOCK = 32  # rows whose random numbers are drawn together: core.batched.BLOCK


@dataclass(frozen=True, eq=False)
class Posterior:
    """What :class:`musicvae_lite.core.latent.Latent` is in torch.

    Attributes:
        mean: [N, Z].
        scale: standard deviation, [N, Z].
    """

    mean: Floats
    scale: Floats


class NumpyEngine:
    """A model folder's weights in NumPy.

    Args:
        description: of the folder.
        codec: of its windows.

    Raises:
        UsageError: a part of the model is of another package.
        MusaeError: the weights are missing, damaged or of another model.
    """

    device = "cpu"

    def __init__(self, description: Description, codec: ScoreCodec) -> None:
        arrays, path = _read(description), description.folder / WEIGHTS
        self.codec, self.description = codec, description
        try:
            self.model = NumpyModel(description.config, codec, arrays)
        except (KeyError, ValueError, IndexError) as error:
            raise MusaeError(f"{path}: does not fit the settings ({error})") from error
        self.latent_size = self.model.latent_size
        self.control_size = self.model.control_size
        self.timed = self.model.how.shifts is not None

    def encode(
        self,
        windows: NDArray[Any],
        length: NDArray[np.int64] | None,
        condition: Floats | None,
    ) -> tuple[Floats, Floats]:
        """Return mean and standard deviation [N, Z] of the posterior of windows."""
        if not len(windows):
            return (np.zeros((0, self.latent_size), np.float32),) * 2
        return self.model.encode(windows, length, condition)

    def decode(
        self,
        z: Floats,
        temperature: float,
        seed: int,
        condition: Floats | None,
        given: Floats | None,
    ) -> NDArray[Any]:
        """Return windows of points [N, Z]."""
        if not len(z):
            return np.zeros((0, *self.codec.shape), self.codec.dtype)
        how, parts = self.model.how, []
        for start in range(0, len(z), _BLOCK):
            rows = slice(start, start + _BLOCK)
            noise = Draws(seed, EVENTS, start, rows=_BLOCK * how.segments)
            told, known = (None if a is None else a[rows] for a in (condition, given))
            parts.append(decode(self.model, how, z[rows], temperature, noise, told, known))
        return np.concatenate(parts)

    def draws(self, count: int, seed: int) -> Floats:
        """Return two draws from N(0, I) for each of ``count`` pieces, [count, 2, Z]."""
        noise = Draws(seed, PRIOR)
        return np.stack([noise.normal((2, self.latent_size)) for _ in range(count)])

    def density(self) -> NumpyDensity | None:
        """Return the learned prior, which says how likely windows are; None where there is none."""
        return read_density(self.description, self.description.folder.name)

    def latent(self, mean: Floats, scale: Floats) -> Posterior:
        """Return a posterior of arrays."""
        return Posterior(mean, scale)


def _read(description: Description) -> dict[str, NDArray[Any]]:
    """Read the weights of a folder and check their checksum."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = description.folder / WEIGHTS
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    if hashlib.sha256(data).hexdigest() != description.sha256:
        raise MusaeError(
            f"{path}: is damaged or truncated (its checksum is not the one in {CONFIG}); copy the "
            "folder again"
        )
    try:
        return load(data)
    except SafetensorError as error:
        raise MusaeError(f"{path}: is not a safetensors file ({error})") from error
