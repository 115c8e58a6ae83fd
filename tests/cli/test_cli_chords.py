"""Verbs with a model that is told of chords, and what they say to one that is not."""

import numpy as np
import pytest

from musicvae_lite.media.midi import read_midi
from musicvae_lite.model_dir.bundle import describe
from tests.music.test_harmony import block_chords
from tests.tiny import SETTINGS, save, save_chord_model


@pytest.fixture(scope="session")
def chords(tmp_path_factory):
    return save_chord_model(tmp_path_factory.mktemp("models") / "chords")


@pytest.fixture(scope="session")
def with_key(tmp_path_factory):
    return save_chord_model(tmp_path_factory.mktemp("models") / "key", key=True)


def heard(name):
    return [text.text for text in read_midi(name, texts=True).texts]


def test_sample_over_a_progression(musae, folder, chords):
    run = musae(
        "sample", "-m", chords, "--chords", "C Am F G", "--length", "8", "--count", "2", "--json"
    )
    assert (
        run.code == 0
        and run.err == ""
        and run.json["chords"] == ["C Am F G"]
        and run.json["bars"] == 8
    )
    assert [heard(name) for name in run.json["outputs"]] == 2 * [["C", "Am", "F", "G"]]
    short = musae(
        "sample", "-m", chords, "--chords", "C Am F", "-o", "x/", "--json", "--count", "1"
    )
    assert short.json["bars"] == 4 and heard("x/sample-01.mid") == ["C", "Am", "F", "C"]


def test_one_chord_in_several_styles_and_several_progressions(musae, folder, chords):
    run = musae(
        "sample",
        "-m",
        chords,
        "--chords",
        "C",
        "--chords",
        "Dm | G7",
        "--count",
        "40",
        "-o",
        "many/",
    )
    assert run.code == 0
    assert [heard(f"many/sample-{n:02}.mid") for n in (1, 2, 39, 40)] == [
        ["C"],
        ["Dm", "G"],
        ["C"],
        ["Dm", "G"],
    ]


def test_sample_in_the_style_of_a_file(musae, folder, chords, tiny):
    run = musae(
        "sample",
        "-m",
        chords,
        "--style",
        "a.mid",
        "--chords",
        "C Am F G",
        "--length",
        "8",
        "--count",
        "1",
        "--json",
    )
    assert (
        run.code == 0
        and run.json["style"] == "a.mid"
        and heard("sample-01.mid") == ["C", "Am", "F", "G"]
    )
    assert (
        musae("sample", "-m", tiny, "--style", "a.mid", "--count", "1", "-o", "like.mid").code == 0
    )
    assert musae("sample", "-m", chords, "--style", "no.mid", "--chords", "C", "-o", "x/").code == 1
    both = musae("sample", "-m", chords, "--style", "a.mid", "--drift", "-o", "x/")
    assert both.code == 2 and "leave out --drift" in both.err
    assert not (folder / "x").exists()


def test_sample_that_drifts(musae, folder, chords):
    for option in ("--drift", "--no-drift"):
        run = musae(
            "sample",
            "-m",
            chords,
            "--chords",
            "C | G",
            "--length",
            "16",
            option,
            "--count",
            "1",
            "-o",
            f"{option}.mid",
        )
        assert run.code == 0
    assert read_midi("--drift.mid") != read_midi("--no-drift.mid")


def test_without_chords_there_are_none_and_that_is_told(musae, folder, chords):
    run = musae("sample", "-m", chords, "--count", "1")
    assert (
        run.code == 0 and "hears none; name some" in run.err and heard("sample-01.mid") == ["N.C."]
    )


def test_interpolate_and_reconstruct_over_chords(musae, folder, chords):
    save(block_chords("C Am F G"), folder / "c.mid")
    assert (
        musae(
            "interpolate", "a.mid", "c.mid", "-m", chords, "--chords", "C | G", "--steps", "3"
        ).code
        == 0
    )
    assert heard("a__c.mid") == ["C", "G"] * 3
    assert musae("reconstruct", "c.mid", "-m", chords).code == 0
    assert heard("c.reconstructed.mid") == ["C", "Am", "F", "G"]
    assert musae("reconstruct", "c.mid", "-m", chords, "--chords", "D", "-o", "d.mid").code == 0
    assert heard("d.mid") == ["D"]


def test_encode_and_decode_keep_the_chords(musae, folder, with_key):
    save(block_chords("C Am F G"), folder / "c.mid")
    assert musae("encode", "c.mid", "-m", with_key, "-o", "z.npz").code == 0
    arrays = dict(np.load("z.npz"))
    assert (
        arrays["told"].shape == (2, 32, 2)
        and arrays["told"][0, :, 0].tolist() == [1] * 16 + [22] * 16
    )
    assert musae("decode", "z.npz", "-m", with_key).code == 0 and heard("c.decoded.mid") == [
        "C",
        "Am",
        "F",
        "G",
    ]
    assert (
        musae("decode", "z.npz", "-m", with_key, "--chords", "D A", "--key", "Bm", "-o", "d/").code
        == 0
    )
    assert heard("d/c.mid") == ["D", "A", "D", "A"]
    for told in (arrays["told"][:, :5], arrays["told"] + 200, arrays["told"].astype(float)):
        np.savez("bad.npz", **(arrays | {"told": told}))
        run = musae("decode", "bad.npz", "-m", with_key, "-o", "bad/")
        assert run.code == 1 and "bad.npz: 'told' is" in run.err and not (folder / "bad").exists()
    del arrays["told"]
    np.savez("plain.npz", **(arrays | {"bar": np.array([1, 2**32 - 1])}))
    assert musae("decode", "plain.npz", "-m", with_key, "--chords", "D A", "-o", "far/").code in (
        0,
        1,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sample", "--chords", "C Hm"), "chord 2, 'Hm', is not known; a chord is a root"),
        (("sample", "--chords", ""), "names no chord"),
        (("sample", "--key", "C"), "is not told of the key; "),
        (("interpolate", "a.mid", "b.mid", "--chords", "C | | G"), "between bar lines"),
        (("reconstruct", "a.mid", "--chords", "Q"), "chord 1, 'Q', is not known"),
    ],
)
def test_wrong_chords_leave_nothing(musae, folder, chords, arguments, message):
    before = sorted(folder.iterdir())
    run = musae(*arguments, "-m", chords)
    assert run.code == 2 and message in run.err and len(run.err.splitlines()) == 1
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    "verb", [("sample",), ("interpolate", "a.mid", "b.mid"), ("reconstruct", "a.mid")]
)
def test_a_model_that_is_not_told_of_chords(musae, folder, tiny, verb):
    run = musae(*verb, "-m", tiny, "--chords", "C")
    assert run.code == 2 and "is not told of chords; " in run.err and "mel-2bar-chords" in run.err


def test_a_model_of_pictures_has_no_chords(musae, folder):
    run = musae("sample", "-m", "mnist-vae", "--chords", "C")
    assert run.code == 2 and "--chords is for models of music" in run.err


def test_inspect_shows_key_and_chords(musae, folder, tiny):
    save(block_chords("C Am F G", repeats=6), folder / "c.mid")
    run = musae("inspect", "c.mid", "-m", tiny)
    lines = run.out.splitlines()
    assert lines[1] == "  key: C major"
    assert lines[2].startswith("  chords (inferred from the notes): C Am F G C Am") and lines[
        2
    ].endswith("... (24 in all)")
    found = musae("inspect", "c.mid", "-m", tiny, "--json").json["files"][0]
    assert (
        found["key"] == "C major"
        and found["chords"]["from"] == "notes"
        and found["chords"]["changes"][1] == [4.0, "Am"]
    )


def test_prepare_train_and_evaluate(musae, folder):
    songs = folder / "songs"
    songs.mkdir()
    for number, text in enumerate(["C Am F G", "Dm G C F", "Em A D G", "G Em C D", "F Dm Bb C"]):
        save(block_chords(text, repeats=2), songs / f"{number}.mid")
    assert (
        musae(
            "prepare",
            songs,
            "--preset",
            "mel-2bar-chords",
            "-o",
            "corpus",
            "--valid-fraction",
            "0.3",
            "--workers",
            "1",
        ).code
        == 0
    )
    small = [
        *SETTINGS,
        "training.steps=4",
        "training.batch_size=4",
        "training.valid_every=2",
        "training.save_every=2",
    ]
    changes = [part for change in small for part in ("--set", change)]
    assert (
        musae("train", "mel-2bar-chords", "--data", "corpus", "-o", "run", *changes, "-q").code == 0
    )
    config = describe("run").config
    assert config.control.chords and config.model.control_size == 49  # type: ignore[union-attr]
    measured = musae("evaluate", "run", "--data", "corpus", "--split", "all", "--json").json[
        "chords"
    ]
    assert (
        "; told the chord of every step, pitches relative to its root"
        in (folder / "run" / "README.md").read_text()
    )
    assert set(measured) == {
        "in_chord",
        "in_other_chord",
        "notes",
    }  # no window with one chord throughout
    assert musae("sample", "-m", "run", "--chords", "C G", "--count", "1").code == 0
    other = musae("train", "mel-2bar", "--data", "corpus", "-o", "other", *changes)
    assert (
        other.code == 2
        and "the corpus tells of chords beside the music, the run needs nothing" in other.err
    )
    both = musae(
        "train",
        "mel-2bar-chords",
        "--set",
        "control.key=true",
        "--data",
        "corpus",
        "-o",
        "other",
        *changes,
    )
    assert both.code == 2 and "the run needs chords, key" in both.err
    sized = musae(
        "train",
        "mel-2bar-chords",
        "--set",
        "model.control_size=3",
        "--data",
        "corpus",
        "-o",
        "other",
    )
    assert (
        sized.code == 2 and "control makes 49 numbers a step, model.control_size is 3" in sized.err
    )
    assert not (folder / "other").exists()


def test_roman_numerals_need_a_key_and_chords_can_be_played(musae, folder, chords):
    numerals = ("sample", "-m", chords, "--chords", "I V vi IV", "--length", 8, "--count", 1)
    run = musae(*numerals)
    assert run.code == 2 and "name it (--key C" in run.err
    run = musae(*numerals, "--key", "D", "--accompany", "block", "-o", "d.mid")
    assert run.code == 0, run.err
    assert heard("d.mid") == ["D", "A", "Bm", "G"]
    piece = read_midi("d.mid")
    assert piece.tracks[-1].name == "chords"
    path = ("interpolate", "a.mid", "b.mid", "-m", chords, "--chords", "i iv", "--key", "Am")
    run = musae(*path, "--accompany", "stride", "-o", "path.mid")
    assert run.code == 0 and read_midi("path.mid").tracks[-1].name == "chords"
    run = musae("reconstruct", "a.mid", "-m", chords, "--accompany", "arpeggio", "-o", "r.mid")
    assert run.code == 0 and heard("r.mid")


def test_accompaniment_needs_chords(musae, folder, chords, tiny):
    for arguments, why in (
        (("sample", "-m", tiny, "--accompany", "block"), "is told of none"),
        (("sample", "-m", chords, "--accompany", "block"), "name some"),
        (("reconstruct", "a.mid", "-m", chords, "--keep-tracks", "--accompany", "block"), "leave"),
        (("interpolate", "a.mid", "b.mid", "--whole", "--accompany", "block"), "--whole"),
        (("sample", "-m", chords, "--chords", "C", "--key", "C"), "not told of the key"),
    ):
        run = musae(*arguments)
        assert run.code == 2 and why in run.err, run.err
