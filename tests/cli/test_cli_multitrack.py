"""The verbs on bars of several instruments, as a user calls them."""

from dataclasses import replace

import numpy as np
import pytest

from musicvae_lite.media.midi import Track
from musicvae_lite.music.splice import in_piece
from musicvae_lite.music.windows import rebuild, whole_melody
from tests.tiny import save, score

PRESET = """
extends: multitrack-1bar
name: small
codec: {events: 10, tracks: 3, min_events: 2, crowded: refuse}
model:
  latent_size: 8
  encoder: {levels: [10, 3], sizes: [24], readout_size: [8, 8]}
  decoder: {levels: [3, 10], conductor: [16], sizes: [32]}
training: {batch_size: 4, steps: 2, valid_every: 2}
"""
NINE = tuple(Track("", program) for program in range(9))


TRIO = (Track("lead", 40), Track("low", 33), Track("kit", 0, True))


def band(bars, tracks=TRIO):
    rows = [
        (4 * bar + 2 * beat, 4 * bar + 2 * beat + 0.5, 40 + (7 * bar + 3 * beat) % 12, track)
        for bar in range(bars)
        for beat in range(2)
        for track in range(len(tracks))
    ]
    return score(rows, tracks)


@pytest.fixture
def model(tmp_path, monkeypatch, musae):
    """A model that was trained for two steps on the corpus ``corpus`` of three songs."""
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        save(band(5 + number), tmp_path / f"song{number}.mid")
    preset = tmp_path / "small.yaml"
    preset.write_text(PRESET)
    assert (
        musae(
            "prepare",
            "song0.mid",
            "song1.mid",
            "song2.mid",
            "--preset",
            preset,
            "-o",
            "corpus",
            "--workers",
            1,
        ).code
        == 0
    )
    assert musae("train", preset, "--data", "corpus", "-o", "run", "--device", "cpu").code == 0
    return tmp_path / "run"


def test_every_verb(model, musae):
    assert (
        "3 windows" in musae("inspect", save(band(3), model.parent / "song.mid"), "-m", model).out
    )
    for arguments in (
        [
            "interpolate",
            "song.mid",
            "song1.mid",
            "--steps",
            "3",
            "--bar",
            "2,1",
            "-o",
            "x.mid",
            "--plot",
            "x.png",
        ],
        ["reconstruct", "song.mid", "-o", "r.mid"],
        ["sample", "--count", "1", "--length", "4", "-o", "s.mid"],
        ["encode", "song.mid", "-o", "z.npz"],
        ["decode", "z.npz", "-o", "d.mid"],
    ):
        run = musae(*arguments, "-m", model)
        assert run.code == 0, run.err
    assert np.load("z.npz")["mean"].shape == (3, 8) and np.load("z.npz")["track"].tolist() == [
        0,
        0,
        0,
    ]
    measured = musae("evaluate", model, "--data", "corpus", "--json")
    assert 0 <= measured.json["accuracy"] <= 1


def test_what_comes_out_is_a_track_an_instrument(model, musae):
    import musicvae_lite as mv

    session = mv.load(model, device="cpu")
    windows = session.codec.encode(band(2)).windows
    piece = session.codec.join(list(windows))
    assert [(track.program, track.is_drum) for track in piece.tracks] == [
        (33, False),
        (40, False),
        (0, True),
    ]
    result = session.reconstruct(band(2))
    assert (
        result.passage.place == "all tracks"
        and result.bars == (1, 2)
        and result.score.end <= 2 * 1920
    )
    assert result.as_dict()["track"] == 0
    late = band(3)  # its first bar is refused: too few tracks
    late = replace(
        late, notes=late.notes[(late.notes["start"] >= 1920) | (late.notes["track"] == 0)]
    )
    passage = whole_melody(late, session.codec, "small")
    again = session.codec.encode(rebuild(passage, passage.windows, session.codec, "again"))
    np.testing.assert_array_equal(again.windows, passage.windows)
    assert again.origin["bar"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        (band(2, NINE[:1]), "only track 1 has notes; a bar holds 2 to 3 tracks that play together"),
        (band(2, NINE[:4]), "bar 1 has 4 tracks, over 3; bar 2 has 4 tracks, over 3"),
        (
            score([(n / 4, n / 4 + 0.1, 60, t) for n in range(16) for t in (0, 1)], NINE[:2]),
            "bar 1, track 1 has 64 events, over 8",
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(model, musae, piece, message):
    path = save(piece, model.parent / "bad.mid")
    run = musae("reconstruct", path, "-m", model)
    assert run.code == 3 and message in run.err and run.err.count("\n") == 1
    shown = musae("inspect", path, "-m", model)
    assert shown.code == 0 and message in shown.out
    run = musae("prepare", path, "--preset", "small.yaml", "-o", "none", "--workers", 1, "-q")
    assert run.code == 3 and "most often: window with" in run.err and run.err.count("\n") == 1


def test_a_track_cannot_be_chosen(model, musae):
    run = musae("reconstruct", "song0.mid", "-m", model, "--track", 1)
    assert run.code == 2 and "hears all tracks of a piece together" in run.err


def test_other_tracks_cannot_be_kept_where_all_are_made(model, musae):
    for arguments in (
        ["reconstruct", "song0.mid"],
        ["interpolate", "song0.mid", "song1.mid", "--whole"],
    ):
        run = musae(*arguments, "--keep-tracks", "-m", model, "-o", "kept.mid")
        assert (
            run.code == 2 and "there are no others to keep" in run.err and run.err.count("\n") == 1
        )
    assert not (model.parent / "kept.mid").exists()


def test_what_is_made_goes_to_the_tracks_of_its_instruments(model):
    import musicvae_lite as mv

    session = mv.load(model, device="cpu")
    piece = band(3)  # its first bar is refused, and stays
    piece = replace(
        piece, notes=piece.notes[(piece.notes["start"] >= 1920) | (piece.notes["track"] == 0)]
    )
    passage = whole_melody(piece, session.codec, "small")
    again = in_piece(
        passage, rebuild(passage, passage.windows, session.codec, "again"), session.codec
    )
    assert again.tracks == piece.tracks
    columns = ["start", "end", "pitch", "track"]
    np.testing.assert_array_equal(np.sort(again.notes[columns]), np.sort(piece.notes[columns]))
    flute = replace(piece, tracks=(Track("flute", 73), *TRIO[1:]))
    other = in_piece(
        passage,
        rebuild(passage, session.codec.encode(flute).windows, session.codec, "x"),
        session.codec,
    )
    assert [track.program for track in other.tracks] == [40, 33, 0, 73]
    assert set(other.notes["track"][other.notes["start"] >= 1920]) == {1, 2, 3}
