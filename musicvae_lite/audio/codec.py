"""Clips of sound of one length and rate as arrays of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.codec import Codec
from musicvae_lite.core.errors import UsageError


class SoundCodec(Codec):
    """Mono clips, float32 with full scale at 1.

    A model that is trained on such clips works on sounds of any length, and of other rates: the
    frames of its spectrogram are equally long at every rate.

    Args:
        rate: samples per second.
        seconds: length of a clip.
    """

    kind = "sound"

    def __init__(self, rate: int = 44100, seconds: float = 3.5) -> None:
        if rate < 1 or round(seconds * rate) < 1:
            raise UsageError("codec 'sound': rate and seconds are above 0")
        self.rate, self.seconds = rate, seconds

    @property
    def samples(self) -> int:
        """Samples N of a clip."""
        return round(self.seconds * self.rate)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,)."""
        return (self.samples,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32."""
        return np.dtype(np.float32)

    def config(self) -> dict[str, Any]:
        """Return plain data from which an equal codec is built."""
        return {"kind": self.kind, "rate": self.rate, "seconds": self.seconds}

    def encode(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """Cut mono sound [n] at the codec's rate into clips one after another, [W, N].

        Silence fills the last one.
        """
        wave = np.asarray(samples, np.float32)
        clips = max(1, -(-len(wave) // self.samples))
        return np.pad(wave, (0, clips * self.samples - len(wave))).reshape(clips, self.samples)

    def decode(self, windows: NDArray[Any]) -> NDArray[np.float32]:
        """Put clips [W, N] one after another, [W * N]."""
        return np.asarray(windows, np.float32).reshape(-1)
