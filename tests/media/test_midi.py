import io
import struct
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import mido
import numpy as np
import pytest

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media import midi
from musicvae_lite.media.midi import (
    METRE,
    NOTE,
    TEMPO,
    MidiError,
    Score,
    Segment,
    Text,
    Track,
    read_midi,
    write_midi,
)
from musicvae_lite.media.midi_events import read_file
from musicvae_lite.media.midi_file import MAX_BYTES
from musicvae_lite.media.midi_notes import notes_of
from tests.media.second_reader import by_pretty_midi, note_ons
from tests.media.smf import LONGEST, TEXT, TUNE, chunk, header, metre, off, on, smf, tempo

# pretty_midi imports pkg_resources, which warns about its own end.
pytestmark = [
    pytest.mark.filterwarnings("ignore:pkg_resources is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:pkg_resources is deprecated:DeprecationWarning"),
]

DAMAGED = {
    "a text": (b"Dear Sir or Madam", "not a MIDI file"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a MIDI file"),
    "a wave file": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(20), "not a MIDI file"),
    "nothing": (b"", "empty file"),
    "half a header": (header()[:9], "truncated"),
    "a header alone": (header(), "truncated"),
    "a cut track": (smf(TUNE)[:23], "truncated"),
    "missing tracks": (header(2) + chunk([(0, TEXT)]), "truncated"),
    "no track": (header(0), "no notes"),
    "no notes": (smf([(0, TEXT)]), "no notes"),
    "notes without length": (smf([(0, on(60)), (0, off(60))]), "no notes"),
    "SMPTE time": (smf(TUNE, division=0xE728), "SMPTE time"),
    "no resolution": (smf(TUNE, division=0), "malformed"),
    "format 2": (header(1, 480, 2) + chunk(TUNE), "format 2"),
    "format 77": (header(1, 480, 77) + chunk(TUNE), "malformed"),
    "no first byte": (smf([(0, bytes([60, 80])), *TUNE]), "malformed"),
    "noise": (
        header() + b"MTrk" + struct.pack(">I", 500) + np.random.default_rng(0).bytes(500),
        "malformed",
    ),
    "ticks beyond 2^31": (smf([(LONGEST, TEXT)] * 9 + TUNE), "ticks out of range"),
    "too large": (smf(TUNE) + bytes(MAX_BYTES), "too large"),
}


@pytest.mark.parametrize("what", DAMAGED)
@pytest.mark.parametrize("as_file", [False, True])
def test_a_damaged_file_is_refused_in_one_line(what: str, as_file: bool, tmp_path: Path) -> None:
    data, reason = DAMAGED[what]
    path = tmp_path / "x.mid"
    path.write_bytes(data)
    with pytest.raises(MidiError) as caught:
        read_midi(path) if as_file else read_midi(data, source=str(path))
    assert caught.value.reason == reason
    assert caught.value.exit_code == 1
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_a_forbidden_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MidiError, match="no such file"):
        read_midi(tmp_path / "x.mid")
    with pytest.raises(MidiError, match="is a folder"):
        read_midi(tmp_path)
    path = tmp_path / "y.mid"
    path.write_bytes(smf(TUNE))

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything
    with pytest.raises(MidiError, match="no permission") as caught:
        read_midi(path)
    assert caught.value.reason == "no read permission"


def test_a_file_of_200_mb_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "big.mid"
    with open(path, "wb") as file:
        file.truncate(200 * 2**20)
    with pytest.raises(MidiError, match="file is 200 MB; a song is under 16 MB"):
        read_midi(path)


def test_what_is_read(tmp_path: Path) -> None:
    first = [
        (0, b"\xff\x03\x04Solo"),
        (0, tempo(600_000)),
        (0, metre(3, 2)),
        (0, bytes([0xC0, 12])),
        *TUNE,
    ]
    drums = [(240, on(36, 9)), (240, off(36, 9))]
    score = read_midi(smf(first, drums), source="here")
    assert score.tracks == (Track("Solo", 12, False), Track("", 0, True))
    assert score.notes["start"].tolist() == [0, 480, 960, 240]
    assert score.notes["end"].tolist() == [480, 960, 1920, 480]
    assert score.notes["pitch"].tolist() == [60, 62, 64, 36]
    assert score.notes["track"].tolist() == [0, 0, 0, 1]
    assert (score.ticks_per_quarter, score.qpm, score.source, score.end) == (
        480,
        100.0,
        "here",
        1920,
    )
    assert score.metre_segments() == [Segment(0, 1920, 3, 4)]


def test_riff_wrapped_midi_and_foreign_chunks() -> None:
    plain = smf(TUNE)
    riff = (
        b"RIFF"
        + struct.pack("<I", len(plain) + 12)
        + b"RMIDdata"
        + struct.pack("<I", len(plain))
        + plain
    )
    assert read_midi(riff) == read_midi(plain)
    assert read_midi(
        header() + b"XFIH" + struct.pack(">I", 4) + b"????" + chunk(TUNE)
    ) == read_midi(plain)


def test_tracks_are_instruments_in_the_order_of_pretty_midi() -> None:
    chunk_of_three = [
        (0, on(50, 3)),
        (0, on(60, 1)),
        (0, on(40, 2)),
        (100, off(60, 1)),
        (1, off(40, 2)),
        (1, off(50, 3)),
    ]
    score = read_midi(smf(chunk_of_three, TUNE))
    first = [score.notes["pitch"][score.notes["track"] == track][0] for track in range(4)]
    assert first == [60, 40, 50, 60]


def test_a_note_off_ends_every_sounding_note_of_its_pitch() -> None:
    twice = [(0, on(60)), (100, on(60)), (100, off(60)), (100, off(60)), (0, on(60)), (50, off(60))]
    data = smf(twice)
    notes = read_midi(data).notes
    spans = list(zip(notes["start"].tolist(), notes["end"].tolist(), strict=True))
    assert spans == [(0, 200), (100, 200), (300, 350)]
    assert Counter(row[:4] for row in notes.tolist()) == by_pretty_midi(data)[1]


def test_metre_segments() -> None:
    def cut(*rows: tuple[int, int, int]) -> list[Segment]:
        notes = np.array([(0, 1000, 60, 80, 0)], NOTE)
        return Score(480, notes, (Track(),), metres=np.array(list(rows), METRE)).metre_segments()

    assert cut() == [Segment(0, 1000, 4, 4)]
    assert cut((0, 3, 4), (0, 6, 8)) == [Segment(0, 1000, 6, 8)]
    assert cut((0, 4, 4), (500, 4, 4)) == [Segment(0, 1000, 4, 4)]
    assert cut((500, 3, 4)) == [Segment(0, 500, 4, 4), Segment(500, 1000, 3, 4)]
    assert cut((500, 3, 4), (500, 4, 4)) == [Segment(0, 1000, 4, 4)]
    assert [segment[:2] for segment in cut((700, 5, 4), (500, 3, 4), (2000, 7, 8))] == [
        (0, 500),
        (500, 700),
        (700, 1000),
    ]


def test_events_at_one_tick_keep_their_order_however_many_there_are() -> None:
    events = [(0 if n % 2 else 100, metre(1 + n % 100, 2)) for n in range(500)]
    score = read_midi(smf(events + TUNE))
    assert score.metres["numerator"].tolist() == [1 + n % 100 for n in range(500)]
    changes = [(0 if n % 2 else 10, tempo(400_000 + n)) for n in range(10_000)]
    qpm = read_midi(smf(changes + TUNE)).tempos["qpm"]
    assert np.rint(6e7 / qpm).astype(int).tolist() == [400_000 + n for n in range(10_000)]


def test_an_unknown_event_keeps_its_time_among_many_tempos_at_one_tick() -> None:
    changes = [(0 if n % 2 else 10, tempo(400_000 + n)) for n in range(20)]
    ticks = read_midi(smf([(100, meta(0x60, b"?")), *changes, *TUNE])).tempos["tick"]
    assert ticks.tolist() == [110 + 10 * (n // 2) for n in range(20)]


def test_a_tempo_is_read_as_it_was_meant() -> None:
    for qpm in (110.0, 87.5, 33.33, 240.0):
        assert read_midi(smf([(0, tempo(round(6e7 / qpm))), *TUNE])).qpm == qpm


def test_ticks_near_2_to_the_31st() -> None:
    score = read_midi(smf([(LONGEST, TEXT)] * 7 + [(LONGEST - 5000, on(60)), (480, off(60))]))
    assert score.end == 8 * LONGEST - 5000 + 480 > 2**31 - 6000
    assert read_midi(midi.midi_bytes(score)) == score


def test_round_trip_same_bytes_and_no_overwriting(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    notes = np.zeros(300, NOTE)
    notes["start"] = np.arange(300) * 7
    notes["end"] = notes["start"] + generator.integers(1, 7, 300)
    notes["pitch"], notes["velocity"] = (
        generator.integers(0, 128, 300),
        generator.integers(1, 128, 300),
    )
    notes["track"] = np.arange(300) % 20
    tracks = tuple(Track(f"Spur {n} ü", n, n == 5) for n in range(20))
    tempos = np.array([(0, 120.0), (500, 100.0)], TEMPO)
    score = Score(96, notes, tracks, tempos, np.array([(0, 4, 4), (384, 3, 8)], METRE))
    path = tmp_path / "a.mid"
    write_midi(score, path)
    assert read_midi(path) == score
    data = path.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        write_midi(score, path)
    write_midi(score, path, overwrite=True)
    assert path.read_bytes() == data
    with pytest.raises(MusaeError, match="ticks per quarter"):
        write_midi(Score(40_000, notes, tracks), tmp_path / "b.mid")
    assert [found.name for found in tmp_path.iterdir()] == ["a.mid"]


def test_importing_loads_no_reader() -> None:
    code = "import sys, musicvae_lite.media.midi; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"symusic", "pretty_midi", "mido", "torch", "pyarrow"} & set(loaded)


@pytest.mark.parametrize(
    "corpus, count", [("nottingham", 12), ("pop909_aligned", 4), ("simutrans", 4), ("webmidi", 8)]
)
def test_notes_are_those_of_pretty_midi_and_as_many_as_note_ons(
    corpus: str, count: int, shared_data: Path
) -> None:
    with zipfile.ZipFile(shared_data / "midi" / corpus / "train.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".mid"))
        for name in names[:: max(1, len(names) // count)][:count]:
            data = archive.read(name)
            file = read_file(data, name)
            played = notes_of(file)
            assert played.strikes == note_ons(data), name
            notes = read_midi(data).notes
            if not played.notices:  # pretty_midi leaves out what has no end or no length
                _, theirs = by_pretty_midi(data)
                assert Counter(row[:4] for row in notes.tolist()) == theirs, name


def test_no_malformed_file_crashes_the_process(shared_data: Path) -> None:
    with zipfile.ZipFile(shared_data / "midi" / "unreadable" / "train.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".mid")]
        assert len(names) == 58
        reasons = [_reason(archive.read(name)) for name in names]
    assert set(reasons) <= {"malformed", "not a MIDI file", "truncated", "empty file", "readable"}


def _reason(data: bytes) -> str:
    try:
        return "readable" if len(read_midi(data).notes) else "without notes"
    except MidiError as error:
        return error.reason


def meta(kind: int, text: bytes) -> bytes:
    return b"\xff" + bytes([kind, len(text)]) + text


def test_texts_are_read_where_they_are_asked_for() -> None:
    words = [
        (0, meta(3, b"Piano")),
        (0, meta(1, b"C")),
        (480, meta(6, b"Am")),
        (480, meta(5, "Süß".encode())),
        (0, meta(7, b"\xfcb")),
    ]
    running = [
        (0, bytes([0xC0, 5])),
        (0, on(60)),
        (480, bytes([62, 80])),
        (0, b"\xf0\x02\x01\xf7"),
        (480, meta(1, b"end")),
    ]
    data = smf(words, [*running, (0, off(60)), (0, off(62))])
    assert read_midi(data).texts == ()
    score = read_midi(data, texts=True)
    assert score.texts == (
        Text(0, "text", "C"),
        Text(480, "marker", "Am"),
        Text(960, "lyrics", "Süß"),
        Text(960, "cue_marker", "üb"),
        Text(960, "text", "end"),
    )
    assert read_midi(midi.midi_bytes(score), texts=True).texts == score.texts


def test_empty_texts_and_a_cut_one_are_left_out() -> None:
    data = smf([(0, TEXT), (0, meta(6, b"  ")), *TUNE, (0, b"\xff\x01\x7f")])
    assert read_midi(smf([(0, TEXT), (0, meta(6, b"  ")), *TUNE]), texts=True).texts == ()
    assert [kind for _, _, kind, _ in read_file(data, "x").metas((1, 6))] == [1, 6]


def test_running_status_goes_on_after_a_text() -> None:
    data = smf(
        [
            (0, on(60)),
            (480, meta(6, b"C")),
            (0, bytes([60, 0])),
            (480, meta(6, b"Am")),
            (0, bytes([62, 80])),
            (9, off(62)),
        ]
    )
    score = read_midi(data, texts=True)
    assert score.notes["pitch"].tolist() == [60, 62]
    assert [(text.tick, text.text) for text in score.texts] == [(480, "C"), (960, "Am")]


def test_many_tracks_share_the_channels_of_their_programs() -> None:
    def channels(tracks: list[Track]) -> list[int]:
        rows = [(0, 480, 60, 80, index) for index in range(len(tracks))]
        file = mido.MidiFile(
            file=io.BytesIO(midi.midi_bytes(Score(480, np.array(rows, midi.NOTE), tuple(tracks))))
        )
        return [
            message.channel
            for track in file.tracks
            for message in track
            if message.type == "program_change"
        ]

    drums = Track("Drums", 0, True)
    assert channels([Track("", 5), drums, Track("", 5)]) == [0, 9, 2]
    many = channels([Track("", number % 3) for number in range(20)] + [drums])
    assert many == [number % 3 for number in range(20)] + [9]
