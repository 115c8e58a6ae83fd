"""Noise that was measured once and is known again: profiles with a name, kept in a file.

Letters in shapes: C channels, N samples, K bands.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from musicvae_lite.audio.denoise.network import BANDS
from musicvae_lite.core.errors import MusaeError, NothingUsableError
from musicvae_lite.core.files import atomic_output
from musicvae_lite.media.audio import Samples
from musicvae_lite.media.spectrum import grid_of

_KIND, _VERSION = "musae noise profile", 1
_LARGEST_BYTES = 10**6
_WINDOW_SECONDS, _WINDOWS = 0.75, 8  # the quietest stretches of an automatic profile,
_OF_ALL = 0.2  # from the quietest fifth
_LEAST_POWER = 1e-12  # of a sample: less is digital silence

Measure = Callable[[Samples, int], Tensor]


@dataclass(frozen=True, eq=False)
class NoiseProfile:
    """What noise alone is like.

    Attributes:
        power: [K] of :meth:`musicvae_lite.audio.denoise.denoiser.Cleaner.profile`.
        rate: samples per second of the sound it was measured on.
        source: where it came from.
    """

    power: Tensor
    rate: int
    source: str = ""

    def at(self, rate: int) -> Tensor:
        """Return the powers that the same noise has in the frames of a sound of another rate."""
        return self.power * (grid_of(rate).window / grid_of(self.rate).window)

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write a file of JSON.

        Raises:
            UsageError: if the file exists and ``overwrite`` is false.
            MusaeError: if the file system refuses.
        """
        tree = {
            "kind": _KIND,
            "version": _VERSION,
            "rate": self.rate,
            "source": self.source,
            "power_db": [round(10 * math.log10(value + 1e-30), 3) for value in self.power.tolist()],
        }
        with atomic_output(Path(path), overwrite) as part:
            part.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> NoiseProfile:
        """Read what :meth:`save` wrote.

        Raises:
            MusaeError: in one line, if there is no such file or it is no profile.
        """
        try:
            if Path(path).stat().st_size > _LARGEST_BYTES:
                raise ValueError
            tree = json.loads(Path(path).read_text(encoding="utf-8"))
            levels, rate = np.asarray(tree["power_db"], np.float64), tree["rate"]
            right = tree["kind"] == _KIND and tree["version"] == _VERSION
            if not right or levels.shape != (BANDS,) or not (np.abs(levels) < 1000).all():
                raise ValueError
            if type(rate) is not int or not 1000 <= rate <= 768_000:
                raise ValueError
        except FileNotFoundError:
            raise MusaeError(f"{path}: no such file; --learn writes one") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise MusaeError(
                f"{path}: is no noise profile of this version; --learn writes one"
            ) from None
        power = torch.from_numpy(10 ** (levels / 10)).float()
        return cls(power, rate, str(tree.get("source", ""))[:500])


def quietest(blocks: Iterable[Samples], rate: int, source: str, measure: Measure) -> NoiseProfile:
    """Measure the noise in the quietest stretches of a sound.

    Args:
        blocks: [C, any number of samples] one after another.
        rate: samples per second.
        source: for messages.
        measure: from noise [C, N] and its rate to its powers [K].

    Raises:
        NothingUsableError: the sound is too short, or silent.
    """
    size = int(_WINDOW_SECONDS * rate)
    found: list[tuple[float, Samples]] = []
    total, held = 0, np.zeros((0, 0), np.float32)
    for block in blocks:
        held = np.concatenate([held, block], 1) if held.size else block
        while held.shape[1] >= size:
            part, held = held[:, :size], held[:, size:]
            power = float(np.square(part, dtype=np.float64).mean())
            if power > _LEAST_POWER:
                total += 1
                found = sorted([*found, (power, part.copy())], key=lambda one: one[0])[:_WINDOWS]
    if not found:
        raise NothingUsableError(
            f"{source}: has no stretch of {_WINDOW_SECONDS} s that is not silent, to learn noise "
            "from"
        )
    parts = found[: max(1, min(_WINDOWS, round(_OF_ALL * total)))]
    powers = torch.stack([measure(part, rate) for _, part in parts])
    return NoiseProfile(powers.log().mean(0).exp(), rate, source)
