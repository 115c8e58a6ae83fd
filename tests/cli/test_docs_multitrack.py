"""The commands of docs/multitrack.md and docs/piano-2bar.md run as printed."""

import re
import shlex
from pathlib import Path

import pytest

from musicvae_lite.config import load_config
from tests.cli.test_cli_multitrack import band
from tests.tiny import save, save_random, save_tiny_model

DOCS = Path(__file__).resolve().parents[2] / "docs"
SMALL = [
    "codec.events=10",
    "codec.tracks=3",
    "codec.min_events=2",
    "model.latent_size=8",
    "model.encoder.levels=[10,3]",
    "model.encoder.sizes=[8]",
    "model.encoder.readout_size=[4,4]",
    "model.decoder.levels=[3,10]",
    "model.decoder.conductor=[8]",
    "model.decoder.sizes=[8]",
]


def commands(name: str) -> list[str]:
    """The commands of a page that use a model, each once."""
    text = (DOCS / name).read_text(encoding="utf-8").replace("\\|", "|")
    found = re.findall(r"`(musae [^`]+)`|^ {4}(musae .+)$", text, flags=re.MULTILINE)
    lines = [line for pair in found for line in pair if line]
    return [line for line in dict.fromkeys(lines) if re.search(r"-m (band|piano)", line)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save_random(folder / "band", load_config("multitrack-1bar-chords", SMALL))
    save_tiny_model(folder / "piano", "piano-2bar")
    return folder


@pytest.fixture
def files(tmp_path, monkeypatch, models):
    monkeypatch.chdir(tmp_path)
    for name in ("band", "piano"):
        (tmp_path / name).symlink_to(models / name, target_is_directory=True)
    for name, bars in {"song": 4, "a": 4, "b": 8, "prelude": 3, "ballad": 5}.items():
        save(band(bars), tmp_path / f"{name}.mid")


@pytest.mark.parametrize("page", ["multitrack.md", "piano-2bar.md"])
def test_every_command_works_as_printed(page, musae, files):
    found = commands(page)
    assert len(found) >= 4
    for command in found:
        arguments = shlex.split(command)[1:]
        writes = arguments[0] != "inspect"
        run = musae(*arguments, *(["--overwrite"] if writes else []))
        assert run.code == 0, (command, run.err)
