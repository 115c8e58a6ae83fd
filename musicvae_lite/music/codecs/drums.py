"""Drum patterns: which of 9 kinds of drums (or 61 single ones) are hit at each step, by the rules
of Magenta's MusicVAE.

Source of the rules: note-seq, ``drums_lib.DrumTrack.from_quantized_sequence`` and
``extract_drum_tracks`` with ``pad_end`` and ``min_bars=1``; groups of pitches:
``drums_encoder_decoder``; windows: magenta, ``music_vae/data.py``. All drum tracks of a score are
one pattern; velocities and lengths play no part.

Where this codec differs on purpose: as :mod:`musicvae_lite.music.codecs.melody` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import METRE, NOTE, TEMPO, Score, Track
from musicvae_lite.music.attributes import percussive
from musicvae_lite.music.codec import ORIGIN, Encoded, ScoreCodec, TrackReport, chosen_tracks
from musicvae_lite.music.codecs.grid import Grid, Ints, Refused
from musicvae_lite.music.codecs.melody import (
    MAX_MELODY_BARS,
    MAX_SCORE_BARS,
    silent_drops,
    track_report,
)

#: MIDI pitches of each kind of drum (General MIDI 1 and 2); the first one is what is written.
GROUPS: dict[str, tuple[int, ...]] = {
    "kick": (36, 35),
    "snare": (38, 27, 28, 31, 32, 33, 34, 37, 39, 40, 56, 65, 66, 75, 85),
    "closed hi-hat": (42, 44, 54, 68, 69, 70, 71, 73, 78, 80, 22),
    "open hi-hat": (46, 67, 72, 74, 79, 81, 26),
    "low tom": (45, 29, 41, 43, 61, 64, 84),
    "mid tom": (48, 47, 60, 63, 77, 86, 87),
    "high tom": (50, 30, 62, 76, 83),
    "crash": (49, 52, 55, 57, 58),
    "ride": (51, 53, 59, 82),
}
#: Of these, those that were added after Magenta's models of single drums were made; its later code
#: counts them.
_LATER = (22, 26)
NAME = "drums"


def drum_pitches(classes: int) -> list[tuple[int, ...]]:
    """Return the MIDI pitches of each class: 9 groups, or each of their pitches on its own: 61, or
    63 with the later two.
    """
    groups = list(GROUPS.values())
    if classes == len(groups):
        return groups
    return [(pitch,) for group in groups for pitch in group if classes == 63 or pitch not in _LATER]


def measured_kinds(classes: int) -> dict[str, list[int]]:
    """Return the classes of the kinds of drums whose share is measured."""
    kinds = {"hihat": ("closed hi-hat", "open hi-hat"), "kick": ("kick",), "snare": ("snare",)}
    first = [pitches[0] for pitches in drum_pitches(classes)]
    return {
        name: [
            index
            for index, pitch in enumerate(first)
            if any(pitch in GROUPS[group] for group in groups)
        ]
        for name, groups in kinds.items()
    }


def class_of_pitch(classes: int) -> Ints:
    """Return the class of each MIDI pitch [128], -1 for those that are no drum."""
    table = np.full(128, -1, np.int64)
    for index, pitches in enumerate(drum_pitches(classes)):
        table[list(pitches)] = index
    return table


class _Hits(NamedTuple):
    """Steps at which something is hit, one row a step: metre segment, step in it, bits of the
    classes, number of the pattern.
    """

    segment: Ints
    step: Ints
    bits: Ints
    pattern: Ints


class DrumsCodec(ScoreCodec):
    """All drum tracks together, the drums that are hit at each step.

    A step is one token, the sum of ``2 ** class`` (form ``tokens``), or one bit a class (form
    ``roll``).

    Args:
        bars: bars of a window.
        steps_per_quarter: steps of a quarter note.
        numerator: of the metre. Segments with as many steps a bar are used, others are left out.
        denominator: of the metre.
        classes: 9 kinds of drums, or 61 (63) single ones.
        form: ``tokens`` (9 classes alone) or ``roll``.
        gap_bars: a silence of this many bars ends a pattern; at least 1.
        hop_bars: bars from one window to the next.
        max_bars: bars of a pattern that are used, or None for all (Magenta: 100).
        pad_short: when a score gives no window at all, lengthen its patterns by the empty bars
            before and after them.
        require_onset: leave out windows without a hit.
    """

    kind = "drums"
    roles = (NAME,)
    item = "drum pattern"
    track_name = NAME
    seamless = True

    def __init__(
        self,
        bars: int = 2,
        steps_per_quarter: int = 4,
        numerator: int = 4,
        denominator: int = 4,
        classes: int = 9,
        form: str = "tokens",
        gap_bars: float = 1.0,
        hop_bars: int = 1,
        max_bars: int | None = None,
        pad_short: bool = True,
        require_onset: bool = True,
    ) -> None:
        self._set_grid(bars, steps_per_quarter, numerator, denominator)
        if hop_bars < 1 or (max_bars is not None and max_bars < bars):
            raise UsageError("codec 'drums': hop_bars starts at 1, max_bars at bars")
        if (
            classes not in (9, 61, 63)
            or form not in ("tokens", "roll")
            or (form == "tokens" and classes != 9)
        ):
            raise UsageError(
                "codec 'drums': classes are 9 (form tokens or roll), 61 or 63 (form roll)"
            )
        if gap_bars < 1:
            raise UsageError(f"codec 'drums': gap_bars is {gap_bars}, it must be at least 1")
        self.classes, self.form = classes, form
        self.gap_bars, self.hop_bars, self.max_bars = float(gap_bars), hop_bars, max_bars
        self.pad_short, self.require_onset = pad_short, require_onset

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window: (T,) for tokens, (T, classes) for a roll."""
        return (self.steps,) if self.form == "tokens" else (self.steps, self.classes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers: uint16 for tokens, uint8 for bits."""
        return np.dtype(np.uint16 if self.form == "tokens" else np.uint8)

    @property
    def vocabulary(self) -> int:
        """Number of tokens, 2 ** classes; of bits, twice their number."""
        return sum(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """One number of 2 ** classes values, or two values for each bit."""
        return (2**self.classes,) if self.form == "tokens" else (2,) * self.classes

    @property
    def table(self) -> list[list[float]] | None:
        """Vectors of the tokens: one bit a class and one for silence, [512, 10]; None for a
        roll.
        """
        if self.form == "roll":
            return None
        bits = _unpack(np.arange(2**self.classes), self.classes)
        rows: list[list[float]] = np.column_stack([bits, bits.sum(1) == 0]).astype(float).tolist()
        return rows

    def config(self) -> dict[str, Any]:
        """Return plain data from which :func:`~musicvae_lite.core.codec.build_codec` builds an
        equal codec.
        """
        names = (
            "bars",
            "steps_per_quarter",
            "numerator",
            "denominator",
            "classes",
            "form",
            "gap_bars",
            "hop_bars",
            "max_bars",
        )
        return {
            "kind": self.kind,
            **{name: getattr(self, name) for name in (*names, "pad_short", "require_onset")},
        }

    def encode(
        self,
        score: Score,
        tracks: Sequence[int] | None = None,
        roles: Mapping[str, int] | None = None,
    ) -> Encoded:
        """Cut the drum patterns of a score into windows [N, T] or [N, T, classes].

        See :meth:`ScoreCodec.encode`.

        A track that is named is taken for drums, whatever its channel.
        """
        tracks = chosen_tracks(tracks, roles, self.roles, score)
        grid = Grid.of(score, self)
        refused = Refused(score, grid)
        used, hits, notes = self._hits(score, grid, refused, tracks)
        bar, bars = self._spans(hits)
        if self.pad_short and len(bars) and bool((bars < self.bars).all()):
            bar, bars = self._lengthened(hits, bar, bars)
        self._refuse(hits, notes, bar, bars, refused)
        windows, origin = self._render(hits, grid, bar, bars)
        origin["track"] = used[0] if len(used) else 0
        drops = [drop for drop in refused.drops() if tracks is None or drop.track in tracks]
        silent = ~windows.any(axis=1)
        if self.require_onset and silent.any():
            drops += silent_drops(origin[silent])
            windows, origin = windows[~silent], origin[~silent]
        dropped: Counter[str] = Counter()
        for drop in drops:
            dropped[drop.reason] += drop.count
        return Encoded(self._in_form(windows), origin, dropped, tuple(drops))

    def _hits(
        self, score: Score, grid: Grid, refused: Refused, tracks: Sequence[int] | None
    ) -> tuple[Ints, _Hits, tuple[Ints, Ints]]:
        """Return the tracks that are used, the hits, and note index and row among the hits of every
        note that is used.
        """
        candidates, drum = self._usable(score, grid, refused, tracks)
        notes, segment = score.notes[candidates], grid.segment[candidates]
        step, _ = grid.steps(notes["start"], notes["end"], segment)
        order = np.lexsort((drum, step, segment))
        candidates, segment, step, drum = (
            candidates[order],
            segment[order],
            step[order],
            drum[order],
        )
        new_step = np.ones(len(order), bool)
        new_step[1:] = (np.diff(segment) != 0) | (np.diff(step) != 0)
        again = np.zeros(len(order), bool)
        again[1:] = ~new_step[1:] & (np.diff(drum) == 0)
        refused.mark(candidates[again], "the same drum at the same step")
        first = np.flatnonzero(new_step)
        bits = (
            np.bitwise_or.reduceat(np.left_shift(1, drum), first)
            if len(first)
            else np.zeros(0, np.int64)
        )
        row = np.cumsum(new_step) - 1
        segment, step = segment[first], step[first]
        starts = np.zeros(len(first), bool)
        starts[1:] = (np.diff(segment) != 0) | (
            np.diff(step) - 1 >= self.gap_bars * self.steps_per_bar
        )
        return (
            np.unique(notes["track"]),
            _Hits(segment, step, bits, np.cumsum(starts)),
            (candidates, row),
        )

    def reads(self, score: Score, notes: NDArray[np.int64], voice: int = 0) -> NDArray[np.bool_]:
        """Say which notes (indices [M]) are of a drum that it knows [M]."""
        known: NDArray[np.bool_] = (
            class_of_pitch(self.classes)[np.minimum(score.notes["pitch"][notes], 127)] >= 0
        )
        return known

    def _usable(
        self, score: Score, grid: Grid, refused: Refused, tracks: Sequence[int] | None
    ) -> tuple[Ints, Ints]:
        """Return the indices of the notes that patterns are made of, and their classes, marking the
        others.
        """
        notes = score.notes
        if tracks is None:
            refused.mark_tracks([not track.is_drum for track in score.tracks], "no drum track")
        refused.mark_metres(self.numerator, self.denominator)
        refused.mark(notes["velocity"] == 0, "velocity 0")
        drum = class_of_pitch(self.classes)[np.minimum(notes["pitch"], 127)]
        refused.mark(drum < 0, "pitch of no drum")
        usable = refused.code == 0
        if tracks is not None:
            usable &= np.isin(notes["track"], tracks)
        indices = np.flatnonzero(usable)
        return indices, drum[indices]

    def _spans(self, hits: _Hits) -> tuple[Ints, Ints]:
        """Return first bar (in its metre segment) and bars of every pattern.

        0 bars: too long to be music.
        """
        row = np.flatnonzero(np.diff(hits.pattern, prepend=-1))
        last = np.append(row[1:], len(hits.step))[: len(row)] - 1
        bar = hits.step[row] // self.steps_per_bar
        bars = hits.step[last] // self.steps_per_bar + 1 - bar
        if self.max_bars is not None:
            bars = np.minimum(bars, self.max_bars)
        if len(bars) and int(bars.sum()) > MAX_MELODY_BARS:
            bars = np.where(bars > MAX_MELODY_BARS, 0, bars)
            bars = np.where(np.cumsum(bars) > MAX_SCORE_BARS, 0, bars)
        return bar, bars

    def _lengthened(self, hits: _Hits, bar: Ints, bars: Ints) -> tuple[Ints, Ints]:
        """Lengthen patterns to one window: over the empty bars before them, then after them."""
        segment = hits.segment[np.flatnonzero(np.diff(hits.pattern, prepend=-1))]
        free = np.zeros(len(bar), np.int64)
        follows = np.flatnonzero(np.diff(segment) == 0) + 1
        free[follows] = (bar + bars)[follows - 1]
        used = bars > 0
        return np.where(used, np.maximum(bar - (self.bars - bars), free), bar), np.where(
            used, self.bars, 0
        )

    def _refuse(
        self, hits: _Hits, notes: tuple[Ints, Ints], bar: Ints, bars: Ints, refused: Refused
    ) -> None:
        """Mark the notes that no window can hold."""
        index, row = notes
        if not len(index):
            return
        own = bars[hits.pattern][row]
        refused.mark(index[own == 0], f"too long for a pattern (over {MAX_MELODY_BARS} bars)")
        refused.mark(index[(own > 0) & (own < self.bars)], f"pattern shorter than {self.bars} bars")
        beyond = hits.step[row] >= (bar[hits.pattern][row] + own) * self.steps_per_bar
        refused.mark(index[beyond], f"after {self.max_bars} bars of a pattern")

    def _render(
        self, hits: _Hits, grid: Grid, bar: Ints, bars: Ints
    ) -> tuple[Ints, NDArray[np.void]]:
        """Write the patterns one after another on one line of steps and cut it: bits of each step
        [N, T], and origins [N].
        """
        per_bar = self.steps_per_bar
        windows = np.where(bars >= self.bars, (bars - self.bars) // self.hop_bars + 1, 0)
        count = int(windows.sum()) if len(windows) else 0
        if not count:
            return np.zeros((0, self.steps), np.int64), np.zeros(0, ORIGIN)
        length = np.where(windows > 0, bars, 0) * per_bar
        place = np.cumsum(length) - length
        line = np.zeros(int(length.sum()), np.int64)
        at = hits.step - bar[hits.pattern] * per_bar
        inside = at < length[hits.pattern]
        line[(place[hits.pattern] + at)[inside]] = hits.bits[inside]
        pattern = np.repeat(np.arange(len(windows)), windows)
        nth = np.arange(count) - np.repeat(np.cumsum(windows) - windows, windows)
        cut = np.lib.stride_tricks.sliding_window_view(line, self.steps)[
            place[pattern] + nth * (self.hop_bars * per_bar)
        ]
        origin = np.zeros(count, ORIGIN)
        segment = hits.segment[np.flatnonzero(np.diff(hits.pattern, prepend=-1))][pattern]
        first = bar[pattern] + nth * self.hop_bars
        origin["bar"] = grid.first_bar[segment] + first
        origin["tick"] = (
            grid.start[segment] + first * per_bar * grid.ticks_per_quarter // self.steps_per_quarter
        )
        return cut, origin

    def _in_form(self, bits: Ints) -> NDArray[Any]:
        """Return windows as tokens or rolls from the bits of each step [N, T]."""
        return bits.astype(np.uint16) if self.form == "tokens" else _unpack(bits, self.classes)

    def join(
        self,
        windows: Sequence[NDArray[Any]],
        qpm: float = 120.0,
        velocity: int = 80,
        program: int | None = None,
        name: str = NAME,
    ) -> Score:
        """Put windows (each [T] or [T, classes]) one after another in one score.

        Every hit lasts one step.

        ``program`` plays no part.
        """
        ticks = max(1, 480 // self.steps_per_quarter)
        pitches = np.array([group[0] for group in drum_pitches(self.classes)], np.uint8)
        rows, begin = [], 0
        for window in windows:
            step, drum = np.nonzero(self._roll(np.asarray(window)))
            notes = np.zeros(len(step), NOTE)
            notes["start"], notes["pitch"], notes["velocity"] = (
                (begin + step) * ticks,
                pitches[drum],
                velocity,
            )
            notes["end"] = notes["start"] + ticks
            rows.append(notes)
            begin += -(-len(window) // self.steps_per_bar) * self.steps_per_bar
        metres = np.array([(0, self.numerator, self.denominator)], METRE)
        notes = np.concatenate([np.zeros(0, NOTE), *rows])
        track = Track(name, 0, is_drum=True)
        return Score(
            ticks * self.steps_per_quarter,
            notes,
            (track,),
            np.array([(0, qpm)], TEMPO),
            metres,
            name,
        )

    def _roll(self, window: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the bits [T, classes] of one window.

        Raises:
            MusaeError: if it is no window of this codec.
        """
        shape = window.shape[1:]
        if (
            not np.issubdtype(window.dtype, np.integer)
            or window.ndim != len(self.shape)
            or shape != self.shape[1:]
        ):
            wanted = "[T]" if self.form == "tokens" else f"[T, {self.classes}]"
            raise MusaeError(
                f"a drum window is integers {wanted}; this is {window.dtype} {list(window.shape)}"
            )
        if window.size and not 0 <= int(window.min()) <= int(window.max()) < self.sizes[0]:
            raise MusaeError(
                f"drum windows hold 0 to {self.sizes[0] - 1}; these go to {window.min()} .. "
                f"{window.max()}"
            )
        return _unpack(window, self.classes) if self.form == "tokens" else window.astype(np.uint8)

    def onsets(self, windows: NDArray[Any]) -> NDArray[np.bool_]:
        """Say at which steps of windows a drum is hit, [N, T, 1]."""
        hit: NDArray[np.bool_] = windows > 0
        return (
            hit[..., None]
            if self.form == "tokens"
            else np.logical_or.reduce(hit, axis=-1, keepdims=True)
        )

    def right(self, heard: NDArray[Any], given: NDArray[Any]) -> NDArray[np.bool_]:
        """Say at which steps all drums agree, [N, T, 1]."""
        same: NDArray[np.bool_] = heard == given
        return (
            same[..., None]
            if self.form == "tokens"
            else np.logical_and.reduce(same, axis=-1, keepdims=True)
        )

    def attributes(self, windows: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Measure windows; see :func:`musicvae_lite.music.attributes.percussive`."""
        roll = _unpack(windows, self.classes) if self.form == "tokens" else windows
        return percussive(
            roll, measured_kinds(self.classes), self.steps_per_quarter, self.steps_per_bar
        )

    def advice(self, score: Score, roles: Mapping[str, int] | None = None) -> str:
        """Say that there is no drum track, and how another is named; "" where there is one."""
        return drum_advice(score, roles)

    def explain(self, score: Score) -> list[TrackReport]:
        """Say for every track what it gives and what was left out, and why.

        All drum tracks share their windows.
        """
        return drum_reports(score, self.encode(score), self.bars)


def drum_advice(
    score: Score, roles: Mapping[str, int] | None, option: str = "--role drums=1"
) -> str:
    """Say that a score has no drum track, and by what option another is named.

    "" where there is one.
    """
    if roles or any(track.is_drum for track in score.tracks) or not score.tracks:
        return ""
    return (
        "it has no drum track (channel 10); a track of drums on another channel can be named, "
        f"as in {option}"
    )


def drum_reports(score: Score, encoded: Encoded, bars: int) -> list[TrackReport]:
    """Say for every track what it gives to the windows of ``bars`` bars that all drum tracks share,
    and what was left out.
    """
    reports = []
    for index, track in enumerate(score.tracks):
        shared = encoded.origin.copy()
        lost = sum(
            drop.count
            for drop in encoded.drops
            if drop.track == index and not drop.reason.startswith("window")
        )
        if track.is_drum and lost < int((score.notes["track"] == index).sum()):
            shared["track"] = index
        reports.append(track_report(index, score, replace(encoded, origin=shared), bars))
    return reports


def _unpack(bits: NDArray[Any], classes: int) -> NDArray[np.uint8]:
    """Return the lowest ``classes`` bits of whole numbers as a new last dimension."""
    unpacked: NDArray[np.uint8] = (
        (bits.astype(np.int64)[..., None] >> np.arange(classes)) & 1
    ).astype(np.uint8)
    return unpacked
