"""Notes replaced in a file, byte by byte: what else there is must stay."""

from dataclasses import replace

import numpy as np
import pytest

from musicvae_lite.media.edit import _events, _length, with_finer_ticks, with_notes
from musicvae_lite.media.midi import NOTE, MidiError, Score, read_midi
from musicvae_lite.media.midi_events import read_file
from tests.media.smf import header, metre, off, on, smf, tempo

LYRIC, BEND, VOLUME = b"\xff\x05\x02la", b"\xe0\x00\x50", b"\xb0\x07\x64"
UNKNOWN, KEY, SYSEX = b"\xff\x60\x01\x07", b"\xff\x59\x02\x02\x00", b"\xf0\x03\x7e\x7f\xf7"

CONDUCTOR = [(0, tempo(500_000)), (0, metre(4, 2)), (0, KEY), (960, tempo(400_000))]
MELODY = [
    (0, b"\xff\x03\x04Lead"), (0, b"\xc0\x05"), (0, VOLUME), (0, on(60)), (240, BEND),
    (240, off(60)), (0, LYRIC),
    (0, on(62)), (480, off(62)), (0, UNKNOWN), (0, SYSEX),
    (0, on(64)), (480, on(64)[:2] + b"\x00"), (4800, VOLUME),
]  # fmt: skip
CHORDS = [(0, on(48, 1)), (7, on(52, 1)), (1913, off(48, 1)), (0, off(52, 1))]
FILE = smf(CONDUCTOR, MELODY, CHORDS)


def events(data: bytes) -> list[list[tuple[int, bytes]]]:
    """Everything but notes, with its tick, by chunk."""
    file = read_file(data, "x")
    chunks = [list(_events(file, number)) for number in range(len(file.chunks))]
    return [
        [(event.tick, event.data) for event in chunk if event.data[0] >> 4 not in (8, 9)]
        + [(_length(file, number), b"end")]
        for number, chunk in enumerate(chunks)
    ]


def changed(piece: Score, rows: list[tuple[int, int, int, int, int]], track: int = 0) -> Score:
    keep = piece.notes[piece.notes["track"] != track]
    return replace(piece, notes=np.concatenate([keep, np.array(rows, NOTE)]))


def test_only_notes_of_the_track_change():
    before = read_midi(FILE)
    after = changed(
        before,
        [
            (0, 480, 60, 80, 0),
            (480, 700, 70, 33, 0),
            (700, 1440, 71, 34, 0),
            (5000, 5240, 72, 35, 0),
        ],
    )
    made = with_notes(FILE, before, after)
    assert read_midi(made) == after
    assert events(made) == events(FILE)
    # the first chunk, byte for byte
    assert FILE[: FILE.index(b"Lead") - 20] == made[: FILE.index(b"Lead") - 20]


def test_an_unknown_event_keeps_its_tick_and_the_end_of_the_track_stays():
    data = smf([(0, on(60)), (100, UNKNOWN), (380, off(60)), (77, UNKNOWN)])
    before = read_midi(data)
    made = with_notes(data, before, changed(before, [(0, 50, 61, 80, 0)]))
    assert events(made) == [[(100, UNKNOWN), (557, UNKNOWN), (557, b"end")]]


def test_the_same_notes_give_the_same_bytes():
    before = read_midi(FILE)
    assert with_notes(FILE, before, before) == FILE


def test_a_track_is_found_by_its_program_where_two_share_a_channel():
    data = smf(
        [
            (0, b"\xc0\x00"),
            (0, on(60)),
            (480, off(60)),
            (0, b"\xc0\x10"),
            (0, on(60)),
            (480, off(60)),
        ]
    )
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


def test_of_notes_that_are_there_twice_both_go():
    twice = [(0, on(60)), (0, on(60)), (480, off(60)), (0, off(60)), (0, on(62)), (480, off(62))]
    before = read_midi(smf(twice))
    assert before.notes["pitch"].tolist() == [60, 60, 62]
    for rows in ([(0, 480, 61, 80, 0)], [(0, 480, 60, 80, 0), (480, 960, 62, 80, 0)]):
        after = changed(before, rows)
        assert read_midi(with_notes(smf(twice), before, after)) == after


def test_note_offs_that_end_nothing_do_not_end_new_notes():
    """Some files have several note-offs for a note, or one at every beat."""
    stray = [
        (0, on(60)),
        (240, off(60)),
        (0, off(60)),
        (240, off(60)),
        (0, off(62)),
        (480, on(64)),
        (480, off(64)),
    ]
    data = smf(stray, [(0, on(48, 1)), (480, off(48, 1)), (100, off(48, 1))])
    before = read_midi(data)
    after = changed(before, [(0, 960, 60, 80, 0), (240, 960, 62, 81, 0)])
    made = with_notes(data, before, after)
    assert read_midi(made) == after
    # the other track as it was, byte for byte
    assert made.endswith(data[read_file(data, "x").chunks[1].start :])


def test_notes_that_share_an_end_are_read_as_before():
    """A second note-off, or the next note's, pairs with a note that another ended already."""
    shared = [
        (0, on(60)),
        (10, on(60)),
        (230, off(60)),
        (5, off(60)),
        (235, on(62)),
        (240, off(62)),
    ]
    fewer = [
        (0, on(60)),
        (10, on(60)),
        (230, off(60)),
        (240, on(60)),
        (100, off(60)),
        (100, off(60)),
    ]
    for rows in (shared, fewer):
        data = smf(rows, [(0, on(48, 1)), (480, off(48, 1))])
        before = read_midi(data)
        stay = [row for row in before.notes.tolist() if row[4] == 0 and row[0] < 240]
        after = changed(before, [*stay, (240, 470, 60, 81, 0), (480, 960, 60, 82, 0)])
        assert len(stay) == 2 and read_midi(with_notes(data, before, after)) == after


@pytest.mark.parametrize("gone", [8, 3])
def test_a_note_that_is_struck_before_the_end_of_the_last_one_is_written_stays(gone):
    repeated = [
        (0, on(48)),
        *[event for _ in range(7) for event in ((240, on(48)), (0, off(48)))],
        (240, off(48)),
    ]
    data = smf([*repeated, (0, on(72)), (480, off(72))])
    before = read_midi(data)
    assert len(before.notes) == 9
    after = replace(before, notes=np.delete(np.sort(before.notes, order="start"), gone))
    assert read_midi(with_notes(data, before, after)) == after


def test_a_file_that_is_another_or_damaged_is_an_error():
    before = read_midi(smf([(0, on(60)), (480, off(60))]))
    with pytest.raises(MidiError, match="it has changed"):
        with_notes(smf([(0, on(61)), (480, off(61))]), before, before)
    with pytest.raises(MidiError, match="damaged"):
        with_notes(header() + b"MTrk\0\0\0\x03\0\x90\x3c", before, before)


def test_finer_ticks_leave_every_event_at_its_time():
    finer, factor = with_finer_ticks(FILE, "x", 1000)
    assert factor == 3 and with_finer_ticks(FILE, "x", 480) == (FILE, 1)
    before, after = read_midi(FILE, texts=True), read_midi(finer, texts=True)
    assert after.ticks_per_quarter == 1440 and after.tracks == before.tracks
    for column in ("start", "end"):
        assert (after.notes[column] == 3 * before.notes[column]).all()
    assert [[(tick * 3, data) for tick, data in chunk] for chunk in events(FILE)] == events(finer)
    cut = smf([(0, on(60)), (480, off(60)), (0, b"\xff\x01\x7f")])  # its last event is
    finer, factor = with_finer_ticks(cut, "x", 1000)
    assert factor == 3 and read_midi(finer).notes["end"].tolist() == [1440]


def test_a_new_note_gives_way_to_one_of_another_program_on_its_channel():
    """Tracks 1 and 2 are channel 1 of one chunk before and after its program changes."""
    melody = [
        (0, b"\xc0\x05"), (0, on(60)), (480, off(60)), (0, b"\xc0\x20"), (0, on(64)),
        (960, off(64)),
    ]  # fmt: skip
    data = smf(melody)
    before = read_midi(data, source="x.mid")
    assert before.notes["track"].tolist() == [0, 1]
    sounds, ahead, free = (500, 700, 64, 80, 0), (470, 700, 64, 80, 0), (500, 700, 65, 80, 0)
    notes = np.concatenate([before.notes, np.array([sounds, ahead, free], NOTE)])
    after = read_midi(with_notes(data, before, replace(before, notes=notes)), source="x.mid")
    told = sorted((n["start"], n["end"], n["pitch"]) for n in after.notes)
    assert told == [(0, 480, 60), (470, 480, 64), (480, 1440, 64), (500, 700, 65)]
