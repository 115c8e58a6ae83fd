"""Bars of up to eight instruments with velocities, a list of events a track, by the rules of
Magenta's multitrack MusicVAE.

Source of the rules: magenta, ``music_vae/data_hierarchical.py``,
``MultiInstrumentPerformanceConverter`` (Simon et al. 2018), and note-seq, ``performance_lib``. A
track of a bar is: its program (or the token of a drum set), events, and an end. An event starts or
ends a note, moves on in time, or sets the velocity of the notes that follow. The sustain pedal is
put into the ends of the notes first. A note that a bar line cuts ends there, and does not go on in
the next bar.

Where this codec differs on purpose:

* bars are those of the piece, by its metres, not a length in seconds; a note that rounds to a bar
  line belongs to the bar that begins there;
* a pitch that is struck again ends the note that sounds, and of notes of one pitch that start
  together the longest stays, so that a window can be read back, also from a MIDI file;
* at one step notes end in order of their starts on the grid, then of pitch, where note-seq compares
  seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import METRE, NOTE, TEMPO, Score, Track
from musicvae_lite.media.pedal import sustained
from musicvae_lite.music.attributes import mean_where
from musicvae_lite.music.codec import Drop, Encoded, ScoreCodec, TrackReport
from musicvae_lite.music.codecs.bars import DRUMS, Bars, beyond_the_busiest, by_bar, runs
from musicvae_lite.music.codecs.grid import Grid, Ints, Refused
from musicvae_lite.music.codecs.melody import guess_role
from musicvae_lite.music.codecs.performance import PITCHES, Events, Note, Tokens

CROWDED = ("refuse", "busiest")
_SHOWN = 3  # bars that a message names
#: General MIDI's groups of eight programs.
FAMILIES = (
    "piano",
    "chromatic percussion",
    "organ",
    "guitar",
    "bass",
    "strings",
    "ensemble",
    "brass",
    "reed",
    "pipe",
    "synth lead",
    "synth pad",
    "synth effects",
    "ethnic",
    "percussive",
    "sound effects",
)


class MultitrackCodec(ScoreCodec):
    """A bar of several instruments.

    A window is the events of each track one after another, filled up with the class ``padding``.

    Tokens: note-ons, note-offs, shifts by 1 step to a bar, velocities, programs, drum set, end (490
    in 4/4 at 24 steps a quarter).

    Args:
        steps_per_quarter: steps of a quarter note.
        numerator: of the metre. Segments with as many steps a bar are used, others are left out.
        denominator: of the metre.
        tracks: most tracks of a bar.
        events: most events of a track, its program and its end among them.
        min_tracks: fewest tracks of a bar.
        min_events: fewest events of a bar, over all tracks, without programs and ends.
        velocity_bins: loudnesses that are told apart.
        crowded: what becomes of a bar with more tracks: ``refuse`` (Magenta), or ``busiest``: those
            that play most in the piece are kept, the others left out of the bar.
    """

    kind = "multitrack"
    roles = ("band",)
    item = "bar"
    track_name = "multitrack"
    whole = True

    def __init__(
        self,
        steps_per_quarter: int = 24,
        numerator: int = 4,
        denominator: int = 4,
        tracks: int = 8,
        events: int = 64,
        min_tracks: int = 2,
        min_events: int = 8,
        velocity_bins: int = 8,
        crowded: str = "refuse",
    ) -> None:
        self._set_grid(1, steps_per_quarter, numerator, denominator)
        if (
            not 1 <= min_tracks <= tracks
            or events < 4
            or min_events < 0
            or not 1 <= velocity_bins <= 127
        ):
            raise UsageError(
                "codec 'multitrack': min_tracks is 1 to tracks, events at least 4, min_events at "
                "least 0, velocity_bins 1 to 127"
            )
        self.tracks, self.events, self.min_tracks, self.min_events = (
            tracks,
            events,
            min_tracks,
            min_events,
        )
        if crowded not in CROWDED:
            raise UsageError(f"codec 'multitrack': crowded is {' or '.join(CROWDED)}")
        self.velocity_bins, self.crowded = velocity_bins, crowded
        self.tokens = Tokens(self.steps_per_bar, velocity_bins)

    @property
    def steps(self) -> int:
        """Events T of a window."""
        return self.tracks * self.events

    @property
    def shifts(self) -> list[int]:
        """Steps of the grid by which each class moves on in time [V]."""
        return [
            token - self.tokens.shift + 1
            if self.tokens.shift <= token < self.tokens.velocity
            else 0
            for token in range(self.vocabulary)
        ]

    @property
    def segment(self) -> int:
        """Events of a track."""
        return self.events

    @property
    def end(self) -> int:
        """Class of the event after which a track holds nothing."""
        return self.tokens.end

    @property
    def vocabulary(self) -> int:
        """Number of classes of an event."""
        return self.end + 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window: (T,)."""
        return (self.steps,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint16."""
        return np.dtype(np.uint16)

    def config(self) -> dict[str, Any]:
        """Return plain data from which :func:`~musicvae_lite.core.codec.build_codec` builds an
        equal codec.
        """
        names = (
            "steps_per_quarter",
            "numerator",
            "denominator",
            "tracks",
            "events",
            "min_tracks",
            "min_events",
            "velocity_bins",
            "crowded",
        )
        return {"kind": self.kind, **{name: getattr(self, name) for name in names}}

    # Scores to windows

    def encode(
        self,
        score: Score,
        tracks: Sequence[int] | None = None,
        roles: Mapping[str, int] | None = None,
    ) -> Encoded:
        """Cut a score into bars [N, T]; see :meth:`ScoreCodec.encode`.

        With ``tracks`` only these are heard.

        Raises:
            UsageError: no such track, or a role is named; there are none.
        """
        if roles:
            raise UsageError(
                f"codec 'multitrack' has no roles to give ({', '.join(roles)}); it takes all "
                "tracks as they are"
            )
        for track in tracks or []:
            if not 0 <= track < len(score.tracks):
                raise UsageError(
                    f"{score.source}: there is no track {track + 1}; the tracks are 1 to "
                    f"{len(score.tracks)}"
                )
        bars, events, refused = self._cut(sustained(score), tracks)
        problem = self._problems(bars, events)
        drops = refused.drops() + self._refused_bars(bars, problem)
        if tracks is not None:
            drops = [drop for drop in drops if drop.track in tracks]
        dropped: Counter[str] = Counter()
        for drop in drops:
            dropped[drop.reason] += drop.count
        good = problem[:, 0] == 0
        return Encoded(self._written(bars, events)[good], bars.origin[good], dropped, tuple(drops))

    def _cut(
        self, score: Score, tracks: Sequence[int] | None = None
    ) -> tuple[Bars, Events, Refused]:
        """Put the notes of a score into bars and write them as events.

        Tell of those that are left out.
        """
        grid = Grid.of(score, self)
        refused = Refused(score, grid)
        refused.mark_metres(self.numerator, self.denominator)
        refused.mark(score.notes["velocity"] == 0, "velocity 0")
        bars = by_bar(score, grid, refused, self.steps_per_bar, tracks)
        if self.crowded == "busiest":
            beyond = beyond_the_busiest(bars, self.tracks)
            if beyond.any():
                refused.mark(bars.notes["row"][beyond[bars.group]], self._not_heard)
                bars = by_bar(score, grid, refused, self.steps_per_bar, tracks)
        return bars, self.tokens.write(score, bars), refused

    @property
    def _not_heard(self) -> str:
        return f"more than {self.tracks} tracks in the bar, of which others play more"

    def notice(self, score: Score, encoded: Encoded, read: Sequence[int]) -> str:
        """Name the tracks that are not heard in each of their bars, for there are too many."""
        lost = [drop.track for drop in encoded.drops if drop.reason == self._not_heard]
        names = [
            f"{track + 1}" + (f" ({name})" if (name := score.tracks[track].name) else "")
            for track in sorted(set(lost))
        ]
        if not names:
            return ""
        return (
            f"of bars with more than {self.tracks} tracks those that play most are heard; not "
            f"heard in all of their bars: {', '.join(names)}"
        )

    def _problems(self, bars: Bars, events: Events) -> Ints:
        """Return what is wrong with each bar, [W, 3]: a key of :meth:`_reason` (0: nothing), the
        track, how many there are.
        """
        many = np.bincount(bars.window, minlength=len(bars))
        total = np.bincount(bars.window, weights=events.count, minlength=len(bars)).astype(np.int64)
        most = self.events - 2
        found = np.zeros((len(bars), 3), np.int64)
        first = np.searchsorted(bars.window, np.arange(len(bars)))
        if len(first):
            found[:, 1] = bars.track[first]
        full = np.flatnonzero(events.count > most)[
            ::-1
        ]  # backwards: the first such track of a bar is written last
        checks = [
            (4, total < self.min_events, total),
            (3, np.isin(np.arange(len(total)), bars.window[full]), total),
            (2, many < self.min_tracks, many),
            (1, many > self.tracks, many),
        ]
        for key, where, number in checks:  # of several reasons the last one stays
            found[where, 0], found[where, 2] = key, number[where]
            if key == 3:
                found[bars.window[full], 1], found[bars.window[full], 2] = (
                    bars.track[full],
                    events.count[full],
                )
            elif len(first):
                found[where, 1] = bars.track[first][where]
        over = found[:, 0] == 1
        if over.any():
            found[over, 1] = bars.track[first[over] + self.tracks]
        return found

    def _reason(self, key: int) -> str:
        return {
            1: f"window with more than {self.tracks} tracks",
            2: f"window with fewer than {self.min_tracks} tracks",
            3: f"window with more than {self.events - 2} events in a track",
            4: f"window with fewer than {self.min_events} events",
        }[key]

    def _refused_bars(self, bars: Bars, problem: Ints) -> list[Drop]:
        """Report refused bars by track and reason, a row for every run of bars."""
        drops = []
        refused = np.flatnonzero(problem[:, 0])
        key = problem[refused, 1] * 8 + problem[refused, 0]
        for one in np.unique(key).tolist():
            at = bars.origin["bar"][refused[key == one]].astype(np.int64)
            for run in runs(at):
                drops.append(
                    Drop(one // 8, self._reason(one % 8), len(run), int(run[0]), int(run[-1]))
                )
        return drops

    def _written(self, bars: Bars, events: Events) -> NDArray[np.uint16]:
        """Return all bars as windows [W, T]; of a bar that does not fit what fits."""
        windows = np.tile(self.silence, len(bars)).reshape(-1, self.tracks, self.events)
        fits = bars.slot < self.tracks
        windows[bars.window[fits], bars.slot[fits], 0] = self.tokens.program + bars.program[fits]
        order = np.arange(len(events.group)) - np.searchsorted(events.group, events.group)
        inside = fits[events.group] & (order < self.events - 2)
        group = events.group[inside]
        windows[bars.window[group], bars.slot[group], 1 + order[inside]] = events.token[inside]
        ends = np.minimum(events.count, self.events - 2) + 1
        windows[bars.window[fits], bars.slot[fits], ends[fits]] = self.end
        return windows.reshape(-1, self.steps)

    # Windows to scores

    def join(
        self,
        windows: Sequence[NDArray[Any]],
        qpm: float = 120.0,
        velocity: int = 80,
        program: int | None = None,
        name: str = "multitrack",
    ) -> Score:
        """Put bars (each [T]) one after another in one score, with one track for each program,
        drums last.

        Where a bar has a program several times, so has the score. ``velocity`` is for notes before
        any velocity event; ``program`` plays no part. An empty array takes no time (see
        :meth:`after`).
        """
        ticks = max(1, 480 // self.steps_per_quarter)
        parts: dict[tuple[int, int], list[Note]] = {}
        begin = 0
        for window in windows:
            if not len(window):
                continue
            again: Counter[int] = Counter()
            for player, played in self._tracks_of(np.asarray(window), velocity):
                part = parts.setdefault((player, again[player]), [])
                again[player] += 1
                part += [
                    Note(begin + note.start, begin + note.end, note.pitch, note.velocity)
                    for note in played
                ]
            begin += self.steps_per_bar
        order = sorted(parts)
        rows = [(*note, index) for index, key in enumerate(order) for note in parts[key]]
        notes = np.array(rows, NOTE)
        notes["start"] *= ticks
        notes["end"] *= ticks
        tracks = tuple(_track(player, name) for player, _ in order)
        metres = np.array([(0, self.numerator, self.denominator)], METRE)
        return Score(
            ticks * self.steps_per_quarter, notes, tracks, np.array([(0, qpm)], TEMPO), metres, name
        )

    def after(self, window: NDArray[Any], bars: int) -> NDArray[Any]:
        """Return a window without its first bars: the window, or nothing of it."""
        return window[:0] if bars else window

    def _tracks_of(self, window: NDArray[Any], velocity: int) -> Iterator[tuple[int, list[Note]]]:
        """Yield program (:data:`DRUMS` for drums) and notes of every track of a bar that has notes.

        Raises:
            MusaeError: if it is no window of this codec.
        """
        if window.shape != self.shape or not np.issubdtype(window.dtype, np.integer):
            raise MusaeError(
                f"a multitrack window is integers [{self.steps}]; this is {window.dtype} "
                f"{list(window.shape)}"
            )
        if not 0 <= int(window.min()) <= int(window.max()) <= self.padding:
            raise MusaeError(
                f"multitrack windows hold 0 to {self.padding}; this one goes to {window.min()} .. "
                f"{window.max()}"
            )
        for tokens in window.reshape(self.tracks, self.events).tolist():
            player, notes = self.tokens.play(tokens, velocity)
            if notes:
                yield player, notes

    # What is in windows

    @property
    def silence(self) -> NDArray[np.uint16]:
        """A bar without tracks."""
        tracks = np.full((self.tracks, self.events), self.padding, np.uint16)
        tracks[:, 0] = self.end
        return tracks.reshape(-1)

    def valid(self, windows: NDArray[Any]) -> NDArray[np.bool_]:
        """Say where windows [N, T] hold an event, [N, T]."""
        held: NDArray[np.bool_] = np.asarray(windows) < self.padding
        return held

    def onsets(self, windows: NDArray[Any]) -> NDArray[np.bool_]:
        """Say which events of windows start a note, [N, T, 1]."""
        starts: NDArray[np.bool_] = (np.asarray(windows) < self.tokens.off)[..., None]
        return starts

    def attributes(self, windows: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Measure ``density`` over all instruments, ``register`` of those with pitch, and the
        number of ``instruments``.
        """
        tracks = self._by_track(windows)
        starts = tracks < self.tokens.off
        return {
            "density": starts.sum((1, 2)).astype(np.float64),  # a window is a bar
            "register": mean_where(tracks, starts & self._moves(tracks)),
            "instruments": starts.any(2).sum(1).astype(np.float64),
        }

    def onsets_right(self, heard: NDArray[Any], given: NDArray[Any]) -> NDArray[np.bool_]:
        """Say which note-ons of ``given`` are in ``heard`` anywhere in the bar: same program, pitch
        and step, [N, T, 1].
        """
        ons = self.onsets(given)[..., 0]
        found = ons & np.isin(
            self._what_starts(given), self._what_starts(heard)[self.onsets(heard)[..., 0]]
        )
        return found[..., None]

    def _what_starts(self, windows: NDArray[Any]) -> Ints:
        """Return a number [N, T] for window, program, pitch and step of each event."""
        tracks = self._by_track(windows)
        is_program = self.tokens.is_program(tracks)
        first = np.take_along_axis(tracks, is_program.argmax(2)[..., None], 2)
        player = np.where(
            np.logical_or.reduce(is_program, axis=2, keepdims=True), first - self.tokens.program, 0
        )
        window = np.arange(len(tracks))[:, None, None]
        place = (window * (DRUMS + 1) + player) * (self.steps_per_bar + 1) + self.tokens.now(tracks)
        return (place * PITCHES + tracks % PITCHES).reshape(len(tracks), -1)

    def _by_track(self, windows: NDArray[Any]) -> Ints:
        return np.asarray(windows).astype(np.int64).reshape(-1, self.tracks, self.events)

    def transposition_limits(
        self, windows: NDArray[Any]
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return how far the tracks that are no drums can move together, int8 [N] each."""
        tracks = self._by_track(windows)
        pitch = tracks % PITCHES
        moves = self._moves(tracks)
        low = np.where(moves, pitch, PITCHES).min((1, 2), initial=PITCHES)
        high = np.where(moves, pitch, -1).max((1, 2), initial=-1)
        still = high < 0
        return np.where(still, 0, -low).astype(np.int8), np.where(
            still, 0, PITCHES - 1 - high
        ).astype(np.int8)

    def transpose(self, windows: NDArray[Any], semitones: NDArray[Any]) -> NDArray[np.uint16]:
        """Move each window [N, T] by its number of semitones [N]; drums stay."""
        tracks = self._by_track(windows)
        moved = tracks + self._moves(tracks) * np.asarray(semitones).astype(np.int64)[:, None, None]
        return moved.reshape(-1, self.steps).astype(np.uint16)

    def _moves(self, tracks: Ints) -> NDArray[np.bool_]:
        """Say which events are notes of an instrument that has pitch."""
        moves: NDArray[np.bool_] = (tracks < self.tokens.shift) & (
            tracks[..., :1] != self.tokens.drums
        )
        return moves

    # What is said of a score

    def advice(self, score: Score, roles: Mapping[str, int] | None = None) -> str:
        """Name the first bars that cannot be used and why, or that the piece has too few tracks.

        "" where all can.
        """
        bars, events, _ = self._cut(sustained(score))
        players = np.unique(bars.track)
        if 0 < len(players) < self.min_tracks:
            only = (
                f"only track {players[0] + 1} has notes"
                if len(players) == 1
                else f"only {len(players)} tracks have notes"
            )
            return (
                f"{only}; a bar holds {self.min_tracks} to {self.tracks} tracks that play together"
            )
        problem = self._problems(bars, events)
        refused = np.flatnonzero(problem[:, 0])
        # What can be helped is said first: too much before too little.
        refused = refused[np.argsort(np.isin(problem[refused, 0], (2, 4)), kind="stable")]
        told = [
            self._told(int(bars.origin["bar"][row]) + 1, *problem[row].tolist())
            for row in refused[:_SHOWN]
        ]
        more = len(refused) - len(told)
        return "; ".join(told) + (
            f"; and {more:,} more bar{'s' if more > 1 else ''} cannot be used" if more > 0 else ""
        )

    def _told(self, bar: int, key: int, track: int, number: int) -> str:
        return {
            1: f"bar {bar} has {number} tracks, over {self.tracks}",
            2: f"bar {bar} has {number} track, under {self.min_tracks}",
            3: f"bar {bar}, track {track + 1} has {number} events, over {self.events - 2}",
            4: f"bar {bar} has {number} events, under {self.min_events}",
        }[key]

    def explain(self, score: Score) -> list[TrackReport]:
        """Say for every track in how many windows it plays and what was left out, and why."""
        encoded = self.encode(score)
        bars, _, _ = self._cut(sustained(score))
        good = np.isin(bars.origin["bar"][bars.window], encoded.origin["bar"])
        reports = []
        for index, track in enumerate(score.tracks):
            notes = score.notes[score.notes["track"] == index]
            at = bars.origin["bar"][bars.window[good & (bars.track == index)]].astype(np.int64)
            covered = (int(at.min()) + 1, int(at.max()) + 1) if len(at) else None
            refused: Counter[str] = Counter()
            for drop in encoded.drops:
                if drop.track == index:
                    refused[drop.reason] += drop.count
            role = guess_role(track, notes)
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


def _track(player: int, name: str) -> Track:
    """Return the track of a program."""
    if player == DRUMS:
        return Track(f"{name} (drums)", 0, is_drum=True)
    return Track(f"{name} ({FAMILIES[player // 8]}, program {player})", player)
