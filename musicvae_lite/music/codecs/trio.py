"""Trios: melody, bass and drums together, by the rules of Magenta's MusicVAE.

Source of the rules: magenta, ``music_vae/data.py``, ``TrioConverter``. Tracks get their role by
channel and program; every combination of a melody and a bass track is tried, with the drums. A
voice may rest for a while: a bar counts as played where one of the ``gap_bars`` bars on either side
is, and at both ends of a window it is enough that one of the three plays.

Where this codec differs on purpose (``magenta: true`` undoes it):

* what is played is judged by the notes that start inside the window, and each voice must play in
  it, so that it can be read back;
* all tracks of drums are one voice (Magenta tries each with the others): a kick and a snare that
  have tracks of their own are one kit;
* a note off before the first note of a window becomes no event;
* a piece shorter than the window is taken as if it went on in silence.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import NOTE, Score
from musicvae_lite.music.codec import ORIGIN, Drop, Encoded, ScoreCodec, TrackReport, check_roles
from musicvae_lite.music.codecs.drums import DrumsCodec, class_of_pitch
from musicvae_lite.music.codecs.grid import Grid, Ints, Refused
from musicvae_lite.music.codecs.melody import (
    FIRST_NOTE,
    NO_EVENT,
    NOTE_OFF,
    MelodyCodec,
    guess_role,
)

ROLES = ("melody", "bass", "drums")
MAX_COMBINATIONS = 64  # of tracks in one file; a piece with more is taken by its first ones
_BASS_PROGRAM = 33  # electric bass (finger), as Magenta writes it
_DRUM_CLASSES = 9
_MISSING = "no {} to go with it"
_RESTS = "window in which a voice rests too long"


#: The tracks (indices) that can be melody, bass and drums.
Players = tuple[list[int], list[int], list[int]]


@dataclass(frozen=True, eq=False)
class _Voice:
    """One track in one metre segment: a token a step [T], and which bars its notes reach [bars]."""

    tokens: Ints
    played: NDArray[np.bool_]


class TrioCodec(ScoreCodec):
    """Three voices at once; a step is [melody token, bass token, drum token].

    Melody and bass tokens are those of :class:`~musicvae_lite.music.codecs.melody.MelodyCodec`,
    drum tokens those of :class:`~musicvae_lite.music.codecs.drums.DrumsCodec`.

    Args:
        bars: bars of a window.
        steps_per_quarter: steps of a quarter note.
        numerator: of the metre. Segments with as many steps a bar are used, others are left out.
        denominator: of the metre.
        min_pitch: lowest MIDI pitch of melody and bass.
        max_pitch: highest.
        melody_programs: first and last General MIDI program (0-based) of a melody.
        bass_programs: first and last of a bass. Tracks of other programs have no role unless one is
            given to them.
        gap_bars: how far a voice may rest, see above.
        hop_bars: bars from one window to the next.
        max_bars: bars of a metre segment that are used.
        magenta: exactly Magenta's windows.
    """

    kind = "trio"
    roles = ROLES
    item = "trio"
    track_name = "trio"
    seamless = True

    def __init__(
        self,
        bars: int = 16,
        steps_per_quarter: int = 4,
        numerator: int = 4,
        denominator: int = 4,
        min_pitch: int = 21,
        max_pitch: int = 108,
        melody_programs: Sequence[int] = (0, 31),
        bass_programs: Sequence[int] = (32, 39),
        gap_bars: int = 2,
        hop_bars: int = 1,
        max_bars: int = 1024,
        magenta: bool = False,
    ) -> None:
        grid = (bars, steps_per_quarter, numerator, denominator)
        self._set_grid(*grid)
        # What they refuse (metres, pitches) is refused here, too.
        self.lines = MelodyCodec(*grid, min_pitch, max_pitch, melody_programs)
        self.drums = DrumsCodec(*grid)
        if not (len(bass_programs) == 2 and 0 <= bass_programs[0] <= bass_programs[1] <= 127):
            raise UsageError(
                f"codec 'trio': programs {list(bass_programs)} is no range (first, last) inside 0 "
                "to 127"
            )
        if min(hop_bars, gap_bars) < 1 or max_bars < bars:
            raise UsageError("codec 'trio': hop_bars and gap_bars start at 1, max_bars at bars")
        self.min_pitch, self.max_pitch = min_pitch, max_pitch
        self.melody_programs = int(melody_programs[0]), int(melody_programs[1])
        self.bass_programs = int(bass_programs[0]), int(bass_programs[1])
        self.gap_bars, self.hop_bars, self.max_bars, self.magenta = (
            gap_bars,
            hop_bars,
            max_bars,
            magenta,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window: (T, 3)."""
        return (self.steps, len(ROLES))

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint16."""
        return np.dtype(np.uint16)

    @property
    def vocabulary(self) -> int:
        """Classes of the three voices together."""
        return sum(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Classes of melody, bass and drums."""
        return (self.lines.vocabulary, self.lines.vocabulary, self.drums.vocabulary)

    @property
    def pitches(self) -> tuple[tuple[int, int] | None, ...]:
        """First note of melody and bass and how many there are; drums have no pitches."""
        return (*self.lines.pitches, *self.lines.pitches, None)

    def config(self) -> dict[str, Any]:
        """Return plain data from which :func:`~musicvae_lite.core.codec.build_codec` builds an
        equal codec.
        """
        names = ("bars", "steps_per_quarter", "numerator", "denominator", "min_pitch", "max_pitch")
        more = ("gap_bars", "hop_bars", "max_bars", "magenta")
        programs = {
            "melody_programs": list(self.melody_programs),
            "bass_programs": list(self.bass_programs),
        }
        return {
            "kind": self.kind,
            **{name: getattr(self, name) for name in (*names, *more)},
            **programs,
        }

    def encode(
        self,
        score: Score,
        tracks: Sequence[int] | None = None,
        roles: Mapping[str, int] | None = None,
    ) -> Encoded:
        """Cut a score into windows [N, T, 3]; see :meth:`ScoreCodec.encode`.

        With ``tracks`` only these are looked at. ``roles`` names the track of a voice, whatever its
        program and channel.
        """
        check_roles(roles, ROLES, score)
        players = self._players(score, tracks, roles)
        grid = Grid.of(score, self)
        refused = Refused(score, grid)
        self._refuse(score, grid, refused, players)
        found = list(self._combinations(score, grid, refused, players))
        windows, origin, parts, resting = (
            [np.concatenate(column) for column in zip(*found, strict=True)]
            if found
            else self._nothing()
        )
        self._refuse_unused(score, grid, refused, origin, parts, players)
        keep = [drop for drop in refused.drops() if tracks is None or drop.track in tracks]
        drops = keep + _resting_drops(resting)
        order = np.lexsort((origin["bar"], parts[:, 2], parts[:, 1], parts[:, 0]))
        dropped: Counter[str] = Counter()
        for drop in drops:
            dropped[drop.reason] += drop.count
        return Encoded(windows[order], origin[order], dropped, tuple(drops), parts[order])

    def reads(self, score: Score, notes: NDArray[np.int64], voice: int = 0) -> NDArray[np.bool_]:
        """Say which notes (indices [M]) of a voice it reads [M]."""
        return (self.drums if ROLES[voice] == "drums" else self.lines).reads(score, notes)

    @property
    def whole_kit(self) -> bool:
        """Whether all tracks of drums are one voice: not for Magenta."""
        return not self.magenta

    def fast(self, score: Score, notes: NDArray[np.int64], voice: int = 0) -> NDArray[np.bool_]:
        """Say which notes (indices [M]) of melody or bass share a step with another one [M]."""
        player = self.drums if ROLES[voice] == "drums" else self.lines
        return player.fast(score, notes)

    def _players(
        self, score: Score, tracks: Sequence[int] | None, roles: Mapping[str, int] | None
    ) -> Players:
        """Return the tracks that can be melody, bass and drums: those that are named, else those
        that fit.
        """
        named = dict(roles or {})
        taken = set(named.values())
        found: Players = ([], [], [])
        for index, track in enumerate(score.tracks):
            if index in taken or (tracks is not None and index not in tracks):
                continue
            if track.is_drum:
                found[2].append(index)
            elif self.melody_programs[0] <= track.program <= self.melody_programs[1]:
                found[0].append(index)
            elif self.bass_programs[0] <= track.program <= self.bass_programs[1]:
                found[1].append(index)
        melody, bass, drums = (
            [named[role]] if role in named else own for role, own in zip(ROLES, found, strict=True)
        )
        return melody, bass, drums

    def _parts(self, players: Players) -> list[list[tuple[int, ...]]]:
        """Return for each voice which tracks can play it: one, or all tracks of drums together."""
        melody, bass, drums = players
        alone: list[list[tuple[int, ...]]] = [[(track,) for track in own] for own in (melody, bass)]
        if self.magenta or not drums:
            return [*alone, [(track,) for track in drums]]
        return [*alone, [tuple(drums)]]

    def _refuse(
        self,
        score: Score,
        grid: Grid,
        refused: Refused,
        players: Players,
    ) -> None:
        """Mark the notes that no voice can play."""
        notes = score.notes
        pitched = np.isin(notes["track"], [*players[0], *players[1]])
        drums = np.isin(notes["track"], players[2])
        refused.mark(~pitched & ~drums, "no role in a trio (name it with --role)")
        refused.mark_metres(self.numerator, self.denominator)
        refused.mark(notes["velocity"] == 0, "velocity 0")
        outside = (notes["pitch"] < self.min_pitch) | (notes["pitch"] > self.max_pitch)
        refused.mark(pitched & outside, f"pitch outside {self.min_pitch}-{self.max_pitch}")
        refused.mark(
            drums & (class_of_pitch(_DRUM_CLASSES)[np.minimum(notes["pitch"], 127)] < 0),
            "pitch of no drum",
        )
        for role, own in zip(ROLES, players, strict=True):
            if not own:
                refused.mark(np.ones(len(notes), bool), _MISSING.format(role))

    def _combinations(
        self,
        score: Score,
        grid: Grid,
        refused: Refused,
        players: Players,
    ) -> Iterator[tuple[NDArray[Any], NDArray[np.void], NDArray[np.uint16], NDArray[np.void]]]:
        """Yield windows, origins, tracks of the voices and origins of the windows refused, for
        every three tracks.
        """
        for index in range(len(grid.segments)):
            bars = self._bars(score, grid, index) if grid.fits[index] else 0
            if bars < self.bars:
                continue
            parts = self._parts(players)
            voices = {
                tracks: voice
                for role, own in zip(ROLES, parts, strict=True)
                for tracks in own
                if (voice := self._voice(score, grid, refused, index, tracks, role, bars))
                is not None
            }
            three = itertools.product(
                *([tracks for tracks in own if tracks in voices] for own in parts)
            )
            for group in itertools.islice(three, MAX_COMBINATIONS):
                first = tuple(tracks[0] for tracks in group)
                yield self._cut(grid, index, first, [voices[tracks] for tracks in group])

    def _bars(self, score: Score, grid: Grid, segment: int) -> int:
        """Return the bars of a metre segment, up to its last note."""
        inside = np.flatnonzero(grid.segment == segment)
        if not len(inside):
            return 0
        notes = score.notes[inside]
        _, off = grid.steps(notes["start"], notes["end"], grid.segment[inside])
        bars = min(-(-int(off.max()) // self.steps_per_bar), self.max_bars)
        return bars if self.magenta else max(bars, self.bars)

    def _voice(
        self,
        score: Score,
        grid: Grid,
        refused: Refused,
        segment: int,
        tracks: tuple[int, ...],
        role: str,
        bars: int,
    ) -> _Voice | None:
        """Write the tracks of a voice in a metre segment as tokens; None without a usable note."""
        own = np.flatnonzero(np.isin(score.notes["track"], tracks) & (grid.segment == segment))
        usable = own[refused.code[own] == 0]
        if not len(usable):
            return None
        onset, off = grid.steps(
            score.notes["start"][usable], score.notes["end"][usable], grid.segment[usable]
        )
        length = bars * self.steps_per_bar
        inside = onset < length
        refused.mark(usable[~inside], f"after {self.max_bars} bars")
        usable, onset, off = usable[inside], onset[inside], off[inside]
        if not len(usable):
            return None
        pitch = score.notes["pitch"][usable].astype(np.int64)
        line = (
            _drum_line(onset, pitch, length)
            if role == "drums"
            else self._line(usable, onset, off, pitch, length, refused)
        )
        return _Voice(line, self._played(score, grid, own, bars))

    def _line(
        self, index: Ints, onset: Ints, off: Ints, pitch: Ints, length: int, refused: Refused
    ) -> Ints:
        """Write one note at a time, of those that start together the highest; tokens [length]."""
        order = np.lexsort((-pitch, onset))
        first = np.ones(len(order), bool)
        first[1:] = np.diff(onset[order]) != 0
        chosen, lower = index[order[first]][np.cumsum(first) - 1][~first], index[order[~first]]
        start, end = refused.notes["start"], refused.notes["end"]
        apart = (end[lower] <= start[chosen]) | (start[lower] >= end[chosen])
        refused.mark(lower[apart], self.lines.too_fast)
        refused.mark(lower, "lower note of a chord")
        order = order[first]
        onset, off, pitch = onset[order], off[order], pitch[order]
        line = np.full(length, NO_EVENT, np.int64)
        ends = off < np.append(onset[1:], length)
        line[off[ends]] = NOTE_OFF
        line[onset] = pitch - self.min_pitch + FIRST_NOTE
        return line

    def _played(self, score: Score, grid: Grid, own: Ints, bars: int) -> NDArray[np.bool_]:
        """Say which bars the notes of a track reach, usable or not [bars]."""
        onset, off = grid.steps(
            score.notes["start"][own], score.notes["end"][own], grid.segment[own]
        )
        edges = np.zeros(bars + 1, np.int64)
        np.add.at(edges, np.minimum(onset // self.steps_per_bar, bars), 1)
        np.add.at(edges, np.minimum(-(-off // self.steps_per_bar), bars), -1)
        played: NDArray[np.bool_] = np.cumsum(edges)[:bars] > 0
        return played

    def _cut(
        self, grid: Grid, segment: int, group: tuple[int, ...], voices: list[_Voice]
    ) -> tuple[NDArray[Any], NDArray[np.void], NDArray[np.uint16], NDArray[np.void]]:
        """Cut three voices into windows and keep those in which all play."""
        per_bar = self.steps_per_bar
        tokens = np.stack([voice.tokens for voice in voices], 1)
        bars = len(tokens) // per_bar
        first = np.arange(0, bars - self.bars + 1, self.hop_bars)
        windows = np.lib.stride_tricks.sliding_window_view(tokens, self.steps, axis=0)[
            first * per_bar
        ].transpose(0, 2, 1)
        if self.magenta:
            whole = self._together(np.stack([voice.played for voice in voices], 1)[None])[0]
            keep = np.lib.stride_tricks.sliding_window_view(whole, self.bars)[first].all(1)
        else:
            windows = _clean_start(windows)
            heard = self._heard(windows)
            keep = self._together(heard).all(1) & np.logical_and.reduce(
                np.logical_or.reduce(heard, axis=1), axis=1
            )
        origin = np.zeros(len(first), ORIGIN)
        origin["track"], origin["bar"] = group[0], grid.first_bar[segment] + first
        origin["tick"] = (
            grid.start[segment] + first * per_bar * grid.ticks_per_quarter // self.steps_per_quarter
        )
        parts = np.repeat(np.array([group], np.uint16), int(keep.sum()), axis=0)
        return windows[keep].astype(np.uint16), origin[keep], parts, origin[~keep]

    def _heard(self, windows: NDArray[Any]) -> NDArray[np.bool_]:
        """Say in which bars of windows [N, T, 3] each voice sounds, [N, bars, 3]."""
        steps = np.arange(self.steps)[:, None]
        lines = windows[..., :2]
        last = np.maximum.accumulate(np.where(lines > NO_EVENT, steps, 0), axis=1)
        sounding = np.take_along_axis(lines, last, axis=1) >= FIRST_NOTE
        every = np.concatenate([sounding, windows[..., 2:] > 0], -1).reshape(
            len(windows), self.bars, self.steps_per_bar, 3
        )
        heard: NDArray[np.bool_] = np.logical_or.reduce(every, axis=2)
        return heard

    def _together(self, played: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say which bars count as played by all, [N, bars], for the bars that each voice plays [N,
        bars, 3].
        """
        gap, bars = self.gap_bars, played.shape[1]
        near = np.zeros_like(played)
        for shift in range(-gap, gap + 1):
            low, high = max(0, -shift), min(bars, bars - shift)
            if low < high:
                near[:, low:high] |= played[:, low + shift : high + shift]
        all_play: NDArray[np.bool_] = np.logical_and.reduce(near, axis=2)
        any_plays = np.logical_or.reduce(near, axis=2)
        all_play[:, :gap] = np.logical_or.reduce(any_plays[:, :gap], axis=1, keepdims=True)
        all_play[:, -gap:] = np.logical_or.reduce(any_plays[:, -gap:], axis=1, keepdims=True)
        return all_play

    def _refuse_unused(
        self,
        score: Score,
        grid: Grid,
        refused: Refused,
        origin: NDArray[np.void],
        parts: NDArray[np.uint16],
        players: Players,
    ) -> None:
        """Mark the notes that are in no window although their voice could play them."""
        bars = (
            grid.bars_of(score.notes["start"], grid.segment)
            if len(score.notes)
            else np.zeros(0, np.int64)
        )
        used = np.zeros(len(score.notes), bool)
        for tracks in {tracks for own in self._parts(players) for tracks in own}:
            own = np.flatnonzero(np.isin(score.notes["track"], tracks))
            first = np.unique(origin["bar"][(parts == tracks[0]).any(1)].astype(np.int64))
            if len(first) and len(own):
                before = np.searchsorted(first, bars[own], side="right") - 1
                used[own] = (before >= 0) & (bars[own] - first[np.maximum(before, 0)] < self.bars)
        refused.mark(~used, f"not in {self.bars} bars that all three voices play")

    def _nothing(self) -> list[NDArray[Any]]:
        none = np.zeros(0, ORIGIN)
        return [
            np.zeros((0, *self.shape), self.dtype),
            none,
            np.zeros((0, len(ROLES)), np.uint16),
            none,
        ]

    def join(
        self,
        windows: Sequence[NDArray[Any]],
        qpm: float = 120.0,
        velocity: int = 80,
        program: int | None = None,
        name: str = "trio",
    ) -> Score:
        """Put windows (each [T, 3]) one after another in one score of three tracks.

        ``program`` is the melody's.
        """
        for window in windows:
            if window.ndim != 2 or window.shape[1] != len(ROLES):
                raise MusaeError(
                    f"a trio window is integers [T, 3]; this is {window.dtype} {list(window.shape)}"
                )
        voices = [[window[:, voice] for window in windows] for voice in range(len(ROLES))]
        scores = [
            self.lines.join(voices[0], qpm, velocity, program, name),
            self.lines.join(voices[1], qpm, velocity, _BASS_PROGRAM, f"{name} (bass)"),
            self.drums.join(voices[2], qpm, velocity, None, f"{name} (drums)"),
        ]
        notes = []
        for index, score in enumerate(scores):
            own = score.notes.copy()
            own["track"] = index
            notes.append(own)
        first = scores[0]
        tracks = tuple(score.tracks[0] for score in scores)
        return Score(
            first.ticks_per_quarter,
            np.concatenate([np.zeros(0, NOTE), *notes]),
            tracks,
            first.tempos,
            first.metres,
            name,
        )

    def resume(self, window: NDArray[Any], earlier: NDArray[Any]) -> NDArray[Any]:
        """Return a window [T, 3] whose melody and bass go on from an earlier one.

        See :meth:`ScoreCodec.resume`.
        """
        lines = [self.lines.resume(window[:, voice], earlier[:, voice]) for voice in range(2)]
        return np.stack([*lines, window[:, 2]], axis=1)

    def cut(self, window: NDArray[Any], steps: Sequence[int]) -> NDArray[Any]:
        """Return a window [T, 3] whose voices are silent from their steps on."""
        players = (self.lines, self.lines, self.drums)
        voices = [
            player.cut(window[:, voice], steps[voice : voice + 1])
            for voice, player in enumerate(players)
        ]
        return np.stack(voices, axis=1)

    def onsets(self, windows: NDArray[Any]) -> NDArray[np.bool_]:
        """Say at which steps of windows [N, T, 3] each voice starts something, [N, T, 3]."""
        starts: NDArray[np.bool_] = windows >= np.array([FIRST_NOTE, FIRST_NOTE, 1])
        return starts

    def right(self, heard: NDArray[Any], given: NDArray[Any]) -> NDArray[np.bool_]:
        """Say at which steps each voice agrees, [N, T, 3]."""
        same: NDArray[np.bool_] = heard == given
        return same

    def attributes(self, windows: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Measure the melody of windows, and as ``density_all`` the note starts of melody and bass
        and the hits of the drums.
        """
        lines = [self.lines.attributes(windows[..., voice]) for voice in (0, 1)]
        drums = self.drums.attributes(windows[..., 2])
        return {
            **lines[0],
            "density_all": lines[0]["density"] + lines[1]["density"] + drums["density"],
        }

    def transposition_limits(
        self, windows: NDArray[Any]
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return how far melody and bass can move together, int8 [N] each."""
        lines = windows[..., :2].reshape(len(windows), 2 * windows.shape[1]).astype(np.uint8)
        return self.lines.transposition_limits(lines)

    def transpose(self, windows: NDArray[Any], semitones: NDArray[Any]) -> NDArray[np.uint16]:
        """Move melody and bass of each window [N, T, 3] by its number of semitones [N];
        drums stay.
        """
        moved = windows.astype(np.uint16)
        lines = windows[..., :2].reshape(len(windows), 2 * windows.shape[1]).astype(np.uint8)
        moved[..., :2] = self.lines.transpose(lines, semitones).reshape(*windows.shape[:2], 2)
        return moved

    def advice(self, score: Score, roles: Mapping[str, int] | None = None) -> str:
        """Say which voice no track has the program for, and which tracks could be named for it.

        "" where none is missing.
        """
        players = self._players(score, None, roles)
        missing = [role for role, own in zip(ROLES, players, strict=True) if not own]
        if not missing:
            return ""
        free = [
            f"{index + 1}" + (f" ({track.name})" if track.name else "")
            for index, track in enumerate(score.tracks)
            if not any(own == [index] for own in players)
        ]
        lacks = f"it has no {' and no '.join(missing)} track"
        if not free:
            return f"{lacks}, and no other track could take its place"
        return (
            f"{lacks}; could be named: track {', '.join(free)}, as in --role "
            f"{missing[0]}={free[0].split()[0]}"
        )

    def explain(self, score: Score) -> list[TrackReport]:
        """Say for every track in how many windows it plays and what was left out, and why."""
        encoded = self.encode(score)
        players = self._players(score, None, None)
        reports = []
        for index, track in enumerate(score.tracks):
            notes = score.notes[score.notes["track"] == index]
            plays = index
            if index in players[2] and not self.magenta:
                plays = players[2][0]
            at = encoded.origin["bar"][(encoded.parts == plays).any(1)]
            role = next(
                (role for role, own in zip(ROLES, players, strict=True) if index in own),
                guess_role(track, notes),
            )
            covered = (int(at.min()) + 1, int(at.max()) + self.bars) if len(at) else None
            refused = Counter(
                {drop.reason: drop.count for drop in encoded.drops if drop.track == index}
            )
            reports.append(
                TrackReport(
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
            )
        return reports


def _drum_line(onset: Ints, pitch: Ints, length: int) -> Ints:
    line = np.zeros(length, np.int64)
    np.bitwise_or.at(line, onset, np.left_shift(1, class_of_pitch(_DRUM_CLASSES)[pitch]))
    return line


def _clean_start(windows: NDArray[Any]) -> NDArray[Any]:
    """Return windows [N, T, 3] without note offs before the first note of their voice."""
    lines = windows[..., :2]
    before = np.maximum.accumulate(lines, axis=1) < FIRST_NOTE
    return np.concatenate([np.where(before, NO_EVENT, lines), windows[..., 2:]], -1)


def _resting_drops(origin: NDArray[np.void]) -> list[Drop]:
    """Report the windows in which a voice rests, by melody track."""
    drops = []
    for track in np.unique(origin["track"]).tolist():
        bars = origin["bar"][origin["track"] == track]
        drops.append(Drop(track, _RESTS, len(bars), int(bars.min()), int(bars.max())))
    return drops
