"""Which windows of a piece are used, and how windows become a piece again.

Imports no torch, so that a file that cannot be used is told of at once. Letters in shapes: N
windows, T steps of a window.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.media.midi import METRE, TEMPO, Score, read_midi
from musicvae_lite.model_dir.bundle import DEFAULT_MODEL
from musicvae_lite.music.codec import Encoded, ScoreCodec, score_codec
from musicvae_lite.music.codecs.grid import Grid
from musicvae_lite.music.metres import in_metre, takers
from musicvae_lite.music.overlap import every_bar, half_apart, weave
from musicvae_lite.music.timing import Swing, Timing, find_swing, straightened, timing
from musicvae_lite.music.tune import tune_scores

#: What a user hands in: a file or a score.
Item = str | os.PathLike[str] | Score

#: Number of the track (1-based) of each voice that a user names.
Roles = Mapping[str, int] | None

Ints = NDArray[np.int64]

#: Whether bars of another metre are joined or halved to those of a model.
_joining: ContextVar[bool] = ContextVar("joining", default=True)

_REASONS_SHOWN = 3
_CLEARLY = 0.3
_MAX_TICK = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Passage:
    """Windows of one track of a piece (or of one track for each voice, or of all tracks together),
    in order of time.

    Attributes:
        score: the piece.
        track: number of the track, 1-based; of several voices the first one's; 0 for all tracks
            together.
        windows: tokens [N, T], or [N, T, K] where a step has several numbers.
        bars: first bar of each window, 1-based [N].
        ticks: where each window starts, in ticks of the piece [N].
        available: how many windows the piece has, over all tracks.
        candidates: the choice that there was, one line a track.
        read: indices of the tracks whose notes the windows are made of.
        parts: number of the track of each voice, 1-based, where there are several.
        notice: what a user should know of how the piece is read, or "".
        timing: how the notes of the tracks that are read lie to the grid.
        swing: where the piece swings, how; ``score`` is then the piece without.
        octaves: how far up the windows were moved for the model, see
            :mod:`musicvae_lite.music.register`.
        original: the piece as it is in the file, where ``score`` is not it.
        joined: metres of the piece whose bars were joined or halved, such as 2/4.
    """

    score: Score
    track: int
    windows: NDArray[Any]
    bars: Ints
    ticks: Ints
    available: int
    candidates: tuple[str, ...]
    read: tuple[int, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    notice: str = ""
    timing: Timing | None = None
    swing: Swing | None = None
    octaves: int = 0
    original: Score | None = None
    joined: tuple[str, ...] = ()

    @property
    def piece(self) -> Score:
        """The piece as it is in the file, with its metres and its swing."""
        return self.score if self.original is None else self.original

    @property
    def facts(self) -> dict[str, Any]:
        """Return what ``--json`` says of the file, its timing and register."""
        grid = {}
        if self.timing is not None:
            grid = {"grid": self.timing.as_dict(self.swing.ratio if self.swing else None)}
        return {
            "notices": list(self.piece.notices),
            **grid,
            "octaves_moved": self.octaves,
            "metres_joined": list(self.joined),
        }

    @property
    def source(self) -> str:
        """What messages call the piece."""
        return self.score.source or "score"

    @property
    def stem(self) -> str:
        """The name of the piece without folder and suffix."""
        return Path(self.source).stem

    @property
    def track_name(self) -> str:
        """Name of the track in the file; may be empty."""
        return self.score.tracks[self.track - 1].name if self.track else ""

    @property
    def place(self) -> str:
        """What messages call the track or the tracks: ``track 1 (Melody)``, ``melody 1, bass 3,
        drums 2``.
        """
        if self.parts:
            return ", ".join(f"{role} {track}" for role, track in self.parts.items())
        if not self.track:
            return "all tracks"
        if len(self.read) > 1:
            names = [self.score.tracks[index].name or "no name" for index in self.read]
            return f"tracks {spans(np.array(self.read) + 1)} ({', '.join(names)})"
        return f"track {self.track}" + (f" ({self.track_name})" if self.track_name else "")

    @property
    def voices(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the tracks of each voice; none where it is not known what was read."""
        if not self.parts:
            return (self.read,) if self.read else ()
        # What is read but plays no part by itself are further tracks of drums.
        first = {number - 1 for number in self.parts.values()}
        more = tuple(index for index in self.read if index not in first)
        return tuple(
            (number - 1, *more) if role == "drums" else (number - 1,)
            for role, number in self.parts.items()
        )

    @property
    def program(self) -> int:
        """General MIDI program of the track, 0-127; 0 for all tracks together."""
        return self.score.tracks[self.track - 1].program if self.track else 0

    @property
    def qpm(self) -> NDArray[np.float64]:
        """Tempo where each window starts, quarter notes per minute [N]."""
        return qpm_at(self.score, self.ticks)

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says of a passage of one window."""
        return {
            "file": self.source,
            "track": self.track,
            "track_name": self.track_name,
            **({"roles": dict(self.parts)} if self.parts else {}),
            "bar": int(self.bars[0]),
            "windows_available": self.available,
            **self.facts,
        }


@contextmanager
def joining(wanted: bool) -> Iterator[None]:
    """Join bars of 2/4 for models of 4/4 (and the like), or leave them, while this lasts."""
    token = _joining.set(wanted)
    try:
        yield
    finally:
        _joining.reset(token)


def qpm_at(score: Score, ticks: Ints) -> NDArray[np.float64]:
    """Return the tempo in force at each tick [N]; 120 before the first tempo of the piece."""
    if not len(score.tempos):
        return np.full(len(ticks), 120.0)
    row = np.searchsorted(score.tempos["tick"], ticks, side="right") - 1
    return np.where(row < 0, 120.0, score.tempos["qpm"][np.maximum(row, 0)])


def one_window(
    item: Item | Passage,
    codec: ScoreCodec,
    model: str,
    track: int | None = None,
    bar: int | None = None,
    roles: Roles = None,
) -> Passage:
    """Choose one window: the first usable one, or the first in ``track``, or the one that starts at
    ``bar`` (both 1-based).

    Args:
        item: a file, a score, or a passage that was chosen before (its first window is taken).
        codec: of the model.
        model: what messages call the model.
        track: number of the track; default the usable one most like a tune (at ``bar``).
        bar: bar at which the window starts.
        roles: number of the track of a voice, such as bass 3; default the first ones that fit.

    Raises:
        MidiError: the file cannot be read.
        UsageError: no such track or role, or no usable window at that bar.
        NothingUsableError: no usable window at all; the reasons are named.
    """
    if isinstance(item, Passage):
        return _rows(item, np.array([0]))
    heard, encoded = _encode(item, codec, model, track, roles)
    score = heard.score
    rows = np.arange(len(encoded.windows))
    if bar is not None:
        rows = np.flatnonzero(encoded.origin["bar"] == bar - 1)
        if not len(rows):
            where = "; ".join(_candidates(score, encoded, codec))
            raise UsageError(
                f"{_name(score)}: no usable window starts at bar {bar}; there are: {where}"
            )
    read = _read(score, codec, encoded.parts[rows[0]], track, roles)
    return _passage(heard, encoded, codec, rows[:1], read)


def whole_melody(
    item: Item | Passage,
    codec: ScoreCodec,
    model: str,
    track: int | None = None,
    every_window: bool = False,
    roles: Roles = None,
    overlapping: bool = False,
) -> Passage:
    """Choose the windows that cover the melody of one track (or what one track for each voice
    plays), as few as possible.

    They overlap only where the number of bars is no multiple of the window's.

    Args:
        item: a file, a score, or a passage that was chosen before.
        codec: of the model.
        model: what messages call the model.
        track: number of the track, 1-based; default the usable one most like a tune.
        every_window: take all windows of the track, also those that overlap.
        roles: number of the track of a voice, such as bass 3; default the first ones that fit.
        overlapping: let windows overlap by half, and leave out none in which nothing starts, so
            that they can be joined without a seam; for a codec that is not seamless as without.

    Raises:
        MidiError: the file cannot be read.
        UsageError: no such track.
        NothingUsableError: no usable window; the reasons are named.
    """
    if isinstance(item, Passage):
        return item
    heard, encoded = _encode(item, codec, model, track, roles)
    score = heard.score
    parts = encoded.parts[0]
    read = _read(score, codec, parts, track, roles)
    if overlapping and codec.seamless:
        encoded = _every_bar(score, codec, parts, read)
    rows = np.flatnonzero((encoded.parts == parts).all(1))
    bars = encoded.origin["bar"][rows].astype(np.int64)
    if every_window:
        chosen = np.arange(len(rows))
    else:
        chosen = (
            half_apart(bars, codec.bars)
            if overlapping and codec.seamless
            else cover(bars, codec.bars)
        )
    return _passage(heard, encoded, codec, rows[chosen], read)


def encode_tune(score: Score, codec: ScoreCodec, model: str) -> Encoded:
    """Return all windows of the track of a piece that is most like a tune.

    Raises:
        NothingUsableError: no usable window; the reasons are named.
    """
    _, encoded = _encode(score, codec, model, None, None)
    rows = (encoded.parts == encoded.parts[0]).all(1)
    tracks = None if encoded.tracks is None else encoded.tracks[rows]
    return replace(
        encoded, windows=encoded.windows[rows], origin=encoded.origin[rows], tracks=tracks
    )


def _every_bar(
    score: Score, codec: ScoreCodec, parts: NDArray[np.uint16], read: tuple[int, ...]
) -> Encoded:
    """Encode chosen tracks with a window from every bar on, also those in which nothing starts."""
    whole = every_bar(any_instrument(codec))
    if len(parts) == 1:
        return whole.encode(score, read)
    roles = dict(zip(codec.roles, parts.astype(int).tolist(), strict=True))
    if len(read) > len(parts):  # all tracks of drums: none is named
        del roles["drums"]
    return whole.encode(score, None, roles)


def _read(
    score: Score, codec: ScoreCodec, parts: NDArray[np.uint16], track: int | None, roles: Roles
) -> tuple[int, ...]:
    """Return the tracks whose notes make up windows of ``parts``.

    Drums come from all drum tracks, unless one is named.
    """
    if codec.whole:
        return tuple(range(len(score.tracks)))
    if codec.gathers and track is None and not roles:
        found = codec.gathered(score)
        return found if parts[0] in found else any_instrument(codec).gathered(score)
    if len(parts) == 1:
        named, drums = track is not None or bool(roles), int(parts[0])
    else:
        named = "drums" in (roles or {}) or "drums" not in codec.roles
        drums = int(parts[codec.roles.index("drums")]) if not named else 0
    together = not named and codec.whole_kit and score.tracks[drums].is_drum
    return tuple(
        index
        for index, own in enumerate(score.tracks)
        if (together and own.is_drum) or index in parts
    )


def cover(bars: Ints, size: int) -> Ints:
    """Return which windows of ``size`` bars, starting at ascending ``bars`` [N], cover what all of
    them cover.
    """
    chosen: list[int] = []
    end = -1
    starts = bars.tolist()
    for index, (bar, following) in enumerate(zip(starts, [*starts[1:], None], strict=True)):
        if bar >= end or ((following is None or following > end) and bar + size > end):
            chosen.append(index)
            end = bar + size
    return np.array(chosen, np.int64)


def overlap(bars: Ints, size: int) -> Ints:
    """Return how many bars at the start of each window the windows before it cover, for ascending
    ``bars`` [N].
    """
    if not len(bars):
        return np.zeros(0, np.int64)
    ends = np.maximum.accumulate(bars) + size
    before = np.concatenate([bars[:1], ends[:-1]])
    return np.clip(before - bars, 0, size)


class _Heard(NamedTuple):
    """A piece as a model hears it: without swing, in its metre; and what was done to it."""

    score: Score
    original: Score
    swing: Swing | None
    joined: tuple[str, ...]


def heard_as(piece: Score, codec: ScoreCodec) -> _Heard:
    """Return a piece as a codec can read most of it."""
    joined = in_metre(piece, codec) if _joining.get() else None
    score = piece if joined is None else joined.score
    swing = find_swing(score, codec)
    score = score if swing is None else straightened(swing)
    return _Heard(score, piece, swing, () if joined is None else joined.metres)


def _encode(
    item: Item, codec: ScoreCodec, model: str, track: int | None, roles: Roles
) -> tuple[_Heard, Encoded]:
    if codec.whole and (track is not None or roles):
        raise UsageError(
            f"{model} hears all tracks of a piece together; none can be chosen (leave out --track "
            "and --role)"
        )
    if track is not None and len(codec.roles) > 1:
        raise UsageError(
            f"{model} needs a track for each of {', '.join(codec.roles)}; name one with --role "
            f"{codec.roles[0]}={track}"
        )
    score = item if isinstance(item, Score) else read_midi(item, texts=True)
    read = heard_as(score, codec)
    score = read.score
    tracks = None if track is None else [track - 1]
    named = {role: number - 1 for role, number in (roles or {}).items()}
    encoded = codec.encode(score, tracks, named)
    if not len(encoded.windows):
        wider = any_instrument(codec).encode(score, tracks, named)
        if not len(wider.windows):
            raise NothingUsableError(_why_nothing(score, wider, codec, model, track, named))
        encoded = wider
    encoded = encoded if tracks or named else _tune_first(score, encoded, codec)
    return read, encoded


def _tune_first(score: Score, encoded: Encoded, codec: ScoreCodec) -> Encoded:
    """Return the windows with those of the track most like a tune first; of drums and whole pieces
    as they are.

    A track of another program than the codec reads must be clearly more like one.
    """
    if codec.whole or not codec.pitches[0]:
        return encoded
    likeness = tune_scores(score)
    if len(codec.roles) == 1:
        wider = any_instrument(codec)
        if wider is not codec and likeness.argmax() not in encoded.origin["track"]:
            every = wider.encode(score)
            there = np.unique(every.origin["track"])
            if likeness[there].max() > likeness[encoded.origin["track"]].max() + _CLEARLY:
                encoded = every
    order = np.argsort(-likeness[encoded.origin["track"]], kind="stable")
    tracks = None if encoded.tracks is None else encoded.tracks[order]
    return replace(
        encoded, windows=encoded.windows[order], origin=encoded.origin[order], tracks=tracks
    )


def any_instrument(codec: ScoreCodec) -> ScoreCodec:
    """Return the codec without its rule on programs.

    The rule says which tracks of a corpus are likely to be melodies. It is no reason to refuse a
    user's flute or voice: the model does not know of instruments. So it gives way where nothing
    else can be used, or where the track was named.
    """
    settings = codec.config()
    return (
        score_codec(settings | {"programs": None})
        if settings.get("programs") is not None
        else codec
    )


def _why_nothing(
    score: Score,
    encoded: Encoded,
    codec: ScoreCodec,
    model: str,
    track: int | None,
    roles: Mapping[str, int],
) -> str:
    """Say in one line why no window of a piece can be used."""
    counts = encoded.dropped
    if track is not None:
        counts = type(counts)()
        for drop in encoded.drops:
            if drop.track == track - 1:
                counts[drop.reason] += drop.count
    parts = []
    for reason, count in counts.most_common(_REASONS_SHOWN):
        unit = "window" if reason.startswith("window") else "note"
        parts.append(f"{reason} ({count:,} {unit}{'' if count == 1 else 's'})")
    advice = "" if track is not None else codec.advice(score, roles)
    why = f": {advice}" if advice else ": " + ", ".join(parts) if parts else ""
    other_kind = any(reason.startswith(("metre", "drum", "no drum")) for reason in counts)
    others = takers(score, but=model) if other_kind and track is None else []
    use = f"; {' or '.join(others)} can use it (-m {others[0]})" if others else ""
    name = _name(score)
    option = "" if model == DEFAULT_MODEL else f" -m {model}"
    place = name if track is None else f"{name}, track {track}"
    see = f"see 'musae inspect {name}{option}'"
    return f"{place}: no {codec.item} that {model} can use{why}{use}; {see}"


def _name(score: Score) -> str:
    return score.source or "score"


def _passage(
    heard: _Heard, encoded: Encoded, codec: ScoreCodec, rows: Ints, read: tuple[int, ...]
) -> Passage:
    score, piece = heard.score, heard.original
    own = np.flatnonzero(np.isin(piece.notes["track"], read))
    origin = encoded.origin[rows]
    several = len(codec.roles) > 1
    return Passage(
        score=score,
        track=0 if codec.whole else int(origin["track"][0]) + 1,
        windows=encoded.windows[rows],
        bars=origin["bar"].astype(np.int64) + 1,
        ticks=origin["tick"].astype(np.int64),
        available=len(encoded.windows),
        candidates=tuple(_candidates(score, encoded, codec)),
        read=read,
        parts=dict(zip(codec.roles, (encoded.parts[rows[0]].astype(int) + 1).tolist(), strict=True))
        if several
        else {},
        notice=codec.notice(score, encoded, read),
        timing=timing(heard.swing.original if heard.swing else score, own, codec),
        swing=heard.swing,
        original=None if piece is score else piece,
        joined=heard.joined,
    )


def _rows(passage: Passage, rows: Ints) -> Passage:
    columns = {name: getattr(passage, name)[rows] for name in ("windows", "bars", "ticks")}
    return replace(passage, **columns)


def _candidates(score: Score, encoded: Encoded, codec: ScoreCodec) -> list[str]:
    """Describe the usable windows, one line a track, or one for each choice of tracks."""
    lines = []
    for parts in np.unique(encoded.parts, axis=0):
        bars = encoded.origin["bar"][(encoded.parts == parts).all(1)].astype(np.int64) + 1
        numbers = (parts.astype(int) + 1).tolist()
        if len(numbers) > 1:
            label = ", ".join(
                f"{role} {number}" for role, number in zip(codec.roles, numbers, strict=True)
            )
        elif codec.whole:
            label = "all tracks"
        else:
            name = score.tracks[parts[0]].name
            label = f"track {numbers[0]}" + (f" ({name})" if name else "")
        lines.append(f"{label}: bars {spans(bars)}")
    return lines


def spans(numbers: Ints, most: int = 8) -> str:
    """Write ascending numbers as ``1-4, 9``; after ``most`` spans follow three dots."""
    numbers = np.unique(numbers)
    cuts = np.flatnonzero(np.diff(numbers) > 1) + 1
    parts = [
        f"{part[0]}" if len(part) == 1 else f"{part[0]}-{part[-1]}"
        for part in np.split(numbers, cuts)[:most]
    ]
    return ", ".join(parts) + (", ..." if len(cuts) + 1 > most else "")


class _Parts(NamedTuple):
    """Windows joined as far as they can be: the steps of each part, the window it starts with, its
    bars and those left out.
    """

    tokens: list[NDArray[Any]]
    row: Ints
    bars: Ints
    skip: Ints


def _joined(windows: NDArray[Any], bars: Ints, codec: ScoreCodec) -> _Parts:
    """Join windows [N, T] that start at ascending ``bars`` [N]; what overlaps is heard once."""
    if codec.seamless:
        stretches = weave(windows, bars, codec)
        tokens = [stretch.tokens for stretch in stretches]
        lengths = np.array([len(part) // codec.steps_per_bar for part in tokens], np.int64)
        return _Parts(
            tokens,
            np.array([stretch.row for stretch in stretches], np.int64),
            lengths,
            np.zeros_like(lengths),
        )
    skip = overlap(bars, codec.bars)
    tokens = [
        codec.after(window, left_out)
        for window, left_out in zip(windows, skip.tolist(), strict=True)
    ]
    return _Parts(tokens, np.arange(len(tokens)), codec.bars - skip, skip)


def joined_line(windows: NDArray[Any], bars: Ints, codec: ScoreCodec) -> NDArray[Any]:
    """Return all steps of windows [N, T] once, as one long window [1, L], or the windows where they
    cannot be joined.
    """
    return np.concatenate(_joined(windows, bars, codec).tokens)[None] if codec.seamless else windows


def is_silent(windows: NDArray[Any], codec: ScoreCodec) -> NDArray[np.bool_]:
    """Say in which windows [N, T] nothing starts, [N]; models have learned from none such."""
    return np.logical_not(codec.onsets(windows).any(axis=(1, 2)))


def ends(passage: Passage, codec: ScoreCodec) -> Ints:
    """Return the step of each window from which on each voice of the piece is silent, the end of a
    bar or of the window [N, R].

    A voice is silent after the bar in which the last of its notes in this metre ends, of drums:
    starts.
    """
    score, voices = passage.score, passage.voices
    full = np.full((len(passage.windows), max(1, len(voices))), codec.grid_steps, np.int64)
    if codec.whole or not voices:
        return full
    grid = Grid.of(score, codec)
    onset, off = grid.steps(score.notes["start"], score.notes["end"], grid.segment)
    drums = np.array([track.is_drum for track in score.tracks], bool)[score.notes["track"]]
    last = np.where(drums, onset + 1, off)
    segment = np.searchsorted(grid.start, passage.ticks, side="right") - 1
    begin = (passage.bars - 1 - grid.first_bar[segment]) * codec.steps_per_bar
    for number, tracks in enumerate(voices):
        own = np.isin(score.notes["track"], tracks)
        final = np.zeros(len(grid.segments), np.int64)
        np.maximum.at(final, grid.segment[own], last[own])
        full[:, number] = -(-final // codec.steps_per_bar)[segment] * codec.steps_per_bar - begin
    return np.clip(full, 0, codec.grid_steps)


def ended(
    windows: NDArray[Any], passages: Sequence[Passage], codec: ScoreCodec, alone: Sequence[int] = ()
) -> NDArray[Any]:
    """Return windows [N, T] that are silent where what they were made of is over, see :func:`ends`.

    Of a piece that fills no window a model has heard a note end and then nothing, and is apt to
    hold it to the end.

    Args:
        windows: what a model made.
        passages: of what: a passage of N windows, or several of one window; of these the longest
            counts.
        codec: of the windows.
        alone: the windows that were made of one of several passages each.
    """
    every: Ints = np.stack([ends(passage, codec) for passage in passages])
    steps = np.broadcast_to(every.max(0), (len(windows), every.shape[2])).copy()
    if alone:
        steps[list(alone)] = every[:, 0]
    short = np.logical_or.reduce(steps < codec.grid_steps, axis=1).tolist()
    return np.stack(
        [
            codec.cut(row, at) if cut else row
            for row, at, cut in zip(windows, steps.tolist(), short, strict=True)
        ]
    )


def rebuild(passage: Passage, windows: NDArray[Any], codec: ScoreCodec, name: str) -> Score:
    """Put ``windows`` [N, T] where those of ``passage`` are.

    Tempos and metres are those of the piece.
    """
    score = passage.score
    parts = _joined(windows, passage.bars, codec)
    # An empty bar comes first, so that a hit that is early on the first step of a groove has a
    # place.
    empty = codec.after(codec.silence, codec.bars - 1)
    parts = _Parts(
        [empty, *parts.tokens], parts.row, np.append(1, parts.bars), np.append(0, parts.skip)
    )
    placed = codec.join(parts.tokens, program=passage.program, name=name)
    target = in_ticks(passage.ticks[parts.row], score.ticks_per_quarter, placed.ticks_per_quarter)
    placed = _spread(
        placed, np.append(target[0] - bar_ticks(placed), target), parts, codec.steps_per_bar
    )
    tempos, metres = score.tempos.copy(), passage.piece.metres.copy()
    for table in (tempos, metres):
        table["tick"] = in_ticks(table["tick"], score.ticks_per_quarter, placed.ticks_per_quarter)
    # A file that says nothing is in 4/4 at 120.
    return replace(
        placed,
        tempos=tempos if len(tempos) else np.array([(0, 120.0)], TEMPO),
        metres=metres if len(metres) else np.array([(0, 4, 4)], METRE),
    )


def with_other_tracks(made: Score, piece: Score, replaced: Collection[int]) -> Score:
    """Return a score that was made of a piece with the tracks of the piece after its own, but for
    those (indices) replaced.
    """
    kept = [index for index in range(len(piece.tracks)) if index not in replaced]
    place = np.zeros(len(piece.tracks), np.uint16)
    place[kept] = np.arange(len(kept)) + len(made.tracks)
    notes = piece.notes[np.isin(piece.notes["track"], kept)].copy()
    notes["track"] = place[notes["track"]]
    pedals = piece.pedals[np.isin(piece.pedals["track"], kept)].copy()
    pedals["track"] = place[pedals["track"]]
    for table in (notes, pedals):
        for column in ("start", "end"):
            table[column] = in_ticks(table[column], piece.ticks_per_quarter, made.ticks_per_quarter)
    at = in_ticks(
        np.array([text.tick for text in piece.texts], np.int64),
        piece.ticks_per_quarter,
        made.ticks_per_quarter,
    )
    texts = [text._replace(tick=tick) for text, tick in zip(piece.texts, at.tolist(), strict=True)]
    return replace(
        made,
        notes=np.concatenate([made.notes, notes]),
        tracks=(*made.tracks, *(piece.tracks[index] for index in kept)),
        pedals=np.concatenate([made.pedals, pedals]),
        texts=(*made.texts, *texts),
    )


def in_sequence(
    windows: NDArray[Any],
    qpm: Sequence[float],
    codec: ScoreCodec,
    bars: Ints | None = None,
    program: int = 0,
    name: str = "melody",
) -> Score:
    """Put windows [N, T] one after another, each at its tempo.

    Args:
        windows: tokens.
        qpm: tempo of each window, quarter notes per minute [N].
        codec: of the windows.
        bars: first bar of each, 1-based and ascending [N]: the windows go there, and what overlaps
            is heard once.
        program: General MIDI program.
        name: of the track.
    """
    if bars is None:
        score = codec.join(list(windows), program=program, name=name)
        ticks = np.arange(len(windows)) * codec.bars * bar_ticks(score)
    else:
        parts = _joined(windows, bars, codec)
        score = codec.join(parts.tokens, program=program, name=name)
        ticks = (bars - 1) * bar_ticks(score)
        score = _spread(score, ticks[parts.row], parts, codec.steps_per_bar)
    return replace(score, tempos=_tempos(ticks, qpm))


def _tempos(ticks: Ints, qpm: Sequence[float]) -> NDArray[np.void]:
    """Return a tempo at each tick at which it changes; the first one counts from tick 0."""
    rows: list[tuple[int, float]] = []
    for tick, tempo in zip(ticks.tolist(), qpm, strict=True):
        if not rows or rows[-1][1] != tempo:
            rows.append((tick if rows else 0, float(tempo)))
    return np.array(rows, TEMPO)


def bar_ticks(score: Score) -> int:
    """Return the ticks of a bar in the first metre of a score."""
    if not len(score.metres):
        return 4 * score.ticks_per_quarter
    metre = score.metres[0]
    return 4 * score.ticks_per_quarter * int(metre["numerator"]) // int(metre["denominator"])


def in_ticks(ticks: NDArray[Any], old: int, new: int) -> Ints:
    """Convert ticks from ``old`` to ``new`` ticks per quarter, to the nearest."""
    return (ticks.astype(np.int64) * 2 * new + old) // (2 * old)


def _spread(score: Score, target: Ints, parts: _Parts, steps_per_bar: int) -> Score:
    """Move the joined parts of ``score`` apart: part i, without its skipped bars, to ``target[i]``
    and those bars.
    """
    bar = bar_ticks(score)
    begin = (np.cumsum(parts.bars) - parts.bars) * bar
    shift = target + parts.skip * bar - begin
    notes = score.notes.copy()
    if len(notes):
        early = bar // steps_per_bar // 2  # a note may come up to half a step before its window
        part = np.searchsorted(begin, notes["start"] + early, side="right") - 1
        notes["start"] = np.maximum(0, notes["start"] + shift[part])
        notes["end"] += shift[part]
        if int(notes["end"].max()) > _MAX_TICK:
            raise MusaeError("the windows lie too far apart for a MIDI file")
    return replace(score, notes=notes)
