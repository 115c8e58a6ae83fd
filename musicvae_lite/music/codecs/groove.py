"""Grooves: which of 9 drums are hit at each step, how hard, and how far off the grid, by the rules
of Magenta's GrooVAE.

Source of the rules: magenta, ``music_vae/data.py``, ``GrooveConverter`` (Gillick et al. 2019, arXiv
1905.06118). A step is 27
numbers: 9 hits (0 or 1), 9 velocities (0 to 1, of 127) and 9 offsets (-1 to 1, in half steps;
positive: early). Velocity and offset of a drum that is not hit are 0.

Where this codec differs on purpose: the grid is in ticks, so that a change of tempo does not
matter; a piece is cut where its metre changes; only drum tracks are read, unless a track is named;
what cannot be used is left out with a reason.
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
from musicvae_lite.music.attributes import mean_where, percussive
from musicvae_lite.music.codec import ORIGIN, Encoded, ScoreCodec, TrackReport, chosen_tracks
from musicvae_lite.music.codecs.drums import GROUPS, drum_advice, drum_reports, measured_kinds
from musicvae_lite.music.codecs.grid import Grid, Ints, Refused
from musicvae_lite.music.codecs.melody import MAX_MELODY_BARS

#: MIDI pitches of each kind of drum on the electronic kit that the Groove MIDI Dataset was played
#: on (Roland TD-11).
ROLAND: dict[str, tuple[int, ...]] = {
    "kick": (36,),
    "snare": (38, 37, 40),
    "closed hi-hat": (42, 22, 44),
    "open hi-hat": (46, 26),
    "low tom": (43, 58),
    "mid tom": (47, 45),
    "high tom": (50, 48),
    "crash": (49, 52, 55, 57),
    "ride": (51, 53, 59),
}
KITS = {"gm": GROUPS, "roland": ROLAND}
DRUMS = tuple(ROLAND)
CLASSES = len(DRUMS)
HITS, VELOCITIES, OFFSETS = (slice(part * CLASSES, (part + 1) * CLASSES) for part in range(3))
NAME = "drums"

# ticks of half a step in what is written: offsets of files with 480 ticks a quarter, and most
# others, come back exactly
_HALF = 240

Floats = NDArray[np.float32]


class _Hits(NamedTuple):
    """The notes that are used, one row each, by metre segment and step: index of the note, drum,
    velocity and offset.
    """

    note: Ints
    segment: Ints
    step: Ints
    drum: Ints
    velocity: Floats
    offset: Floats


class GrooveCodec(ScoreCodec):
    """All drum tracks together: hits, velocities and offsets of 9 drums at each step.

    Of several hits of a drum that are nearest to one step the loudest counts. The bars of a window
    are counted from the start of the piece (or of its metre). A hit that comes early on the first
    step of a file is written on it: there is no time before. Else ``encode(decode(w))`` gives back
    hits and velocities exactly and offsets to 1/480 (an eighth of a millisecond for sixteenths at
    120 quarters a minute); exactly, too, for files of 480 ticks a quarter and their divisors.

    Args:
        bars: bars of a window.
        steps_per_quarter: steps of a quarter note.
        numerator: of the metre. Segments with as many steps a bar are used, others are left out.
        denominator: of the metre.
        kit: which MIDI pitches are which drum: ``gm`` (General MIDI) or ``roland`` (the kit of the
            Groove MIDI Dataset).
        hop_bars: bars from one window to the next, up to ``bars`` (Magenta: ``bars``).
        pad_short: add empty bars at the end so that the last window is whole; otherwise what is
            left over is not used.
        require_onset: leave out windows without a hit, and those that begin before the bar of the
            first hit.
    """

    kind = "groove"
    roles = (NAME,)
    item = "groove"
    track_name = NAME
    dynamic = True
    nearest = True
    timed = True

    def __init__(
        self,
        bars: int = 2,
        steps_per_quarter: int = 4,
        numerator: int = 4,
        denominator: int = 4,
        kit: str = "gm",
        hop_bars: int = 1,
        pad_short: bool = True,
        require_onset: bool = True,
    ) -> None:
        self._set_grid(bars, steps_per_quarter, numerator, denominator)
        if kit not in KITS:
            raise UsageError(f"codec 'groove': kit {kit!r} is not known; valid: {', '.join(KITS)}")
        if not 1 <= hop_bars <= bars:
            raise UsageError(
                f"codec 'groove': hop_bars is {hop_bars}; it goes from 1 to bars ({bars})"
            )
        self.kit, self.hop_bars = kit, hop_bars
        self.pad_short, self.require_onset = pad_short, require_onset

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window: (T, 27)."""
        return self.steps, 3 * CLASSES

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers: float32."""
        return np.dtype(np.float32)

    @property
    def vocabulary(self) -> int:
        """Numbers of a step, 27."""
        return 3 * CLASSES

    @property
    def sizes(self) -> tuple[int, ...]:
        """27 numbers, none of which is one of several classes."""
        return (1,) * self.vocabulary

    def config(self) -> dict[str, Any]:
        """Return plain data from which :func:`~musicvae_lite.core.codec.build_codec` builds an
        equal codec.
        """
        names = (
            "bars",
            "steps_per_quarter",
            "numerator",
            "denominator",
            "kit",
            "hop_bars",
            "pad_short",
            "require_onset",
        )
        return {"kind": self.kind, **{name: getattr(self, name) for name in names}}

    def encode(
        self,
        score: Score,
        tracks: Sequence[int] | None = None,
        roles: Mapping[str, int] | None = None,
    ) -> Encoded:
        """Cut the drums of a score into windows float32 [N, T, 27]; see :meth:`ScoreCodec.encode`.

        A track that is named is taken for drums, whatever its channel.
        """
        tracks = chosen_tracks(tracks, roles, self.roles, score)
        grid = Grid.of(score, self)
        refused = Refused(score, grid)
        hits = self._hits(score, grid, refused, tracks)
        used = int(score.notes["track"][hits.note].min()) if len(hits.note) else 0
        count = self._windows(hits, refused, len(grid.segments))
        windows, origin = self._render(hits, grid, count)
        origin["track"] = used
        drops = tuple(drop for drop in refused.drops() if tracks is None or drop.track in tracks)
        dropped: Counter[str] = Counter()
        for drop in drops:
            dropped[drop.reason] += drop.count
        return Encoded(windows, origin, dropped, drops)

    def reads(self, score: Score, notes: NDArray[np.int64], voice: int = 0) -> NDArray[np.bool_]:
        """Say which notes (indices [M]) are of a drum that it knows [M]."""
        known: NDArray[np.bool_] = np.isin(
            score.notes["pitch"][notes], [pitch for own in KITS[self.kit].values() for pitch in own]
        )
        return known

    def _hits(
        self, score: Score, grid: Grid, refused: Refused, tracks: Sequence[int] | None
    ) -> _Hits:
        """Return the notes that grooves are made of, marking the others."""
        notes = score.notes
        if tracks is None:
            refused.mark_tracks([not track.is_drum for track in score.tracks], "no drum track")
        refused.mark_metres(self.numerator, self.denominator)
        refused.mark(notes["velocity"] == 0, "velocity 0")
        drum_of = np.full(128, -1, np.int64)
        for number, pitches in enumerate(KITS[self.kit].values()):
            drum_of[list(pitches)] = number
        drum = drum_of[np.minimum(notes["pitch"], 127)]
        refused.mark(drum < 0, "pitch of no drum")
        usable = refused.code == 0
        if tracks is not None:
            usable &= np.isin(notes["track"], tracks)
        index: Ints = np.flatnonzero(usable)
        segment, start, velocity = (
            grid.segment[index],
            notes["start"][index],
            notes["velocity"][index],
        )
        step, _ = grid.steps(start, notes["end"][index], segment)
        order = np.lexsort((start, -velocity.astype(np.int64), drum[index], step, segment))
        place = np.stack([segment, step, drum[index]])[:, order]
        again = np.zeros(len(order), bool)
        again[1:] = np.logical_and.reduce(np.diff(place) == 0)
        refused.mark(index[order[again]], "the same drum at the same step")
        order = order[~again]
        index, segment, step, start = index[order], segment[order], step[order], start[order]
        early = (
            step * score.ticks_per_quarter - (start - grid.start[segment]) * self.steps_per_quarter
        )
        offset = (2 * early / score.ticks_per_quarter).astype(np.float32)
        return _Hits(
            index, segment, step, drum[index], (velocity[order] / 127).astype(np.float32), offset
        )

    def _windows(self, hits: _Hits, refused: Refused, segments: int) -> Ints:
        """Return the number of windows of every metre segment, marking the notes that are
        in none.
        """
        bar = hits.step // self.steps_per_bar
        bars = np.zeros(segments, np.int64)
        np.maximum.at(bars, hits.segment, bar + 1)
        if self.pad_short:
            more = np.maximum(bars - self.bars, 0)
            bars = np.where(bars > 0, self.bars + -(-more // self.hop_bars) * self.hop_bars, 0)
        too_long = np.cumsum(bars) > MAX_MELODY_BARS
        refused.mark(
            hits.note[too_long[hits.segment]],
            f"too long for a groove (over {MAX_MELODY_BARS} bars)",
        )
        count: Ints = np.where(too_long, 0, np.maximum(0, (bars - self.bars) // self.hop_bars + 1))
        refused.mark(hits.note[(count == 0)[hits.segment]], f"shorter than {self.bars} bars")
        beyond = bar >= ((count - 1) * self.hop_bars + self.bars)[hits.segment]
        refused.mark(hits.note[beyond], f"after the last whole window of {self.bars} bars")
        return count

    def _render(self, hits: _Hits, grid: Grid, count: Ints) -> tuple[Floats, NDArray[np.void]]:
        """Return the windows [N, T, 27] and their origins [N].

        ``count`` windows of every metre segment.
        """
        first = np.cumsum(count) - count  # number of the first window of a segment
        total = int(count.sum())
        bar, parts = hits.step // self.steps_per_bar, []
        begins = count.copy()
        np.minimum.at(begins, hits.segment, bar // self.hop_bars)
        begins = np.minimum(begins, count - 1) if self.require_onset else np.zeros_like(count)
        for back in range(-(-self.bars // self.hop_bars)):  # a bar is in up to so many windows
            nth = bar // self.hop_bars - back
            inside = (nth >= begins[hits.segment]) & (nth >= 0) & (nth < count[hits.segment])
            inside &= bar < nth * self.hop_bars + self.bars
            parts.append((np.flatnonzero(inside), (first[hits.segment] + nth)[inside]))
        row = np.concatenate([part[0] for part in parts])
        window = np.concatenate([part[1] for part in parts])
        kept = np.unique(window) if self.require_onset else np.arange(total)
        segment = np.searchsorted(first + count, kept, side="right")
        begin = (kept - first[segment]) * self.hop_bars  # bar in the segment
        windows = np.zeros((len(kept), *self.shape), np.float32)
        own = np.searchsorted(kept, window)
        step, drum = hits.step[row] - begin[own] * self.steps_per_bar, hits.drum[row]
        for part, values in enumerate((np.float32(1), hits.velocity[row], hits.offset[row])):
            windows[own, step, part * CLASSES + drum] = values
        origin = np.zeros(len(kept), ORIGIN)
        origin["bar"] = grid.first_bar[segment] + begin
        ticks = begin * self.steps_per_bar * grid.ticks_per_quarter // self.steps_per_quarter
        origin["tick"] = grid.start[segment] + ticks
        return windows, origin

    def join(
        self,
        windows: Sequence[NDArray[Any]],
        qpm: float = 120.0,
        velocity: int = 80,
        program: int | None = None,
        name: str = NAME,
    ) -> Score:
        """Put windows (each [T, 27]) one after another in one score.

        Every hit lasts a step at most.

        ``velocity`` and ``program`` play no part.
        """
        pitches = np.array([group[0] for group in KITS[self.kit].values()], np.uint8)
        rows, begin = [], 0
        for window in windows:
            window = self._checked(window)
            step, drum = np.nonzero(window[:, HITS] > 0.5)
            notes = np.zeros(len(step), NOTE)
            early = np.rint(window[step, OFFSETS.start + drum].astype(np.float64) * _HALF).astype(
                np.int64
            )
            # Not a half step late: that would be the next step's. Nothing comes before the start.
            notes["start"] = np.maximum(
                0, 2 * _HALF * (begin + step) - np.clip(early, 1 - _HALF, _HALF)
            )
            loudness = np.rint(window[step, VELOCITIES.start + drum] * 127)
            notes["velocity"], notes["pitch"] = np.clip(loudness, 1, 127), pitches[drum]
            rows.append(notes)
            begin += -(-len(window) // self.steps_per_bar) * self.steps_per_bar
        notes = np.concatenate([np.zeros(0, NOTE), *rows])
        notes["end"] = _ends(notes)
        metres = np.array([(0, self.numerator, self.denominator)], METRE)
        track = Track(name, 0, is_drum=True)
        ticks = 2 * _HALF * self.steps_per_quarter
        return Score(ticks, notes, (track,), np.array([(0, qpm)], TEMPO), metres, name)

    def _checked(self, window: NDArray[Any]) -> NDArray[Any]:
        """Return one window.

        Raises:
            MusaeError: if it is none of this codec.
        """
        window = np.asarray(window)
        if (
            not np.issubdtype(window.dtype, np.floating)
            or window.ndim != 2
            or window.shape[1] != self.vocabulary
        ):
            raise MusaeError(
                f"a groove is numbers ['T', {self.vocabulary}]; this is {window.dtype} "
                f"{list(window.shape)}"
            )
        if not np.isfinite(window).all():
            raise MusaeError("a groove has a number that is not finite")
        return window

    def with_pitches_of(self, made: Score, piece: Score, tracks: Sequence[int]) -> Score:
        """Return drums that were made of a piece with the pitches that the piece has at the same
        steps, a rim shot for one.

        Args:
            made: one track of drums, with the metres of the piece.
            piece: what it was made of.
            tracks: indices of the tracks of drums in the piece.
        """
        ours, theirs = self._places(made, None), self._places(piece, tracks)
        _, own, other = np.intersect1d(ours[0], theirs[0], return_indices=True)
        notes = made.notes.copy()
        notes["pitch"][ours[1][own]] = piece.notes["pitch"][theirs[1][other]]
        return replace(made, notes=notes)

    def _places(self, score: Score, tracks: Sequence[int] | None) -> tuple[Ints, Ints]:
        """Return a number for metre segment, step and drum of every note that is used, and its
        index.
        """
        grid = Grid.of(score, self)
        hits = self._hits(score, grid, Refused(score, grid), tracks)
        return (hits.segment << 48) + hits.step * CLASSES + hits.drum, hits.note

    def onsets(self, windows: NDArray[Any]) -> NDArray[np.bool_]:
        """Say at which steps of windows a drum is hit, [N, T, 1]."""
        hit: NDArray[np.bool_] = np.logical_or.reduce(
            windows[..., HITS] > 0.5, axis=-1, keepdims=True
        )
        return hit

    def attributes(self, windows: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Measure windows: see :func:`musicvae_lite.music.attributes.percussive`.

        And the mean ``velocity`` and ``timing``.
        """
        hit = windows[..., HITS] > 0.5
        played = {
            "velocity": mean_where(windows[..., VELOCITIES], hit),
            "timing": mean_where(windows[..., OFFSETS] / 2, hit),  # offsets count half steps
        }
        return {
            **percussive(hit, measured_kinds(CLASSES), self.steps_per_quarter, self.steps_per_bar),
            **played,
        }

    def right(self, heard: NDArray[Any], given: NDArray[Any]) -> NDArray[np.bool_]:
        """Say at which steps the hits of all drums agree, [N, T, 1].

        Velocities and offsets do not count.
        """
        agree = (heard[..., HITS] > 0.5) == (given[..., HITS] > 0.5)
        same: NDArray[np.bool_] = np.logical_and.reduce(agree, axis=-1, keepdims=True)
        return same

    def advice(self, score: Score, roles: Mapping[str, int] | None = None) -> str:
        """Say that there is no drum track, and how another is named; "" where there is one."""
        return drum_advice(score, roles, "--track 1")

    def explain(self, score: Score) -> list[TrackReport]:
        """Say for every track what it gives and what was left out, and why.

        All drum tracks share their windows.
        """
        return drum_reports(score, self.encode(score), self.bars)


def _ends(notes: NDArray[np.void]) -> Ints:
    """Return where notes end: after a step, or where the next one of the same pitch starts."""
    order = np.lexsort((notes["start"], notes["pitch"]))
    pitch, start = notes["pitch"][order], notes["start"][order]
    end = start + 2 * _HALF
    same = pitch[1:] == pitch[:-1]
    end[:-1][same] = np.minimum(end[:-1][same], start[1:][same])
    ends = np.empty(len(notes), np.int64)
    ends[order] = end
    return ends
