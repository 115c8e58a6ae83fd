"""Files of the wild: no note is lost or invented without a word.

Right values are from the bytes.
"""

import struct
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from musicvae_lite.media.edit import with_finer_ticks, with_notes
from musicvae_lite.media.midi import NOTE, MidiError, Score, Track, read_midi
from musicvae_lite.media.midi_events import read_file
from musicvae_lite.media.words import decoded, printable
from tests.media.mutants import check, mutants
from tests.media.second_reader import by_pretty_midi, note_ons
from tests.media.smf import TUNE, chunk, header, metre, number, off, on, smf

PITCHES = [60, 62, 64, 65, 67, 65, 64, 62, 60, 64, 67, 72, 71, 67, 64, 60]
EIGHTHS = [event for pitch in PITCHES for event in ((0, on(pitch)), (240, off(pitch)))]
PLAIN = smf(EIGHTHS)


def spans(score: Score) -> list[tuple[int, int, int]]:
    return sorted(row[:3] for row in score.notes.tolist())


def of_eighths(score: Score) -> bool:
    return spans(score) == [(240 * n, 240 * n + 240, pitch) for n, pitch in enumerate(PITCHES)]


def test_a_key_that_is_struck_again_is_another_note() -> None:
    struck = [
        event
        for pitch in (60, 62, 64, 66)
        for event in ((0, on(pitch)), (480, on(pitch)), (480, off(pitch)))
    ]
    score = read_midi(smf(struck))
    assert score.notes["start"].tolist() == [0, 480, 960, 1440, 1920, 2400, 2880, 3360]
    assert score.notes["end"].tolist() == [960, 960, 1920, 1920, 2880, 2880, 3840, 3840]
    assert Counter(row[:4] for row in score.notes.tolist()) == by_pretty_midi(smf(struck))[1]


def test_a_note_that_nothing_ends_is_held_to_the_end_of_its_track() -> None:
    score = read_midi(smf([(0, on(60)), (480, on(62)), (480, off(62))]))
    assert spans(score) == [(0, 960, 60), (480, 960, 62)]
    assert score.notices == ("1 note without an end, held to the end of the track",)


def test_notes_of_no_length_are_counted_and_drums_have_a_length() -> None:
    nothing = [(0, on(60)), (0, off(60)), (0, on(62)), (480, off(62))]
    score = read_midi(
        smf(nothing, [(0, on(36, 9)), (0, off(36, 9)), (480, on(38, 9)), (9, off(38, 9))])
    )
    assert spans(score) == [(0, 1, 36), (0, 480, 62), (480, 489, 38)]
    assert score.notices == ("1 note of no length left out",)


@pytest.mark.parametrize("between", [b"\xf0\x05\x7e\x7f\x09\x01\xf7", b"\xff\x01\x02hi", b"\xf8"])
def test_running_status_goes_on(between: bytes) -> None:
    """Also past a message after which the standard ends it."""
    running = [
        (delta, message[1:] if message[0] == 0x90 else bytes([message[1], 0]))
        for delta, message in EIGHTHS
    ]
    events = [EIGHTHS[0], *running[1:8], (0, between), *running[8:]]
    score = read_midi(smf(events))
    assert of_eighths(score) and len(score.notes) == 16
    pressure = [(0, b"\xd0\x40"), (0, between), (0, b"\x41"), (0, b"\x42"), *EIGHTHS]
    assert of_eighths(read_midi(smf(pressure)))


@pytest.mark.parametrize(
    "message", [b"\xb0\x07\xff", b"\xc0\xc8", b"\xe0\xff\xff", b"\xa0\x40\x90"]
)
def test_values_above_127_are_clipped_with_a_word(message: bytes) -> None:
    data = smf([(0, message), *EIGHTHS])
    score = read_midi(data)
    assert of_eighths(score) and note_ons(data) == 16
    assert score.notices == ("1 message has a value above 127, read as 127",)
    assert score.tracks[0].program == (127 if message[0] == 0xC0 else 0)
    after = replace(score, notes=score.notes[1:])
    made = with_notes(data, score, after)
    assert read_midi(made).notices == () and len(read_midi(made).notes) == 15


def test_a_program_counts_in_all_tracks() -> None:
    setup = [(0, b"\xc1\x49"), (0, b"\xc2\x21"), (960, b"\xc2\x26")]
    high, low = [(0, on(72, 1)), (480, off(72, 1))], [(0, on(40, 2)), (480, off(40, 2))]
    again = [*low, (480, on(41, 2)), (480, off(41, 2))]
    assert [track.program for track in read_midi(smf(setup, high, low)).tracks] == [73, 33]
    assert [track.program for track in read_midi(smf(setup, high, again)).tracks] == [73, 33, 38]
    own = [(0, b"\xc1\x05"), *high]
    assert [track.program for track in read_midi(smf(setup, own, low)).tracks] == [5, 33]


@pytest.mark.parametrize("numerator, power", [(2, 33), (3, 33), (4, 31), (0, 2), (4, 200)])
def test_impossible_metres_are_left_out_with_a_word(numerator: int, power: int) -> None:
    strange = (0, metre(numerator, power))
    for events in ([strange, *EIGHTHS], [*[(0, metre(4, 2)), strange] * 12, *EIGHTHS]):
        score = read_midi(smf(events))
        assert [segment[2:] for segment in score.metre_segments()] == [(4, 4)]
        assert of_eighths(score) and "impossible metre" in score.notices[0]


def lying(difference: int, which: int = 1) -> bytes:
    """Return a file of three tracks of which one says that it is longer than it is."""
    chunks = [chunk([(0, metre(4, 2))]), chunk(EIGHTHS), chunk([(0, on(48, 1)), (480, off(48, 1))])]
    size = len(chunks[which]) - 8 + difference
    chunks[which] = b"MTrk" + struct.pack(">I", max(0, size)) + chunks[which][8:]
    return header(3) + b"".join(chunks)


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("difference", [-9, -1, 1, 6, 11, 10**6, 2**31, -(10**6)])
def test_lengths_that_lie(difference: int, which: int) -> None:
    score = read_midi(lying(difference, which))
    first = replace(score, notes=score.notes[score.notes["track"] == 0])
    assert of_eighths(first) and len(score.notes) == 17
    assert len(score.notices) == 1 and "says it is" in score.notices[0]
    made = with_notes(lying(difference, which), score, replace(score, notes=score.notes[1:]))
    assert len(read_midi(made).notes) == 16 and read_midi(made).notices == ()


def test_a_track_that_says_it_holds_the_next_one_too() -> None:
    score = read_midi(lying(len(chunk([(0, on(48, 1)), (480, off(48, 1))]))))
    assert len(score.notes) == 17 and len(score.notices) == 1


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_counts_that_lie(count: int) -> None:
    data = header(count) + chunk([(0, metre(4, 2))]) + chunk(EIGHTHS)
    score = read_midi(data)
    assert of_eighths(score)
    wanted = (f"the header announces {count} tracks, 2 are there",) if count > 2 else ()
    assert score.notices == wanted


def test_a_file_that_was_cut_short_is_read_up_to_there() -> None:
    whole = smf([(0, metre(4, 2))], EIGHTHS)
    score = read_midi(whole[: whole.index(on(72)) + 1])
    assert [span[2] for span in spans(score)] == PITCHES[:11]
    assert score.notices[0] == "the file is cut short: track chunk 2 has no end"


def test_times_before_the_start() -> None:
    early = [(0, b"")] + EIGHTHS
    body = b"\x8f\xff\xff\xff\x00" + on(60) + number(368) + off(60)  # -128 ticks
    body += b"".join(number(delta) + message for delta, message in early[3:]) + b"\0\xff\x2f\0"
    data = header() + b"MTrk" + struct.pack(">I", len(body)) + body
    score = read_midi(data)
    assert of_eighths(score)
    assert score.notices == ("1 time is before the start or the event before, and moved there",)


def test_what_comes_after_the_end_of_a_track_is_not_read_and_not_edited() -> None:
    body = b"".join(number(delta) + message for delta, message in EIGHTHS) + b"\0\xff\x2f\0"
    body += b"".join(number(delta) + message for delta, message in TUNE) + b"\0\xff\x2f\0"
    data = header() + b"MTrk" + struct.pack(">I", len(body)) + body
    score = read_midi(data)
    assert of_eighths(score) and "after its end marker" in score.notices[0]
    made = with_notes(data, score, replace(score, notes=score.notes[:-1]))
    assert len(read_midi(made).notes) == 15 and read_midi(made).notices == ()


def test_no_number_is_longer_than_four_bytes_and_no_file_endless() -> None:
    """Of 13 bytes: 2^91 ticks, which an editor once wrote out as pauses."""
    endless = [*EIGHTHS, (0, b"\xff\x01\x00")]
    body = b"".join(number(delta) + message for delta, message in endless)
    body += b"\xff" * 12 + b"\x7f" + on(60) + b"\0\xff\x2f\0"
    data = header() + b"MTrk" + struct.pack(">I", len(body)) + body
    score = read_midi(data)
    assert of_eighths(score) and "is damaged; it is read up to there" in score.notices[0]
    assert len(with_notes(data, score, replace(score, notes=score.notes[1:]))) < len(data) + 50
    assert len(with_finer_ticks(data, "x", 5000)[0]) < 2 * len(data)
    positive = smf([(0, b"\xff\x01\x00")])[:22] + b"\x81\x80\x80\x80\x00" + on(60) + b"\0\xff\x2f\0"
    with pytest.raises(MidiError):
        read_midi(positive)


@pytest.mark.parametrize(
    "code_page, name",
    [
        ("latin-1", "Mélodie für Übung"),
        ("latin-1", "Für Elise"),
        ("cp1252", "Don’t “stop”"),
        ("shift_jis", "メロディ"),
        ("shift_jis", "主旋律"),
        ("shift_jis", "Piano (右手) メロ"),
        ("cp949", "피아노"),
        ("cp949", "오른손 멜로디"),
        ("cp1251", "Мелодия"),
        ("utf-8", "Übung メロディ"),
    ],
)
def test_names_are_decoded(code_page: str, name: str) -> None:
    raw = name.encode(code_page)
    named = [(0, b"\xff\x03" + bytes([len(raw)]) + raw), *EIGHTHS]
    assert read_midi(smf(named)).tracks == (Track(name),)


def test_names_cannot_steer_a_terminal() -> None:
    raw = "\x1b]0;PWN\x07\x1b[31mred\x9b\u202eX\r\n\x00".encode()
    named = [(0, b"\xff\x03" + bytes([len(raw)]) + raw), (0, b"\xff\x06\x05\x1b[2JC"), *EIGHTHS]
    score = read_midi(smf(named), texts=True)
    assert score.tracks[0].name == "]0;PWN [31mred X" and score.texts[0].text == "[2JC"
    assert printable("a\x1bb\u2028c") == "a b c" and decoded([b"a", "ü".encode()]) == ["a", "ü"]


def test_a_mac_header_and_zeros_after_a_file() -> None:
    assert read_midi(bytes(128) + PLAIN + bytes(50)) == read_midi(PLAIN)


def test_every_note_on_of_a_file_is_a_note_or_counted() -> None:
    random = np.random.default_rng(5)
    for _ in range(60):
        events = []
        for _ in range(int(random.integers(1, 60))):
            kind = on if random.random() < 0.55 else off
            channel = int(random.choice([0, 1, 9]))
            message = kind(int(random.integers(60, 64)), channel)
            events.append((int(random.choice([0, 0, 1, 120])), message))
        data = smf(events)
        strikes = sum(message[0] >> 4 == 9 for _, message in events)
        try:
            score = read_midi(data)
        except MidiError as error:
            assert error.reason == "no notes"
            continue
        lost = [int(notice.split()[0]) for notice in score.notices if "no length" in notice]
        assert strikes == note_ons(data) == len(score.notes) + sum(lost)
        ours = Counter(row[:4] for row in score.notes.tolist())
        assert not by_pretty_midi(data)[1] - ours  # it leaves out what has no end


def test_damaged_files_are_read_edited_and_written_without_a_traceback() -> None:
    """300 of them; tests/bench/mutate_midi.py tries 5,000."""
    wholes = [PLAIN, smf([(0, metre(3, 2)), (0, b"\xff\x03\x04Solo")], EIGHTHS, TUNE), lying(6)]
    reasons = Counter(check(data) for data in mutants(wholes, 300, 1))
    assert reasons["read"] > 100


def test_an_unchanged_file_stays_byte_for_byte() -> None:
    score = read_midi(PLAIN)
    assert with_notes(PLAIN, score, score) == PLAIN
    late = replace(score, notes=np.append(score.notes, np.array([(9000, 9100, 50, 9, 0)], NOTE)))
    assert spans(read_midi(with_notes(PLAIN, score, late)))[-1] == (9000, 9100, 50)
    assert len(read_file(PLAIN, "x").chunks) == 1
