"""Bars of several instruments that are told of chords and key, from a folder of MIDI files to every
verb.
"""

import numpy as np
import pytest
from musae.app import main

from musicvae_lite.media.midi import read_midi
from musicvae_lite.model_dir.bundle import describe
from musicvae_lite.music.data.corpus import Corpus
from tests.cli.test_cli_chords import heard
from tests.cli.test_cli_multitrack import PRESET, band
from tests.music.test_harmony import block_chords
from tests.tiny import save

LONGER = PRESET.replace("10", "16")  # events of a track: chords need more
SONGS = ("C Am F G Em D", "Dm G C F Bb Gm", "Em A D G Bm E", "G Em C D Am Am", "F Dm Bb C F F")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the corpus ``corpus`` and the model ``run`` that was trained on it for a few
    steps.
    """
    folder = tmp_path_factory.mktemp("band")
    (folder / "songs").mkdir()
    for number, text in enumerate(SONGS):
        save(block_chords(text), folder / "songs" / f"{number}.mid")
    (folder / "small.yaml").write_text(
        LONGER.replace("multitrack-1bar", "multitrack-1bar-chords") + "control: {key: true}\n"
    )
    preset, corpus = str(folder / "small.yaml"), str(folder / "corpus")
    assert (
        main(
            [
                "prepare",
                str(folder / "songs"),
                "--preset",
                preset,
                "-o",
                corpus,
                "--workers",
                "1",
                "-q",
                "--valid-fraction",
                "0.3",
            ]
        )
        == 0
    )
    assert (
        main(
            ["train", preset, "--data", corpus, "-o", str(folder / "run"), "--device", "cpu", "-q"]
        )
        == 0
    )
    return folder


@pytest.fixture
def run(made, tmp_path, monkeypatch):
    """The model; the folder of the test holds the pieces a.mid and b.mid."""
    monkeypatch.chdir(tmp_path)
    save(block_chords("C Am F G"), tmp_path / "a.mid")
    save(block_chords("Dm G"), tmp_path / "b.mid")
    return made / "run"


def test_a_corpus_tells_chord_and_key_of_every_step_of_time(made):
    corpus = Corpus.open(made / "corpus")
    assert corpus.told.shape == (len(corpus), 96, 2) and corpus.windows.shape[1:] == (48,)
    assert (corpus.told[..., 0] > 0).all() and not (
        np.diff(corpus.told[..., 0].astype(int), axis=1) != 0
    ).any()
    (batch,) = corpus.batches(len(corpus), 0, 0, (-3, 3))
    assert batch.condition.shape == (len(corpus), 96, 61) and (batch.condition.sum(-1) == 2).all()
    piano = batch.x.reshape(-1, 3, 16)[:, 0]
    bass = np.where(piano < 128, piano, 128).min(1)
    assert (
        (batch.condition[:, 0, :49].argmax(-1) - 1) % 12 == bass % 12
    ).all()  # chords move with the notes
    assert (batch.x != corpus.windows).any()


def test_a_trained_model_is_measured_and_has_attribute_vectors(musae, made, run):
    config = describe(run).config
    assert config.control.chords and config.control.key and config.model.control_size == 61
    measured = musae("evaluate", run, "--data", made / "corpus", "--split", "all", "--json")
    assert measured.code == 0 and 0 <= measured.json["accuracy"] <= 1
    vectors = musae("attribute", "-m", run, "--json").json["attributes"]
    assert "register" in vectors and vectors["register"]["unit"] == "MIDI pitch, mean"
    assert musae("attribute", "a.mid", "register+1", "-m", run).code == 0
    assert heard("a.changed.mid") == ["C", "Am", "F", "G"]
    assert (
        musae("attribute", "a.mid", "register+1", "--bar", "2", "-m", run, "-o", "one.mid").code
        == 0
    )
    assert heard("one.mid") == ["Am"]
    assert musae("attribute", "--learn", "--data", made / "corpus", "-m", run, "-q").code == 0


def test_the_chords_of_a_piece_or_others(musae, run):
    for arguments, chords in (
        (["reconstruct", "a.mid", "-o", "x.mid"], ["C", "Am", "F", "G"]),
        (
            ["reconstruct", "a.mid", "--chords", "G | D Em", "-o", "x.mid"],
            ["G", "D", "Em", "G", "D", "Em"],
        ),
        (["interpolate", "a.mid", "b.mid", "--steps", "4", "-o", "x.mid"], ["C", "Dm"]),
        (
            ["interpolate", "a.mid", "b.mid", "--steps", "3", "--chords", "C | F G", "-o", "x.mid"],
            ["C", "F", "G", "C"],
        ),
        (["interpolate", "a.mid", "b.mid", "--whole", "-o", "x.mid"], ["C", "Am", "F", "G"]),
        (
            ["sample", "--count", "1", "--chords", "C | Am F", "--key", "Am", "-o", "x.mid"],
            ["C", "Am", "F"],
        ),
        (
            ["sample", "--count", "1", "--chords", "C Am", "--length", "4", "-o", "x.mid"],
            ["C", "Am"],
        ),
        (
            ["sample", "--count", "1", "--style", "a.mid", "--chords", "Dm G", "-o", "x.mid"],
            ["Dm", "G"],
        ),
        (["sample", "--count", "1", "--like", "a.mid", "--bar", "3", "-o", "x.mid"], ["F"]),
        (["encode", "a.mid", "-o", "z.npz"], None),
        (["decode", "z.npz", "-o", "x.mid"], ["C", "Am", "F", "G"]),
        (
            ["decode", "z.npz", "--chords", "Dm | C G", "-o", "x.mid"],
            ["Dm", "C", "G", "Dm", "C", "G"],
        ),
    ):
        verb = musae(*arguments, "-m", run, "--overwrite")
        assert verb.code == 0 and verb.err == "", (arguments, verb.err)
        assert chords is None or heard("x.mid") == chords, arguments
    assert np.load("z.npz")["told"].shape == (4, 96, 2)
    assert (
        musae(
            "sample", "--count", "1", "--chords", "C Am", "--length", "4", "-m", run, "-o", "y.mid"
        ).code
        == 0
    )
    assert [text.tick for text in read_midi("y.mid", texts=True).texts] == [0, 2 * 1920]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sample", "--chords", "C Hm"), "chord 2, 'Hm', is not known; a chord is a root"),
        (("sample", "--key", "H"), "key 'H' is not known"),
        (("reconstruct", "a.mid", "--chords", "C | | G"), "between bar lines"),
        (
            ("reconstruct", "a.mid", "--chords", "C:0.001 G"),
            "each lasts a step of the grid at least",
        ),
        (("interpolate", "a.mid", "b.mid", "--chords", "Q"), "chord 1, 'Q', is not known"),
    ],
)
def test_wrong_chords_leave_nothing(musae, run, tmp_path, arguments, message):
    verb = musae(*arguments, "-m", run)
    assert verb.code == 2 and message in verb.err and len(verb.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mid", "b.mid"]


def test_a_band_that_is_not_told_of_chords_says_who_is(musae, made, run, tmp_path):
    (tmp_path / "plain.yaml").write_text(LONGER)
    assert (
        musae(
            "prepare",
            made / "songs",
            "--preset",
            "plain.yaml",
            "-o",
            "plain",
            "--workers",
            "1",
            "-q",
        ).code
        == 0
    )
    assert (
        musae("train", "plain.yaml", "--data", "plain", "-o", "deaf", "--device", "cpu", "-q").code
        == 0
    )
    told = musae("sample", "--chords", "C", "-m", "deaf")
    assert (
        told.code == 2
        and "deaf is not told of chords; " in told.err
        and "multitrack-1bar-chords" in told.err
    )
    other = musae("train", "plain.yaml", "--data", made / "corpus", "-o", "other")
    assert (
        other.code == 2
        and "the corpus tells of chords, key beside the music, the run needs nothing" in other.err
    )
    save(band(2), tmp_path / "band.mid")
    assert (
        musae("reconstruct", "band.mid", "-m", "deaf").code == 0
        and heard("band.reconstructed.mid") == []
    )
