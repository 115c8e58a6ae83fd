"""Grids between four melodies, and melodies like another."""

import pytest

from musicvae_lite.media.midi import midi_bytes, read_midi
from tests.tiny import melody, save, score


@pytest.fixture
def corners(folder):
    """Four melodies, of different tempos and resolutions."""
    save(melody(2, 120, "C", 50), folder / "c.mid")
    save(score([(q, q + 1, 60 + q % 5, 0) for q in range(8)], ticks=96), folder / "d.mid")
    return ["a.mid", "b.mid", "c.mid", "d.mid"]


def test_grid_in_one_file(musae, folder, corners, tiny):
    run = musae(
        "interpolate", *corners, "--grid", "3", "-m", tiny, "--plot", "p.png", "--wav", "w.wav"
    )
    assert run.code == 0, run.err
    lines = run.out.splitlines()
    assert [line.split(":")[0] for line in lines[:4]] == [
        "1-1 a.mid",
        "1-3 b.mid",
        "3-1 c.mid",
        "3-3 d.mid",
    ]
    assert lines[4] == "wrote a__b__c__d.mid, p.png, w.wav"
    piece = read_midi("a__b__c__d.mid")
    assert round(piece.tempos["qpm"][0]) == 90 and piece.tracks[0].name == "interpolate a, b, c, d"
    assert (folder / "p.png").read_bytes()[:4] == b"\x89PNG"


def test_grid_in_a_folder(musae, folder, corners, tiny):
    run = musae(
        "interpolate",
        *corners,
        "--grid",
        "10",
        "-m",
        tiny,
        "-o",
        "g/",
        "--bar",
        "1,2,1,1",
        "--json",
    )
    assert (
        run.json["outputs"][:2] == ["g/01-01.mid", "g/01-02.mid"]
        and run.json["outputs"][-1] == "g/10-10.mid"
    )
    assert run.json["grid"] == 10 and [item["bar"] for item in run.json["inputs"]] == [1, 2, 1, 1]
    assert len(list((folder / "g").iterdir())) == 100


def test_grid_that_cannot_be(musae, folder, corners, tiny):
    (folder / "waltz.mid").write_bytes(
        midi_bytes(score([(q, q + 1, 60, 0) for q in range(9)], metre=(3, 4)))
    )
    for arguments, code, words in (
        (corners[:3], 2, "here are 3"),
        ((*corners[:2], "--grid", "3"), 2, "four corners"),
        ((*corners, "--grid", "1"), 2, "--grid"),
        ((*corners, "--grid", "3", "--steps", "4"), 2, "--steps is of a path"),
        ((*corners, "--grid", "3", "--bar", "1,2"), 2, "one for each of the 4 inputs"),
        ((*corners, "--grid", "20", "--plot", "p.png"), 2, "up to 200 steps"),
        ((*corners[:3], "waltz.mid", "--grid", "3"), 3, "waltz.mid: no melody that"),
        ((*corners[:3], "none.mid", "--grid", "3"), 1, "none.mid"),
    ):
        run = musae("interpolate", *arguments, "-m", tiny)
        assert (
            (run.code, run.out) == (code, "")
            and words in run.err
            and len(run.err.splitlines()) == 1
        ), run.err
    assert not list(folder.glob("*__*"))


def test_sample_like_a_melody(musae, folder, tiny):
    run = musae(
        "sample", "--like", "a.mid", "--similarity", "0.8", "--count", "3", "-m", tiny, "--bar", "2"
    )
    assert run.code == 0 and run.out.startswith(
        "like a.mid: track 1 (A), bars 2-3; notes that they share: "
    )
    assert (
        run.out.splitlines()[-1] == "wrote sample-01.mid ... sample-03.mid"
        and round(read_midi("sample-01.mid").qpm) == 90
    )
    run = musae(
        "sample",
        "--like",
        "a.mid",
        "-m",
        tiny,
        "--count",
        "1",
        "-o",
        "s.mid",
        "--qpm",
        "60",
        "--json",
        "--length",
        "2",
    )
    assert (
        run.json["like"]["file"] == "a.mid"
        and run.json["similarity"] == 0.5
        and run.json["qpm"] == 60
    )
    for arguments, words in (
        (("--similarity", "0.5"), "--similarity goes with --like"),
        (("--role", "melody=1"), "--role goes with --like"),
        (("--like", "a.mid", "--similarity", "1.5"), "--similarity"),
        (("--like", "a.mid", "--similarity", "nan"), "--similarity"),
        (("--like", "a.mid", "--length", "4"), "--length 4"),
        (("--like", "a.mid", "--bar", "9"), "no usable window starts at bar 9"),
        (("--like", "a.mid", "--count", "1", "-o", "a.mid", "--overwrite"), "is also an input"),
    ):
        run = musae("sample", "-o", "n/", *arguments, "-m", tiny)
        assert (
            (run.code, run.out) == (2, "") and words in run.err and len(run.err.splitlines()) == 1
        ), (arguments, run.err)
