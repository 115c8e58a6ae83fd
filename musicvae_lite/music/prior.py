"""The learned prior of a model of music: what it can be told, and how it is loaded.

Letters in shapes: N draws, T steps, G steps of the grid (T here), C numbers of the condition, Z latent size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.random import Noise
from musicvae_lite.model_dir.bundle import Bundle
from musicvae_lite.model_dir.prior_file import describe_prior, has_prior, read_prior_weights
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.nn.event_model import EventModel
from musicvae_lite.nn.event_prior import EventPrior

KIND = "events"
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
        """Return the numbers of ``count`` draws [N, size]: as written, unless a key is asked for."""
        values = {name: np.full(count, getattr(wish, name) or np.nan) for name in self.names}
        keys = np.full(count, UNKNOWN if wish.key is None else wish.key)
        return self.numbers(count, values, keys, np.zeros(count, int) if wish.key is None else None)


class MusicPrior:
    """A learned prior of a model of music.

    Args:
        events: draws codes.
        features: what it can be told.
        codec: of the windows.
        name: what messages call the model.
    """

    def __init__(
        self, events: EventPrior, features: Features, codec: ScoreCodec, name: str
    ) -> None:
        self.events, self.features, self.codec, self.name = events, features, codec, name

    def check(self, wish: Wish) -> None:
        """Refuse a wish that it cannot be told.

        Raises:
            UsageError: naming what it can.
        """
        known = (["key"] if self.features.keys else []) + list(self.features.names)
        for name in wish.names:
            if name not in known:
                there = ", ".join(known) or "nothing"
                raise UsageError(f"{self.name}: draws cannot be told of {name} (but of {there})")

    def condition(
        self, count: int, wish: Wish = Wish(), control: NDArray[Any] | None = None
    ) -> Tensor:
        """Return what the network is told [N, T, C], for draws of :meth:`sample`.

        Args:
            count: N.
            wish: what all of them are to be like.
            control: control input of the model [N, T, C'], where it has one.
        """
        numbers = torch.from_numpy(self.features.wished(count, wish))
        told = numbers[:, None].expand(-1, self.codec.steps, -1)
        size = self.events.control_size
        if not size:
            return told
        shape = (count, self.codec.steps, size)
        given = torch.zeros(shape) if control is None else torch.from_numpy(control).float()
        return torch.cat([told, given], -1)

    def sample(
        self,
        count: int,
        noise: Noise,
        wish: Wish = Wish(),
        control: NDArray[Any] | None = None,
    ) -> Tensor:
        """Draw codes [N, Z]; draw i is the same for every ``count`` above i.

        Raises:
            UsageError: a wish that it cannot be told.
        """
        self.check(wish)
        return self.events.sample(count, noise, self.condition(count, wish, control))

    def log_likelihood(
        self, windows: NDArray[Any], wish: Wish = Wish(), control: NDArray[Any] | None = None
    ) -> NDArray[np.float64]:
        """Return how likely windows [N, T] or [N, T, K] are, nats [N]."""
        events = torch.from_numpy(np.asarray(windows).astype(np.int64))
        events = events.unsqueeze(-1) if self.events.flat else events
        told = self.condition(len(events), wish, control)
        return self.events.log_likelihood(events, told).double().numpy()


def load_prior(bundle: Bundle, name: str) -> MusicPrior | None:
    """Load the learned prior of a model folder; None where there is none.

    Raises:
        UsageError: it is of another model.
        MusaeError: it is damaged.
    """
    description = bundle.description
    if not has_prior(description.folder) or not isinstance(bundle.codec, ScoreCodec):
        return None
    tree = describe_prior(description, name)
    weights = read_prior_weights(description, name)
    cure = f"learn it with 'musae prior {name} --data CORPUS', or draw with --prior normal"
    try:
        if tree["kind"] != KIND:
            raise ValueError(f"kind {tree['kind']!r} is not known")
        features, settings = Features.of_tree(tree["features"]), tree["network"]
        control = int(tree["control_size"])
        network = EventModel(**settings)
        if network.condition_size != features.size + control:
            raise ValueError("the condition does not fit")
        network.load_state_dict(weights)
        flat, temperature = bool(tree["flat"]), float(tree["temperature"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        said = str(error).splitlines()[0]
        raise MusaeError(f"{description.folder}: its prior is damaged ({said}); {cure}") from error
    events = EventPrior(network, bundle.model, control, flat, temperature)
    return MusicPrior(events, features, bundle.codec, name)
