"""Seconds of decoding with a loaded model: pieces of 16 bars and melodies of 2 bars, at the
presets' real sizes.

    python tests/bench/bench_decode.py [--threads 2] [--rounds 5] [--preset hierdec-mel_16bar]
    [--random]

The time is that of ``MusicSession.decode_windows``, the best and the median of the rounds. Weights
are random, the slow case for models with ``carry``: no guess of the event before a bar is right, so
nearly every bar is decoded twice. A shipped model may be named in place of a preset. ``--random``
draws at temperature 1 instead of taking the likeliest event.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from musicvae_lite.config import load_config
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.medium import build_model
from musicvae_lite.model_dir.bundle import Bundle, Description, shipped_models
from musicvae_lite.model_dir.handle import load_as
from musicvae_lite.music.session import MusicSession

PRESETS = ("cat-mel_2bar_small", "mel-2bar", "mel-16bar", "hierdec-mel_16bar")


def session(name: str) -> MusicSession:
    if name in shipped_models():
        return load_as(MusicSession, name, "cpu")
    # An encoder is not needed and would take a minute to fill at 2048 units.
    config = load_config(name, ["model.encoder.sizes=[8]"])
    codec = build_codec(config.codec.model_dump())
    torch.manual_seed(0)
    return MusicSession(
        Bundle(Description(Path(name), config), build_model(config, codec).eval(), codec), name
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--preset", nargs="*", default=PRESETS)
    parser.add_argument("--random", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.preset:
        user = session(name)
        z = np.random.default_rng(0).standard_normal((256, user.latent_size)).astype(np.float32)
        for count in (1, 16) if user.codec.steps > 32 else (1, 16, 256):
            seconds = []
            for _ in range(options.rounds + 1):
                start = time.perf_counter()
                user.decode_windows(z[:count], 1.0 if options.random else 0.0)
                seconds.append(time.perf_counter() - start)
            best, median = min(seconds[1:]), statistics.median(seconds[1:])
            print(
                (
                    f"{name:20} {count:4} pieces   best {best * 1e3:7.1f} ms   median "
                    f"{median * 1e3:7.1f} ms"
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
