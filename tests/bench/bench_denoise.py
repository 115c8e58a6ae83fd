"""A denoiser beside what a user would take instead, and beside the ceilings of a mask.

    python tests/bench/bench_denoise.py MODEL CLEAN_OR_PAIRS [--limit N] [--json FILE]

CLEAN_OR_PAIRS is a folder of clean recordings (or MIDI files), which are mixed with synthesised
noises at 0 to 15 dB, or of noisy and clean pairs. noisereduce, scipy and logmmse take part where
they are installed. The oracles see the clean sound.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from musicvae_lite.audio.denoise.evaluate import Example, SoundMeasures, evaluate_examples
from musicvae_lite.audio.denoise.pairs import find_pairs
from musicvae_lite.audio.denoise.scoring import mixture_examples, pair_examples
from musicvae_lite.audio.denoise.session import DenoiseSession
from musicvae_lite.media.audio import Audio
from musicvae_lite.media.spectrum import grid_of, istft, stft
from musicvae_lite.model_dir.bundle import describe
from musicvae_lite.model_dir.handle import load_as

Method = Callable[[np.ndarray, int], np.ndarray]


def classics() -> dict[str, Method]:
    """Return the methods that are installed, with their default settings.

    They know nothing of the noise.
    """
    found: dict[str, Method] = {"untouched": lambda samples, rate: samples}
    if importlib.util.find_spec("noisereduce"):
        import noisereduce

        found["noisereduce"] = lambda samples, rate: noisereduce.reduce_noise(y=samples, sr=rate)
    if importlib.util.find_spec("scipy"):
        from scipy.signal import wiener

        found["scipy wiener"] = lambda samples, rate: np.stack(
            [wiener(channel, 9) for channel in samples]
        )
    if importlib.util.find_spec("logmmse"):
        from logmmse import logmmse

        found["log-MMSE"] = lambda samples, rate: np.stack(
            [
                np.resize(logmmse(np.int16(channel * 32767), rate) / 32767, channel.shape)
                for channel in samples
            ]
        )
    return found


def oracle(examples: list[Example], phase_sensitive: bool) -> SoundMeasures:
    """Return the measures of the best mask between 0 and 1: of powers, or of what lies in the noisy
    sound's phase.
    """
    clean_of = {example.noisy.tobytes(): example.clean for example in examples}

    def denoise(samples: np.ndarray, rate: int) -> np.ndarray:
        grid, clean = grid_of(rate), clean_of.get(samples.tobytes(), samples)
        noisy, target = (
            stft(torch.from_numpy(np.asarray(wave, np.float32)), grid) for wave in (samples, clean)
        )
        if phase_sensitive:
            mask = (target / (noisy + 1e-12)).real.clamp(0, 1)
        else:
            signal, noise = target.abs().square(), (noisy - target).abs().square()
            mask = (signal / (signal + noise + 1e-12)).sqrt()
        return istft(noisy * mask, grid, samples.shape[-1]).numpy()

    return evaluate_examples(examples, denoise)


def main() -> None:
    """Print a table, one line a method."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    pairs = find_pairs(arguments.data)
    drawn = (
        pair_examples(pairs, arguments.limit)
        if pairs
        else mixture_examples(describe(arguments.model), [arguments.data], arguments.limit, 0)
    )
    examples = list(drawn)
    session = load_as(DenoiseSession, arguments.model)
    methods = {
        arguments.model: lambda samples, rate: session.denoise(Audio(samples, rate)).samples,
        **classics(),
    }
    found = {}
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):  # importing logmmse makes every underflow an error
        warnings.simplefilter("ignore")  # of the classics, about silence
        for name, method in methods.items():
            found[name] = evaluate_examples(examples, method)
    found |= {
        "oracle: ratio mask": oracle(examples, False),
        "oracle: phase-sensitive mask": oracle(examples, True),
    }
    print(
        f"{len(examples)} clips; LSD of the noisy ones {found['untouched'].input_lsd_db:.1f} dB\n"
    )
    print(f"{'method':30} {'SI-SDRi':>8} {'worst':>7} {'LSD':>6} {'clean':>6} {'x real time':>12}")
    for name, measures in found.items():
        clean, speed = measures.clean_worst_db or 0.0, measures.real_time_factor or 0.0
        gain, worst = measures.si_sdr_improvement_db, measures.worst_db
        print(
            f"{Path(name).name:30} {gain:8.2f} {worst:7.2f} {measures.lsd_db:6.1f} {clean:6.1f} "
            f"{speed:12.0f}"
        )
    print(
        "\nby noise: "
        + ", ".join(f"{k} {v:.1f}" for k, v in found[arguments.model].by_noise.items())
    )
    if arguments.json:
        arguments.json.write_text(
            json.dumps({name: measures.as_dict() for name, measures in found.items()}, indent=1)
        )


if __name__ == "__main__":
    main()
