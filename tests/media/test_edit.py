"""Notes replaced in a file, byte by byte: what else there is must stay."""

import io
from dataclasses import replace

import mido
import numpy as np
import pytest

from musicvae_lite.media.edit import with_notes
from musicvae_lite.media.midi import NOTE, MidiError, Score, read_midi
from tests.media.smf import metre, off, on, smf, tempo

LYRIC, BEND, VOLUME = b"\xff\x05\x02la", b"\xe0\x00\x50", b"\xb0\x07\x64"
UNKNOWN, KEY, SYSEX = b"\xff\x60\x01\x07", b"\xff\x59\x02\x02\x00", b"\xf0\x03\x7e\x7f\xf7"

CONDUCTOR = [(0, tempo(500_000)), (0, metre(4, 2)), (0, KEY), (960, tempo(400_000))]
MELODY = [
    (0, b"\xff\x03\x04Lead"), (0, b"\xc0\x05"), (0, VOLUME), (0, on(60)), (240, BEND), (240, off(60)), (0, LYRIC),
    (0, on(62)), (480, off(62)), (0, UNKNOWN), (0, SYSEX), (0, on(64)), (480, on(64)[:2] + b"\x00"), (4800, VOLUME),
]  # fmt: skip
CHORDS = [(0, on(48, 1)), (7, on(52, 1)), (1913, off(48, 1)), (0, off(52, 1))]
FILE = smf(CONDUCTOR, MELODY, CHORDS)


def events(data: bytes) -> list[list[tuple[int, str]]]:
    """Everything but notes and ends, with its tick, and the length, by chunk."""
    found = []
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        tick, own = 0, []
        for message in track:
            tick += message.time
            if message.type not in ("note_on", "note_off", "end_of_track"):
                own.append((tick, str(message.copy(time=0))))
        found.append([*own, (tick, "end")])
    return found


def changed(piece: Score, rows: list[tuple[int, int, int, int, int]], track: int = 0) -> Score:
    keep = piece.notes[piece.notes["track"] != track]
    return replace(piece, notes=np.concatenate([keep, np.array(rows, NOTE)]))


def test_only_notes_of_the_track_change():
    before = read_midi(FILE)
    after = changed(before, [(0, 480, 60, 80, 0), (480, 700, 70, 33, 0), (700, 1440, 71, 34, 0), (5000, 5240, 72, 35, 0)])
    made = with_notes(FILE, before, after)
    assert read_midi(made) == after
    assert events(made) == events(FILE)


def test_the_same_notes_give_the_same_events():
    before = read_midi(FILE)
    again = with_notes(FILE, before, before)
    assert events(again) == events(FILE) and read_midi(again) == before


def test_a_track_is_found_by_its_program_where_two_share_a_channel():
    data = smf([(0, b"\xc0\x00"), (0, on(60)), (480, off(60)), (0, b"\xc0\x10"), (0, on(60)), (480, off(60))])
    before = read_midi(data)
    assert [track.program for track in before.tracks] == [0, 16]
    after = changed(before, [(480, 960, 65, 80, 1)], track=1)
    assert read_midi(with_notes(data, before, after)) == after


def test_two_tracks_with_the_same_notes_are_not_mixed_up():
    data = smf([(0, on(60)), (480, off(60))], [(0, on(60)), (480, off(60))])
    before = read_midi(data)
    after = changed(before, [(0, 240, 61, 80, 1)], track=1)
    assert read_midi(with_notes(data, before, after)) == after


def test_a_note_that_is_struck_again_without_an_end_goes_with_the_first():
    data = smf([(0, on(60)), (240, on(60)), (240, off(60)), (0, on(62)), (480, off(62))])
    before = read_midi(data)
    after = replace(before, notes=before.notes[-1:])
    assert read_midi(with_notes(data, before, after)) == after


def test_a_file_that_is_another_or_damaged_is_an_error():
    before = read_midi(smf([(0, on(60)), (480, off(60))]))
    with pytest.raises(MidiError, match="track 1 is not found"):
        with_notes(smf([(0, on(61)), (480, off(61))]), before, before)
    with pytest.raises(MidiError, match="other tracks cannot be kept"):
        with_notes(FILE[:60], before, before)
