"""``musae attribute`` and ``musae evaluate --paths``."""

import shutil

import numpy as np
import pytest

from musicvae_lite.media.midi import read_midi, write_midi
from musicvae_lite.music.data.prepare import prepare_corpus
from tests.tiny import codec, melody, save, save_picture_model, save_tiny_model


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A corpus of twenty random melodies of four bars."""
    midi, random = tmp_path_factory.mktemp("midi"), np.random.default_rng(0)
    for number in range(20):
        tokens = np.where(random.random(64) < 0.3, random.integers(30, 60, 64), 0).astype(np.uint8)
        write_midi(codec().decode(tokens), midi / f"{number:02d}.mid")
    output = tmp_path_factory.mktemp("corpora") / "corpus"
    prepare_corpus([midi], codec().config(), output, workers=1, valid_fraction=0.3)
    return output


@pytest.fixture(scope="module")
def model(tmp_path_factory, corpus):
    """A model with attribute vectors."""
    from musae.app import main

    folder = save_tiny_model(tmp_path_factory.mktemp("model") / "tiny")
    assert main(["attribute", "--learn", "--data", str(corpus), "-m", str(folder), "-q"]) == 0
    return folder


def test_learned_vectors_are_listed(musae, model):
    run = musae("attribute", "-m", model)
    assert run.code == 0 and run.err == "" and "density" in run.out.splitlines()[1]
    document = musae("attribute", "-m", model, "--json").json
    assert (
        document["learned"]["held_out"]
        and document["attributes"]["register"]["unit"] == "MIDI pitch, mean"
    )
    assert document["attributes"]["density"]["effects"].keys() == document["attributes"].keys()
    assert (model / "attributes.png").exists() and "## Attribute vectors" in (
        model / "README.md"
    ).read_text()
    assert (
        musae("sample", "-m", model, "-o", model.parent / "x.mid", "--count", "1").code == 0
    )  # the folder still is a model


def test_a_file_that_was_forgotten_is_asked_for(musae, model):
    run = musae("attribute", "density+1", "-m", model)
    assert (
        run.code == 2
        and "no file to change: musae attribute FILE.mid density+1" in run.err
        and run.err.count("\n") == 1
    )


def test_a_whole_file_is_changed(musae, folder, model):
    run = musae("attribute", "a.mid", "density+1", "register-0.5", "-m", model)
    assert run.code == 0, run.err
    lines = run.out.splitlines()
    assert lines[0] == "a.mid: track 1 (A), 4 windows" and lines[1].split()[:3] == [
        "file",
        "before",
        "after",
    ]
    assert any(line.startswith("density ") and "(density+1)" in line for line in lines)
    assert lines[-1] == "wrote a.changed.mid"
    piece = read_midi("a.changed.mid")
    assert round(piece.qpm) == 90 and piece.tracks[0].name == "a with density+1, register-0.5"
    run = musae("attribute", "a.mid", "density+1", "-m", model, "-o", "x.mid", "--json")
    document = run.json
    assert (
        document["given"]["density"] == 4
        and document["moves"] == {"density": 1.0}
        and document["output"] == "x.mid"
    )
    assert (
        document["before"].keys() == document["after"].keys() and "density" in document["expected"]
    )


def test_nothing_added_changes_nothing(musae, folder, model):
    document = musae("attribute", "a.mid", "density+0", "-m", model, "--json").json
    assert document["before"] == document["after"]
    assert musae("reconstruct", "a.mid", "-m", model).code == 0
    assert (
        read_midi("a.changed.mid").notes.tolist() == read_midi("a.reconstructed.mid").notes.tolist()
    )


def test_one_window(musae, folder, model):
    run = musae("attribute", "a.mid", "density-.5", "--bar", "3", "-m", model, "-o", "w/", "--json")
    assert run.json["bar"] == 3 and run.json["windows"] == 1 and run.json["output"] == "w/a.mid"
    assert read_midi("w/a.mid").end <= 8 * 480


def test_what_cannot_be(musae, folder, model, tiny, corpus, tmp_path):
    pictures = save_picture_model(tmp_path / "pictures")
    for arguments, code, words in (
        (("a.mid", "density+1", "-m", tiny), 2, "has no attribute vectors; learn them with"),
        (("a.mid", "dnsity+1", "-m", model), 2, "did you mean 'density'"),
        (("a.mid", "density", "-m", model), 2, "is not NAME+0.5"),
        (("a.mid", "density+1", "density-1", "-m", model), 2, "each name once"),
        (("a.mid", "density+1e9", "-m", model), 2, "is not NAME+0.5"),
        (("a.mid", "-m", model), 2, "say what to change"),
        (("none.mid", "density+1", "-m", model), 1, "none.mid"),
        (("a.mid", "density+1", "--bar", "9", "-m", model), 2, "no usable window starts at bar 9"),
        (("a.mid", "density+1", "-o", "a.mid", "--overwrite", "-m", model), 2, "is also an input"),
        (("--learn", "-m", model), 2, "--data"),
        (("a.mid", "--learn", "--data", corpus, "-m", model), 2, "no file"),
        (("a.mid", "density+1", "--data", corpus, "-m", model), 2, "--data goes with --learn"),
        (("--learn", "--data", "none", "-m", model), 1, "none: no such folder"),
        (("-m", pictures), 2, "'musae attribute' is for models of music"),
    ):
        run = musae("attribute", *arguments)
        assert (
            (run.code, run.out) == (code, "")
            and words in run.err
            and len(run.err.splitlines()) == 1
        ), (arguments, run.err)
    assert sorted(path.name for path in folder.glob("*.mid")) == ["a.mid", "b.mid"]


def test_vectors_of_other_weights_are_refused(musae, folder, model, tmp_path):
    other = save_tiny_model(tmp_path / "other")
    shutil.copy(model / "attributes.json", other)
    assert musae("attribute", "a.mid", "density+1", "-m", other).code == 0  # the same weights
    text = (other / "attributes.json").read_text()
    (other / "attributes.json").write_text(
        text.replace('"weights_sha256": "', '"weights_sha256": "0')
    )
    run = musae("attribute", "a.mid", "density+1", "-m", other, "-o", "n.mid")
    assert (
        run.code == 2 and "belongs to other weights" in run.err and not (folder / "n.mid").exists()
    )


def test_paths_are_measured_and_drawn(musae, folder, model, corpus):
    run = musae(
        "evaluate", model, "--data", corpus, "--paths", "--limit", "8", "--plot", "p.png", "--json"
    )
    document = run.json
    assert document["split"] == "valid" and document["pairs"] == 8 and document["plot"] == "p.png"
    assert len(document["latent"]["relative_cost"]) == len(document["alpha"]) == 11
    assert (
        document["blended"]["from_start"][0] == 0
        and (folder / "p.png").read_bytes()[:4] == b"\x89PNG"
    )
    run = musae("evaluate", model, "--data", corpus, "--paths", "--limit", "8")
    assert (
        run.code == 0 and run.err == "" and "8 pairs" in run.out and len(run.out.splitlines()) == 16
    )
    for arguments, words in (
        ((model, "--data", corpus, "--plot", "q.png"), "--plot goes with --paths"),
        ((model, "--paths"), "name it with --data"),
        ((model, "--data", corpus, "--paths", "--plot", "p.png"), "exists already"),
        ((model, "--data", corpus, "--paths", "--plot", "q.gif"), "a picture ends in"),
        (
            ("mnist-vae", "--data", corpus, "--paths"),
            "no model of music",
        ),
    ):
        run = musae("evaluate", *arguments)
        assert (run.code, run.out) == (2, "") and words in run.err, (arguments, run.err)


def test_melody_of_another_tempo_keeps_it(musae, folder, model):
    save(melody(4, 150), folder / "fast.mid")
    assert musae("attribute", "fast.mid", "register+1", "-m", model).code == 0
    assert round(read_midi("fast.changed.mid").qpm) == 150
