"""One walk over the bytes of a MIDI file, for reading and for editing.

Files of the wild are damaged in known ways: chunk lengths and counts that lie, times before the
start, values above 127, a file that was cut short. What is sound is read, and each fault is told of
in words (``notices``). Numbers of variable length have at most four bytes, and time ends at 2^31
ticks, so that no file is read or written without end.

Most of the walk is vectorised: a table says for each byte how long an event that begins there is.
Only the leap from event to event is a loop, of 50 ns a step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi_file import (
    END_OF_TRACK,
    META,
    SYSEX,
    SYSEX_MORE,
    number_at,
)

_HEADER = b"MTrk"
_FAR = 255  # stands for a number of more than five bytes
NEGATIVE = 5  # bytes of a time before the start, as some programs write it: 32 bits with a sign
_PAD = bytes(300)  # what a leap behind the end finds
# Bytes of a message by its first byte: running status and most messages; 0 where it takes a closer
# look.
_SIZES = bytes([2] * 0x80 + [3] * 0x40 + [0] * 0x20 + [3] * 0x10 + [0] * 0x10)
# Data bytes of system messages, which have no place in a file; others have none.
_SYSTEM = {0xF1: 1, 0xF2: 2, 0xF3: 1}
_LONGEST = NEGATIVE + 3  # bytes of a message with its time


class FoundChunk(NamedTuple):
    """A track chunk as it was walked.

    Where it begins, where its events end, where what follows begins, what is wrong with it.
    """

    start: int
    stop: int
    following: int
    cut: bool  # its last event is damaged


class Walk:
    """The leaps over a file.

    ``begins`` says of each byte whether an event begins there (with its time).
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.padded = data + _PAD
        table = np.frombuffer(self.padded, np.uint8)
        self.numbers = _number_sizes(table)
        self.lead = self.numbers.tobytes()
        sizes = np.frombuffer(self.padded.translate(_SIZES), np.uint8)
        self.leap = bytearray(_leaps(self.numbers, sizes, len(data)).tobytes() + b"\0")
        self.begins = bytearray(len(data) + 1)
        self.found: list[FoundChunk] = []
        self.foreign = 0
        self.notices: list[str] = []
        self.exact = False

    def track_count(self) -> int:
        """Return how many tracks were found."""
        return len(self.found)

    def chunk_count(self) -> int:
        """Return how many chunks were found, also those that are no tracks."""
        return len(self.found) + self.foreign

    def chunks_from(self, position: int, count: int) -> None:
        """Find and walk every track chunk; other chunks are skipped, as the standard asks.

        Where the lengths that chunks give lead to as many of them as the header announces
        (``count``), they count; else a track may end at its end marker, too.
        """
        data = self.data
        self.exact = _announced(data, position) == count
        while position + 8 <= len(data):
            claimed = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
            if data[position : position + 4] == _HEADER:
                position = self._track(position, claimed)
            elif claimed <= len(data) and _is_name(data[position : position + 4]):
                self.foreign += 1
                position = claimed
            else:
                position = data.find(_HEADER, position + 1) if self.chunk_count() < count else -1
                if position < 0:
                    return
                self.notices.append(f"{nth_chunk(len(self.found))} begins where no chunk should")

    def _track(self, start: int, claimed: int) -> int:
        """Walk one track chunk and return where the next chunk begins."""
        data, number = self.data, len(self.found)
        trusted = claimed == len(data) or (
            claimed < len(data) and _is_name(data[claimed : claimed + 4])
        )
        bound = claimed
        if not trusted:
            following = data.find(_HEADER, start + 8)
            bound = following if following >= 0 else len(data)
        stop, ended = self._events(start + 8, bound)
        cut = stop > bound or stop < 0
        if not ended and not trusted and start + 8 < claimed < bound and self.begins[claimed]:
            self.begins[claimed:bound] = bytes(
                bound - claimed
            )  # it ends where it says, without an end marker; rubbish follows
            stop, ended, cut = claimed, True, False
        following = claimed if trusted else bound
        lies = ended and stop != claimed
        if (
            ended
            and lies
            and (not trusted or (not self.exact and data[stop : stop + 4] == _HEADER))
        ):
            difference = claimed - stop
            more = "longer" if difference > 0 else "shorter"
            self.notices.append(
                f"{nth_chunk(number)} says it is {_bytes(abs(difference))} {more} than it is"
            )
            following = stop
        elif lies and data[stop:claimed].strip(b"\0"):
            self.notices.append(
                f"{nth_chunk(number)} goes on after its end marker; what comes after is not read"
            )
        elif ended and not trusted:
            following = stop
        if not ended and not trusted:
            self.notices.append(f"the file is cut short: {nth_chunk(number)} has no end")
        stop = stop if ended else min(bound, len(data)) if cut else stop
        self.found.append(FoundChunk(start, stop, following, cut))
        return following

    def _events(self, position: int, bound: int) -> tuple[int, bool]:
        """Leap from event to event.

        Return where they end and whether with an end of track. -1: inside damage.
        """
        leaps, begins, lead, data = self.leap, self.begins, self.lead, self.padded
        there, leaps[bound] = leaps[bound], 0  # so that the loop need not look for it
        # whether the message before has one data byte, and so has what follows without a first byte
        short = False
        ended = False
        while not ended and 0 <= position < bound:
            while leap := leaps[position]:
                begins[position] = 1
                position += leap
            if position >= bound:
                break
            begins[position] = 1
            at = position + lead[position]
            first = data[at]
            if first >= 0xF0:
                position = self._system(first, at)
                ended = first == META and data[at + 1] == END_OF_TRACK and 0 <= position <= bound
            elif 0xC0 <= first < 0xE0:
                short, position = True, at + 2
            else:  # the end of the file, or a number of more than five bytes
                position = -1
            while short and not ended and 0 <= position < bound:
                at = position + lead[position]
                first = data[at]
                short = not 0x80 <= first < 0xC0 and not 0xE0 <= first < 0xF0
                if not short or first >= 0xF0:
                    break
                begins[position] = 1
                position = at + 1 + (first >= 0x80)
        leaps[bound] = there
        if position > bound:
            self._forget(bound)
        return position, ended

    def _forget(self, bound: int) -> None:
        """Take back the leaps beyond the end of a chunk; the last one before is damaged, too."""
        end = self.begins.rfind(1, bound) + 1
        if end > bound:
            self.begins[bound:end] = bytes(end - bound)

    def _system(self, first: int, at: int) -> int:
        """Return where a meta event or a system message ends; -1 where its length is none."""
        if first not in (META, SYSEX, SYSEX_MORE):
            return at + 1 + _SYSTEM.get(first, 0)
        at += 2 if first == META else 1
        if self.lead[at] > 4:
            return -1
        size, at = number_at(self.padded, at)
        return at + size


def _number_sizes(table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return for each byte how long a number that begins there is, uint8.

    More than five bytes are _FAR.
    """
    more = (table >> 7).astype(np.uint8)
    longer = more.copy()
    sizes: NDArray[np.uint8] = (longer + np.uint8(1)).astype(np.uint8)
    for nth in range(1, NEGATIVE):
        longer[:-nth] &= more[nth:]
        longer[-nth:] = 0
        if not longer.any():
            return sizes
        sizes += longer
    sizes[sizes > NEGATIVE] = _FAR
    return sizes


def _leaps(lead: NDArray[np.uint8], sizes: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return for each of ``count`` bytes how long an event that begins there is, uint8.

    0 where it takes a closer look.
    """
    lead = lead[:count]
    size = sizes[np.arange(count) + lead]
    leap: NDArray[np.uint8] = (size + lead) * (size > 0)
    leap[lead > NEGATIVE] = 0
    leap[-_LONGEST:][np.arange(len(leap[-_LONGEST:]), 0, -1) < leap[-_LONGEST:]] = (
        0  # no leap beyond the end of the file
    )
    return leap


def are_chunks(data: bytes) -> bool:
    """Say whether bytes are whole chunks that are no tracks."""
    return _announced(data, 0) == 0


def _announced(data: bytes, position: int) -> int:
    """Return how many tracks the lengths of the chunks lead to; -1 where they lead astray."""
    count = 0
    while position + 8 <= len(data) and _is_name(data[position : position + 4]):
        count += data[position : position + 4] == _HEADER
        position += 8 + int.from_bytes(data[position + 4 : position + 8], "big")
    return count if position <= len(data) else -1


def _is_name(name: bytes) -> bool:
    """Say whether four bytes can be the name of a chunk."""
    return len(name) == 4 and name.isalnum()


def nth_chunk(number: int) -> str:
    """Name a track chunk for a message; ``number`` counts from 0."""
    return f"track chunk {number + 1}"


def _bytes(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"
