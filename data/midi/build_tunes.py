"""Make the .mid files of this folder from tunes.yaml: ``python data/midi/build_tunes.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from musicvae_lite.media.midi import METRE, NOTE, TEMPO, Score, Track, write_midi

FOLDER = Path(__file__).resolve().parent
TICKS = 120  # of a sixteenth
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def load_tunes() -> dict[str, dict[str, Any]]:
    """Return what tunes.yaml holds, by file name without suffix."""
    tunes: dict[str, dict[str, Any]] = yaml.safe_load(
        (FOLDER / "tunes.yaml").read_text(encoding="utf-8")
    )
    return tunes


def build(name: str, tune: dict[str, Any]) -> Score:
    """Turn one entry of tunes.yaml into a score.

    Raises:
        ValueError: if a bar is not full.
    """
    numerator, denominator = tune["metre"]
    rows, now = [], 0
    for number, bar in enumerate(tune["notes"].split("|"), start=1):
        begin = now
        for word in bar.split():
            pitch, length = word.split(":")
            if pitch != "R":
                rows.append((now * TICKS, (now + int(length)) * TICKS, midi_pitch(pitch), 80, 0))
            now += int(length)
        if (now - begin) * denominator != 16 * numerator:
            raise ValueError(f"{name}: bar {number} has {now - begin} sixteenths")
    metres = np.array([(0, numerator, denominator)], METRE)
    tempos = np.array([(0, tune["tempo"])], TEMPO)
    return Score(4 * TICKS, np.array(rows, NOTE), (Track(tune["title"], 0),), tempos, metres, name)


def midi_pitch(name: str) -> int:
    """Return the MIDI number of a name like ``C4`` (60), ``F#5`` or ``Bb3``."""
    return 12 * (int(name[-1]) + 1) + SEMITONES[name[0]] + name.count("#") - name.count("b")


def main() -> None:
    """Write every tune beside tunes.yaml."""
    for name, tune in load_tunes().items():
        write_midi(build(name, tune), FOLDER / f"{name}.mid", overwrite=True)


if __name__ == "__main__":
    main()
