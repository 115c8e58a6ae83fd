"""The public API type-checks as the README and the docs use it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from musicvae_lite.model_dir.bundle import shipped_models
from musicvae_lite.model_dir.handle import ImageModel, MusicModel

ROOT = Path(__file__).resolve().parents[1]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "docs" / "recipes"]

SESSIONS = """
import musicvae_lite as mv

def music(session: mv.MusicSession) -> mv.Session:
    return session

def images(session: mv.ImageSession) -> mv.Session:
    return session

def denoise(session: mv.DenoiseSession) -> mv.Session:
    return session

def timbre(session: mv.TimbreSession) -> mv.Session:
    return session

path = mv.load("mel-2bar").interpolate("a.mid", "b.mid", steps=9)
first: mv.Score = path[0]
any_model: mv.Session = mv.load("my/model")
notes: mv.MusicSession = mv.load_as(mv.MusicSession, "my/model")
model: mv.Autoencoder = notes.model
"""


def snippets() -> dict[str, str]:
    found = {"sessions": SESSIONS}
    for place in TEXTS:
        for path in [place] if place.is_file() else sorted(place.glob("training-loop.md")):
            blocks = re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), flags=re.DOTALL)
            if blocks:
                found[path.stem.lower().replace("-", "_")] = "\n".join(blocks)
    return found


def test_snippets_type_check(tmp_path):
    pytest.importorskip("mypy")
    names = snippets()
    assert {"readme", "training_loop"} <= names.keys()
    for name, text in names.items():
        (tmp_path / f"{name}_snippet.py").write_text(text, encoding="utf-8")
    files = [str(path) for path in tmp_path.glob("*.py")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--allow-untyped-calls", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_names_of_shipped_models_are_known_to_the_type_checker():
    known = {*get_args(MusicModel), *get_args(ImageModel), "denoise"}
    assert known == set(shipped_models())
