"""A run goes on from wherever it was killed, and comes to the same end."""

import os

import pytest

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.locks import only_writer
from musicvae_lite.model_dir.bundle import describe, load_bundle
from musicvae_lite.music.attribute_vectors import has_vectors
from musicvae_lite.training.checkpoint import STATE
from musicvae_lite.training.train import train
from tests.killed import killed_at
from tests.training.test_train import corpus, settings  # noqa: F401

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
CONFIG = settings(training__steps=6, training__valid_every=3, training__save_every=2)
#: Every so manieth change of the folder; MUSAE_KILL_STRIDE=1 takes all.
STRIDE = int(os.environ.get("MUSAE_KILL_STRIDE", "17"))
FILES = ("model.safetensors", "last/model.safetensors", "attributes.json")


def run(corpus, output, resume=False):  # noqa: F811
    return train(CONFIG, corpus, output, resume=resume, device="cpu")


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):  # noqa: F811
    """What a run leaves that nobody killed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(corpus, folder)
    return {name: (folder / name).read_bytes() for name in FILES}


def test_every_kill_can_be_gone_on_from(corpus, whole, tmp_path):  # noqa: F811
    point = begun = 0
    while True:
        folder = tmp_path / f"run{point}"
        killed = killed_at(point, folder, lambda folder=folder: run(corpus, folder))
        if not killed:
            break
        begun += 1
        resume = (folder / STATE).exists()
        if (folder / "config.json").exists():
            load_bundle(folder)
            assert resume, f"a model and no state after change {point}"
        try:
            run(corpus, folder, resume=resume)
        except UsageError as error:  # the last change of all: it was finished
            assert "is trained already" in str(error), point
        found = {name: (folder / name).read_bytes() for name in FILES}
        assert found == whole, f"another end after change {point}"
        assert not [name for name in os.listdir(folder) if name.startswith(".musae")], point
        assert not [name for name in os.listdir(folder / "last") if name.startswith(".")], point
        point += STRIDE
    assert begun * STRIDE > 60


def test_vectors_that_were_left_out_are_learned_by_resuming(corpus, tmp_path):  # noqa: F811
    run(corpus, tmp_path / "run")
    (tmp_path / "run" / "attributes.json").unlink()
    assert run(corpus, tmp_path / "run", resume=True).finished
    assert has_vectors(tmp_path / "run", describe(tmp_path / "run").sha256)
    with pytest.raises(UsageError, match="is trained already"):
        run(corpus, tmp_path / "run", resume=True)


def test_two_runs_in_one_folder(corpus, tmp_path):  # noqa: F811
    with only_writer(tmp_path / "run", "musae train"):
        with pytest.raises(MusaeError, match="writes there"):
            run(corpus, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    run(corpus, tmp_path / "run")
