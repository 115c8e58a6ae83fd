"""Monophonic melodies as one token a step, by the rules of Magenta's MusicVAE.

Source of the rules: note-seq, ``melodies_lib.Melody.from_quantized_sequence`` and
``extract_melodies`` with ``ignore_polyphonic_notes``, ``pad_end``, ``min_bars=1``,
``min_unique_pitches=1``; windows: magenta, ``music_vae/data.py``.

Where this codec differs on purpose:

* time is counted in ticks, so that a tempo change does not cut a piece;
* windows come in order of time, with their bar; there is no cap of five and nothing is deduplicated
  here;
* a melody shorter than the window gives a window when the score would otherwise give none
  (``pad_short``);
* a window in which no note starts (one note held all through) is left out (``require_onset``): it
  says nothing and could not be read back, for it decodes to silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import METRE, NOTE, TEMPO, Score, Track
from musicvae_lite.music.attributes import density, melodic, syncopations
from musicvae_lite.music.codec import ORIGIN, Drop, Encoded, ScoreCodec, TrackReport, chosen_tracks
from musicvae_lite.music.codecs.grid import Grid, Ints, Refused

NO_EVENT, NOTE_OFF, FIRST_NOTE = 0, 1, 2

#: Longer melodies are damage (one note held for 2^31 ticks), not music; the bounds keep memory and
#: time small.
MAX_MELODY_BARS = 20_000
MAX_SCORE_BARS = 200_000


class _Lines(NamedTuple):
    """The notes that make melodies, one row a note, ordered by track, metre segment and onset.

    ``note`` is the index into the score's notes, ``melody`` the number of the melody (0, 1, ...);
    onset and off are steps from the start of the metre segment.
    """

    note: Ints
    track: Ints
    segment: Ints
    onset: Ints
    off: Ints
    pitch: Ints
    melody: Ints


class _Spans(NamedTuple):
    """The melodies: row of the first note, first bar in the metre segment, bars.

    Number 0 of bars: not used.
    """

    row: Ints
    bar: Ints
    bars: Ints


class MelodyCodec(ScoreCodec):
    """One track at a time, one note at a time.

    Tokens: 0 no event (what sounds goes on), 1 note off, ``2 + pitch - min_pitch`` note on.

    Args:
        bars: bars of a window.
        steps_per_quarter: steps of a quarter note: 4 is a 16th grid, 3 or 6 a triplet grid.
        numerator: of the metre. Segments of its length are used (2/2 counts as 4/4, 6/8 not as
            3/4), others are left out.
        denominator: of the metre.
        min_pitch: lowest MIDI pitch used; notes outside are left out.
        max_pitch: highest MIDI pitch used.
        programs: first and last General MIDI program used (0-based, inclusive), or None for all.
        gap_bars: a silence of this many bars ends a melody.
        hop_bars: bars from one window to the next.
        max_bars: bars of a melody that are used, or None for all (Magenta: 100).
        pad_short: when a score gives no window at all, lengthen its melodies by the empty bars
            before and after them.
        require_onset: leave out windows in which no note starts (Magenta keeps them).
    """

    kind = "melody"
    roles = ("melody",)
    item = "melody"
    track_name = "melody"
    seamless = True

    def __init__(
        self,
        bars: int = 2,
        steps_per_quarter: int = 4,
        numerator: int = 4,
        denominator: int = 4,
        min_pitch: int = 21,
        max_pitch: int = 108,
        programs: Sequence[int] | None = (0, 31),
        gap_bars: float = 1.0,
        hop_bars: int = 1,
        max_bars: int | None = None,
        pad_short: bool = True,
        require_onset: bool = True,
    ) -> None:
        self._set_grid(bars, steps_per_quarter, numerator, denominator)
        if hop_bars < 1 or (max_bars is not None and max_bars < bars):
            raise UsageError("codec 'melody': hop_bars starts at 1, max_bars at bars")
        if not 0 <= min_pitch <= max_pitch <= 127:
            raise UsageError(
                f"codec 'melody': pitches {min_pitch} to {max_pitch} are no range inside 0 to 127"
            )
        if programs is not None and not (
            len(programs) == 2 and 0 <= programs[0] <= programs[1] <= 127
        ):
            raise UsageError(
                f"codec 'melody': programs {list(programs)} is no range (first, last) inside 0 to "
                "127"
            )
        if gap_bars <= 0:
            raise UsageError(f"codec 'melody': gap_bars is {gap_bars}, it must be above 0")
        self.min_pitch, self.max_pitch = min_pitch, max_pitch
        self.programs = None if programs is None else (int(programs[0]), int(programs[1]))
        self.gap_bars, self.hop_bars, self.max_bars = float(gap_bars), hop_bars, max_bars
        self.pad_short, self.require_onset = pad_short, require_onset

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window: (T,)."""
        return (self.steps,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the tokens."""
        return np.dtype(np.uint8)

    @property
    def vocabulary(self) -> int:
        """Number of classes of a step: no event, note off, and the pitches."""
        return FIRST_NOTE + self.max_pitch - self.min_pitch + 1

    @property
    def pitches(self) -> tuple[tuple[int, int] | None, ...]:
        """First note and how many there are."""
        return ((FIRST_NOTE, self.vocabulary - FIRST_NOTE),)

    def config(self) -> dict[str, Any]:
        """Return plain data from which :func:`~musicvae_lite.core.codec.build_codec` builds an
        equal codec.
        """
        return {
            "kind": self.kind,
            "bars": self.bars,
            "steps_per_quarter": self.steps_per_quarter,
            "numerator": self.numerator,
            "denominator": self.denominator,
            "min_pitch": self.min_pitch,
            "max_pitch": self.max_pitch,
            "programs": None if self.programs is None else list(self.programs),
            "gap_bars": self.gap_bars,
            "hop_bars": self.hop_bars,
            "max_bars": self.max_bars,
            "pad_short": self.pad_short,
            "require_onset": self.require_onset,
        }

    def encode(
        self,
        score: Score,
        tracks: Sequence[int] | None = None,
        roles: Mapping[str, int] | None = None,
    ) -> Encoded:
        """Cut the melodies of a score into windows, uint8 [N, T]; see :meth:`ScoreCodec.encode`."""
        tracks = chosen_tracks(tracks, roles, self.roles, score)
        grid = Grid.of(score, self)
        refused = Refused(score, grid)
        lines = self._lines(score, grid, refused, tracks)
        spans = self._spans(lines)
        short = spans.bars < self.bars
        if self.pad_short and len(short) and bool(short.all()):
            spans = self._lengthened(lines, spans)
        self._refuse_melodies(lines, spans, refused)
        windows, origin, silent = self._render(lines, spans, grid)
        drops = [drop for drop in refused.drops() if tracks is None or drop.track in tracks]
        if self.require_onset and silent.any():
            drops += silent_drops(origin[silent])
            windows, origin = windows[~silent], origin[~silent]
        dropped: Counter[str] = Counter()
        for drop in drops:
            dropped[drop.reason] += drop.count
        return Encoded(windows, origin, dropped, tuple(drops))

    def reads(self, score: Score, notes: NDArray[np.int64], voice: int = 0) -> NDArray[np.bool_]:
        """Say which notes (indices [M]) of one track are the melody [M].

        Of those that start together the highest, and those that only share its step.
        """
        grid = Grid.of(score, self)
        segment = grid.segment[notes]
        onset, _ = grid.steps(score.notes["start"][notes], score.notes["end"][notes], segment)
        pitch = score.notes["pitch"][notes].astype(np.int64)
        pitch = np.where((pitch < self.min_pitch) | (pitch > self.max_pitch), -1, pitch)
        _, place = np.unique(np.stack([segment, onset]), axis=1, return_inverse=True)
        place = place.ravel()
        highest = np.full(len(notes), -1, np.int64)
        np.maximum.at(highest, place, pitch)
        read: NDArray[np.bool_] = (pitch >= 0) & (pitch == highest[place])
        return read | self._fast(score, notes, place, read)

    def fast(self, score: Score, notes: NDArray[np.int64], voice: int = 0) -> NDArray[np.bool_]:
        """Say which notes (indices [M]) of one track are lost among those of their step [M]."""
        read = np.flatnonzero(self.reads(score, notes, voice))
        grid = Grid.of(score, self)
        segment = grid.segment[notes[read]]
        onset, _ = grid.steps(
            score.notes["start"][notes[read]], score.notes["end"][notes[read]], segment
        )
        pitch = score.notes["pitch"][notes[read]].astype(np.int64)
        order = np.lexsort((-pitch, onset, segment))
        again = np.zeros(len(order), bool)
        again[1:] = (np.diff(onset[order]) == 0) & (np.diff(segment[order]) == 0)
        first = order[~again][np.cumsum(~again) - 1] if len(order) else order
        begin, end = score.notes["start"][notes[read]], score.notes["end"][notes[read]]
        apart = (end[order] <= begin[first]) | (begin[order] >= end[first])  # else it is doubled
        lost = np.zeros(len(notes), bool)
        lost[read[order[again & apart]]] = True
        return lost

    def _fast(
        self, score: Score, notes: Ints, place: Ints, read: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Say which notes share a step with one that is read, but do not sound with it.

        They are no lower notes of a chord: the melody is faster than the steps.
        """
        begin, end = np.full(len(notes), -1, np.int64), np.zeros(len(notes), np.int64)
        begin[place[read]] = score.notes["start"][notes[read]]
        end[place[read]] = score.notes["end"][notes[read]]
        begin, end = begin[place], end[place]
        apart = (score.notes["end"][notes] <= begin) | (score.notes["start"][notes] >= end)
        pitch = score.notes["pitch"][notes]
        usable = (pitch >= self.min_pitch) & (pitch <= self.max_pitch)
        fast: NDArray[np.bool_] = (begin >= 0) & apart & usable & ~read
        return fast

    @property
    def too_fast(self) -> str:
        """Why a note is left out that shares a step with another one of its voice."""
        return f"faster than the steps of the model ({self.steps_per_quarter} a quarter)"

    def _lines(
        self, score: Score, grid: Grid, refused: Refused, tracks: Sequence[int] | None
    ) -> _Lines:
        """Choose the notes: usable ones, of those that start together the highest."""
        candidates = self._usable(score, grid, refused, tracks)
        notes = score.notes[candidates]
        segment = grid.segment[candidates]
        onset, off = grid.steps(notes["start"], notes["end"], segment)
        track, pitch = notes["track"].astype(np.int64), notes["pitch"].astype(np.int64)
        count = len(notes)
        if not count:
            none = np.zeros(0, np.int64)
            return _Lines(none, none, none, none, none, none, none)
        new = np.ones(count, bool)
        new[1:] = (np.diff(onset) != 0) | (np.diff(track) != 0) | (np.diff(segment) != 0)
        # Notes are in order of onset; the highest of each group of equals, of equal ones the first.
        rank = pitch * count + np.arange(count - 1, -1, -1)
        row = count - 1 - np.maximum.reduceat(rank, np.flatnonzero(new)) % count
        if len(row) < count:
            lower = np.ones(count, bool)
            lower[row] = False
            chosen = row[np.cumsum(new)[lower] - 1]
            apart = (notes["end"][lower] <= notes["start"][chosen]) | (
                notes["start"][lower] >= notes["end"][chosen]
            )
            refused.mark(candidates[lower][apart], self.too_fast)
            refused.mark(candidates[lower], "lower note of a chord")
        lines = _Lines(
            candidates[row], track[row], segment[row], onset[row], off[row], pitch[row], row
        )
        lines = lines._replace(melody=self._melody_numbers(lines))
        return lines if self.gap_bars >= 1 else self._without_overrun(lines, refused)

    def _usable(
        self, score: Score, grid: Grid, refused: Refused, tracks: Sequence[int] | None
    ) -> Ints:
        """Return the indices of the notes that melodies are made of, marking the others."""
        notes = score.notes
        refused.mark_tracks([track.is_drum for track in score.tracks], "drum track")
        if self.programs is not None:
            low, high = self.programs
            refused.mark_tracks(
                [not low <= track.program <= high for track in score.tracks],
                f"program outside {low}-{high}",
            )
        refused.mark_metres(self.numerator, self.denominator)
        if not notes["velocity"].all():
            refused.mark(notes["velocity"] == 0, "velocity 0")
        pitch = notes["pitch"]
        if len(pitch) and (int(pitch.min()) < self.min_pitch or int(pitch.max()) > self.max_pitch):
            outside = (pitch < self.min_pitch) | (pitch > self.max_pitch)
            refused.mark(outside, f"pitch outside {self.min_pitch}-{self.max_pitch}")
        usable = refused.code == 0
        if tracks is not None:
            usable &= np.isin(notes["track"], tracks)
        return np.flatnonzero(usable)

    def _melody_numbers(self, lines: _Lines) -> Ints:
        """Give every note the number of its melody: one ends at a long silence, with its metre
        segment or its track.
        """
        new = np.zeros(len(lines.note), bool)
        new[1:] = (np.diff(lines.track) != 0) | (np.diff(lines.segment) != 0)
        new[1:] |= lines.onset[1:] - lines.off[:-1] >= self.gap_bars * self.steps_per_bar
        return np.cumsum(new)

    def _without_overrun(self, lines: _Lines, refused: Refused) -> _Lines:
        """Lose the notes before the bar line at which the next melody may begin.

        Only gaps under a bar need this.
        """
        keep = np.ones(len(lines.note), bool)
        per_bar, place, end, last = self.steps_per_bar, None, 0, -1
        table = zip(
            lines.track.tolist(),
            lines.segment.tolist(),
            lines.melody.tolist(),
            lines.onset.tolist(),
            strict=True,
        )
        for row, (track, segment, melody, onset) in enumerate(table):
            if (track, segment) != place:
                place, end = (track, segment), 0
            elif melody != last and keep[row - 1]:
                end = -(-int(lines.off[row - 1]) // per_bar) * per_bar
            keep[row] = onset >= end
            last = melody
        refused.mark(lines.note[~keep], "in the bar in which a melody ended")
        kept = _Lines(*(column[keep] for column in lines))
        return kept._replace(
            melody=np.cumsum(np.diff(kept.melody, prepend=0) != 0)
        )  # melodies may have vanished

    def _spans(self, lines: _Lines) -> _Spans:
        """Return the bars of every melody; ``max_bars`` and the limits of size cut or
        refuse them.
        """
        row = np.flatnonzero(np.diff(lines.melody, prepend=-1))
        last = np.append(row[1:], len(lines.note))[: len(row)] - 1
        bar = lines.onset[row] // self.steps_per_bar
        bars = -(-lines.off[last] // self.steps_per_bar) - bar
        if self.max_bars is not None:
            bars = np.minimum(bars, self.max_bars)
        if len(bars) and int(bars.sum()) > MAX_MELODY_BARS:
            bars = np.where(bars > MAX_MELODY_BARS, 0, bars)
            bars = np.where(np.cumsum(bars) > MAX_SCORE_BARS, 0, bars)
        return _Spans(row, bar, bars)

    def _lengthened(self, lines: _Lines, spans: _Spans) -> _Spans:
        """Lengthen melodies to one window: over the empty bars before them, then after them."""
        before = np.zeros(len(spans.row), np.int64)  # first bar that is free for a melody to begin
        follows = (
            np.flatnonzero(
                (np.diff(lines.track[spans.row]) == 0) & (np.diff(lines.segment[spans.row]) == 0)
            )
            + 1
        )
        before[follows] = (spans.bar + spans.bars)[follows - 1]
        used = spans.bars > 0
        bar = np.where(used, np.maximum(spans.bar - (self.bars - spans.bars), before), spans.bar)
        return _Spans(spans.row, bar, np.where(used, self.bars, 0))

    def _refuse_melodies(self, lines: _Lines, spans: _Spans, refused: Refused) -> None:
        """Mark the notes that no window can hold."""
        if not len(spans.row):
            return
        bars = spans.bars[lines.melody]
        refused.mark(lines.note[bars == 0], f"too long for a melody (over {MAX_MELODY_BARS} bars)")
        refused.mark(
            lines.note[(bars > 0) & (bars < self.bars)], f"melody shorter than {self.bars} bars"
        )
        if self.max_bars is not None:
            beyond = lines.onset >= (spans.bar[lines.melody] + bars) * self.steps_per_bar
            refused.mark(lines.note[beyond & (bars > 0)], f"after {self.max_bars} bars of a melody")

    def _render(
        self, lines: _Lines, spans: _Spans, grid: Grid
    ) -> tuple[NDArray[np.uint8], NDArray[np.void], NDArray[np.bool_]]:
        """Write the melodies one after another on one line of steps and cut it.

        Returns:
            Windows uint8 [N, T], their origin [N], and which of them have no onset [N].
        """
        per_bar = self.steps_per_bar
        windows = np.where(
            spans.bars >= self.bars, (spans.bars - self.bars) // self.hop_bars + 1, 0
        )
        count = int(windows.sum()) if len(windows) else 0
        if not count:
            return np.zeros((0, self.steps), np.uint8), np.zeros(0, ORIGIN), np.zeros(0, bool)
        length = np.where(windows > 0, spans.bars, 0) * per_bar
        place = np.cumsum(length) - length  # where a melody starts on the line
        line = self._line(lines, spans, place, length)
        melody = np.repeat(np.arange(len(windows)), windows)
        nth = np.arange(count) - np.repeat(np.cumsum(windows) - windows, windows)
        start = place[melody] + nth * (self.hop_bars * per_bar)
        cut = np.lib.stride_tricks.sliding_window_view(line, self.steps)[start]
        reached = np.maximum.accumulate(cut, axis=1)
        cut = np.where(
            reached < FIRST_NOTE, np.uint8(NO_EVENT), cut
        )  # a note off before any note means nothing
        origin = np.empty(count, ORIGIN)
        origin["track"] = lines.track[spans.row][melody]
        segment = lines.segment[spans.row][melody]
        bar = spans.bar[melody] + nth * self.hop_bars
        origin["bar"] = grid.first_bar[segment] + bar
        origin["tick"] = (
            grid.start[segment] + bar * per_bar * grid.ticks_per_quarter // self.steps_per_quarter
        )
        return cut, origin, reached[:, -1] < FIRST_NOTE

    def _line(self, lines: _Lines, spans: _Spans, place: Ints, length: Ints) -> NDArray[np.uint8]:
        """Write note ons and note offs of all melodies on one line of steps, uint8 [sum of
        length].
        """
        line = np.zeros(int(length.sum()), np.uint8)
        room = length[lines.melody]
        shift = spans.bar[lines.melody] * self.steps_per_bar
        onset, off = lines.onset - shift, lines.off - shift
        base = place[lines.melody]
        # A note off is heard only if it comes before the next note and before the end of the
        # melody.
        until = room.copy()
        until[:-1] = np.where(
            np.diff(lines.melody) == 0, np.minimum(onset[1:], room[:-1]), room[:-1]
        )
        ends = off < until
        line[(base + off)[ends]] = NOTE_OFF
        inside = onset < room
        line[(base + onset)[inside]] = (lines.pitch - self.min_pitch + FIRST_NOTE)[inside]
        return line

    def join(
        self,
        windows: Sequence[NDArray[Any]],
        qpm: float = 120.0,
        velocity: int = 80,
        program: int | None = None,
        name: str = "melody",
    ) -> Score:
        """Put windows (each [T]) one after another in one score.

        A note that sounds at the end of its window stops there.
        """
        parts = [self._notes(np.asarray(tokens)) for tokens in windows]
        lengths = [-(-len(tokens) // self.steps_per_bar) * self.steps_per_bar for tokens in windows]
        # The grid must fall on whole ticks.
        ticks = max(1, 480 // self.steps_per_quarter)
        begin = np.repeat(
            np.cumsum([0, *lengths[:-1]])[: len(parts)], [len(part[0]) for part in parts]
        )
        notes = np.zeros(len(begin), NOTE)
        if len(begin):
            onset, off, pitch = (
                np.concatenate([part[column] for part in parts]) for column in range(3)
            )
            notes["start"], notes["end"], notes["pitch"] = (
                (begin + onset) * ticks,
                (begin + off) * ticks,
                pitch,
            )
        notes["velocity"] = velocity
        if program is None:
            program = self.programs[0] if self.programs else 0
        tempos = np.array([(0, qpm)], TEMPO)
        metres = np.array([(0, self.numerator, self.denominator)], METRE)
        return Score(
            ticks * self.steps_per_quarter, notes, (Track(name, program),), tempos, metres, name
        )

    def _notes(self, tokens: NDArray[Any]) -> tuple[Ints, Ints, Ints]:
        """Return onset, off (steps) and pitch of the notes of one window [T]."""
        if tokens.ndim != 1 or not np.issubdtype(tokens.dtype, np.integer):
            raise MusaeError(
                f"a melody window is a row of integers [T]; this is {tokens.dtype} "
                f"{list(tokens.shape)}"
            )
        if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.vocabulary:
            raise MusaeError(
                f"melody tokens run from 0 to {self.vocabulary - 1}; these go to {tokens.min()} "
                f".. {tokens.max()}"
            )
        events = np.flatnonzero(tokens)
        ends = np.append(events[1:], len(tokens))[: len(events)]
        on = tokens[events] >= FIRST_NOTE
        return (
            events[on],
            ends[on],
            tokens[events][on].astype(np.int64) + (self.min_pitch - FIRST_NOTE),
        )

    def resume(self, window: NDArray[Any], earlier: NDArray[Any]) -> NDArray[Any]:
        """Return a window [T] that goes on from an earlier one; see :meth:`ScoreCodec.resume`."""
        starts = np.flatnonzero(window >= FIRST_NOTE)
        head = earlier[: starts[0] if len(starts) else len(window)]
        resumed: NDArray[Any] = np.concatenate(
            [np.where(head < FIRST_NOTE, head, NO_EVENT), window[len(head) :]]
        )
        return resumed.astype(window.dtype)

    def cut(self, window: NDArray[Any], steps: Sequence[int]) -> NDArray[Any]:
        """Return a window [T] that is silent from a step on.

        A note that sounds there is told to end.
        """
        result: NDArray[Any] = window.copy()
        events = np.flatnonzero(window[: steps[0]])
        sounds = (
            not len(events) or window[events[-1]] != NOTE_OFF
        )  # without an event one may, from the window before
        result[steps[0] :] = NO_EVENT
        result[steps[0] : steps[0] + 1] = NOTE_OFF if sounds else NO_EVENT
        return result

    def onsets(self, windows: NDArray[Any]) -> NDArray[np.bool_]:
        """Say at which steps of windows [N, T] a note starts, [N, T, 1]."""
        starts: NDArray[np.bool_] = (windows >= FIRST_NOTE)[..., None]
        return starts

    def attributes(self, windows: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Measure windows [N, T]: see :mod:`musicvae_lite.music.attributes`."""
        starts = windows >= FIRST_NOTE
        pitches = np.where(starts, windows.astype(np.int64) + (self.min_pitch - FIRST_NOTE), -1)
        rhythm = syncopations(starts, self.steps_per_quarter, self.steps_per_bar)
        return {"density": density(starts, self.steps_per_bar), **rhythm, **melodic(pitches)}

    def transposition_limits(
        self, windows: NDArray[Any]
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return how many semitones each window [N, T] can move down (<= 0) and up (>= 0), int8 [N]
        each; 0, 0 for no notes.
        """
        highest = windows.max(axis=1, initial=0).astype(np.int16)
        lowest = (
            np.where(windows >= FIRST_NOTE, windows, np.uint8(255))
            .min(axis=1, initial=255)
            .astype(np.int16)
        )
        some = highest >= FIRST_NOTE
        low = np.where(some, FIRST_NOTE - lowest, 0).astype(np.int8)
        return low, np.where(some, self.vocabulary - 1 - highest, 0).astype(np.int8)

    def transpose(self, windows: NDArray[Any], semitones: NDArray[Any]) -> NDArray[np.uint8]:
        """Move each window [N, T] by its number of semitones [N], uint8 [N, T].

        Raises:
            MusaeError: if a note would leave the range of pitches.
        """
        notes = windows >= FIRST_NOTE
        moved = np.where(notes, windows + np.asarray(semitones, np.int16)[:, None], windows)
        if ((moved < FIRST_NOTE) & notes).any() or moved.max(initial=0) >= self.vocabulary:
            raise MusaeError(
                "transposition moves notes out of range; stay within transposition_limits"
            )
        return moved.astype(np.uint8)

    def explain(self, score: Score) -> list[TrackReport]:
        """Say for every track what it gives and what was left out, and why."""
        encoded = self.encode(score)
        return [
            track_report(index, score, encoded, self.bars) for index in range(len(score.tracks))
        ]


def silent_drops(origin: NDArray[np.void]) -> list[Drop]:
    """Report windows without an onset, by track."""
    drops = []
    for track in np.unique(origin["track"]).tolist():
        bars = origin["bar"][origin["track"] == track]
        drops.append(
            Drop(
                track, "window in which no note starts", len(bars), int(bars.min()), int(bars.max())
            )
        )
    return drops


def track_report(index: int, score: Score, encoded: Encoded, bars: int) -> TrackReport:
    """Say what a track (by index) gives: the windows of ``bars`` bars that come from it, and what
    was left out.
    """
    track = score.tracks[index]
    notes = score.notes[score.notes["track"] == index]
    at = encoded.origin["bar"][encoded.origin["track"] == index]
    covered = (int(at.min()) + 1, int(at.max()) + bars) if len(at) else None
    refused = Counter({drop.reason: drop.count for drop in encoded.drops if drop.track == index})
    role = guess_role(track, notes)
    return TrackReport(
        index + 1,
        track.name,
        track.program,
        track.is_drum,
        len(notes),
        role,
        len(at),
        covered,
        refused,
    )


def guess_role(track: Track, notes: NDArray[np.void]) -> str:
    """Guess what a track does: by channel and program as Magenta's trio does, by polyphony between
    melody and chords.
    """
    if track.is_drum:
        return "drums"
    if 32 <= track.program <= 39:
        return "bass"
    if len(notes) > 1.5 * len(np.unique(notes["start"])):
        return "chords"
    return "melody" if track.program <= 31 else "other"
