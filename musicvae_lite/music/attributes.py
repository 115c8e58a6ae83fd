"""What can be heard of a window, as numbers: formulas that the codecs share.

The attributes are those that the MusicVAE paper (Roberts et al. 2018, arXiv 1803.05428) varies:
membership of C major, note density, average interval, syncopation at sixteenth and eighth notes;
and a few more. Where a window has nothing to measure (no note, no interval) the value is NaN.
Letters in shapes: N windows, T steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


#: What the numbers are, by attribute.
UNITS = {
    "density": "note starts a bar",
    "density_all": "note starts a bar, all voices",
    "syncopation": "share of note starts, sixteenths",
    "syncopation8": "share of note starts, eighths",
    "diatonic": "share of notes in C major",
    "interval": "semitones, mean of consecutive notes",
    "register": "MIDI pitch, mean",
    "instruments": "that play, how many",
    "hihat": "share of hits, open and closed",
    "kick": "share of hits",
    "snare": "share of hits",
    "velocity": "of the hits, mean, 0 to 1",
    "polyphony": "keys that sound at once, mean of the steps at which one does",
    "timing": "steps before the grid, mean of the hits",
}
_C_MAJOR = (0, 2, 4, 5, 7, 9, 11)

Bools = NDArray[np.bool_]
Values = dict[str, NDArray[np.float64]]


def density(starts: NDArray[np.number] | Bools, steps_per_bar: int) -> NDArray[np.float64]:
    """Return how much starts a bar [N], from what starts at each step [N, T]: bits, or how many.

    The paper divides by the number of steps; a bar is what people count in.
    """
    values: NDArray[np.float64] = starts.sum(1) * (steps_per_bar / starts.shape[1])
    return values


def syncopations(starts: Bools, steps_per_quarter: int, steps_per_bar: int) -> Values:
    """Return ``syncopation`` (sixteenths) and ``syncopation8`` (eighths) [N], those of them that
    are on the grid.

    The share of the note starts [N, T] that are at an odd position of the bar, counted in
    sixteenths (eighths) from 0, while
    nothing starts at the following position: the strong place after a weak start stays empty, which
    is what Longuet-Higgins & Lee (1984, Music Perception 1) call a syncopation. What follows the
    window counts as empty.
    """
    units = {"syncopation": 4, "syncopation8": 2}
    fits = {
        name: steps_per_quarter // parts
        for name, parts in units.items()
        if steps_per_quarter % parts == 0
    }
    return {
        name: _syncopated(starts, unit, steps_per_bar)
        for name, unit in fits.items()
        if steps_per_bar % unit == 0
    }


def _syncopated(starts: Bools, unit: int, steps_per_bar: int) -> NDArray[np.float64]:
    places = starts[:, ::unit]
    weak = np.arange(places.shape[1]) % (steps_per_bar // unit) % 2 == 1
    answered = np.pad(places[:, 1:], ((0, 0), (0, 1)))
    return _share((places & ~answered)[:, weak].sum(1), starts.sum(1))


def melodic(pitches: Ints) -> Values:
    """Return ``diatonic``, ``interval`` and ``register`` [N] of melodies: the pitch that starts at
    each step [N, T], else -1.

    diatonic: the share of the notes that are in C major (the white keys). interval: the mean
    absolute difference of consecutive notes. register: the mean pitch.
    """
    starts = pitches >= 0
    count = starts.sum(1)
    window, step = np.nonzero(starts)
    pitch = pitches[window, step]
    together = np.diff(window) == 0
    leaps = np.bincount(
        window[1:][together], np.abs(np.diff(pitch))[together], minlength=len(pitches)
    )
    return {
        "diatonic": _share((np.isin(pitches % 12, _C_MAJOR) & starts).sum(1), count),
        "interval": _share(leaps, count - 1),
        "register": _share(np.where(starts, pitches, 0).sum(1), count),
    }


def percussive(
    roll: NDArray[np.number] | Bools,
    kinds: Mapping[str, Sequence[int]],
    steps_per_quarter: int,
    steps_per_bar: int,
) -> Values:
    """Return ``density``, syncopations, and the share of all hits that each kind of drums has [N],
    of hits [N, T, classes].

    Density counts every hit; syncopation is that of kick and snare together, for the hi-hat fills
    the gaps.

    Args:
        roll: 1 where a drum is hit.
        kinds: classes of ``hihat``, ``kick`` and ``snare``.
        steps_per_quarter: of the grid.
        steps_per_bar: of the metre.
    """
    hits = {
        name: roll[..., list(classes)].sum(2, dtype=np.int64) for name, classes in kinds.items()
    }
    total = roll.sum(2, dtype=np.int64)
    backbone = syncopations(hits["kick"] + hits["snare"] > 0, steps_per_quarter, steps_per_bar)
    each = {name: _share(hit.sum(1), total.sum(1)) for name, hit in hits.items()}
    return {"density": density(total, steps_per_bar), **backbone, **each}


def chordal(struck: Bools, sounding: Bools, loudness: NDArray[np.float64], lowest: int) -> Values:
    """Return ``diatonic``, ``register``, ``polyphony`` and ``velocity`` [N] of keys.

    Args:
        struck: which keys are, at each step [N, T, K].
        sounding: which sound.
        loudness: how hard the struck ones are, 0 to 1.
        lowest: MIDI pitch of the first key.
    """
    pitches = np.broadcast_to(np.arange(struck.shape[2]) + lowest, struck.shape)
    at_once = sounding.sum(2)
    return {
        "diatonic": mean_where(np.isin(pitches % 12, _C_MAJOR).astype(np.int64), struck),
        "register": mean_where(pitches, struck),
        "polyphony": mean_where(at_once, at_once > 0),
        "velocity": mean_where(loudness, struck),
    }


def mean_where(values: NDArray[np.number], there: Bools) -> NDArray[np.float64]:
    """Return the mean [N] of values [N, ...] where something is there."""
    axes = tuple(range(1, values.ndim))
    return _share(np.where(there, values, 0).sum(axes), there.sum(axes))


def _share(part: NDArray[np.number], whole: NDArray[np.number]) -> NDArray[np.float64]:
    """Divide, NaN where there is nothing."""
    shares: NDArray[np.float64] = np.divide(
        part, whole, out=np.full(len(part), np.nan), where=whole > 0
    )
    return shares
