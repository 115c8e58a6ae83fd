"""Scores: notes, tempos and metres of a piece, with time in integer ticks.

What a *track* is: an instrument as pretty_midi and Magenta count them, the notes of one (chunk of
the file, channel, program). Tracks stand in the order of their chunks; inside a chunk the one whose
first note ends first comes first. Users count from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core import registry

NOTE = np.dtype(
    [("start", "<i8"), ("end", "<i8"), ("pitch", "u1"), ("velocity", "u1"), ("track", "<u2")]
)
TEMPO = np.dtype([("tick", "<i8"), ("qpm", "<f8")])
METRE = np.dtype([("tick", "<i8"), ("numerator", "<i4"), ("denominator", "<i4")])
PEDAL = np.dtype([("start", "<i8"), ("end", "<i8"), ("track", "<u2")])

Kind = Literal["text", "lyrics", "marker", "cue_marker"]


class Track(NamedTuple):
    """One instrument of a score.

    Its name in the file, General MIDI program 0-127, and whether it is drums (channel 10).
    """

    name: str = ""
    program: int = 0
    is_drum: bool = False


class Text(NamedTuple):
    """Words at a place of the piece, such as a lyric or a chord symbol.

    ``kind`` is what the file calls them.
    """

    tick: int
    kind: Kind
    text: str


class Segment(NamedTuple):
    """A stretch of one metre, ``start`` (included) to ``end`` (excluded) in ticks."""

    start: int
    end: int
    numerator: int
    denominator: int


@dataclass(frozen=True, eq=False)
class Score:
    """Notes on a grid of ticks.

    The constructor puts notes, tempos, metres and pedals in their order.

    Attributes:
        ticks_per_quarter: resolution of every tick in the score.
        notes: array of :data:`NOTE`, sorted by track, start, pitch from high to low, end; ``track``
            is an index into ``tracks``.
        tracks: the instruments, each with at least one note when the score was read from a file.
        tempos: array of :data:`TEMPO`, quarter notes per minute from a tick on.
        metres: array of :data:`METRE`, as the file has them (repeats included).
        source: where the score came from, for messages.
        pedals: array of :data:`PEDAL`, stretches in which the sustain pedal of a track is held; the
            ends of the notes do not know of it (:func:`musicvae_lite.media.pedal.sustained` moves
            them). One that is never lifted is left out.
        texts: words, in order of time; they are read where they are asked for.
        notices: what is wrong with the file that the score was read from, and how it was read.
    """

    ticks_per_quarter: int
    notes: NDArray[np.void]
    tracks: tuple[Track, ...]
    tempos: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, TEMPO))
    metres: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, METRE))
    source: str = ""
    pedals: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, PEDAL))
    texts: tuple[Text, ...] = ()
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        notes = self.notes
        object.__setattr__(self, "notes", notes[_order(notes)])
        object.__setattr__(
            self, "pedals", self.pedals[np.lexsort((self.pedals["start"], self.pedals["track"]))]
        )
        for name in ("tempos", "metres"):
            table = getattr(self, name)
            if len(table) > 1:
                object.__setattr__(self, name, table[np.argsort(table["tick"], kind="stable")])
        object.__setattr__(self, "texts", tuple(sorted(self.texts, key=lambda text: text.tick)))

    def __eq__(self, other: object) -> bool:
        """Compare everything but ``source`` and ``notices``."""
        if not isinstance(other, Score):
            return NotImplemented
        return (
            self.ticks_per_quarter == other.ticks_per_quarter
            and self.tracks == other.tracks
            and np.array_equal(self.notes, other.notes)
            and np.array_equal(self.tempos, other.tempos)
            and np.array_equal(self.metres, other.metres)
            and np.array_equal(self.pedals, other.pedals)
            and self.texts == other.texts
        )

    __hash__ = None  # type: ignore[assignment]

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a piano roll and a player."""
        shown: str = registry.load("displays", "score")(self)
        return shown

    @property
    def end(self) -> int:
        """The first tick after every note; 0 for a score without notes."""
        if not len(self.notes):
            return 0
        return max(int(self.notes["end"].max()), int(self.notes["start"].max()) + 1)

    @property
    def bars(self) -> int:
        """Bars of the piece, over all metres; one that is not full counts."""
        segments = self.metre_segments()
        return sum(
            -(-(s.end - s.start) * s.denominator // (4 * self.ticks_per_quarter * s.numerator))
            for s in segments
        )

    @property
    def qpm(self) -> float:
        """Quarter notes per minute at tick 0; 120 where the file says nothing."""
        at_start = self.tempos["qpm"][self.tempos["tick"] == 0]
        return float(at_start[-1]) if len(at_start) else 120.0

    def metre_segments(self) -> list[Segment]:
        """Cut the score where the metre changes.

        A missing metre is 4/4; of several at one tick the last counts; an event that repeats the
        metre does not cut. Segments cover tick 0 to :attr:`end`.
        """
        end = self.end
        marks = [(0, 4, 4)]
        for tick, numerator, denominator in self.metres.tolist():
            if tick == marks[-1][0]:
                marks.pop()
            if not marks or (numerator, denominator) != marks[-1][1:]:
                marks.append((tick, numerator, denominator))
        ends = [mark[0] for mark in marks[1:]] + [max(end, marks[-1][0])]
        pairs = zip(marks, ends, strict=True)
        return [
            Segment(tick, min(stop, end), num, den)
            for (tick, num, den), stop in pairs
            if tick < min(stop, end)
        ]


def giving_way(new: NDArray[np.void], stays: NDArray[np.void]) -> NDArray[np.void]:
    """Return new notes that leave those that stay alone, for one key cannot sound twice: they end
    where one of their pitch starts, and are left out where one sounds.

    Args:
        new: rows of :data:`NOTE`.
        stays: those that share the keys of the new ones.
    """
    new, keep = new.copy(), np.ones(len(new), bool)
    for row, note in enumerate(new):
        same = stays[stays["pitch"] == note["pitch"]]
        same = same[(same["start"] < note["end"]) & (same["end"] > note["start"])]
        if len(same):
            first = int(same["start"].min())
            keep[row] = first > note["start"]
            new["end"][row] = max(first, int(note["start"]) + 1)
    return new[keep]


def _order(notes: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the order by track, start, pitch from high to low, and end."""
    start, pitch = notes["start"], notes["pitch"]
    if (
        len(notes) and 0 <= start.min() and start.max() < 2**40
    ):  # one number holds all but the end; notes are almost in order
        key = notes["track"].astype(np.int64) << 47 | start << 7 | (127 - pitch)
        order: NDArray[np.int64] = key.argsort(kind="stable")
        key = key[order]
        if not (key[1:] == key[:-1]).any():
            return order
    return np.lexsort((notes["end"], 127 - pitch, start, notes["track"]))
