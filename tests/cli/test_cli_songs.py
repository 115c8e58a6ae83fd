"""Whole songs, and metres other than 4/4."""

import numpy as np
import pytest

from musicvae_lite.media.midi import Track, read_midi
from tests.tiny import melody, save, save_tiny_model, score

CHORDS = [(4 * bar, 4 * bar + 4, 48, 1) for bar in range(8)]
LEAD = [(q, q + 1, 60 + q % 12, 0) for q in range(8, 24)]


@pytest.fixture
def band(folder):
    return save(
        score(LEAD + CHORDS, (Track("Lead", 5), Track("Chords", 24)), ticks=96), folder / "band.mid"
    )


def test_reconstruct_keeps_the_other_tracks(musae, folder, tiny, band):
    run = musae("reconstruct", "band.mid", "-m", tiny, "--keep-tracks", "-o", "x.mid")
    assert run.code == 0 and "no window in bars 1-2, 7-8: left as in the input" in run.out
    before, after = read_midi("band.mid"), read_midi("x.mid")
    assert after.tracks == before.tracks and after.ticks_per_quarter == 96
    assert np.array_equal(
        after.notes[after.notes["track"] == 1], before.notes[before.notes["track"] == 1]
    )
    assert musae("reconstruct", "band.mid", "-m", tiny, "--json").json["files"][0]["bars_left"] == [
        1,
        2,
        7,
        8,
    ]


def test_interpolate_whole_songs(musae, folder, tiny, band):
    run = musae(
        "interpolate", "band.mid", "a.mid", "-m", tiny, "--whole", "--keep-tracks", "-o", "ab.mid"
    )
    assert (
        run.code == 0
        and run.out.splitlines()[-1] == "wrote ab.mid"
        and "left as in the input" in run.out
    )
    assert [track.name for track in read_midi("ab.mid").tracks] == ["Lead", "Chords"]
    document = musae("interpolate", "band.mid", "a.mid", "-m", tiny, "--whole", "--json").json
    assert document["outputs"] == ["band__a.whole.mid"] and [
        row["bar"] for row in document["windows"]
    ] == [3, 4, 5]
    assert [row["fractions"] for row in document["windows"]] == [[0.0], [0.5], [1.0]]
    run = musae(
        "interpolate", "a.mid", "b.mid", "-m", tiny, "--whole", "--steps", "3", "-o", "songs/"
    )
    assert run.code == 0 and sorted(p.name for p in (folder / "songs").iterdir()) == [
        "00.mid",
        "01.mid",
        "02.mid",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keep-tracks"], "--keep-tracks goes with --whole"),
        (["b.mid", "a.mid", "--whole", "--grid", "3"], "--grid does not go with --whole"),
        (["--whole", "--bar", "2"], "--bar does not go with --whole"),
        (["--whole", "--plot", "p.gif"], "p.gif"),
        (["--whole", "--steps", "3"], "name a folder for them (-o a__b/)"),
        (["--whole", "--steps", "3", "-o", "x.mid"], "name a folder for them (-o a__b/)"),
        (["--whole", "-o", "a.mid"], "a.mid: is also an input"),
    ],
)
def test_what_does_not_go_with_whole_songs_is_one_line(musae, folder, tiny, arguments, message):
    run = musae("interpolate", "a.mid", "b.mid", "-m", tiny, *arguments)
    assert run.code == 2 and message in run.err and run.err.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "b.mid"]


@pytest.mark.parametrize(
    ("preset", "metre", "other"), [("waltz-2bar", (3, 4), (6, 8)), ("jig-2bar", (6, 8), (3, 4))]
)
def test_every_verb_in_three_four_and_six_eight(musae, folder, preset, metre, other):
    model = save_tiny_model(folder / "model", preset)
    quarters = [(q / 2, q / 2 + 0.5, 60 + q % 9, 0) for q in range(30)]  # 5 bars
    for name, which in (("x", metre), ("y", metre), ("wrong", other)):
        save(score(quarters, metre=which), folder / f"{name}.mid")
    assert musae("inspect", "x.mid", "-m", model, "--json").json["files"][0]["windows"] == 4
    assert (
        musae("interpolate", "x.mid", "y.mid", "-m", model, "--steps", "2", "--plot", "p.png").code
        == 0
    )
    piece = read_midi("x__y.mid")
    assert tuple(piece.metres[0])[1:] == metre and piece.bars == 4
    assert musae("interpolate", "x.mid", "y.mid", "-m", model, "--whole").code == 0
    assert (
        musae("reconstruct", "x.mid", "-m", model).code == 0
        and read_midi("x.reconstructed.mid").bars <= 5
    )
    assert musae("sample", "-m", model, "--count", "1", "--length", "4", "-o", "s.mid").code == 0
    assert (
        musae("encode", "x.mid", "-m", model, "-o", "z.npz").code == 0
        and musae("decode", "z.npz", "-m", model).code == 0
    )
    run = musae("reconstruct", "wrong.mid", "-m", model)
    needs = f"metre {other[0]}/{other[1]} (the model needs {metre[0]}/{metre[1]})"
    assert run.code == 3 and needs in run.err and run.err.count("\n") == 1


def test_bars_of_a_melody_that_is_too_short_are_refused_before_work(musae, folder, tiny):
    save(melody(2), folder / "c.mid")
    (folder / "bad.mid").write_bytes(b"no")
    run = musae("interpolate", "c.mid", "bad.mid", "-m", tiny, "--whole")
    assert (
        run.code == 1
        and "bad.mid: not a MIDI file" in run.err
        and not (folder / "c__bad.whole.mid").exists()
    )


def test_a_note_that_is_played_a_little_early_is_replaced(musae, folder, tiny):
    early = score(
        [(8 - 10 / 480, 9, 60, 0), *((q, q + 1, 62, 0) for q in range(9, 16)), *CHORDS],
        (Track("Lead", 5), Track("Chords")),
    )
    save(early, folder / "early.mid")
    assert musae("reconstruct", "early.mid", "-m", tiny, "--keep-tracks", "-o", "x.mid").code == 0
    lead = read_midi("x.mid").notes[read_midi("x.mid").notes["track"] == 0]
    assert (lead["start"] % 120 == 0).all() and len(lead)  # what the model made lies on the grid


def test_one_input_has_one_track_of_a_role(musae, folder, tiny):
    for verb in (["reconstruct"], ["encode"], ["sample", "--like"], ["attribute"]):
        run = musae(*verb, "a.mid", "--role", "melody=1,2", "-m", tiny)
        assert run.code == 2 and "'melody=1,2' is not ROLE=N" in run.err
