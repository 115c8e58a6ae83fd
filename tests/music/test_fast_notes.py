"""Notes faster than the steps are melody, not chords; drums of several tracks are one kit."""

from collections import Counter

import numpy as np
import pytest

from musicvae_lite.media.midi import NOTE, Score, Track
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.codecs.trio import TrioCodec
from musicvae_lite.music.remarks import remarks
from musicvae_lite.music.results import agreement
from musicvae_lite.music.splice import in_piece, lost_between_steps
from musicvae_lite.music.windows import rebuild, whole_melody

CODEC = MelodyCodec()


def fast() -> Score:
    """Two bars of one voice: eight 32nds, then quarters; no two notes overlap."""
    rows = [(60 * n, 60 * n + 60, 60 + n % 5, 80, 0) for n in range(8)]
    rows += [(480 * n, 480 * n + 480, 70 - n, 80, 0) for n in range(1, 8)]
    return Score(480, np.array(rows, NOTE), (Track("Flute"),), source="fast")


def test_they_are_left_out_for_what_they_are() -> None:
    dropped = CODEC.encode(fast()).dropped
    assert dropped == Counter({"faster than the steps of the model (4 a quarter)": 4})
    chord = fast()
    chord.notes["end"][:8] = 500  # now they sound together
    assert CODEC.encode(chord).dropped == Counter({"lower note of a chord": 4})


def test_they_are_missing_and_they_go_when_the_melody_does() -> None:
    passage = whole_melody(fast(), CODEC, "tiny", overlapping=True)
    assert lost_between_steps(passage, CODEC) == 4
    _, right = agreement(CODEC, passage.windows, passage.windows, 4)
    assert right == pytest.approx(2 * 11 / (15 + 11))
    made = rebuild(passage, passage.windows, CODEC, "x")
    result = np.sort(in_piece(passage, made, CODEC).notes, order="start")
    assert len(result) == 11
    assert (result["start"][1:] >= result["end"][:-1]).all()  # as none overlapped before


def test_notes_struck_twice_at_once_are_not_missing() -> None:
    piece = fast()
    doubled = Score(480, np.concatenate([piece.notes[8:], piece.notes[8:]]), piece.tracks)
    passage = whole_melody(doubled, CODEC, "tiny", overlapping=True)
    assert lost_between_steps(passage, CODEC) == 0


def band() -> Score:
    """Two bars of melody, bass, and a kit with a track for each drum."""
    rows = [(480 * n, 480 * n + 480, 60 + n, 80, 0) for n in range(8)]
    rows += [(960 * n, 960 * n + 960, 36 + n, 80, 1) for n in range(4)]
    rows += [(960 * n, 960 * n + 60, 36, 80, 2) for n in range(4)]
    rows += [(480 + 960 * n, 540 + 960 * n, 38, 80, 3) for n in range(4)]
    rows += [(240 * n, 240 * n + 60, 42, 80, 4) for n in range(16)]
    drums = [Track(name, 0, True) for name in ("Kick", "Snare", "Hats")]
    return Score(480, np.array(rows, NOTE), (Track("Lead"), Track("Bass", 33), *drums), source="b")


def test_drums_of_several_tracks_are_one_kit() -> None:
    codec = TrioCodec(bars=2)
    encoded = codec.encode(band())
    assert len(encoded.windows) == 1 and not encoded.dropped
    hits = codec.drums.onsets(encoded.windows[..., 2]).sum()
    assert int(encoded.windows[0, 0, 2]) == 1 << 0 | 1 << 2 and hits == 16  # kick and hat together
    passage = whole_melody(band(), codec, "tiny", overlapping=True)
    assert passage.read == (0, 1, 2, 3, 4) and passage.voices == ((0,), (1,), (2, 3, 4))
    assert "the drums of tracks 3, 4, 5 are heard together, as one kit" in remarks(passage, codec)
    named = whole_melody(band(), codec, "tiny", roles={"drums": 4}, overlapping=True)
    assert named.read == (0, 1, 3) and named.voices == ((0,), (1,), (3,))
    reports = codec.explain(band())
    assert [report.windows for report in reports] == [1] * 5


def test_new_hits_go_to_the_track_of_their_drum() -> None:
    codec = TrioCodec(bars=2)
    passage = whole_melody(band(), codec, "tiny", overlapping=True)
    result = in_piece(passage, rebuild(passage, passage.windows, codec, "x"), codec)
    for track, pitch, count in ((2, 36, 4), (3, 38, 4), (4, 42, 16)):
        own = result.notes[result.notes["track"] == track]
        assert own["pitch"].tolist() == [pitch] * count


def test_magenta_tries_each_track_of_drums() -> None:
    found = TrioCodec(bars=2, magenta=True).encode(band())
    assert found.parts[:, 2].tolist() == [2, 3, 4]
