"""The wheel holds all that a user needs, and takes no common name."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_top_level_names(wheel):
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"musae", "musicvae_lite"}


def test_type_checkers_may_read_the_annotations(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"musicvae_lite/py.typed", "musae/py.typed"} <= set(names)


def test_the_unpacked_wheel_works_from_another_folder(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    user = tmp_path / "elsewhere"
    user.mkdir()
    environment = os.environ | {"PYTHONPATH": str(site)}

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=user,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )

    assert str(site) in python("-c", "import musicvae_lite; print(musicvae_lite.__file__)").stdout
    assert "mel-2bar" in python("-m", "musae", "models").stdout
    assert "cat-mel_2bar_big" in python("-m", "musae", "presets").stdout
    tunes = [
        str(ROOT / "data" / "midi" / f"{name}.mid") for name in ("ode_to_joy", "auld_lang_syne")
    ]
    python("-m", "musae", "interpolate", *tunes)
    assert (user / "ode_to_joy__auld_lang_syne.mid").is_file()
