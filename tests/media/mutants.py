"""Damaged MIDI files made from whole ones, and what must hold of each in reading, editing and
writing.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from musicvae_lite.media.edit import with_finer_ticks, with_notes
from musicvae_lite.media.midi import NOTE, MidiError, Score, midi_bytes, read_midi
from musicvae_lite.media.midi_events import read_file
from musicvae_lite.media.midi_notes import notes_of

_EXTREMES = np.array([0, 1, 0x7F, 0x80, 0x8F, 0x90, 0xC0, 0xF0, 0xF7, 0xFF], np.uint8)


def mutants(wholes: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield ``count`` files with one to eight faults each."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        data = bytearray(wholes[int(random.integers(len(wholes)))])
        for _ in range(int(random.integers(1, 9))):
            _damage(data, random)
        yield bytes(data)


def _damage(data: bytearray, random: np.random.Generator) -> None:
    at = int(random.integers(len(data))) if data else 0
    size = int(random.integers(1, 12))
    kind = int(random.integers(7))
    if kind == 0:
        data[at : at + 1] = bytes([int(random.integers(256))])
    elif kind == 1:
        data[at : at + 1] = bytes([int(random.choice(_EXTREMES))])
    elif kind == 2:
        del data[at : at + size]
    elif kind == 3:
        data[at:at] = random.bytes(size)
    elif kind == 4:
        data[at:at] = data[at : at + 10 * size]
    elif kind == 5:
        data[at : at + size] = bytes([0xFF]) * size
    elif len(data) > 60:
        del data[max(60, at) :]


def check(data: bytes) -> str:
    """Read, edit and write a file; return "read", or why it is refused.

    Raises:
        AssertionError: a note is lost without a word, or what is written is not what was meant.
    """
    try:
        score = read_midi(data, source="x", texts=True)
    except MidiError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return error.reason
    _check_counts(data, score)
    _check_edit(data, score)
    again = read_midi(midi_bytes(score), texts=True)
    assert len(again.notes) == len(score.notes) and again.tracks == score.tracks
    finer, factor = with_finer_ticks(data, "x", 480)
    fine = read_midi(finer)
    assert np.array_equal(fine.notes["start"], score.notes["start"] * factor)
    return "read"


def _check_counts(data: bytes, score: Score) -> None:
    """Every note-on of the bytes that were read is a note, or counted in a notice."""
    file = read_file(data, "x")
    kind = file.status >> 4
    strikes = np.flatnonzero(kind == 9)
    lost = [
        int(notice.split()[0].replace(",", "")) for notice in score.notices if "length" in notice
    ]
    count = sum(file.data[int(file.body[row]) + 1] > 0 for row in strikes.tolist())
    assert count == notes_of(file).strikes == len(score.notes) + sum(lost)


def _check_edit(data: bytes, score: Score) -> None:
    """Half the notes go and one comes; nothing else changes."""
    keep = np.delete(score.notes, np.s_[::2])
    free = [pitch for pitch in range(128) if pitch not in set(score.notes["pitch"].tolist())]
    pitch = free[0] if free else 0
    new = np.array([(score.end + 1, score.end + 5, pitch, 64, 0)], NOTE)
    after = replace(score, notes=np.concatenate([keep, new]))
    made = read_midi(with_notes(data, score, after), texts=True)
    assert made.texts == score.texts and np.array_equal(made.tempos, score.tempos)
    wanted = sorted(row[:4] for row in after.notes.tolist())
    assert sorted(row[:4] for row in made.notes.tolist()) == wanted
