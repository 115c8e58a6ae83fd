"""The README says what is so: its commands run as printed, and its figures are those of the shipped
model.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.images.data.pictures import open_pictures
from musicvae_lite.media.image import png_bytes
from musicvae_lite.model_dir.bundle import describe
from tests.idx import mnist_folder

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = "\n".join(blocks("sh")).splitlines()
    return [line.split("#")[0].strip() for line in lines if line.startswith("musae ")]


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the README speaks of."""
    folder = tmp_path_factory.mktemp("user")
    midi = ROOT / "data" / "midi"
    tunes = {
        "a": "ode_to_joy",
        "b": "yankee_doodle",
        "c": "twinkle_twinkle",
        "d": "oh_susanna",
        "song": "oh_susanna",
    }
    for name, tune in tunes.items():
        shutil.copy(midi / f"{tune}.mid", folder / f"{name}.mid")
    (folder / "my-midi").mkdir()
    for path in midi.glob("*.mid"):
        shutil.copy(path, folder / "my-midi")
    for part in ("audio", "drums"):
        shutil.copytree(ROOT / "data" / part, folder / "data" / part)
    digits = open_pictures(
        "digits", ImageCodec()
    ).everything()  # 8 x 8 digits enlarged: enough to run on
    mnist_folder(folder / "mnist", digits.images[:120], digits.labels[:120])
    for name, row in {"3": 3, "8": 8, "noisy": 5}.items():
        (folder / f"{name}.png").write_bytes(png_bytes(digits.images[row]))
    return folder


def test_the_first_command_gives_what_is_printed(tmp_path):
    first = blocks("sh")[0].split("&& ")[-1]
    shutil.copytree(ROOT / "data" / "midi", tmp_path / "data" / "midi")
    assert run(shlex.split(first), tmp_path).strip() == blocks("text")[0].strip()


def test_every_command_works_as_printed(folder):
    """Training is cut to a few steps; all else runs to the letter."""
    for command in commands():
        extra = []
        if command.startswith("musae train"):
            short = {"epochs": "null", "steps": 2, "batch_size": 16, "valid_windows": 8}
            extra = [
                word
                for key, value in short.items()
                for word in ("--set", f"training.{key}={value}")
            ]
            extra += (
                ["--data", "mnist"] if command == "musae train mnist-vae" else []
            )  # nothing is fetched here
        elif "--model run" in command:
            extra = ["-o", "mine.mid"]
        run([*shlex.split(command), *extra], folder)
    for name in (
        "grid.png",
        "path.png",
        "a__b.mid",
        "song.reconstructed.mid",
        "sample-04.mid",
        "z.npz",
        "corpus/dropped.csv",
        "mine.mid",
    ):
        assert (folder / name).is_file(), name
    for name in (
        "digits/latent-grid.png",
        "runs/mnist-vae/config.json",
        "strip.png",
        "noisy.denoised.png",
        "before-after.png",
        "ode_to_joy_noisy.denoised.flac",
    ):
        assert (folder / name).is_file(), name


def test_the_python_snippet_works(tmp_path):
    shutil.copytree(ROOT / "data" / "midi", tmp_path / "data" / "midi")
    subprocess.run(
        [sys.executable, "-c", blocks("python")[0]], cwd=tmp_path, check=True, timeout=120
    )
    assert (tmp_path / "halfway.mid").is_file()


def test_training_in_python_works(folder):
    """It is cut to two steps."""
    code = blocks("python")[1]
    short = '"training.steps=2", "training.batch_size=16", "training.valid_windows=8"'
    assert code.count('"training.steps=500"') == 1
    text = (
        "import musicvae_lite as mv\n"
        + code.replace('"training.steps=500"', short)
        + "assert tuned.name == 'tuned'\n"
    )
    place = folder / "in-python"
    shutil.copytree(folder / "my-midi", place / "my-midi")
    subprocess.run([sys.executable, "-c", text], cwd=place, check=True, timeout=300)
    assert (place / "tuned" / "model.safetensors").is_file()


def test_ci_runs_the_commands_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    setup = blocks("sh")[-1].split("&& ")
    for part in setup[2:]:
        for word in shlex.split(part):
            assert word in script, word


def test_figures_are_those_of_the_model():
    metrics = describe("mel-2bar").metrics
    config = json.loads(
        (ROOT / "data" / "models" / "mel-2bar" / "config.json").read_text(encoding="utf-8")
    )
    assert config["metrics"] == metrics
    for key, form in {
        "accuracy": "{:.3f}",
        "onset_accuracy": "{:.3f}",
        "kl_bits": "{:.1f}",
    }.items():
        assert form.format(metrics[key]) in README
