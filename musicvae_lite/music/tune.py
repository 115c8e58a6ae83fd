"""How much a track is like a tune: what a listener would hum.

Seven facts of a track, each from 0 to 1 or near it, and a weight for each; the score is the
logistic function of their weighted sum. How often the best track is one that its file names as the
melody is measured by ``tests/bench/bench_tune.py``, names unseen: 68 % of 519 files of one
collection of the web and 75 % of 261 of another. Letters in shapes: P tracks of a score.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: What is measured of a track, in the order of the columns of :func:`tune_facts`.
FACTS = (
    "alone: share of the sounding time with one note",
    "coverage: share of the bars of the piece in which something starts",
    "register: how near the mean of the highest notes is to A4, 1 less octaves squared",
    "steps: share of the intervals that are a tone or a semitone",
    "leaps: share of the intervals that are wider than a fifth",
    "place: share of the other pitched tracks that are lower",
    "variety: different bars, as a share of those that it plays in",
)
#: Weight of each fact, and of a constant.
WEIGHTS = (4.0, 2.0, 1.0, 2.0, -1.3, 1.0, -0.5)
CONSTANT = -6.0
#: A track that plays in less than this share of the bars is a passing line; what it loses at most.
PASSING, LOST = 0.3, 4.0
#: What the name of a track adds.
NAMED, OTHERWISE = 8.0, -3.0

_TUNE = re.compile(r"melod(?!ica)|vocal|\bvox\b|\bvoice\b|\bsing|\blead\b|\btune\b|\bsolo\b", re.I)
_OTHER = re.compile(
    r"bass|drum|perc|chord|pad\b|accomp|harmon|rhythm|arp|back|\bstring|choir|comp\b|bridge", re.I
)
#: Names of instruments of General MIDI that say nothing of what they play.
_INSTRUMENT = re.compile(
    r"lead *\d|(square|saw\w*|bass|calliope|chiff|charang|fifths?|voice) *lead|voice ooh|solo vox"
    r"|lead gui?t",
    re.I,
)
_FEWEST = 4
_APART = 1e8  # more than twice any sum of mixed numbers
_A4, _OCTAVE, _FIFTH = 69.0, 12.0, 7


def tune_scores(score: Score, names: bool = True) -> Floats:
    """Return how much each track is like a tune, 0 to 1 [P]; 0 for drums and next to no notes.

    Args:
        score: the piece.
        names: whether names of tracks count.
    """
    facts = tune_facts(score)
    total = facts @ np.array(WEIGHTS) + CONSTANT
    total -= LOST * np.clip(1 - facts[:, 1] / PASSING, 0, 1)
    if names:
        total += np.array([name_weight(track.name) for track in score.tracks])
    likeness: Floats = 1 / (1 + np.exp(-total))
    return np.where(np.isfinite(likeness), likeness, 0.0)


def name_weight(name: str) -> float:
    """Return what the name of a track says of its being the tune."""
    if _INSTRUMENT.search(name):
        return 0.0
    if _TUNE.search(name):
        return NAMED
    return OTHERWISE if _OTHER.search(name) else 0.0


def tune_facts(score: Score) -> Floats:
    """Measure every track, [P, 7] in the order of :data:`FACTS`; NaN for drums and for fewer than
    four notes.
    """
    notes, count = score.notes, len(score.tracks)
    pitched = np.array([not track.is_drum for track in score.tracks], bool)
    sizes = np.bincount(notes["track"], minlength=count)
    there = pitched & (sizes >= _FEWEST)
    facts = np.full((count, len(FACTS)), np.nan)
    if not there.any():
        return facts
    bar = _bar(score)
    used = len(np.unique(notes["start"] // bar))
    line = top_lines(notes)
    track, pitch = line["track"].astype(np.int64), line["pitch"].astype(np.int64)
    lengths = np.maximum(1, np.bincount(track, minlength=count))
    register = np.bincount(track, pitch, count) / lengths
    covered, different = _bars(line, bar, count)
    known = np.sort(register[there])
    others = max(1, len(known) - 1)
    table = (
        _alone(notes, count),
        covered / used,
        1 - ((register - _A4) / _OCTAVE) ** 2,
        *_intervals(track, pitch, count),
        np.searchsorted(known, register) / others if len(known) > 1 else np.full(count, 0.5),
        different / np.maximum(1, covered),
    )
    facts[there] = np.stack(table, 1)[there]
    return facts


def top_lines(notes: NDArray[Any]) -> NDArray[Any]:
    """Return of the notes of each track that start together the highest, in order of track and
    time; ``notes`` are those of a score, highest first.
    """
    new = (np.diff(notes["start"]) != 0) | (np.diff(notes["track"]) != 0)
    lines: NDArray[Any] = notes[np.append(True, new)]
    return lines


def _bar(score: Score) -> int:
    """Return the ticks of a bar in the first metre; a piece that says nothing is in 4/4."""
    if not len(score.metres):
        return 4 * score.ticks_per_quarter
    metre = score.metres[0]
    length = 4 * score.ticks_per_quarter * int(metre["numerator"]) // int(metre["denominator"])
    return max(1, length)


def _intervals(track: Ints, pitch: Ints, count: int) -> tuple[Floats, Floats]:
    """Return the shares of steps and of leaps in the line of each track [P]."""
    own = np.diff(track) == 0
    step, of = np.abs(np.diff(pitch))[own], track[1:][own]
    total = np.maximum(1, np.bincount(of, minlength=count))
    near = np.bincount(of, (step == 1) | (step == 2), count)
    return near / total, np.bincount(of, step > _FIFTH, count) / total


def _alone(notes: NDArray[Any], count: int) -> Floats:
    """Return the share of the time in which notes of a track sound in which one does [P]."""
    track = np.concatenate([notes["track"], notes["track"]]).astype(np.int64)
    at = np.concatenate([notes["start"], notes["end"]])
    change = np.repeat([1, -1], len(notes))
    order = np.lexsort((change, at, track))
    # Each track ends in silence, so that one sum goes through all of them.
    sounding, length = np.cumsum(change[order])[:-1], np.diff(at[order])
    length, of = np.where(sounding > 0, length, 0), track[order][:-1]
    total = np.bincount(of, length, count)
    alone = np.bincount(of, np.where(sounding == 1, length, 0), count)
    return np.divide(alone, total, out=np.zeros(count), where=total > 0)


def _bars(line: NDArray[Any], bar: int, count: int) -> tuple[Ints, Ints]:
    """Return in how many bars each line starts something, and how many of these differ [P]."""
    number = line["start"] // bar
    place = (line["start"] % bar) * 24 // bar
    first = np.append(True, (np.diff(number) != 0) | (np.diff(line["track"]) != 0))
    which = np.cumsum(first) - 1
    # A sum of mixed numbers stands for the content of a bar; two bars in 2**50 share one by chance.
    mixed = np.sin((place * 128.0 + line["pitch"]) * 12.9898 + 1) * 43758.5453
    content = np.bincount(which, mixed).round(4)
    track = line["track"][first].astype(np.int64)
    covered = np.bincount(track, minlength=count)
    distinct = np.unique(track * _APART + content) + _APART / 2
    return covered, np.bincount((distinct // _APART).astype(np.int64), minlength=count)
