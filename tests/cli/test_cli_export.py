"""``musae export``: what it writes, and what it refuses."""

import json

import pytest


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory):
    """A tiny model of sound that has no graphs."""
    from musicvae_lite.config import load_config
    from tests.tiny import save_random

    return save_random(tmp_path_factory.mktemp("models") / "timbre", load_config("timbre", []))


def test_a_folder_of_graphs_is_written(musae, folder, tiny):
    run = musae("export", tiny, "-o", "out/", "--json")
    assert run.code == 0, run.err
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {"encoder.onnx", "decoder_start.onnx", "decoder_step.onnx", "musae.json",
                     "README.md"}  # fmt: skip
    assert set(run.json["files"]) == names
    about = json.loads((folder / "out" / "musae.json").read_text())
    assert about["model"] == "tiny" and about["grid"]["steps_per_bar"] == 16
    before = (folder / "out" / "musae.json").read_bytes()
    again = musae("export", tiny, "-o", "out")
    assert again.code == 2 and "exists already" in again.err
    assert (folder / "out" / "musae.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mel-2baar", "-o", "x"], "mel-2bar"),
        (["mel-2bar", "-o", "a.mid"], "is a file"),
        (["mel-2bar", "-o", "no/such/place"], "no such folder"),
        (["mel-2bar"], "--output"),
    ],
)
def test_what_cannot_be_is_refused_at_once(musae, folder, arguments, says):
    run = musae("export", *arguments)
    assert run.code == 2 and says in run.err and len(run.err.splitlines()) <= 2
    assert not (folder / "x").exists()


def test_a_medium_without_graphs_says_so(musae, folder, denoiser):
    run = musae("export", denoiser, "-o", "x")
    assert run.code == 2 and "cannot be exported" in run.err
    assert not (folder / "x").exists()
