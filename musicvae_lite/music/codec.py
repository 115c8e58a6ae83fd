"""Codecs of music: from scores to windows of steps that a model reads, and back.

Nothing here imports torch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.codec import Codec, build_codec
from musicvae_lite.core.errors import MusaeError, UsageError, suggest
from musicvae_lite.media.midi import Score

#: Where a window came from: index into ``score.tracks``, bar of the piece (0-based, over metre
#: changes) and tick.
ORIGIN = np.dtype([("track", "<u2"), ("bar", "<u4"), ("tick", "<i8")])


@dataclass(frozen=True, slots=True)
class Drop:
    """Something a codec left out: in which track (index), why, how many notes or windows, in which
    bars (0-based, inclusive).
    """

    track: int
    reason: str
    count: int
    first_bar: int
    last_bar: int


@dataclass(frozen=True, eq=False)
class Encoded:
    """The windows of a score.

    Attributes:
        windows: unsigned integers [N, T] or [N, T, K], ordered by track, then time.
        origin: array of :data:`ORIGIN` [N].
        dropped: what was left out, notes per reason; a reason that begins with ``window`` counts
            windows.
        drops: the same per track, with bars.
        tracks: for a codec of several voices, the index of each one's track [N, R]; its first
            column is ``origin["track"]``.
    """

    windows: NDArray[Any]
    origin: NDArray[np.void]
    dropped: Counter[str]
    drops: tuple[Drop, ...] = ()
    tracks: NDArray[np.uint16] | None = None

    @property
    def parts(self) -> NDArray[np.uint16]:
        """Index of the track of each voice [N, R]."""
        return self.origin["track"][:, None] if self.tracks is None else self.tracks


@dataclass(frozen=True)
class TrackReport:
    """What a codec makes of one track, for ``musae inspect``.

    Attributes:
        number: 1-based, as users count tracks.
        role: guess from channel, program and polyphony: ``drums``, ``bass``, ``melody``, ``chords``
            or ``other``.
        windows: how many windows the track gives.
        bars: first and last bar (1-based) that a window covers, or None.
        refused: notes (or windows) per reason.
    """

    number: int
    name: str
    program: int
    is_drum: bool
    notes: int
    role: str
    windows: int
    bars: tuple[int, int] | None
    refused: Counter[str]


class ScoreCodec(Codec):
    """Turns scores into windows of steps (small integers) and windows into scores.

    Law: ``encode(decode(w)).windows[0] == w`` for every window ``w`` that the codec made.

    Attributes:
        roles: names of the voices R that a window holds.
        item: what messages call the content of a window.
        track_name: name of the track that is written.
        seamless: whether windows that overlap can be joined inside, see :meth:`resume`.
        whole: whether a window holds all tracks of a piece; then no track is chosen.
        dynamic: whether a window says how loud notes are.
        gathers: whether the one voice of a window comes from several tracks, see :meth:`gathered`.
        nearest: whether a note belongs to the metre of the step that it is nearest to, which may
            begin after the note.
        timed: whether a window says how far notes are from its steps.
        bars: bars of a window.
        steps_per_quarter: steps of a quarter note.
        numerator: of the metre.
        denominator: of the metre.
    """

    roles: ClassVar[tuple[str, ...]]
    item: ClassVar[str]
    track_name: ClassVar[str]
    seamless: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    dynamic: ClassVar[bool] = False
    gathers: ClassVar[bool] = False
    nearest: ClassVar[bool] = False
    timed: ClassVar[bool] = False
    bars: int
    steps_per_quarter: int
    numerator: int
    denominator: int

    def _set_grid(
        self, bars: int, steps_per_quarter: int, numerator: int, denominator: int
    ) -> None:
        """Check and keep the length of a window, the grid and the metre.

        Raises:
            UsageError: one is below 1, or a bar is no whole number of steps.
        """
        if min(bars, steps_per_quarter, numerator, denominator) < 1:
            raise UsageError(f"codec {self.kind!r}: bars, steps_per_quarter and metre start at 1")
        if (steps_per_quarter * 4 * numerator) % denominator:
            bar = f"a bar of {numerator}/{denominator}"
            raise UsageError(
                f"codec {self.kind!r}: {bar} is no whole number of steps at {steps_per_quarter} a "
                "quarter"
            )
        self.bars, self.steps_per_quarter = bars, steps_per_quarter
        self.numerator, self.denominator = numerator, denominator

    @property
    def steps_per_bar(self) -> int:
        """Steps of one bar."""
        return self.steps_per_quarter * 4 * self.numerator // self.denominator

    @property
    def steps(self) -> int:
        """Steps T of a window."""
        return self.grid_steps

    @property
    def grid_steps(self) -> int:
        """Steps G of the grid of time in a window: what is told of the time (chords, key) is told
        of each of them.
        """
        return self.bars * self.steps_per_bar

    @property
    @abstractmethod
    def vocabulary(self) -> int:
        """Number of classes V of a step; of several numbers a step the sum."""

    @property
    def end(self) -> int | None:
        """Class of a step after which a segment of the window holds nothing but :attr:`padding`.

        None where all are full.
        """
        return None

    @property
    def padding(self) -> int:
        """Class that stands for no step, one past the last; only where there is an :attr:`end`."""
        return self.vocabulary

    @property
    def shifts(self) -> list[int] | None:
        """Steps of the grid by which each class moves on in time [V], where a window is of events.

        None where it is of steps.
        """
        return None

    @property
    def segment(self) -> int:
        """Steps (or events) of a window in which time runs on; with the next one it starts anew."""
        return self.steps

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of classes of each number of a step."""
        return (self.vocabulary,)

    @property
    def pitches(self) -> tuple[tuple[int, int] | None, ...]:
        """First class that is a pitch and how many follow, of each number of a step.

        None where none is.
        """
        return (None,) * len(self.sizes)

    @property
    def table(self) -> list[list[float]] | None:
        """Vectors [V, D] that stand for the classes where an encoder learns none.

        None for one-hot ones.
        """
        return None

    @abstractmethod
    def encode(
        self,
        score: Score,
        tracks: Sequence[int] | None = None,
        roles: Mapping[str, int] | None = None,
    ) -> Encoded:
        """Cut a score into windows.

        Args:
            score: the piece.
            tracks: indices into ``score.tracks`` to use; default all.
            roles: index of the track to use for each voice that is named; default all that fit.

        Raises:
            UsageError: no such track or role.
        """

    def grid_ticks(self, ticks: NDArray[Any], ticks_per_quarter: int) -> NDArray[np.int64]:
        """Return where in the piece each step of the grid of windows that start at ``ticks`` [N]
        is, in ticks [N, G].
        """
        return (
            np.asarray(ticks)[:, None]
            + np.arange(self.grid_steps) * ticks_per_quarter // self.steps_per_quarter
        )

    def reads(self, score: Score, notes: NDArray[np.int64], voice: int = 0) -> NDArray[np.bool_]:
        """Say which notes (indices [M]) of the tracks of a voice it reads, of equal ones all [M].

        The others it does not hear.
        """
        return np.ones(len(notes), bool)

    @property
    def whole_kit(self) -> bool:
        """Whether all tracks of drums are one voice, unless one is named."""
        return True

    def fast(self, score: Score, notes: NDArray[np.int64], voice: int = 0) -> NDArray[np.bool_]:
        """Say which notes (indices [M]) that it reads are lost, several on a step of one voice."""
        return np.zeros(len(notes), bool)

    def gathered(self, score: Score) -> tuple[int, ...]:
        """Return the tracks (indices) that the one voice comes from where none is named.

        Only where the codec :attr:`gathers`.
        """
        return tuple(range(len(score.tracks)))

    def notice(self, score: Score, encoded: Encoded, read: Sequence[int]) -> str:
        """Say what a user should know of how a score is read, from tracks ``read``; or ""."""
        return ""

    @abstractmethod
    def onsets(self, windows: NDArray[Any]) -> NDArray[np.bool_]:
        """Say for each step of windows [N, T] (or [N, T, K]) and each voice whether something
        starts, [N, T, R].
        """

    def right(self, heard: NDArray[Any], given: NDArray[Any]) -> NDArray[np.bool_]:
        """Say for each step and voice whether two windows agree, [N, T, R]."""
        same: NDArray[np.bool_] = (heard == given)[..., None]
        return same

    def attributes(self, windows: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Measure what can be heard of windows, each attribute [N].

        NaN where there is nothing to measure.

        Formulas and units are in :mod:`musicvae_lite.music.attributes`.
        """
        from musicvae_lite.music.attributes import density

        return {"density": density(self.onsets(windows).sum(2), self.steps_per_bar)}

    @property
    def silence(self) -> NDArray[Any]:
        """A window in which nothing sounds."""
        return np.zeros(self.shape, self.dtype)

    def valid(self, windows: NDArray[Any]) -> NDArray[np.bool_]:
        """Say where windows [N, T] (or [N, T, K]) hold a step, [N, T]: everywhere, unless there is
        an :attr:`end`.
        """
        return np.ones(np.asarray(windows).shape[:2], bool)

    def onsets_right(self, heard: NDArray[Any], given: NDArray[Any]) -> NDArray[np.bool_]:
        """Say which of the :meth:`onsets` of ``given`` windows ``heard`` has, too, [N, T, R]."""
        started: NDArray[np.bool_] = self.right(heard, given) & self.onsets(given)
        return started

    def after(self, window: NDArray[Any], bars: int) -> NDArray[Any]:
        """Return a window without its first bars."""
        return window[bars * self.steps_per_bar :]

    def cut(self, window: NDArray[Any], steps: Sequence[int]) -> NDArray[Any]:
        """Return a window [T, ...] in which each voice is silent from its own of ``steps`` [R] on.

        Not where :attr:`whole`.
        """
        result = window.copy()
        result[steps[0] :] = 0
        return result

    def advice(self, score: Score, roles: Mapping[str, int] | None = None) -> str:
        """Say what voice a score lacks, beside those that ``roles`` names, and which tracks could
        be named for it; or "".
        """
        return ""

    def decode(
        self,
        tokens: NDArray[Any],
        qpm: float = 120.0,
        velocity: int = 80,
        program: int | None = None,
        name: str | None = None,
    ) -> Score:
        """Return one window (or a longer run of steps) [T] (or [T, K]) as a score.

        See :meth:`join`.

        Args:
            tokens: what :meth:`encode` makes.
            qpm: tempo, quarter notes per minute.
            velocity: of every note, 1-127, where a window holds none.
            program: General MIDI program, where it plays a part; default the first one that the
                codec reads.
            name: of the track; default ``track_name``.
        """
        return self.join(
            [tokens], qpm, velocity, program, self.track_name if name is None else name
        )

    @abstractmethod
    def join(
        self,
        windows: Sequence[NDArray[Any]],
        qpm: float = 120.0,
        velocity: int = 80,
        program: int | None = None,
        name: str = "",
    ) -> Score:
        """Put windows one after another in one score.

        A note that sounds at the end of its window stops there.
        """

    def resume(self, window: NDArray[Any], earlier: NDArray[Any]) -> NDArray[Any]:
        """Return a window that goes on from one that began before it and overlaps it.

        Only where the codec is :attr:`seamless`.

        Args:
            window: steps [T, ...].
            earlier: what the other window says of the same time, its last steps [up to T, ...].

        A window does not know of a note that began before it. Until something starts in it, the
        earlier one says what ends.
        """
        return window

    def transposition_limits(
        self, windows: NDArray[Any]
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return how many semitones each window can move down (<= 0) and up (>= 0) and stay in
        range, int8 [N] each.

        Zeros for what has no pitch to move, such as drums.
        """
        return np.zeros(len(windows), np.int8), np.zeros(len(windows), np.int8)

    def transpose(self, windows: NDArray[Any], semitones: NDArray[Any]) -> NDArray[Any]:
        """Move each window by its number of semitones [N]; within :meth:`transposition_limits`.

        Raises:
            MusaeError: it cannot be moved.
        """
        if np.any(semitones):
            raise MusaeError(f"{self.track_name} cannot be transposed")
        return windows

    @abstractmethod
    def explain(self, score: Score) -> list[TrackReport]:
        """Say for every track what it gives and what was left out, and why."""


def chosen_tracks(
    tracks: Sequence[int] | None,
    roles: Mapping[str, int] | None,
    known: tuple[str, ...],
    score: Score,
) -> list[int] | None:
    """Return the tracks to use of a codec of one voice, named as tracks or by their role.

    None for all.

    Raises:
        UsageError: no such track or role.
    """
    check_roles(roles, known, score)
    named = list(roles.values()) if roles else None
    chosen = named if tracks is None else [*tracks, *(named or [])]
    for track in chosen or []:
        if not 0 <= track < len(score.tracks):
            raise UsageError(
                f"{score.source}: there is no track {track + 1}; the tracks are 1 to "
                f"{len(score.tracks)}"
            )
    return chosen


def check_roles(roles: Mapping[str, int] | None, known: tuple[str, ...], score: Score) -> None:
    """Refuse a role that the codec does not have, a track that the score does not have, or one that
    has two roles.

    Raises:
        UsageError: naming it.
    """
    for role, track in (roles or {}).items():
        if role not in known:
            raise UsageError(f"there is no role {role!r} here; {suggest(role, known)}")
        if not 0 <= track < len(score.tracks):
            raise UsageError(
                f"{score.source}: there is no track {track + 1} for {role}; the tracks are 1 to "
                f"{len(score.tracks)}"
            )
    named = dict(roles or {})
    for role, track in named.items():
        other = next(first for first, taken in named.items() if taken == track)
        if other != role:
            raise UsageError(
                f"{score.source}: track {track + 1} cannot be {other} and {role}; name another "
                "track for one of them"
            )


def score_codec(config: Mapping[str, Any]) -> ScoreCodec:
    """Build a codec of music; see :func:`build_codec`.

    Raises:
        UsageError: if it is a codec of something else, too.
    """
    codec = build_codec(config)
    if not isinstance(codec, ScoreCodec):
        raise UsageError(f"codec {codec.kind!r} is none of music")
    return codec
