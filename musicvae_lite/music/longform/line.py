"""One piece as one line of steps, with what is to be written anew in it; and the piece with it.

Notes that stay are not touched: they keep their ticks, whatever the grid. Letters in shapes: T
steps of the line, K voices, M notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import NOTE, Score
from musicvae_lite.media.score import giving_way
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.codecs.drums import class_of_pitch
from musicvae_lite.music.codecs.grid import Grid
from musicvae_lite.music.codecs.melody import FIRST_NOTE, NO_EVENT, NOTE_OFF
from musicvae_lite.music.windows import Passage

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_MAX_BARS = 4096


@dataclass(frozen=True, eq=False)
class Line:
    """The voices of a piece in one stretch of one metre.

    Attributes:
        score: the piece.
        codec: whose grid and classes are used.
        voices: indices of the tracks of each voice [K].
        tokens: classes [T, K].
        first_bar: bar of the piece with which the line begins, 0-based.
        start: its tick.
        notes: indices of the notes that the tokens are made of, of each voice.
        onsets: step of each of them.
        offs: step where each ends.
    """

    score: Score
    codec: ScoreCodec
    voices: tuple[tuple[int, ...], ...]
    tokens: Ints
    first_bar: int
    start: int
    notes: tuple[Ints, ...]
    onsets: tuple[Ints, ...]
    offs: tuple[Ints, ...]

    @property
    def bars(self) -> int:
        """Bars of the line."""
        return len(self.tokens) // self.codec.steps_per_bar

    @property
    def heard_bars(self) -> int:
        """Bars up to the end of the last note."""
        last = max((int(off.max()) for off in self.offs if len(off)), default=0)
        return -(-last // self.codec.steps_per_bar)

    def longer(self, bars: int) -> Line:
        """Return the line with empty bars at its end, ``bars`` in all."""
        length = bars * self.codec.steps_per_bar
        tokens = np.full((length, self.tokens.shape[1]), NO_EVENT, np.int64)
        size = min(length, len(self.tokens))
        tokens[:size] = self.tokens[:size]
        return replace(self, tokens=tokens)

    def key_counts(self) -> Ints:
        """Return how many of the notes that are heard have each pitch class [12]; of drums none."""
        pitched = [row for row, held in zip(self.notes, self._held(), strict=True) if held]
        index = np.concatenate([*pitched, np.zeros(0, np.int64)])
        return np.bincount(self.score.notes["pitch"][index] % 12, minlength=12)

    def _held(self) -> list[bool]:
        return [pitches is not None for pitches in self.codec.pitches]

    def given(self, gone: Mask) -> Ints:
        """Return the tokens with -1 where they are to be written anew [T, K].

        Args:
            gone: the steps whose notes leave [T, K]; see :meth:`free`.
        """
        free = self.free(gone)
        lines = [
            _write(held, self._rows(voice, gone, stays=True), len(self.tokens))
            for voice, held in enumerate(self._rows_of())
        ]
        return np.where(free, -1, np.stack(lines, 1))

    def _rows_of(self) -> list[tuple[Ints, Ints, Ints, bool]]:
        """Return class, onset, off of the notes of each voice, and whether they are held."""
        rows = []
        for index, onset, off, held in zip(
            self.notes, self.onsets, self.offs, self._held(), strict=True
        ):
            pitch = self.score.notes["pitch"][index].astype(np.int64)
            rows.append((self._classes(pitch, held), onset, off, held))
        return rows

    def _classes(self, pitch: Ints, held: bool) -> Ints:
        if held:
            return pitch - int(self.codec.config()["min_pitch"]) + FIRST_NOTE
        return np.left_shift(1, class_of_pitch(9)[pitch])

    def _rows(self, voice: int, gone: Mask, stays: bool) -> Mask:
        """Say which notes of a voice stay (or leave)."""
        onset = self.onsets[voice]
        inside = (onset >= 0) & (onset < len(gone))
        leaves = np.zeros(len(onset), bool)
        leaves[inside] = gone[onset[inside], voice]
        return ~leaves if stays else leaves

    def leaving(self, gone: Mask) -> int:
        """Return how many notes leave where steps [T, K] are written anew."""
        voices = range(len(self.voices))
        return sum(int(self._rows(voice, gone, stays=False).sum()) for voice in voices)

    def free(self, gone: Mask) -> Mask:
        """Return the steps at which something new may start [T, K]: those whose notes leave, but
        not those in which a note that stays still sounds.
        """
        free = gone.copy()
        for voice, held in enumerate(self._held()):
            if held:
                stays = self._rows(voice, gone, stays=True)
                onsets = zip(self.onsets[voice][stays], self.offs[voice][stays], strict=True)
                for onset, off in onsets:
                    free[max(int(onset), 0) : int(off), voice] = False
        return free

    def until(self, gone: Mask) -> Ints:
        """Return how far a new note that starts at a step may last, a step [T, K]: to the end of
        the stretch that is free, or as far as the note that hung over it did.
        """
        steps = len(gone)
        result = np.full(gone.shape, steps, np.int64)
        for voice in range(gone.shape[1]):
            leaves = self._rows(voice, gone, stays=False)
            onset, off = self.onsets[voice][leaves], self.offs[voice][leaves]
            for start, end in _stretches(gone[:, voice]):
                hung = off[(onset >= start) & (onset < end)].max(initial=end)
                result[start:end, voice] = hung
        return result

    def with_events(self, events: Ints, gone: Mask) -> Score:
        """Return the piece with new events in place of the notes that leave.

        Args:
            events: classes of all steps [T, K].
            gone: the steps whose notes leave [T, K].
        """
        window = events.astype(self.codec.dtype)
        made = self.codec.join([window[:, 0] if events.shape[1] == 1 else window])
        piece, until = self.score, self.until(gone)
        leaving = np.zeros(len(piece.notes), bool)
        for voice in range(len(self.voices)):
            leaving[self.notes[voice][self._rows(voice, gone, stays=False)]] = True
        stays = piece.notes[~leaving]
        parts = [stays]
        for voice, tracks in enumerate(self.voices):
            own = made.notes[made.notes["track"] == voice]
            per = made.ticks_per_quarter // self.codec.steps_per_quarter
            step = own["start"] // per
            own = own[gone[step, voice]]
            step, off = own["start"] // per, -(-own["end"] // per)
            new = np.zeros(len(own), NOTE)
            new["pitch"], new["track"] = own["pitch"], tracks[0]
            new["start"] = self._tick(step)
            new["end"] = self._tick(np.minimum(off, until[step, voice]))
            new["end"] = np.maximum(new["end"], new["start"] + 1)
            new["velocity"] = _loudness(piece.notes, tracks, new["start"])
            parts.append(giving_way(new, stays[stays["track"] == tracks[0]]))
        return replace(piece, notes=np.concatenate(parts).astype(NOTE))

    def _tick(self, steps: NDArray[Any]) -> Ints:
        ticks = np.asarray(steps, np.int64) * self.score.ticks_per_quarter
        half = self.codec.steps_per_quarter // 2
        return np.asarray(self.start + (ticks + half) // self.codec.steps_per_quarter, np.int64)


def line_of(passage: Passage, codec: ScoreCodec, bar: int | None = None) -> Line:
    """Write the tracks of a passage as one line.

    Args:
        passage: which tracks of which piece.
        codec: of the line; windows of one class a step and voice.
        bar: a bar of the piece, 0-based, that the line holds; default where its windows are.

    Raises:
        UsageError: no such bar, or it is in another metre than the codec's.
    """
    score, grid = passage.score, Grid.of(passage.score, codec)
    wanted = int(passage.bars[0]) - 1 if bar is None else bar
    if not 0 <= wanted < max(1, score.bars):
        raise UsageError(f"{passage.source}: has {score.bars} bars; there is no bar {wanted + 1}")
    segment = int(np.searchsorted(grid.first_bar, wanted, side="right")) - 1
    if not grid.fits[segment]:
        metre = grid.segments[segment]
        raise UsageError(
            f"{passage.source}: bar {wanted + 1} is in {metre.numerator}/{metre.denominator}, not "
            f"in {codec.numerator}/{codec.denominator}"
        )
    last = int(grid.end[segment] - grid.start[segment]) * codec.steps_per_quarter
    per_bar = codec.steps_per_bar
    bars = -(-last // (score.ticks_per_quarter * per_bar))
    if bars > _MAX_BARS:
        raise UsageError(f"{passage.source}: has {bars} bars; at most {_MAX_BARS} are worked on")
    rows = [
        _voice(score, grid, codec, segment, tracks, voice)
        for voice, tracks in enumerate(passage.voices)
    ]
    empty = np.zeros((bars * per_bar, len(codec.sizes)), np.int64)
    columns = tuple(zip(*rows, strict=True))
    line = Line(
        score,
        codec,
        passage.voices,
        empty,
        int(grid.first_bar[segment]),
        int(grid.start[segment]),
        *columns,
    )
    return replace(line, tokens=line.given(np.zeros_like(empty, dtype=bool)))


def _voice(
    score: Score, grid: Grid, codec: ScoreCodec, segment: int, tracks: Sequence[int], voice: int
) -> tuple[Ints, Ints, Ints]:
    """Return the notes that a voice is made of, with first step and end."""
    own = np.flatnonzero(np.isin(score.notes["track"], tracks) & (grid.segment == segment))
    own = own[score.notes["velocity"][own] > 0]
    own = own[codec.reads(score, own, voice)] if len(own) else own
    onset, off = grid.steps(score.notes["start"][own], score.notes["end"][own], grid.segment[own])
    if codec.pitches[voice] is None:
        return own, onset, off
    first = np.ones(len(own), bool)
    order = np.argsort(onset, kind="stable")
    own, onset, off = own[order], onset[order], off[order]
    first[1:] = np.diff(onset) != 0
    own, onset, off = own[first], onset[first], off[first]
    # One note at a time: the next one ends it.
    off = np.minimum(off, np.append(onset[1:], np.iinfo(np.int64).max))[: len(off)]
    return own, onset, off


def _write(rows: tuple[Ints, Ints, Ints, bool], stays: Mask, length: int) -> Ints:
    """Write the notes of a voice that stay as classes [T]."""
    classes, onset, off, held = rows
    line = np.zeros(length, np.int64)
    inside = stays & (onset >= 0) & (onset < length)
    if not held:
        np.bitwise_or.at(line, onset[inside], classes[inside])
        return line
    ends = off[inside & (off < length)]
    line[ends] = NOTE_OFF
    line[onset[inside]] = classes[inside]
    return line


def _stretches(gone: Mask) -> list[list[int]]:
    """Return the first step and the end of each stretch of a mask [T]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gone.astype(int), [0]])))
    stretches: list[list[int]] = edges.reshape(-1, 2).tolist()
    return stretches


def _loudness(notes: NDArray[np.void], tracks: Sequence[int], starts: Ints) -> NDArray[np.uint8]:
    """Return how loud new notes are: as the note of the track that started last before them."""
    before = notes[np.isin(notes["track"], tracks)]
    if not len(before):
        return np.full(len(starts), 80, np.uint8)
    before = before[np.argsort(before["start"], kind="stable")]
    row = np.searchsorted(before["start"], starts, side="right") - 1
    loud: NDArray[np.uint8] = before["velocity"][np.maximum(row, 0)]
    return loud
