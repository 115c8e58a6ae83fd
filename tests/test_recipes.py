"""The recipes of docs/recipes do what they say, word for word, in packages outside of this tree."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "docs" / "recipes"
MIDI = ROOT / "data" / "midi"
# Each recipe: name of its module, and of the run file.
MAIN = "from musae.app import main\n"
EXTENSIONS = {"codec": "tablature", "decoder": "transformer", "latent": "vq"}


def block(recipe: str, language: str) -> str:
    """The one block of a language in a recipe."""
    text = (RECIPES / f"{recipe}.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)
    return found


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder / "site"), *sys.path])},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path):
    """A folder with tunes, and two of them by name."""
    shutil.copytree(MIDI, tmp_path / "tunes", ignore=shutil.ignore_patterns("*.py"))
    shutil.copy(MIDI / "ode_to_joy.mid", tmp_path / "a.mid")
    shutil.copy(MIDI / "twinkle_twinkle.mid", tmp_path / "b.mid")
    return tmp_path


def install(recipe: str, folder: Path) -> list[Path]:
    """Write the package of a recipe as an installer would; return the files that the author
    wrote.
    """
    site = folder / "site"
    module = site / f"{EXTENSIONS[recipe]}.py"
    project = folder / "pyproject.toml"
    site.mkdir()
    module.write_text(block(recipe, "python"), encoding="utf-8")
    project.write_text(block(recipe, "toml"), encoding="utf-8")
    facts = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    info = site / f"{facts['name']}-{facts['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {facts['name']}\nVersion: {facts['version']}\n")
    groups = facts["entry-points"].items()
    lines = [
        line
        for group, points in groups
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (folder / "run.yaml").write_text(block(recipe, "yaml"), encoding="utf-8")
    return [module, project]


@pytest.mark.parametrize("recipe", EXTENSIONS)
def test_an_extension_takes_two_files_and_works_in_every_verb(recipe, folder):
    written = install(recipe, folder)
    assert len(written) <= 2
    verbs = [
        "prepare tunes --preset run.yaml -o corpus --workers 1",
        "train run.yaml --data corpus -o run -q",
        "interpolate a.mid b.mid --steps 3 -m run",
        "reconstruct a.mid -m run",
        "sample --count 1 -m run",
        "encode a.mid -o z.npz -m run",
        "decode z.npz -m run",
        "inspect a.mid -m run",
    ]
    run(folder, "-c", f"{MAIN}for verb in {verbs}: assert main(verb.split()) == 0, verb")
    card = (folder / "run" / "README.md").read_text(encoding="utf-8")
    assert EXTENSIONS[recipe] in card or recipe == "latent"


def test_the_law_of_codecs_holds_for_the_recipe(folder):
    install("codec", folder)
    program = """if True:
        import numpy as np
        import musicvae_lite as mv
        codec = mv.build_codec({"kind": "tablature"})
        encoded = codec.encode(mv.read_midi("a.mid"))
        assert len(encoded.windows)
        for window in encoded.windows:
            again = codec.encode(codec.decode(window)).windows[0]
            assert np.array_equal(again, window), (window, again)
        print(codec.config())"""
    assert "'kind': 'tablature'" in run(folder, "-c", program)


def test_a_training_loop_of_ones_own(folder):
    program = block("training-loop", "python")
    lines = [line for line in program.splitlines() if line and not line.startswith("import")]
    assert len(lines) <= 25
    prepare = ["prepare", "tunes", "--preset", "mel-2bar", "-o", "corpus", "--workers", "1"]
    run(folder, "-c", f"{MAIN}assert main({prepare}) == 0\n{program}")
    assert {path.name for path in (folder / "mine").iterdir()} >= {"model.safetensors", "README.md"}


def test_an_unknown_kind_names_the_nearest(folder):
    install("codec", folder)
    program = """if True:
        import musicvae_lite as mv
        mv.build_codec({"kind": "tabulature"})"""
    with pytest.raises(AssertionError, match="'tabulature' is not known; did you mean 'tablature'"):
        run(folder, "-c", program)
