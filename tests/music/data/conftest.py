"""A small collection of MIDI files, made by the codec itself."""

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.media.midi import midi_bytes
from musicvae_lite.music.codecs.melody import MelodyCodec

CONFIG = {"kind": "melody", "bars": 2}


def tune(seed: int, bars: int = 6) -> bytes:
    generator = np.random.default_rng(seed)
    steps = np.zeros(bars * 16, np.uint8)
    steps[::2] = generator.integers(30, 60, bars * 8)
    return midi_bytes(MelodyCodec().decode(steps))


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Forty songs of five windows each, one of them twice (in one song group), and some files that
    are none.
    """
    folder = tmp_path / "songs"
    (folder / "more").mkdir(parents=True)
    rows = []
    for number in range(40):
        name = f"more/{number:02d}.mid" if number % 2 else f"{number:02d}.MID"
        (folder / name).write_bytes(tune(number))
        rows.append((name, f"group{number}"))
    (folder / "copy.kar").write_bytes(tune(7))
    rows.append(("copy.kar", "group7"))
    (folder / "empty.mid").write_bytes(b"")
    (folder / "text.midi").write_bytes(b"a letter")
    (folder / "cut.mid").write_bytes(tune(1)[:30])
    (folder / "._00.mid").write_bytes(b"Finder")
    (folder / "notes.txt").write_bytes(b"not looked at")
    with open(folder / "index.csv", "w", newline="") as file:
        csv.writer(file).writerows([("file", "song_group"), *rows])
    return folder


@pytest.fixture
def archive(songs: Path) -> Path:
    path = songs.parent / "songs.zip"
    with zipfile.ZipFile(path, "w") as file:
        for found in sorted(songs.rglob("*")):
            if found.is_file():
                file.write(found, found.relative_to(songs).as_posix())
    return path
