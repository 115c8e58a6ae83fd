"""What the learned prior of a model of music can be told of a draw. No torch.

Letters in shapes: N draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError
from musicvae_lite.model_dir.bundle import Description
from musicvae_lite.model_dir.prior_file import describe_prior, has_prior
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.keys import key_number

KEYS = 24
UNKNOWN = -1
#: Attributes that a prior can be told, of those that a codec measures.
TOLD = ("register", "density")

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Wish:
    """What draws are to be like; None is left open.

    Attributes:
        key: 0 to 11 the major keys from C, 12 to 23 the minor ones.
        register: mean MIDI pitch.
        density: note starts a bar.
    """

    key: int | None = None
    register: float | None = None
    density: float | None = None

    @property
    def names(self) -> list[str]:
        """What is not left open."""
        return [name for name, value in asdict(self).items() if value is not None]


#: Whatever the examples are like.
NO_WISH = Wish()


@dataclass(frozen=True)
class Features:
    """The numbers that a prior is told of a window: its key, attributes, and by how much it was
    transposed from how it was written. Each can be left open.

    Attributes:
        names: of the attributes.
        mean: of each over the windows that were learned from.
        spread: its standard deviation.
        keys: whether there is a key.
        shifts: least and greatest transposition, both 0 where there is none.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    keys: bool
    shifts: tuple[int, int] = (0, 0)

    @classmethod
    def of_windows(
        cls, codec: ScoreCodec, windows: NDArray[Any], transpose: tuple[int, int] | None
    ) -> Features:
        """Measure what the windows to learn from are like."""
        values = codec.attributes(windows)
        names = tuple(name for name in TOLD if name in values and np.nanstd(values[name]) > 0)
        mean = tuple(float(np.nanmean(values[name])) for name in names)
        spread = tuple(float(np.nanstd(values[name])) for name in names)
        pitched = any(codec.pitches)
        low, high = transpose if transpose is not None and pitched else (0, 0)
        return cls(names, mean, spread, pitched, (min(low, 0), max(high, 0)))

    @classmethod
    def of_tree(cls, tree: Mapping[str, Any]) -> Features:
        """Build from what :func:`dataclasses.asdict` gave, read from JSON."""
        low, high = tree["shifts"]
        names, mean, spread = (tuple(tree[key]) for key in ("names", "mean", "spread"))
        return cls(names, mean, spread, bool(tree["keys"]), (int(low), int(high)))

    @property
    def shifted(self) -> bool:
        """Whether the transposition is told."""
        return self.shifts != (0, 0)

    @property
    def size(self) -> int:
        """Numbers of a window."""
        low, high = self.shifts
        return KEYS * self.keys + 2 * len(self.names) + (high - low + 1) * self.shifted

    def numbers(
        self,
        count: int,
        values: Mapping[str, NDArray[Any]],
        keys: NDArray[np.int64],
        shifts: NDArray[np.int64] | None,
    ) -> Floats:
        """Return the numbers of windows, float32 [N, size].

        Args:
            count: N.
            values: attributes [N], NaN where left open.
            keys: 0 to 23, -1 where left open [N].
            shifts: semitones [N], or None where all are left open; one out of range is left open.
        """
        columns = [np.eye(KEYS + 1, dtype=np.float32)[keys][:, :KEYS]] if self.keys else []
        for name, mean, spread in zip(self.names, self.mean, self.spread, strict=True):
            value = np.asarray(values.get(name, np.full(count, np.nan)), np.float64)
            there = np.isfinite(value)
            scaled = np.where(there, np.clip((value - mean) / spread, -4, 4), 0)
            columns.append(np.stack([scaled, there], 1).astype(np.float32))
        if self.shifted:
            low, high = self.shifts
            place = np.full(count, high + 1) if shifts is None else shifts
            place = np.where((place < low) | (place > high), high + 1, place) - low
            columns.append(np.eye(high - low + 2, dtype=np.float32)[place][:, :-1])
        return np.concatenate(columns, 1) if columns else np.zeros((count, 0), np.float32)

    def wished(self, count: int, wish: Wish) -> Floats:
        """Return the numbers of ``count`` draws [N, size]: as written, unless a key is
        asked for.
        """
        values = {name: np.full(count, getattr(wish, name) or np.nan) for name in self.names}
        keys = np.full(count, UNKNOWN if wish.key is None else wish.key)
        return self.numbers(count, values, keys, np.zeros(count, int) if wish.key is None else None)

    def check(self, wish: Wish, name: str) -> None:
        """Refuse a wish that a prior cannot be told.

        Raises:
            UsageError: naming what it can.
        """
        known = (["key"] if self.keys else []) + list(self.names)
        for wanted in wish.names:
            if wanted not in known:
                there = ", ".join(known) or "nothing"
                raise UsageError(f"{name}: draws cannot be told of {wanted} (but of {there})")


def read_wish(
    description: Description,
    name: str,
    key: str | None = None,
    register: float | None = None,
    density: float | None = None,
    learned: bool = True,
) -> Wish:
    """Check what a user wants draws to be like against the prior of a model; before torch is
    loaded.

    Args:
        description: of the model.
        name: what messages call it.
        key: such as ``Am``.
        register: mean MIDI pitch.
        density: note starts a bar.
        learned: whether the learned prior is to be used.

    Raises:
        UsageError: no such key, or the prior cannot be told of it.
        MusaeError: a damaged prior.
    """
    wish = Wish(None if key is None else key_number(key), register, density)
    there = learned and has_prior(description.folder)
    tree = describe_prior(description, name) if there else None
    if not wish.names:
        return wish
    if tree is None:
        why = "N(0, I) cannot be told of anything" if not learned else "it has no learned prior"
        cure = "leave out --prior normal" if not learned else f"'musae prior {name}' learns one"
        raise UsageError(f"{name}: draws cannot be told of {wish.names[0]}: {why}; {cure}")
    Features.of_tree(tree["features"]).check(wish, name)
    return wish
