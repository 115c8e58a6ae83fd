"""How far the notes of a piece are from a model's grid, and swing: measured, taken out, put back.

A second eighth that comes late, as in jazz and shuffles, is between two sixteenths. A model that
hears it there hears it wrong, and writes it straight. So a swung piece is straightened for the
model: inside each beat the time up to the second eighth and the time after it are stretched to half
a beat each. What is written is swung again, and notes that stayed are where they were.

A start is off the grid if it is more than an eighth of a step from it. By chance starts are a
quarter of a step from the grid on average (standard deviation 0.144), and three of four are off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.codecs.grid import Grid, is_compound

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_FAR = 1 / 8  # of a step
_CHANCE, _DEVIATION = 0.25, 0.1443  # of the distance to the nearest step, in steps
_ERRORS = 2  # standard errors that set a mean apart from chance
_LUCK = 0.03  # steps by which the mean of a piece may be nearer all the same
_ENOUGH = 16  # notes that say anything of a mean
_LEAST_SWUNG = 4  # second eighths that swing
_SWINGS = (0.56, 0.72)  # place of the second eighth in the beat; 0.5 is straight, 0.75 is dotted
_NEAR = 0.05  # of the beat
_ALIKE = 0.8  # share of the second eighths that come at the same place
_TRIPLETS = 0.3  # of the second eighths: so many notes on the second of three make triplets of them
_HALVES = {"eighths": 1, "sixteenths": 2}  # what swings, and how many pairs of it there are a beat


class Timing(NamedTuple):
    """How the starts of some notes lie to a grid.

    Attributes:
        notes: how many there are.
        off: how many are off the grid.
        distance: mean distance to the nearest step, in steps: 0 to 0.5.
        triplets: how many of those off the grid are on thirds of a beat.
    """

    notes: int
    off: int
    distance: float
    triplets: int = 0

    @property
    def by_chance(self) -> bool:
        """Whether they are no nearer to the grid than they would be by chance."""
        error = _DEVIATION / max(1, self.notes) ** 0.5
        return self.notes >= _ENOUGH and self.distance > _CHANCE - max(_LUCK, _ERRORS * error)

    def as_dict(self, swing: float | None) -> dict[str, Any]:
        """Return what ``--json`` says."""
        return {
            "notes": self.notes,
            "off": self.off,
            "off_on_triplets": self.triplets,
            "mean_distance_steps": round(self.distance, 4),
            "no_nearer_than_chance": self.by_chance,
            "swing": None if swing is None else round(swing, 3),
        }


class Swing(NamedTuple):
    """Swing of a piece.

    Attributes:
        ratio: where the second of two notes comes, as a share of the time of both; 0.5 is straight.
        what: ``eighths`` or ``sixteenths``.
        original: the piece as it is; the one that the model hears is straight.
    """

    ratio: float
    what: str
    original: Score


def timing(score: Score, rows: Ints, codec: ScoreCodec) -> Timing:
    """Measure how the starts of some notes (indices) lie to the grid of a codec."""
    grid = Grid.of(score, codec)
    segment = grid.segment[rows]
    rows = rows[np.array(grid.fits, bool)[segment]] if len(rows) else rows
    step = (score.notes["start"][rows] - grid.start[grid.segment[rows]]) * codec.steps_per_quarter
    place = step / score.ticks_per_quarter
    distance = np.abs(place - np.rint(place))
    mean = float(distance.mean()) if len(rows) else 0.0
    off = distance > _FAR
    thirds = place[off] * 3 / codec.steps_per_quarter
    triplets = int((np.abs(thirds - np.rint(thirds)) < _FAR).sum())
    return Timing(len(rows), int(off.sum()), mean, triplets)


def find_swing(score: Score, codec: ScoreCodec) -> Swing | None:
    """Return the swing of a piece that a codec's grid would flatten; None where there is none."""
    if codec.timed or codec.steps_per_quarter not in (4, 8) or is_compound(codec.numerator):
        return None
    grid = Grid.of(score, codec)
    if not len(score.notes):
        return None
    fits = np.array(grid.fits, bool)[grid.segment]
    start = (score.notes["start"] - grid.start[grid.segment])[fits]
    for what, pairs in _HALVES.items():
        phase = (start * pairs % score.ticks_per_quarter) / score.ticks_per_quarter
        ratio = _ratio(phase)
        if ratio is not None:
            return Swing(ratio, what, score)
    return None


def _ratio(phase: Floats) -> float | None:
    """Return where the second of two notes comes, from the places of all notes in their pair."""
    second = phase[(phase > 0.4) & (phase < 0.8)]
    if len(second) < _LEAST_SWUNG:
        return None
    ratio = float(np.median(second))
    low, high = _SWINGS
    alike = (np.abs(second - ratio) < _NEAR).mean()
    early = ((phase > 0.2) & (phase < 0.4)).sum()
    if not low <= ratio <= high or alike < _ALIKE or early > _TRIPLETS * len(second):
        return None
    near = second[np.abs(second - ratio) < _NEAR]
    return float(near.mean())


def straightened(swing: Swing) -> Score:
    """Return a swung piece without its swing."""
    return replace(swing.original, notes=_straight(swing))


def swung(score: Score, ratio: float, what: str) -> Score:
    """Return a straight score with swing."""
    return replace(score, notes=_warped(score.notes, score, 0.5, ratio, what))


def in_swing(score: Score, swing: Swing | None) -> Score:
    """Return a straight score with the swing of a piece, if it has one."""
    return score if swing is None else swung(score, swing.ratio, swing.what)


def each_swung(score: Score, ticks: int, swings: Sequence[Swing | None]) -> Score:
    """Return a straight score of windows of so many ticks, each with a swing of its own."""
    if not any(swings):
        return score
    notes = score.notes.copy()
    window = np.minimum(notes["start"] // ticks, len(swings) - 1)
    for number, swing in enumerate(swings):
        own = window == number
        if swing is not None:
            notes[own] = _warped(notes[own], score, 0.5, swing.ratio, swing.what)
    return replace(score, notes=notes)


def as_played(score: Score, swing: Swing | None) -> Score:
    """Return what was made of a straightened piece in the time of that piece.

    Notes of the piece that are still there are to the tick where they were.
    """
    if swing is None:
        return score
    made = swung(score, swing.ratio, swing.what)
    if score.ticks_per_quarter != swing.original.ticks_per_quarter:
        return made
    original = swing.original.notes
    places: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
    times = zip(original["start"].tolist(), original["end"].tolist(), strict=True)
    for key, time in zip(_straight(swing).tolist(), times, strict=True):
        places[key].append(time)
    notes = score.notes.copy()
    late = _warped(notes, score, 0.5, swing.ratio, swing.what)
    for row, key in enumerate(notes.tolist()):
        time = places[key].pop() if places.get(key) else (late["start"][row], late["end"][row])
        notes["start"][row], notes["end"][row] = time
    return replace(score, notes=notes)


def _straight(swing: Swing) -> NDArray[np.void]:
    """Return the notes of a swung piece without swing, in its own order."""
    return _warped(swing.original.notes, swing.original, swing.ratio, 0.5, swing.what)


def _warped(
    notes: NDArray[np.void], score: Score, old: float, new: float, what: str
) -> NDArray[np.void]:
    """Move starts and ends of notes; see :func:`_moved`."""
    result = notes.copy()
    for column in ("start", "end"):
        result[column] = _moved(notes[column], score, old, new, what)
    result["end"] = np.maximum(result["end"], result["start"] + 1)
    return result


def _moved(ticks: NDArray[Any], score: Score, old: float, new: float, what: str) -> Ints:
    """Move ticks so that what is at ``old`` in a pair of notes comes to ``new``; pairs stay."""
    starts = np.array([segment.start for segment in score.metre_segments()] or [0], np.int64)
    begin = starts[np.maximum(np.searchsorted(starts, ticks, side="right") - 1, 0)]
    unit = score.ticks_per_quarter / _HALVES[what]
    pair, inside = np.divmod((ticks - begin) / unit, 1)
    first = inside * (new / old)
    second = new + (inside - old) * ((1 - new) / (1 - old))
    place = pair + np.where(inside <= old, first, second)
    return np.asarray(begin + np.rint(place * unit), np.int64)
