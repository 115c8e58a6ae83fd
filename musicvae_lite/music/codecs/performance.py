"""What one instrument plays in a bar, as a list of events: note-ons and note-offs, shifts in time,
velocities.

Source: note-seq, ``performance_lib`` (``MetricPerformance``) and magenta, ``data_hierarchical.py``
for programs and ends. Where note-seq orders what ends at one step by seconds, here it is by start
on the grid, then pitch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score
from musicvae_lite.music.codecs.bars import DRUMS, Bars
from musicvae_lite.music.codecs.grid import Ints

PITCHES = 128
_LOUDEST = 127


class Note(NamedTuple):
    """A note: steps at which it starts and ends, pitch, velocity."""

    start: int
    end: int
    pitch: int
    velocity: int


@dataclass(frozen=True, eq=False)
class Events:
    """The events of all groups of some bars, group after group: of which group [M], tokens [M].

    How many each has [G].
    """

    group: Ints
    token: Ints
    count: Ints


class Tokens:
    """The classes of events: note-on, note-off (a pitch each), shift (1 step to a bar), velocity,
    program or drum set, end.

    Args:
        steps_per_bar: longest shift.
        velocity_bins: loudnesses that are told apart; played back as the softest of their bin.

    Attributes:
        off: first note-off; below it are the note-ons.
        shift: first shift.
        velocity: first velocity.
        program: first program.
        drums: the drum set.
        end: the end.
    """

    def __init__(self, steps_per_bar: int, velocity_bins: int) -> None:
        self.steps_per_bar = steps_per_bar
        self.bin = -(-_LOUDEST // velocity_bins)
        self.off, self.shift = PITCHES, 2 * PITCHES
        self.velocity = self.shift + steps_per_bar
        self.program = self.velocity + velocity_bins
        self.drums = self.program + DRUMS
        self.end = self.drums + 1

    def write(self, score: Score, bars: Bars) -> Events:
        """Write the notes of every group: a shift where time goes on, a velocity where it changes,
        and the note-on or -off.
        """
        notes, count = bars.notes, len(bars.notes)
        loud = np.maximum(score.notes["velocity"][notes["row"]].astype(np.int64), 1)
        when = np.concatenate([notes["end"], notes["start"]])
        is_on = np.arange(2 * count) >= count
        pitch, start, group = (
            np.tile(notes["pitch"], 2),
            np.tile(notes["start"], 2),
            np.tile(bars.group, 2),
        )
        order = np.lexsort((pitch, start, is_on, when, group))
        when, is_on, pitch, group = when[order], is_on[order], pitch[order], group[order]
        bins = np.tile((loud - 1) // self.bin, 2)[order]
        shift = _rise(when, group)
        louder = np.zeros(2 * count, bool)
        ons = np.flatnonzero(is_on)
        louder[ons] = _rise(bins[ons] + 1, group[ons]) != 0
        # Up to three tokens for each note-on and note-off, in this order; -1 where there is none.
        tokens = np.stack(
            [
                np.where(shift > 0, self.shift - 1 + shift, -1),
                np.where(louder, self.velocity + bins, -1),
                np.where(is_on, 0, self.off) + pitch,
            ],
            1,
        )
        written = tokens >= 0
        owner = np.repeat(group, 3).reshape(-1, 3)[written]
        return Events(owner, tokens[written], np.bincount(owner, minlength=len(bars.window)))

    def play(self, tokens: list[int], velocity: int) -> tuple[int, list[Note]]:
        """Return program (:data:`~musicvae_lite.music.codecs.bars.DRUMS` for drums) and notes of a
        track.

        What makes no sense (a model may say anything) is passed over. The first program counts, and
        it is a piano where there is none; notes that are not ended sound to the bar line.
        ``velocity`` is that of notes before any velocity event.
        """
        player, now, bar = -1, 0, self.steps_per_bar
        sounding: dict[int, tuple[int, int]] = {}
        free: dict[int, int] = {}  # step from which on a pitch can start again
        notes: list[Note] = []

        def stop(pitch: int) -> None:
            start, loud = sounding.pop(pitch)
            free[pitch] = max(now, start + 1)
            notes.append(Note(start, free[pitch], pitch, loud))

        for token in tokens:
            if token >= self.end:
                break
            if token < self.off:
                if token in sounding and sounding[token][0] < now:
                    stop(token)
                if now < bar and token not in sounding and free.get(token, 0) <= now:
                    sounding[token] = now, velocity
            elif token < self.shift:
                if token - self.off in sounding:
                    stop(token - self.off)
            elif token < self.velocity:
                now = min(now + token - self.shift + 1, bar)
            elif token < self.program:
                velocity = min(1 + (token - self.velocity) * self.bin, _LOUDEST)
            elif player < 0:
                player = token - self.program
        now = bar
        for pitch in sorted(sounding):
            stop(pitch)
        return max(player, 0), notes

    def now(self, tracks: Ints) -> Ints:
        """Return the step at which each event stands, same shape as tracks [..., events]."""
        shifts = np.where(
            (tracks >= self.shift) & (tracks < self.velocity), tracks - self.shift + 1, 0
        )
        now: Ints = np.minimum(np.cumsum(shifts, -1) - shifts, self.steps_per_bar)
        return now

    def is_program(self, tracks: Ints) -> NDArray[np.bool_]:
        """Say which events name an instrument."""
        named: NDArray[np.bool_] = (tracks >= self.program) & (tracks <= self.drums)
        return named


def _rise(values: NDArray[Any], group: NDArray[Any]) -> Ints:
    """Return how much more each value is than the one before it in its group, or than 0."""
    before = np.concatenate([values[:1] * 0, values[:-1]])
    first = np.ones(len(values), bool)
    first[1:] = np.diff(group) != 0
    rise: Ints = values - np.where(first, 0, before)
    return rise
