"""Chords and key of a piece: read from the texts of the file where it has chord symbols, else
inferred from the notes.

The inference is a hidden Markov model after Magenta's ``chord_inference`` (note-seq), solved by
Viterbi. A frame is half a bar (a whole one where the metre has no half: 3/4, 5/4). A state is a key
(12 sets of seven pitches, named by their major scale) and a chord of nine kinds on twelve roots, or
none:

* a frame is the time that each pitch class sounds in it, drums left out, made a vector of length 1;
  a chord explains it by the cosine with its own pitches, times a weight, and by its root being the
  lowest pitch (not where a melody stands alone);
* a chord costs what its pitches outside the key cost; so does a change of chord, and a change of
  key costs much more.

Kinds with a seventh are only there to explain sevenths: what is kept is the triad.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score
from musicvae_lite.music.chords import (
    KEYS,
    NO_CHORD,
    NOTES,
    chord_class,
    chord_pitches,
    chord_symbol,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_FRAMES = (
    20_000  # more is damage (a note held for 2^31 ticks), not music: what follows has no chord
)

#: Degrees of the kinds of chords and the quality (0 major, 1 minor, 2 augmented, 3 diminished) that
#: is kept of each.
_KINDS = (
    ((0, 4, 7), 0),
    ((0, 3, 7), 1),
    ((0, 4, 8), 2),
    ((0, 3, 6), 3),
    ((0, 4, 7, 10), 0),
    ((0, 4, 7, 11), 0),
    ((0, 3, 7, 10), 1),
    ((0, 3, 6, 10), 3),
    ((0, 3, 6, 9), 3),
)
_SCALE = (0, 2, 4, 5, 7, 9, 11)
_WEIGHT = 40.0  # nats of a whole cosine
_BASS = 3.0  # nats of a root that is the lowest pitch
# cosine at which no chord explains a frame as well as one: a single pitch is enough for a chord,
# silence is not
_NO_CHORD = 0.4
# share of the notes that start while another sounds, from which on the lowest pitch counts as a
# bass
_ACCOMPANIED = 0.1
_OUTSIDE = 0.05  # share of the pitches of a chord that lie outside the key
_CHORD_CHANGE, _KEY_CHANGE = 0.5, 0.001  # probability from one frame to the next
_WRITTEN = 1000.0  # nats of a chord that the file names: the key then follows from the chords
_SECTION_BARS, _IN_CHORD = (
    2,
    0.5,
)  # letters that last longer and have fewer of the notes in their chords are names of sections
_SHARE = 0.8  # of the texts of a kind that must be chord symbols for the others to be ignored

#: How well the notes of a major and a minor key fit its degrees (Krumhansl & Kessler 1982).
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


@dataclass(frozen=True, eq=False)
class Harmony:
    """Chords and keys over the ticks of a piece.

    Attributes:
        ticks: where something changes, ascending, the first 0 [N].
        chords: class of the chord from there on, uint8 [N].
        keys: key from there on, 0 to 11, uint8 [N].
        mode: whether the piece is in the major key or in its relative minor.
        origin: where the chords are from: the ``texts`` of the file, or its ``notes``.
    """

    ticks: Ints
    chords: NDArray[np.uint8]
    keys: NDArray[np.uint8]
    mode: Literal["major", "minor"]
    origin: Literal["texts", "notes"]

    def at(self, ticks: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return chord and key at each of some ticks (any shape).

        Before the start (below 0) there is no chord.
        """
        place = np.maximum(np.searchsorted(self.ticks, ticks, side="right") - 1, 0)
        return np.where(ticks < 0, NO_CHORD, self.chords[place]).astype(np.uint8), self.keys[place]

    @property
    def key(self) -> str:
        """The key of most of the piece: ``C major``, ``A minor``."""
        lengths = np.diff(self.ticks, append=self.ticks[-1] + 1)
        key = int(np.bincount(self.keys, np.maximum(lengths, 1), KEYS).argmax())
        return f"{NOTES[key]} major" if self.mode == "major" else f"{NOTES[(key - 3) % 12]} minor"

    def symbols(self) -> list[tuple[int, str]]:
        """Return the chords with their ticks, each once until it changes."""
        new = np.flatnonzero(np.diff(self.chords.astype(np.int64), prepend=-1))
        return [(int(self.ticks[row]), chord_symbol(int(self.chords[row]))) for row in new]


def harmony(score: Score) -> Harmony:
    """Find chords and keys of a piece."""
    edges = _frames(score)
    profiles, bass = _profiles(score, edges)
    ticks, explained, written = edges[:-1], _explained(profiles, bass), _written(score)
    if written is not None and not _are_sections(score, written, profiles, edges):
        at, classes = written.at, written.classes
        explained += _WRITTEN * (
            _states()[1] == _in_force(at, classes, (ticks + edges[1:]) // 2)[:, None]
        )
        keys, chords = _viterbi(explained)
        mode = _mode(chord_pitches()[chords].sum(0, dtype=np.float64), keys)
        every = np.unique(np.concatenate([ticks, at]))
        keys = keys[np.searchsorted(ticks, every, side="right") - 1]
        return Harmony(
            every,
            _in_force(at, classes, every).astype(np.uint8),
            keys.astype(np.uint8),
            mode,
            "texts",
        )
    keys, chords = _viterbi(explained)
    mode = _mode(profiles.sum(0), keys)
    if edges[-1] < score.end:  # what lies behind the last frame
        ticks, chords, keys = (
            np.append(a, b) for a, b in ((ticks, edges[-1]), (chords, NO_CHORD), (keys, keys[-1]))
        )
    return Harmony(ticks, chords.astype(np.uint8), keys.astype(np.uint8), mode, "notes")


def key_of_chords(chords: NDArray[Any]) -> int:
    """Return the key 0 to 11 that explains the chords of steps [...] best; C where there is
    none.
    """
    counts = np.bincount(chords.ravel(), minlength=49).astype(np.float64)
    counts[NO_CHORD] = 0
    table = _chord_costs()[:, _kinds_of_triads()]
    return int((table @ counts[1:]).argmax())


class _Written(NamedTuple):
    """Chord symbols of a file: ticks, classes, and whether all are single letters."""

    at: Ints
    classes: Ints
    letters: bool


def _written(score: Score) -> _Written | None:
    """Return the chord symbols among the texts of a file; None where there are none."""
    for kind in ("marker", "text", "lyrics", "cue_marker"):
        texts = [text for text in score.texts if text.kind == kind]
        rows = [(text, chord) for text in texts if (chord := chord_class(text.text)) is not None]
        if rows and len(rows) >= _SHARE * len(texts):
            table = {
                text.tick: chord for text, chord in rows
            }  # of several at one tick the last counts
            letters = all(len(text.text.strip()) == 1 for text, _ in rows)
            return _Written(
                np.array(list(table), np.int64), np.array(list(table.values()), np.int64), letters
            )
    return None


def _are_sections(score: Score, written: _Written, profiles: Floats, edges: Ints) -> bool:
    """Say whether symbols are names of sections: letters alone, far apart, that the notes do not
    bear out as chords.
    """
    if not written.letters or not len(score.notes):
        return False
    segment = score.metre_segments()[0]
    bar = 4 * score.ticks_per_quarter * segment.numerator / segment.denominator
    apart = float(np.median(np.diff(np.append(written.at, max(edges[-1], written.at[-1])))))
    if apart <= _SECTION_BARS * bar:
        return False
    chords = _in_force(written.at, written.classes, (edges[:-1] + edges[1:]) // 2)
    sounding = profiles[chords != NO_CHORD]
    inside = sounding[chord_pitches()[chords[chords != NO_CHORD]]].sum()
    return bool(inside < _IN_CHORD * sounding.sum())


def _in_force(at: Ints, classes: Ints, ticks: Ints) -> Ints:
    """Return the class of the last symbol at or before each of ``ticks``.

    No chord before the first.
    """
    last = np.searchsorted(at, ticks, side="right") - 1
    return np.where(last < 0, NO_CHORD, classes[np.maximum(last, 0)])


def _frames(score: Score) -> Ints:
    """Return the edges of the frames in ticks, [F + 1], F at least 1."""
    edges = [0]
    for segment in score.metre_segments():
        bar = 4 * score.ticks_per_quarter * segment.numerator / segment.denominator
        halves = segment.numerator % 2 == 0 and 4 * segment.numerator >= 3 * segment.denominator
        size = max(bar / 2 if halves else bar, 1.0)
        count = min(int(np.ceil((segment.end - segment.start) / size)), MAX_FRAMES + 1 - len(edges))
        inner = np.floor(segment.start + np.arange(1, count + 1) * size).astype(np.int64)
        edges += np.minimum(inner, segment.end).tolist()
    return np.array(edges if len(edges) > 1 else [0, max(score.end, 1)], np.int64)


def _profiles(score: Score, edges: Ints) -> tuple[Floats, Floats]:
    """Return how long each pitch class sounds in each frame [F, 12], and which one is the bass of a
    frame [F, 12].
    """
    melodic = np.array([not track.is_drum for track in score.tracks], bool)
    notes = score.notes[melodic[score.notes["track"]]] if len(score.notes) else score.notes
    start, end = notes["start"], np.maximum(notes["end"], notes["start"] + 1)
    pitch = notes["pitch"].astype(np.int64)
    profiles = np.zeros((len(edges) - 1, 12))
    for pitch_class in range(12):
        own = pitch % 12 == pitch_class
        profiles[:, pitch_class] = np.diff(_elapsed(start[own], edges) - _elapsed(end[own], edges))
    lowest = np.full(len(edges) - 1, 128, np.int64)
    first = np.clip(np.searchsorted(edges, start, side="right") - 1, 0, len(lowest) - 1)
    np.minimum.at(lowest, first, pitch)
    bass = np.zeros_like(profiles)
    order = np.argsort(start, kind="stable")
    before = np.maximum.accumulate(end[order])[
        :-1
    ]  # a note that is held a little into the next one is no company to it
    together = start[order][1:] + score.ticks_per_quarter // 8 < before
    if not len(together) or together.mean() < _ACCOMPANIED:
        return profiles, bass
    some = np.flatnonzero(lowest < 128)
    bass[some, lowest[some] % 12] = 1
    return profiles, bass


def _elapsed(times: NDArray[Any], edges: Ints) -> Floats:
    """Return the sum over times of how long ago each is, at each edge.

    0 for one that is still to come.
    """
    ordered = np.sort(times.astype(np.float64))
    before = np.searchsorted(ordered, edges)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    elapsed: Floats = edges * before - sums[before]
    return elapsed


@cache
def _states() -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return the pitches of each state's chord [S, 12] (the first has none) and the class of its
    triad [S].
    """
    pitches = np.zeros((1 + 12 * len(_KINDS), 12), bool)
    classes = np.zeros(len(pitches), np.int64)
    for kind, (degrees, quality) in enumerate(_KINDS):
        for root in range(12):
            row = 1 + 12 * kind + root
            pitches[row, [(root + degree) % 12 for degree in degrees]] = True
            classes[row] = 1 + 12 * quality + root
    return pitches, classes


def _kinds_of_triads() -> slice:
    """Return the states of the 48 triads, which stand first, in the order of their classes."""
    return slice(1, 49)


@cache
def _chord_costs() -> Floats:
    """Return the log probability of each state's chord in each key [12, S]."""
    pitches, _ = _states()
    keys = np.zeros((KEYS, 12), bool)
    for key in range(KEYS):
        keys[key, [(key + degree) % 12 for degree in _SCALE]] = True
    inside = keys.astype(float) @ pitches.T.astype(float)
    outside = (~keys).astype(float) @ pitches.T.astype(float)
    size = np.maximum(pitches.sum(1), 1)
    # Sevenths have more pitches and would pay more for each: the cost is that of three.
    costs = (inside * np.log(1 - _OUTSIDE) + outside * np.log(_OUTSIDE)) * 3 / size
    normal: Floats = costs - np.log(np.exp(costs).sum(1, keepdims=True))
    return normal


def _explained(profiles: Floats, bass: Floats) -> Floats:
    """Return how well each state explains each frame, nats up to a constant of the frame [F, S]."""
    pitches, _ = _states()
    length = np.linalg.norm(profiles, axis=1, keepdims=True)
    unit = profiles / np.maximum(length, 1e-9)
    templates = pitches / np.sqrt(np.maximum(pitches.sum(1, keepdims=True), 1))
    score: Floats = _WEIGHT * (unit @ templates.T)
    score[:, 0] = _WEIGHT * _NO_CHORD
    score[:, 1:] += _BASS * np.tile(bass, len(_KINDS))
    return score


def _viterbi(explained: Floats) -> tuple[Ints, Ints]:
    """Return key [F] and class of the chord [F] of the likeliest sequence of states.

    A change of chord leads to a chord by how likely the new key holds it, whatever stood before, so
    that the best way into a
    state is one of two: its own chord goes on, or the best chord before it, in the same key or in
    the best other.
    """
    _, classes = _states()
    costs = _chord_costs()
    states, frames = costs.shape[1], len(explained)
    stay, change = np.log(1 - _CHORD_CHANGE), np.log(_CHORD_CHANGE) + costs
    key_stays, key_changes = np.log(1 - _KEY_CHANGE), np.log(_KEY_CHANGE / (KEYS - 1))
    best = -np.log(KEYS) + costs + explained[0]
    came = np.zeros((frames, KEYS, states), np.int16)
    own = np.arange(KEYS * states).reshape(KEYS, states)
    for frame in range(1, frames):
        top = best.argmax(1)
        value = best[np.arange(KEYS), top]  # the best chord of each key
        key = int(value.argmax())
        elsewhere = value[key] + key_changes
        other = elsewhere > value + key_stays
        source = np.where(other, key * states + top[key], np.arange(KEYS) * states + top)
        arrived = np.where(other, elsewhere, value + key_stays)[:, None] + change
        held = best + key_stays + stay
        goes_on = held >= arrived
        came[frame] = np.where(goes_on, own, source[:, None])
        best = np.where(goes_on, held, arrived) + explained[frame]
    path = np.empty(frames, np.int64)
    path[-1] = int(best.argmax())
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = came[frame].flat[path[frame]]
    return path // states, classes[path % states]


def _mode(profile: Floats, keys: Ints) -> Literal["major", "minor"]:
    """Say whether the pitches of a piece fit the key of most of it or its relative minor better
    (Krumhansl & Schmuckler).
    """
    key = int(np.bincount(keys, minlength=KEYS).argmax())
    if not profile.any():
        return "major"
    fit = [
        np.corrcoef(np.roll(shape, root), profile)[0, 1]
        for shape, root in ((_MAJOR, key), (_MINOR, key - 3))
    ]
    return "major" if np.nan_to_num(fit[0]) >= np.nan_to_num(fit[1]) else "minor"
