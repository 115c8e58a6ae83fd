"""Make ode_to_joy_noisy.flac: a demo tune under tape hiss and mains hum: ``python
data/audio/build_demo.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.audio.denoise.noises import synthesise, unit
from musicvae_lite.media.audio import Audio, write_audio
from musicvae_lite.media.midi import read_midi

FOLDER = Path(__file__).resolve().parent
RATE, SECONDS, SNR_DB, PEAK = 22050, 10.0, 8.0, 0.7
LEAD = 0.75  # seconds of noise alone at the start, for --profile


def play(name: str) -> NDArray[np.float32]:
    """Return the start of a demo tune as struck strings: six harmonics, the higher the sooner gone,
    [N].
    """
    score = read_midi(FOLDER.parent / "midi" / f"{name}.mid")
    seconds_a_tick = 60 / score.qpm / score.ticks_per_quarter
    wave = np.zeros(round(SECONDS * RATE))
    for note in score.notes:
        first = round((LEAD + note["start"] * seconds_a_tick) * RATE)
        length = round(((note["end"] - note["start"]) * seconds_a_tick + 0.3) * RATE)
        time = np.arange(max(min(length, len(wave) - first), 0)) / RATE
        hz = 440 * 2 ** ((int(note["pitch"]) - 69) / 12)
        tone = sum(
            np.sin(2 * np.pi * hz * n * time) * np.exp(-time * (1 + n)) / n for n in range(1, 7)
        )
        wave[first : first + len(time)] += (
            tone * np.minimum(1, time / 0.005) * np.minimum(1, (length / RATE - time) / 0.3)
        )
    return wave.astype(np.float32)


def noise(samples: int) -> NDArray[np.float32]:
    """Return tape hiss with some mains hum, the same every time, [N] of level 1."""
    random = np.random.default_rng(7)
    return unit(
        synthesise("hiss", samples, RATE, random)
        + np.float32(0.6) * synthesise("hum", samples, RATE, random)
    )


def build() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the clean and the noisy tune, [N] each."""
    clean = unit(play("ode_to_joy"))
    noisy = clean + noise(len(clean)) * np.float32(10 ** (-SNR_DB / 20))
    size = np.float32(PEAK / np.abs(noisy).max())
    return clean * size, noisy * size


def main() -> None:
    """Write the noisy tune beside this file."""
    _, noisy = build()
    write_audio(
        Audio(noisy[None], RATE, "FLAC", "PCM_16"), FOLDER / "ode_to_joy_noisy.flac", overwrite=True
    )


if __name__ == "__main__":
    main()
