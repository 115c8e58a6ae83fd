"""Polyphonic piano: which keys are struck and held at each step, and how hard.

A window is a roll of the 88 keys of a piano [T, 88]: 0 is silence, 1 a key that is held on, 2 and
more a key that is struck, with the loudness as a bin. Any number of notes sound at once. It holds
what PianoTree VAE's data do (Wang et al. 2020, arXiv 2008.07118: onsets, pitches and durations of
two bars), and velocities.

The sustain pedal is put into the ends of the notes first. A window knows nothing of notes that
began before it: where windows overlap, the earlier one says how long they last (:meth:`resume`).
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
from musicvae_lite.media.pedal import sustained
from musicvae_lite.music.attributes import chordal, density, syncopations
from musicvae_lite.music.codec import ORIGIN, Encoded, ScoreCodec, TrackReport, chosen_tracks
from musicvae_lite.music.codecs.grid import Grid, Ints, Refused
from musicvae_lite.music.codecs.melody import MAX_MELODY_BARS, silent_drops, track_report
from musicvae_lite.music.codecs.piano_notes import (
    HELD,
    HIGHEST,
    KEYS,
    LOWEST,
    SILENT,
    STRUCK,
    Notes,
    Roll,
    played,
    plays,
    refuse,
    usable_notes,
)

NAME = "piano"
_KEYS_AND_STRINGS = 32  # pianos, mallets, organs and guitars are the programs below


class _Cuts(NamedTuple):
    """Windows to cut, ascending: metre segment and first bar in it."""

    segment: Ints
    bar: Ints


class PianoCodec(ScoreCodec):
    """All tracks of piano together, as a roll of 88 keys.

    Args:
        bars: bars of a window.
        steps_per_quarter: steps of a quarter note.
        numerator: of the metre. Segments with as many steps a bar are used, others are left out.
        denominator: of the metre.
        velocity_bins: loudnesses that are told apart, 2 to 32.
        programs: General MIDI programs (first, last) that are read, or None for all but drums. A
            track that is named is read whatever its program.
        pedal: put the sustain pedal into the ends of the notes.
        hop_bars: bars from one window to the next, up to ``bars``.
        pad_short: fill up the last window with silence; otherwise what is left over is not used.
        require_onset: leave out windows in which nothing starts.
    """

    kind = "piano"
    roles = (NAME,)
    item = "piano part"
    track_name = NAME
    seamless = True
    dynamic = True
    gathers = True

    def __init__(
        self,
        bars: int = 2,
        steps_per_quarter: int = 4,
        numerator: int = 4,
        denominator: int = 4,
        velocity_bins: int = 8,
        programs: Sequence[int] | None = (0, 7),
        pedal: bool = True,
        hop_bars: int = 1,
        pad_short: bool = True,
        require_onset: bool = True,
    ) -> None:
        self._set_grid(bars, steps_per_quarter, numerator, denominator)
        if not 2 <= velocity_bins <= 32:
            raise UsageError(
                f"codec 'piano': velocity_bins is {velocity_bins}; it goes from 2 to 32"
            )
        if not 1 <= hop_bars <= bars:
            raise UsageError(
                f"codec 'piano': hop_bars is {hop_bars}; it goes from 1 to bars ({bars})"
            )
        if programs is not None and (
            len(programs) != 2 or not 0 <= programs[0] <= programs[1] <= 127
        ):
            raise UsageError("codec 'piano': programs are the first and the last, of 0 to 127")
        self.velocity_bins = velocity_bins
        self.programs = None if programs is None else (int(programs[0]), int(programs[1]))
        self.pedal, self.hop_bars = pedal, hop_bars
        self.pad_short, self.require_onset = pad_short, require_onset

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window: (T, 88)."""
        return self.steps, KEYS

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        return np.dtype(np.uint8)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Classes of each key: silent, held, and a bin of loudness if it is struck."""
        return (STRUCK + self.velocity_bins,) * KEYS

    @property
    def vocabulary(self) -> int:
        """Classes of all keys together."""
        return sum(self.sizes)

    def config(self) -> dict[str, Any]:
        """Return data from which :func:`~musicvae_lite.core.codec.build_codec` builds it again."""
        names = ("bars", "steps_per_quarter", "numerator", "denominator", "velocity_bins")
        more = ("pedal", "hop_bars", "pad_short", "require_onset")
        programs = None if self.programs is None else list(self.programs)
        settings = {name: getattr(self, name) for name in (*names, *more)}
        return {"kind": self.kind, "programs": programs, **settings}

    # Scores to windows

    def encode(
        self,
        score: Score,
        tracks: Sequence[int] | None = None,
        roles: Mapping[str, int] | None = None,
    ) -> Encoded:
        """Cut a score into windows [N, T, 88]; see :meth:`ScoreCodec.encode`."""
        tracks = chosen_tracks(tracks, roles, self.roles, score)
        heard = sustained(score) if self.pedal else score
        grid = Grid.of(heard, self)
        refused = Refused(heard, grid)
        programs = self.programs if tracks is None else None
        refuse(heard, refused, programs, self.numerator, self.denominator)
        sizes = self.steps_per_bar, self.velocity_bins
        notes = usable_notes(heard, grid, refused, tracks, *sizes)
        cuts = self._cuts(notes, refused, len(grid.segments))
        windows, origin = self._render(notes, cuts), self._origin(cuts, grid)
        used = heard.notes["track"][notes.row]
        origin["track"] = int(used.min()) if len(used) else 0
        drops = [drop for drop in refused.drops() if tracks is None or drop.track in tracks]
        silent = ~(windows >= STRUCK).any(axis=(1, 2))
        if self.require_onset and silent.any():
            drops += silent_drops(origin[silent])
            windows, origin = windows[~silent], origin[~silent]
        dropped: Counter[str] = Counter()
        for drop in drops:
            dropped[drop.reason] += drop.count
        return Encoded(windows, origin, dropped, tuple(drops))

    def gathered(self, score: Score) -> tuple[int, ...]:
        """Return the tracks (indices) that are read where none is named."""
        own = self.programs
        return tuple(index for index, track in enumerate(score.tracks) if plays(track, own))

    def reads(self, score: Score, notes: NDArray[np.int64], voice: int = 0) -> NDArray[np.bool_]:
        """Say which notes (indices [M]) are on the keys of a piano [M]."""
        pitch = score.notes["pitch"][notes]
        on_keys: NDArray[np.bool_] = (pitch >= LOWEST) & (pitch <= HIGHEST)
        return on_keys

    def _cuts(self, notes: Notes, refused: Refused, segments: int) -> _Cuts:
        """Return the windows to cut, marking the notes that are in none.

        Bars are counted from the start of the metre segment, so that an empty first bar of a window
        stays.
        """
        begun, sounding = notes.start // self.steps_per_bar, (notes.end - 1) // self.steps_per_bar
        bars, until = np.zeros(segments, np.int64), np.zeros(segments, np.int64)
        np.maximum.at(bars, notes.segment, begun + 1)
        np.maximum.at(until, notes.segment, sounding + 1)
        # The last window begins where something starts, and goes on while something sounds.
        until = np.where(bars > 0, np.minimum(until, bars + self.bars - 1), 0)
        over = np.maximum(until - self.bars, 0)
        final = -(-over // self.hop_bars) if self.pad_short else over // self.hop_bars
        final = np.where((bars == 0) | (~np.bool_(self.pad_short) & (until < self.bars)), -1, final)
        self._refuse_beyond(notes, final, refused)
        segment, nth = [], []
        for back in range(-(-self.bars // self.hop_bars)):  # a bar is in up to so many windows
            window = begun // self.hop_bars - back
            inside = (window >= 0) & (window <= final[notes.segment])
            inside &= begun < window * self.hop_bars + self.bars
            segment.append(notes.segment[inside])
            nth.append(window[inside])
        found = np.unique(np.concatenate(segment) << 32 | np.concatenate(nth))
        if not self.require_onset:
            found = self._between(found, final)
        return _Cuts(found >> 32, (found & 0xFFFFFFFF) * self.hop_bars)

    def _refuse_beyond(self, notes: Notes, final: Ints, refused: Refused) -> None:
        """Mark the notes that start after the last window, ``final`` [S], of their segment."""
        end = np.where(final < 0, 0, final * self.hop_bars + self.bars)[notes.segment]
        beyond = notes.start >= end * self.steps_per_bar
        refused.mark(notes.row[beyond], f"after the last whole window of {self.bars} bars")

    def _between(self, found: Ints, final: Ints) -> Ints:
        """Return all windows of each segment from the first that is found to the last.

        A stretch that is too long to be music stays as it is.
        """
        segments, first = np.unique(found >> 32, return_index=True)
        spans = [found]
        for segment, row in zip(segments.tolist(), first.tolist(), strict=True):
            start, stop = int(found[row] & 0xFFFFFFFF), int(final[segment]) + 1
            if stop - start <= MAX_MELODY_BARS:
                spans.append(segment << 32 | np.arange(start, stop))
        return np.unique(np.concatenate(spans))

    def _render(self, notes: Notes, cuts: _Cuts) -> Roll:
        """Return the windows [N, T, 88]."""
        windows = np.zeros((len(cuts.bar), *self.shape), np.uint8)
        begun = notes.start // self.steps_per_bar
        keys = cuts.segment << 32 | cuts.bar
        for back in range(self.bars):
            wanted = notes.segment << 32 | np.maximum(begun - back, 0)
            window = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
            here = (begun >= back) & (len(keys) > 0)
            here[here] &= keys[window[here]] == wanted[here]
            row, of = np.flatnonzero(here), window[here]
            at = notes.start[row] - cuts.bar[of] * self.steps_per_bar
            length = np.minimum(notes.end[row] - notes.start[row], self.steps - at)
            step = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length - at, length)
            windows[np.repeat(of, length), step, np.repeat(notes.key[row], length)] = HELD
            windows[of, at, notes.key[row]] = STRUCK + notes.loudness[row]
        return windows

    def _origin(self, cuts: _Cuts, grid: Grid) -> NDArray[np.void]:
        """Return where windows are, array of ORIGIN [N]."""
        origin = np.zeros(len(cuts.bar), ORIGIN)
        origin["bar"] = grid.first_bar[cuts.segment] + cuts.bar
        ticks = cuts.bar * self.steps_per_bar * grid.ticks_per_quarter // self.steps_per_quarter
        origin["tick"] = grid.start[cuts.segment] + ticks
        return origin

    # Windows to scores

    def join(
        self,
        windows: Sequence[NDArray[Any]],
        qpm: float = 120.0,
        velocity: int = 80,
        program: int | None = None,
        name: str = NAME,
    ) -> Score:
        """Put windows (each [T, 88]) one after another in one score.

        A key that is held where nothing struck it is silent. ``velocity`` plays no part.
        """
        ticks = max(1, 480 // self.steps_per_quarter)
        rows, begin = [], 0
        for window in windows:
            roll = self._checked(np.asarray(window))
            step, key, end = played(roll)
            notes = np.zeros(len(step), NOTE)
            notes["start"], notes["end"] = (begin + step) * ticks, (begin + end) * ticks
            notes["pitch"] = key + LOWEST
            loudness = roll[step, key].astype(np.int64) - STRUCK
            notes["velocity"] = (2 * loudness + 1) * 64 // self.velocity_bins
            rows.append(notes)
            begin += -(-len(roll) // self.steps_per_bar) * self.steps_per_bar
        metres = np.array([(0, self.numerator, self.denominator)], METRE)
        own = self.programs[0] if self.programs else 0
        track = Track(name, own if program is None else program)
        notes = np.concatenate([np.zeros(0, NOTE), *rows])
        tempos = np.array([(0, qpm)], TEMPO)
        return Score(ticks * self.steps_per_quarter, notes, (track,), tempos, metres, name)

    def _checked(self, window: NDArray[Any]) -> Roll:
        """Return one window.

        Raises:
            MusaeError: if it is none of this codec.
        """
        if not np.issubdtype(window.dtype, np.integer) or window.shape[1:] != (KEYS,):
            raise MusaeError(
                f"a piano window is integers ['T', {KEYS}]; this is {window.dtype} "
                f"{list(window.shape)}"
            )
        most = self.sizes[0] - 1
        if window.size and not 0 <= int(window.min()) <= int(window.max()) <= most:
            raise MusaeError(
                f"piano windows hold 0 to {most}; these go to {window.min()} .. {window.max()}"
            )
        return window.astype(np.uint8)

    def resume(self, window: NDArray[Any], earlier: NDArray[Any]) -> NDArray[Any]:
        """Return a window [T, 88] that goes on from an earlier one; see :meth:`ScoreCodec.resume`.

        Each key that the earlier one holds on from the first step stays so until it is struck.
        """
        head = earlier[: len(window)]
        held = np.logical_and.accumulate(head == HELD, axis=0)
        free = np.logical_and.accumulate(window[: len(head)] < STRUCK, axis=0)
        resumed = window.copy()
        resumed[: len(head)][held & free] = HELD
        return resumed

    # Measures

    def onsets(self, windows: NDArray[Any]) -> NDArray[np.bool_]:
        """Say at which steps of windows which key is struck, [N, T, 88]."""
        struck: NDArray[np.bool_] = windows >= STRUCK
        return struck

    def right(self, heard: NDArray[Any], given: NDArray[Any]) -> NDArray[np.bool_]:
        """Say at which steps all keys agree, however hard they are struck, [N, T, 1]."""
        same: NDArray[np.bool_] = np.minimum(heard, STRUCK) == np.minimum(given, STRUCK)
        return np.logical_and.reduce(same, axis=-1, keepdims=True)

    def onsets_right(self, heard: NDArray[Any], given: NDArray[Any]) -> NDArray[np.bool_]:
        """Say which of the keys struck in ``given`` are struck in ``heard``, too, [N, T, 88]."""
        return self.onsets(heard) & self.onsets(given)

    def attributes(self, windows: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Measure windows; see :func:`musicvae_lite.music.attributes.chordal`."""
        loudness = (windows.astype(np.float64) - STRUCK + 0.5) / self.velocity_bins
        values = chordal(self.onsets(windows), windows > SILENT, loudness, LOWEST)
        steps = self.onsets(windows).sum(2)
        rhythm = syncopations(steps > 0, self.steps_per_quarter, self.steps_per_bar)
        return {"density": density(steps, self.steps_per_bar), **rhythm, **values}

    def transposition_limits(
        self, windows: NDArray[Any]
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return how far each window [N, T, 88] can move down (<= 0) and up (>= 0), int8 [N].

        0, 0 for no notes.
        """
        sounds = np.logical_or.reduce(windows > SILENT, axis=1)
        some = np.logical_or.reduce(sounds, axis=1)
        low = np.where(some, -np.argmax(sounds, axis=1), 0)
        high = np.where(some, np.argmax(sounds[:, ::-1], axis=1), 0)
        return low.astype(np.int8), high.astype(np.int8)

    def transpose(self, windows: NDArray[Any], semitones: NDArray[Any]) -> Roll:
        """Move each window [N, T, 88] by its number of semitones [N], uint8 [N, T, 88].

        Raises:
            MusaeError: if a note would leave the keys.
        """
        by = np.asarray(semitones, np.int64)
        moved = np.zeros(windows.shape, np.uint8)
        for shift in np.unique(by).tolist():
            rows = np.flatnonzero(by == shift)
            kept = windows[rows, :, max(0, -shift) : KEYS - max(0, shift)]
            moved[rows, :, max(0, shift) : KEYS - max(0, -shift)] = kept
        if np.count_nonzero(moved) != np.count_nonzero(windows):
            raise MusaeError(
                "transposition moves notes out of range; stay within transposition_limits"
            )
        return moved

    # What users are told

    def notice(self, score: Score, encoded: Encoded, read: Sequence[int]) -> str:
        """Say that what is read is no piano, organ or guitar, as the programs of its tracks are."""
        if any(score.tracks[index].program < _KEYS_AND_STRINGS for index in read):
            return ""
        return "no piano, organ or guitar in it; its other instruments are read as a piano"

    def advice(self, score: Score, roles: Mapping[str, int] | None = None) -> str:
        """Say that a score has no piano, or ""."""
        if roles or not score.tracks or not all(track.is_drum for track in score.tracks):
            return ""
        return "it has drums alone, no notes for a keyboard"

    def explain(self, score: Score) -> list[TrackReport]:
        """Say for every track what it gives and what was left out, and why.

        All tracks that are read share their windows.
        """
        encoded, reports = self.encode(score), []
        for index in range(len(score.tracks)):
            shared = encoded.origin.copy()
            lost = sum(
                drop.count
                for drop in encoded.drops
                if drop.track == index and not drop.reason.startswith("window")
            )
            if lost < int((score.notes["track"] == index).sum()):
                shared["track"] = index
            own = replace(encoded, origin=shared)
            reports.append(track_report(index, score, own, self.bars))
        return reports
