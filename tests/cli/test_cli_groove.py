from dataclasses import replace

import numpy as np
import pytest

from musicvae_lite.codecs.groove import GrooveCodec
from musicvae_lite.media.midi import PEDAL, Text, read_midi
from tests.grooves import beat, save_groove_model, windows
from tests.tiny import save


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_groove_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(beat(), tmp_path / "beat.mid")
    save(beat(3, 140), tmp_path / "other.mid")
    save(beat(drums=False), tmp_path / "none.mid")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["humanize", "beat.mid"], "beat.humanized.mid"),
        (["tap", "beat.mid"], "beat.beat.mid"),
        (["add", "beat.mid", "--drum", "low tom"], "beat.added.mid"),
        (["transfer", "other.mid", "beat.mid"], "beat.grooved.mid"),
    ],
)
def test_every_verb_writes_a_file_and_says_so(musae, here, model, arguments, output):
    run = musae("groove", *arguments, "--model", model, "--json")
    assert run.code == 0 and run.json["files"][0]["output"] == output
    assert run.json["files"][0]["windows"] == 3
    assert [track.is_drum for track in read_midi(output).tracks] == [True]
    assert musae("groove", *arguments, "--model", model).code == 2  # it is there already
    assert musae("groove", *arguments, "--model", model, "--overwrite", "--keep-tracks").code == 0
    assert [track.name for track in read_midi(output).tracks][1:] == ["Bass"]


def test_adding_says_what_was_added_in_place_of_what(musae, here, model):
    run = musae("groove", "add", "beat.mid", "-m", model)
    assert run.code == 0 and "; closed hi-hat: " in run.out and " added in place of 40" in run.out


def test_a_drum_that_is_never_played_is_not_written(musae, here, model, monkeypatch):
    monkeypatch.setattr(
        "musicvae_lite.models.likelihood.Groove.sample", lambda own, outputs, *_: outputs.new_zeros(outputs.shape)
    )
    run = musae("groove", "add", "beat.mid", "--drum", "ride", "-m", model)
    assert (run.code, run.out) == (3, "") and "plays no ride" in run.err and not (here / "beat.added.mid").exists()


def test_pedals_and_texts_of_the_other_tracks_are_kept(musae, here, model):
    piece = beat()
    bass = next(index for index, track in enumerate(piece.tracks) if not track.is_drum)
    words = (Text(480, "lyrics", "la"), Text(960, "marker", "Verse"))
    save(replace(piece, pedals=np.array([(100, 1800, bass)], PEDAL), texts=words), here / "pedal.mid")
    assert musae("groove", "humanize", "pedal.mid", "-m", model, "--keep-tracks", "-o", "x.mid").code == 0
    before, after = (read_midi(name, texts=True) for name in ("pedal.mid", "x.mid"))
    assert [(text.kind, text.text) for text in after.texts] == [("lyrics", "la"), ("marker", "Verse")]
    ticks = [(score.pedals["end"] - score.pedals["start"]) / score.ticks_per_quarter for score in (before, after)]
    assert len(after.pedals) == 1 and ticks[0] == pytest.approx(ticks[1], abs=0.01)
    assert after.tracks[after.pedals["track"][0]].name == "Bass"


def test_several_files(musae, here, model):
    run = musae("groove", "humanize", "beat.mid", "none.mid", "other.mid", "-o", "made/", "--model", model)
    assert run.code == 1 and "none.mid: no groove" in run.err and "1 of 3 files failed" in run.err
    assert sorted(path.name for path in (here / "made").iterdir()) == ["beat.mid", "other.mid"]


def test_bad_input_is_one_line_and_writes_nothing(musae, here, model, tiny):
    before = sorted(here.iterdir())
    cases = [
        (["humanize", "none.mid", "-m", model], 3, "has no drum track (channel 10)"),
        (["humanize", "gone.mid", "-m", model], 1, "gone.mid: no such file"),
        (["add", "beat.mid", "--drum", "cowbell", "-m", model], 2, "there is no drum 'cowbell'"),
        (["humanize", "beat.mid", "-m", tiny], 2, "is no groove model"),
        (["humanize", "beat.mid", "-m", "nothing"], 2, "no model 'nothing'"),
        (["humanize", "beat.mid", "--track", "3", "-m", model], 2, "there is no track 3"),
        (["humanize", "a.wav", "-m", model], 2, "holds sound"),
        (["transfer", "none.mid", "beat.mid", "-m", model], 3, "none.mid: no groove"),
        (["transfer", "beat.mid", "-m", model], 2, "missing argument"),
        (["humanize"], 2, "missing argument"),
    ]
    for arguments, code, message in cases:
        run = musae("groove", *arguments)
        assert (run.code, run.out) == (code, "") and message in run.err and run.err.count("\n") == 1, run
    assert sorted(here.iterdir()) == before


def test_the_help_names_the_verbs(musae):
    run = musae("groove", "--help")
    assert run.code == 0 and all(verb in run.out for verb in ("humanize", "tap", "add", "transfer"))


def test_verbs_of_all_models_work_with_grooves(musae, here, model):
    assert musae("reconstruct", "beat.mid", "-m", model).code == 0
    assert musae("interpolate", "beat.mid", "other.mid", "-m", model, "--steps", "3").code == 0
    assert musae("sample", "-m", model, "--count", "1", "--temperature", "1", "-o", "s.mid").code == 0
    assert musae("inspect", "beat.mid", "-m", model, "--json").json["files"][0]["windows"] == 4
    assert musae("encode", "beat.mid", "-m", model, "-o", "z.npz").code == 0
    assert musae("decode", "z.npz", "-o", "back.mid", "-m", model).code == 0


def test_prepare_train_and_evaluate(musae, here, model):
    files = here / "files"
    files.mkdir()
    for number in range(8):
        save(GrooveCodec().join(list(windows(2, seed=number))), files / f"{number}.mid")
    assert musae("prepare", files, "--preset", "groove-2bar", "-o", "corpus", "--valid-fraction", "0.3").code == 0
    sizes = ["model.latent_size=4", "model.encoder.sizes=[8]", "model.decoder.sizes=[8]", "training.steps=2"]
    settings = [part for size in [*sizes, "training.batch_size=2"] for part in ("--set", size)]
    assert musae("train", "groove-2bar", "--data", "corpus", "-o", "run", *settings).code == 0
    run = musae("evaluate", "run", "--data", "corpus", "--json", "--split", "all")
    grooves = run.json["grooves"]
    assert list(grooves) == ["reconstruct", "humanize", "tap", "add", "humanize (grid)", "humanize (position mean)"]
    assert set(grooves["humanize (grid)"]) == {"timing_ms", "velocity", "velocity_mean"}
    assert 20 < grooves["humanize (grid)"]["timing_ms"] < 40 and grooves["humanize (position mean)"]["velocity"] > 5
    assert set(grooves["humanize"]) == {"hit_f1", "timing_ms", "velocity"}
    assert "humanize (grid): timing_ms" in musae("evaluate", "run", "--data", "corpus", "--split", "all").out
