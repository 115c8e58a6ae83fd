"""Running the command in this process."""

import json
from typing import NamedTuple

import pytest
from musae.app import main

from tests.tiny import melody, save, save_tiny_model


class Run(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def musae(capsys):
    """Run ``musae`` with some arguments."""

    def run(*arguments) -> Run:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Run(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A model folder."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with the melodies a.mid (5 bars) and b.mid (3 bars)."""
    monkeypatch.chdir(tmp_path)
    save(melody(5, 90, "A"), tmp_path / "a.mid")
    save(melody(3, 150, "B", 70), tmp_path / "b.mid")
    return tmp_path
