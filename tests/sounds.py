"""Sounds, a denoiser and a model of timbre small enough for tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from musicvae_lite.audio.denoise.network import MaskNetwork, Shape
from musicvae_lite.config import RunConfig, load_config
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.medium import build_model
from musicvae_lite.media.audio import Audio, write_audio
from musicvae_lite.model_dir.bundle import save_bundle

RATE = 8000
SETTINGS = [
    f"codec={{kind: sound, rate: {RATE}, seconds: 0.6}}",
    "model={kind: spectrogram, window: 6144, channels: [3, 4], blocks: [0, 1], strides: [[2, 2]]}",
    "model.latent_size=3",
    "model.dilations=[1]",
    "training.batch_size=2",
    "training.valid_windows=3",
    "training.stored=float32",
]


def tone(hz: float, seconds: float = 2.0, rate: int = RATE, size: float = 0.3) -> np.ndarray:
    """Return notes of half a second each, a tone with one harmonic that dies away, [N]."""
    time = np.arange(round(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * hz * time) + 0.3 * np.sin(4 * np.pi * hz * time)
    return (size * wave * np.exp(-4 * (time % 0.5))).astype(np.float32)


def noise(
    seconds: float = 2.0, rate: int = RATE, size: float = 0.05, channels: int = 1, seed: int = 0
) -> np.ndarray:
    """Return white noise [C, N]."""
    generator = np.random.default_rng(seed)
    return (size * generator.standard_normal((channels, round(seconds * rate)))).astype(np.float32)


def save(samples: np.ndarray, path: Path, rate: int = RATE, subtype: str = "PCM_16") -> str:
    """Write samples [N] or [C, N] as a WAV file."""
    write_audio(Audio(np.atleast_2d(samples), rate, subtype=subtype), path, overwrite=True)
    return str(path)


def save_clean_folder(folder: Path, files: int = 5) -> Path:
    """Write some tones as WAV files."""
    folder.mkdir()
    for number in range(files):
        save(tone(200.0 * (number + 1)), folder / f"{number}.wav")
    return folder


#: A model of timbre for clips of half a second, 18 frames.
TIMBRE = [
    f"codec={{kind: sound, rate: {RATE}, seconds: 0.5}}",
    (
        "model={kind: timbre, latent_size: 4, rows: 24, encoder: {channels: [4, 8]}, decoder: "
        "{channels: [8, 4]}}"
    ),
    "training.batch_size=4",
    "training.valid_windows=6",
    "training.stored=float32",
]


def mask_network(shape: Shape) -> MaskNetwork:
    """Return a random network in evaluation mode whose normalisations do something."""
    torch.manual_seed(0)
    network = MaskNetwork(shape)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return network.eval()


def save_tiny_denoiser(folder: Path, settings: Sequence[str] = ()) -> Path:
    """Write a denoiser with random weights."""
    return _save_random(folder, load_config("denoise", [*SETTINGS, *settings]))


def save_tiny_timbre(folder: Path) -> Path:
    """Write a model of timbre with random weights."""
    return _save_random(folder, load_config("timbre", TIMBRE))


def _save_random(folder: Path, config: RunConfig) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = build_model(config, build_codec(config.codec.model_dump()))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    save_bundle(folder, config, model, {}, {})
    return folder
