"""What a groove model is shown of a performance: without its expression, tapped on one drum, with a
drum missing.

The target stays the whole performance, so that the model learns to add what the input lacks
(Gillick et al. 2019). Letters in
shapes: N windows, T steps of a window; a step is 27 numbers, see
:mod:`musicvae_lite.music.codecs.groove`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.music.codecs.groove import CLASSES, DRUMS, HITS, OFFSETS, VELOCITIES

if TYPE_CHECKING:
    from musicvae_lite.config import GrooveInputSettings, RunConfig

Floats = NDArray[np.float32]

TAPPED = DRUMS.index("open hi-hat")  # taps are shown as hits of it, as in Magenta's models
UNKNOWN = 0.5  # in place of a hit: not known
WHOLE, HUMANIZE, TAP, ADD = (
    "reconstruct",
    "humanize",
    "tap",
    "add",
)  # what a model can be trained for
_SURE = 0.2  # share of the dropout that the loudest note is left with


class GrooveInputs:
    """Makes the inputs of examples, a function of the seed, the epoch and the number of each
    example.

    Args:
        ways: what inputs lack; of several one is drawn for every example, by its share; none:
            nothing.
    """

    def __init__(self, ways: Sequence[GrooveInputSettings]) -> None:
        self.ways = tuple(ways)
        shares = np.array([way.share for way in ways])
        self.edges = np.cumsum(shares / shares.sum()) if len(ways) else shares

    def __call__(self, windows: Floats, rows: NDArray[np.int64], seed: int, epoch: int) -> Floats:
        """Return the inputs for windows [N, T, 27] that are the examples ``rows`` [N] of an
        epoch.
        """
        if not self.ways:
            return windows
        return np.stack(
            [
                self._one(window, [seed, epoch, row])
                for window, row in zip(windows, rows.tolist(), strict=True)
            ]
        )

    def _one(self, window: Floats, seed: Sequence[int]) -> Floats:
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        number = int(np.searchsorted(self.edges, generator.random(), side="right"))
        return shown(window, self.ways[min(number, len(self.ways) - 1)], generator)


def shown(window: Floats, way: GrooveInputSettings, generator: np.random.Generator) -> Floats:
    """Return what is shown of a window [T, 27]: notes are left out first, then drums, then what is
    told of the others.
    """
    if way.note_dropout:
        window = with_notes_left_out(
            window, generator.random() * way.note_dropout, generator.random((len(window), CLASSES))
        )
    if way.add:
        window = without_drum(window, way.add[int(generator.integers(len(way.add)))], way.unknown)
    if way.tap:
        window = tapped(window)
    if way.humanize:
        window = without(window, VELOCITIES, OFFSETS)
    return without(window, VELOCITIES) if way.fixed_velocity else window


def without(windows: Floats, *parts: slice) -> Floats:
    """Return windows [..., 27] with some of hits, velocities and offsets zero."""
    result = windows.copy()
    for part in parts:
        result[..., part] = 0
    return result


def tapped(windows: Floats) -> Floats:
    """Return windows [..., 27] with the loudest hit of each step alone, as a hit of the open
    hi-hat.
    """
    loudest = np.where(windows[..., HITS] > 0.5, windows[..., VELOCITIES], -1.0).argmax(-1)[
        ..., None
    ]
    result = np.zeros_like(windows)
    for part in (HITS, VELOCITIES, OFFSETS):
        result[..., part.start + TAPPED] = np.take_along_axis(windows[..., part], loudest, -1)[
            ..., 0
        ]
    return result


def without_drum(windows: Floats, drum: int, unknown: bool) -> Floats:
    """Return windows [..., 27] without the hits of one drum.

    With ``unknown`` they say that it is not known where it is hit.
    """
    result = windows.copy()
    result[..., drum::CLASSES] = 0
    if unknown:
        result[..., drum] = UNKNOWN
    return result


def with_notes_left_out(window: Floats, share: float, draws: NDArray[np.float64]) -> Floats:
    """Leave out the notes of a window [T, 27] whose draw [T, 9] is below ``share`` times one less
    their velocity (or .2).
    """
    out = draws < share * np.maximum(_SURE, 1 - window[:, VELOCITIES])
    result: Floats = np.where(np.tile(out, 3), np.float32(0), window)
    return result


def has_way(config: RunConfig, task: str) -> bool:
    """Say whether a groove model was trained for a task: its inputs lack what the task adds, or
    nothing.
    """
    ways = config.data.inputs
    if task == HUMANIZE:
        return any(way.humanize and not way.tap and not way.add for way in ways)
    if task == TAP:
        return any(way.tap for way in ways)
    if task == ADD:
        return any(way.add for way in ways)
    return not ways or any(
        not (way.humanize or way.tap or way.fixed_velocity or way.add) for way in ways
    )


def told(windows: Floats, config: RunConfig) -> Floats | None:
    """Return the control input that goes with grooves [N, T, 27]: their hits [N, T, 9], where the
    model is told of them.
    """
    control = config.model.kind == "sequence" and config.model.control_size
    return windows[..., HITS] if control and config.codec.kind == "groove" else None


def hits_given(windows: Floats) -> Floats:
    """Return windows [..., 27] that say where drums are hit and leave open how (NaN), for a model
    to fill in.
    """
    result = np.full_like(windows, np.nan)
    result[..., HITS] = windows[..., HITS] > 0.5
    return result


def all_but_given(windows: Floats, drum: int) -> Floats:
    """Return windows [..., 27] that leave open all of one drum (NaN)."""
    result = windows.copy()
    result[..., drum::CLASSES] = np.nan
    return result


def hit_given(given: Floats, drum: int, hits: NDArray[np.bool_]) -> Floats:
    """Return windows [..., 27] that say, too, where a drum is hit (``hits`` [...]), and leave open
    how (NaN).
    """
    result = given.copy()
    result[..., drum::CLASSES] = np.nan
    result[..., HITS.start + drum] = hits
    return result
