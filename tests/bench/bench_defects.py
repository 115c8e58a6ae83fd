"""Kinds of defects, and what mends them: musae beside what can be installed.

    python tests/bench/bench_defects.py CLEAN [--clips N] [--json FILE]

CLEAN is a folder of clean recordings. Each kind of defect is added to clips of 4.5 s; gains are in
dB of SI-SDR, mean and worst. noisereduce and log-MMSE (of which noise alone is not shown) take part
where they are installed. The classic declicker replaces what lies far from a running median by a
straight line.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import median_filter

from musicvae_lite.audio.denoise.noises import synthesise
from musicvae_lite.audio.denoise.session import DenoiseSession
from musicvae_lite.media.audio import Audio, read_audio, resample
from musicvae_lite.model_dir.handle import load_as

RATE, SECONDS = 44100, 4.5
Method = Callable[[np.ndarray], np.ndarray]


def clicks(samples: int, random: np.random.Generator) -> np.ndarray:
    """Return short clicks, 15 to 60 a second, without a surface noise."""
    wave = np.zeros(samples)
    for at in random.integers(500, samples - 500, int(SECONDS * random.uniform(15, 60))):
        shape = np.exp(-np.arange(int(random.integers(2, 30))) / random.uniform(2, 8))
        wave[at : at + len(shape)] += random.choice((-1, 1)) * random.lognormal(0, 0.5) * shape
    return wave


def defects() -> dict[str, Callable[[int, np.random.Generator], np.ndarray]]:
    """Return what makes each kind, of any level."""

    def noise(kind: str) -> Callable[[int, np.random.Generator], np.ndarray]:
        return lambda samples, random: synthesise(kind, samples, RATE, random)

    return {kind: noise(kind) for kind in ("white", "hiss", "hum", "crackle")} | {"clicks": clicks}


def declick(wave: np.ndarray) -> np.ndarray:
    """Replace what lies far from a running median by straight lines."""
    away = np.abs(wave - median_filter(wave, 31))
    far = away > 6 * median_filter(away[::16], 129).repeat(16)[: len(wave)] + 1e-4
    known = np.flatnonzero(~far)
    return np.interp(np.arange(len(wave)), known, wave[known])


def methods() -> dict[str, Method]:
    """Return all that is installed."""
    session = load_as(DenoiseSession, "denoise")
    found: dict[str, Method] = {
        "musae denoise": lambda wave: session.denoise(
            Audio(wave[None].astype(np.float32), RATE)
        ).samples[0],
        "classic declicker": declick,
    }
    if importlib.util.find_spec("noisereduce"):
        import noisereduce

        found["noisereduce"] = lambda wave: noisereduce.reduce_noise(y=wave, sr=RATE)
    if importlib.util.find_spec("logmmse"):
        from logmmse import logmmse

        found["log-MMSE"] = lambda wave: np.resize(
            logmmse(np.int16(wave.clip(-1, 1) * 32767), RATE) / 32767, wave.shape
        )
    return found


def si_sdr(clean: np.ndarray, wave: np.ndarray) -> float:
    """Return the level of the clean sound beside all else, in dB."""
    part = (wave @ clean) / (clean @ clean) * clean
    return float(10 * np.log10((part @ part) / (np.square(wave - part).sum() + 1e-20)))


def clips(folder: Path, count: int) -> list[np.ndarray]:
    """Return clips [N] from the middle of recordings."""
    found: list[np.ndarray] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in (".wav", ".flac", ".ogg") or len(found) >= count:
            continue
        audio = read_audio(path)
        mono = resample(audio.samples.mean(0, keepdims=True), audio.rate, RATE)[0]
        size = int(SECONDS * RATE)
        if len(mono) >= size and np.abs(mono).max() > 0.01:
            at = (len(mono) - size) // 2
            found.append(0.5 * mono[at : at + size] / np.abs(mono[at : at + size]).max())
    return found


def main() -> None:
    """Print a table: a line a method, a column a kind of defect."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--snr", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    music, able = clips(arguments.data, arguments.clips), methods()
    gains: dict[str, dict[str, list[float]]] = {name: {} for name in able}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for kind, make in defects().items():
            for number, clean in enumerate(music):
                clean = clean.astype(np.float64)
                noise = make(len(clean), np.random.default_rng(number)).astype(np.float64)
                size = np.sqrt((clean @ clean) / (noise @ noise)) * 10 ** (-arguments.snr / 20)
                noisy = clean + size * noise
                for name, method in able.items():
                    gain = si_sdr(clean, method(noisy)) - si_sdr(clean, noisy)
                    gains[name].setdefault(kind, []).append(gain)
    print(f"{len(music)} clips at {arguments.snr:g} dB; mean (worst) gain in dB\n")
    print("| method | " + " | ".join(defects()) + " |")
    print("|---" * (1 + len(defects())) + "|")
    for name, kinds in gains.items():
        cells = (f"{np.mean(values):.1f} ({min(values):.1f})" for values in kinds.values())
        print(f"| {name} | " + " | ".join(cells) + " |")
    if arguments.json:
        arguments.json.write_text(json.dumps(gains, indent=1))


if __name__ == "__main__":
    main()
