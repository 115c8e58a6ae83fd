"""Which windows of a piece are used, and how windows become a piece again.

Imports no torch, so that a file that cannot be used is told of at once. Letters in shapes: N windows, T steps of a window.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.bundle import DEFAULT_MODEL
from musicvae_lite.codecs import Encoded, ScoreCodec, score_codec
from musicvae_lite.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.media.midi import METRE, TEMPO, Score, read_midi

#: What a user hands in: a file or a score.
Item = str | os.PathLike[str] | Score

#: Number of the track (1-based) of each voice that a user names.
Roles = Mapping[str, int] | None

Ints = NDArray[np.int64]

_REASONS_SHOWN = 3
_MAX_TICK = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Passage:
    """Windows of one track of a piece (or of one track for each voice), in order of time.

    Attributes:
        score: the piece.
        track: number of the track, 1-based; of several voices the first one's.
        windows: tokens [N, T], or [N, T, K] where a step has several numbers.
        bars: first bar of each window, 1-based [N].
        ticks: where each window starts, in ticks of the piece [N].
        skip: bars at the start of each window that the window before it covers already [N].
        available: how many windows the piece has, over all tracks.
        candidates: the choice that there was, one line a track.
        parts: number of the track of each voice, 1-based, where there are several.
    """

    score: Score
    track: int
    windows: NDArray[Any]
    bars: Ints
    ticks: Ints
    skip: Ints
    available: int
    candidates: tuple[str, ...]
    parts: Mapping[str, int] = field(default_factory=dict)

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
        return self.score.tracks[self.track - 1].name

    @property
    def place(self) -> str:
        """What messages call the track or the tracks: ``track 1 (Melody)``, ``melody 1, bass 3, drums 2``."""
        if self.parts:
            return ", ".join(f"{role} {track}" for role, track in self.parts.items())
        return f"track {self.track}" + (f" ({self.track_name})" if self.track_name else "")

    @property
    def program(self) -> int:
        """General MIDI program of the track, 0-127."""
        return self.score.tracks[self.track - 1].program

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
        }


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
    """Choose one window: the first usable one, or the first in ``track``, or the one that starts at ``bar`` (both 1-based).

    Args:
        item: a file, a score, or a passage that was chosen before (its first window is taken).
        codec: of the model.
        model: what messages call the model.
        track: number of the track; default the first one with a usable window (at ``bar``).
        bar: bar at which the window starts.
        roles: number of the track of a voice, such as bass 3; default the first ones that fit.

    Raises:
        MidiError: the file cannot be read.
        UsageError: no such track or role, or no usable window at that bar.
        NothingUsableError: no usable window at all; the reasons are named.
    """
    if isinstance(item, Passage):
        return _rows(item, np.array([0]))
    score, encoded = _encode(item, codec, model, track, roles)
    rows = np.arange(len(encoded.windows))
    if bar is not None:
        rows = np.flatnonzero(encoded.origin["bar"] == bar - 1)
        if not len(rows):
            where = "; ".join(_candidates(score, encoded, codec))
            raise UsageError(f"{_name(score)}: no usable window starts at bar {bar}; there are: {where}")
    return _passage(score, encoded, codec, rows[:1], np.zeros(1, np.int64))


def whole_melody(
    item: Item | Passage,
    codec: ScoreCodec,
    model: str,
    track: int | None = None,
    every_window: bool = False,
    roles: Roles = None,
) -> Passage:
    """Choose the windows that cover the melody of one track (or what one track for each voice plays), as few as possible.

    They overlap only where the number of bars is no multiple of the window's.

    Args:
        item: a file, a score, or a passage that was chosen before.
        codec: of the model.
        model: what messages call the model.
        track: number of the track, 1-based; default the first one with a usable window.
        every_window: take all windows of the track, also those that overlap.
        roles: number of the track of a voice, such as bass 3; default the first ones that fit.

    Raises:
        MidiError: the file cannot be read.
        UsageError: no such track.
        NothingUsableError: no usable window; the reasons are named.
    """
    if isinstance(item, Passage):
        return item
    score, encoded = _encode(item, codec, model, track, roles)
    rows = np.flatnonzero((encoded.parts == encoded.parts[0]).all(1))
    bars = encoded.origin["bar"][rows].astype(np.int64)
    size = codec.steps // codec.steps_per_bar
    chosen = np.arange(len(rows)) if every_window else cover(bars, size)
    return _passage(score, encoded, codec, rows[chosen], overlap(bars[chosen], size))


def cover(bars: Ints, size: int) -> Ints:
    """Return which windows of ``size`` bars, starting at ascending ``bars`` [N], cover what all of them cover."""
    chosen: list[int] = []
    end = -1
    starts = bars.tolist()
    for index, (bar, following) in enumerate(zip(starts, [*starts[1:], None], strict=True)):
        if bar >= end or ((following is None or following > end) and bar + size > end):
            chosen.append(index)
            end = bar + size
    return np.array(chosen, np.int64)


def overlap(bars: Ints, size: int) -> Ints:
    """Return how many bars at the start of each window the windows before it cover, for ascending ``bars`` [N]."""
    if not len(bars):
        return np.zeros(0, np.int64)
    ends = np.maximum.accumulate(bars) + size
    before = np.concatenate([bars[:1], ends[:-1]])
    return np.clip(before - bars, 0, size)


def _encode(item: Item, codec: ScoreCodec, model: str, track: int | None, roles: Roles) -> tuple[Score, Encoded]:
    if track is not None and len(codec.roles) > 1:
        raise UsageError(
            f"{model} needs a track for each of {', '.join(codec.roles)}; name one with --role {codec.roles[0]}={track}"
        )
    score = item if isinstance(item, Score) else read_midi(item, texts=True)
    tracks = None if track is None else [track - 1]
    named = {role: number - 1 for role, number in (roles or {}).items()}
    encoded = codec.encode(score, tracks, named)
    if not len(encoded.windows):
        wider = _any_instrument(codec).encode(score, tracks, named)
        if not len(wider.windows):
            raise NothingUsableError(_why_nothing(score, wider, codec, model, track, named))
        encoded = wider
    return score, encoded


def _any_instrument(codec: ScoreCodec) -> ScoreCodec:
    """Return the codec without its rule on programs.

    The rule says which tracks of a corpus are likely to be melodies. It is no reason to refuse a user's flute or voice: the
    model does not know of instruments. So it gives way where nothing else can be used, or where the track was named.
    """
    settings = codec.config()
    return score_codec(settings | {"programs": None}) if settings.get("programs") is not None else codec


def _why_nothing(
    score: Score, encoded: Encoded, codec: ScoreCodec, model: str, track: int | None, roles: Mapping[str, int]
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
    name = _name(score)
    option = "" if model == DEFAULT_MODEL else f" -m {model}"
    place = name if track is None else f"{name}, track {track}"
    return f"{place}: no {codec.item} that {model} can use{why}; see 'musae inspect {name}{option}'"


def _name(score: Score) -> str:
    return score.source or "score"


def _passage(score: Score, encoded: Encoded, codec: ScoreCodec, rows: Ints, skip: Ints) -> Passage:
    origin = encoded.origin[rows]
    several = len(codec.roles) > 1
    return Passage(
        score=score,
        track=int(origin["track"][0]) + 1,
        windows=encoded.windows[rows],
        bars=origin["bar"].astype(np.int64) + 1,
        ticks=origin["tick"].astype(np.int64),
        skip=skip,
        available=len(encoded.windows),
        candidates=tuple(_candidates(score, encoded, codec)),
        parts=dict(zip(codec.roles, (encoded.parts[rows[0]].astype(int) + 1).tolist(), strict=True)) if several else {},
    )


def _rows(passage: Passage, rows: Ints) -> Passage:
    columns = {name: getattr(passage, name)[rows] for name in ("windows", "bars", "ticks", "skip")}
    return replace(passage, **columns)


def _candidates(score: Score, encoded: Encoded, codec: ScoreCodec) -> list[str]:
    """Describe the usable windows, one line a track, or one for each choice of tracks."""
    lines = []
    for parts in np.unique(encoded.parts, axis=0):
        bars = encoded.origin["bar"][(encoded.parts == parts).all(1)].astype(np.int64) + 1
        numbers = (parts.astype(int) + 1).tolist()
        if len(numbers) > 1:
            label = ", ".join(f"{role} {number}" for role, number in zip(codec.roles, numbers, strict=True))
        else:
            name = score.tracks[parts[0]].name
            label = f"track {numbers[0]}" + (f" ({name})" if name else "")
        lines.append(f"{label}: bars {spans(bars)}")
    return lines


def spans(numbers: Ints, most: int = 8) -> str:
    """Write ascending numbers as ``1-4, 9``; after ``most`` spans follow three dots."""
    numbers = np.unique(numbers)
    cuts = np.flatnonzero(np.diff(numbers) > 1) + 1
    parts = [f"{part[0]}" if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in np.split(numbers, cuts)[:most]]
    return ", ".join(parts) + (", ..." if len(cuts) + 1 > most else "")


def rebuild(passage: Passage, windows: NDArray[Any], codec: ScoreCodec, name: str) -> Score:
    """Put ``windows`` [N, T] where those of ``passage`` are; tempos and metres are those of the piece."""
    score = passage.score
    placed = place_windows(windows, passage.skip, codec, program=passage.program, name=name)
    target = _scaled(passage.ticks, score.ticks_per_quarter, placed.ticks_per_quarter)
    placed = _spread(placed, target, passage.skip, codec)
    tempos, metres = score.tempos.copy(), score.metres.copy()
    for table in (tempos, metres):
        table["tick"] = _scaled(table["tick"], score.ticks_per_quarter, placed.ticks_per_quarter)
    # A file that says nothing is in 4/4 at 120.
    return replace(
        placed,
        tempos=tempos if len(tempos) else np.array([(0, 120.0)], TEMPO),
        metres=metres if len(metres) else np.array([(0, 4, 4)], METRE),
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
        bars: first bar of each, 1-based and ascending [N]: the windows go there, and what overlaps is heard once.
        program: General MIDI program.
        name: of the track.
    """
    size = codec.steps // codec.steps_per_bar
    skip = np.zeros(len(windows), np.int64) if bars is None else overlap(bars, size)
    score = place_windows(windows, skip, codec, program, name)
    starts = np.arange(len(windows)) * size + 1 if bars is None else bars
    ticks = (starts - 1) * bar_ticks(score)
    if bars is not None:
        score = _spread(score, ticks, skip, codec)
    return replace(score, tempos=_tempos(ticks, qpm))


def place_windows(windows: NDArray[Any], skip: Ints, codec: ScoreCodec, program: int, name: str) -> Score:
    """Join windows [N, T] without the first ``skip`` bars [N] of each."""
    parts = [window[bars * codec.steps_per_bar :] for window, bars in zip(windows, skip.tolist(), strict=True)]
    return codec.join(parts, program=program, name=name)


def _tempos(ticks: Ints, qpm: Sequence[float]) -> NDArray[np.void]:
    """Return a tempo at each tick at which it changes; the first one counts from tick 0."""
    rows: list[tuple[int, float]] = []
    for tick, tempo in zip(ticks.tolist(), qpm, strict=True):
        if not rows or rows[-1][1] != tempo:
            rows.append((tick if rows else 0, float(tempo)))
    return np.array(rows, TEMPO)


def bar_ticks(score: Score) -> int:
    """Return the ticks of a bar in the first metre of a score."""
    metre = score.metres[0]
    return 4 * score.ticks_per_quarter * int(metre["numerator"]) // int(metre["denominator"])


def _scaled(ticks: NDArray[Any], old: int, new: int) -> Ints:
    """Convert ticks from ``old`` to ``new`` ticks per quarter, to the nearest."""
    return (ticks.astype(np.int64) * 2 * new + old) // (2 * old)


def _spread(score: Score, target: Ints, skip: Ints, codec: ScoreCodec) -> Score:
    """Move the joined windows of ``score`` apart: window i, without its skipped bars, to ``target[i]`` and those bars."""
    bar = bar_ticks(score)
    size = codec.steps // codec.steps_per_bar
    begin = np.cumsum((size - skip) * bar) - (size - skip) * bar
    shift = target + skip * bar - begin
    notes = score.notes.copy()
    if len(notes):
        part = np.searchsorted(begin, notes["start"], side="right") - 1
        notes["start"] += shift[part]
        notes["end"] += shift[part]
        if int(notes["end"].max()) > _MAX_TICK:
            raise MusaeError("the windows lie too far apart for a MIDI file")
    return replace(score, notes=notes)
