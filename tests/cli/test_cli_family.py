"""The verbs on drums and trios, and import-magenta, as a user calls them."""

import json

import numpy as np
import pytest
from musae.app import main

import musicvae_lite as mv
from musicvae_lite.media.midi import read_midi
from musicvae_lite.model_dir.bundle import shipped_models
from tests.magenta.magenta_variables import variables
from tests.magenta.tf_writer import write_checkpoint
from tests.tiny import save, score

PREFIX = "model.ckpt-7"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Imported models with random weights: of drums, and of trios."""
    folder = tmp_path_factory.mktemp("imported")
    for name, preset in (("drums", "cat-drums_2bar_small"), ("trio", "hierdec-trio_16bar")):
        write_checkpoint(folder / f"{name}-run" / PREFIX, variables(preset))
        assert (
            main(
                [
                    "import-magenta",
                    str(folder / f"{name}-run"),
                    "-p",
                    preset,
                    "-o",
                    str(folder / name),
                    "-q",
                ]
            )
            == 0
        )
    return folder


def band(bars, bass=33):
    from musicvae_lite.media.midi import Track

    rows = [
        (4 * bar + beat, 4 * bar + beat + 0.5, 60, 0) for bar in range(bars) for beat in range(4)
    ]
    rows += [(4 * bar, 4 * bar + 1, 40, 1) for bar in range(bars)] + [
        (4 * bar, 4 * bar, 36, 2) for bar in range(bars)
    ]
    rows = [(start, max(end, start + 0.1), pitch, track) for start, end, pitch, track in rows]
    return score(rows, (Track("lead", 0), Track("low", bass), Track("kit", 0, True)))


def test_import_says_what_it_made(models, tmp_path, capsys):
    run, out = str(models / "drums-run"), str(tmp_path / "m")
    assert (
        main(["import-magenta", run, "--preset", "cat-drums_2bar_small", "-o", out, "--json"]) == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert document["preset"] == "cat-drums_2bar_small" and document["settings"]["latent_size"] == 6
    assert main(["import-magenta", run, "--preset", "cat-drums_2bar_small", "-o", out]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (
        main(["import-magenta", run, "--preset", "hier-mel_16bar", "-o", str(tmp_path / "n")]) == 1
    )
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "n").exists()


def test_every_verb_on_drums(models, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, model = save(band(5), tmp_path / "song.mid"), str(models / "drums")
    for arguments in (
        ["inspect", path],
        ["interpolate", path, path, "--steps", "3", "-o", "x.mid"],
        ["reconstruct", path],
        ["reconstruct", path, "--role", "drums=1", "-o", "y.mid"],
        ["sample", "--count", "1", "-o", "s.mid"],
        ["encode", path, "-o", "z.npz"],
        ["decode", "z.npz"],
    ):
        assert main([*arguments, "-m", model]) == 0, arguments
    assert np.load("z.npz")["mean"].shape[1] == 6


def test_every_verb_on_trios(models, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, model = save(band(16), tmp_path / "song.mid"), str(models / "trio")
    for arguments in (
        ["interpolate", path, path, "--steps", "2", "-o", "x.mid"],
        ["reconstruct", path, "--role", "melody=2", "--role", "bass=1"],
        ["encode", path, "-o", "z.npz"],
        ["decode", "z.npz"],
    ):
        assert main([*arguments, "-m", model]) == 0, arguments
    capsys.readouterr()
    assert main(["inspect", path, "-m", model]) == 0
    assert "bass, program 33, 16 notes; 1 window in bars 1-16" in capsys.readouterr().out


if "trio-16bar" in shipped_models():

    def test_the_shipped_trio_turns_one_band_into_another(tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(tmp_path)
        save(band(16), tmp_path / "a.mid")
        other = band(16)
        pitched = other.notes["track"] < 2
        higher = np.where(other.notes["start"] // other.ticks_per_quarter % 2 == 0, 7, 5)
        other.notes["pitch"][pitched] += higher[pitched].astype(np.uint8)
        save(other, tmp_path / "b.mid")
        assert (
            main(
                [
                    "interpolate",
                    "a.mid",
                    "b.mid",
                    "-m",
                    "trio-16bar",
                    "--steps",
                    "3",
                    "-o",
                    "steps/",
                    "--json",
                ]
            )
            == 0
        )
        heard = json.loads(capsys.readouterr().out)["inputs"]
        assert min(one["onset_accuracy"] for one in heard) > 0.8
        session = mv.load("trio-16bar", device="cpu")
        windows = [
            session.codec.encode(read_midi(tmp_path / name)).windows[0]
            for name in ("a.mid", "b.mid")
        ]
        steps = [
            session.codec.encode(read_midi(path)).windows[0]
            for path in sorted((tmp_path / "steps").iterdir())
        ]
        assert len(steps) == 3
        for end, near, far in ((windows[0], steps[0], steps[2]), (windows[1], steps[2], steps[0])):
            assert (near == end).mean() > 0.9 and (near == end).mean() > (far == end).mean()


def test_a_missing_role_is_named_and_can_be_given(models, tmp_path, capsys):
    path, model = save(band(16, bass=48), tmp_path / "song.mid"), str(models / "trio")
    out = str(tmp_path / "y.mid")
    assert main(["reconstruct", path, "-m", model, "-o", out]) == 3
    error = capsys.readouterr().err
    assert (
        "it has no bass track; could be named: track 2 (low), as in --role bass=2" in error
        and error.count("\n") == 1
    )
    assert main(["reconstruct", path, "-m", model, "-o", out, "--role", "bass=2"]) == 0
    for wrong, message in (
        ("base=2", "did you mean 'bass'"),
        ("bass=9", "no track 9 for bass"),
        ("bass", "not ROLE=N"),
    ):
        assert (
            main(["reconstruct", path, "-m", model, "-o", out, "--overwrite", "--role", wrong]) == 2
        )
        assert message in capsys.readouterr().err
    assert main(["reconstruct", path, "-m", model, "-o", out, "--overwrite", "--track", "2"]) == 2


def test_two_roles_on_one_track_are_refused(models, tmp_path, capsys):
    path, model = save(band(16), tmp_path / "song.mid"), str(models / "trio")
    assert main(["reconstruct", path, "-m", model, "--role", "bass=2", "--role", "melody=2"]) == 2
    assert (
        "track 2 cannot be bass and melody; name another track for one of them"
        in capsys.readouterr().err
    )
