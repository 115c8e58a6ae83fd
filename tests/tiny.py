"""A model small enough for tests, and pieces to give it."""

from pathlib import Path

import numpy as np
import torch

from musicvae_lite.config import RunConfig, load_config
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.medium import build_model
from musicvae_lite.media.midi import METRE, NOTE, Score, Track, write_midi
from musicvae_lite.model_dir.bundle import save_bundle
from musicvae_lite.music.codec import ScoreCodec, score_codec

SETTINGS = ["model.latent_size=4", "model.encoder.sizes=[8]", "model.decoder.sizes=[8]"]


def save_tiny_model(folder: Path, preset: str = "mel-2bar") -> Path:
    """Write a model of 4 latent numbers with random weights."""
    return save_random(folder, load_config(preset, SETTINGS))


def save_chord_model(folder: Path, key: bool = False) -> Path:
    """Write a model of melodies that is told of chords (and of the key), with random weights."""
    return save_random(
        folder, load_config("mel-2bar-chords", [*SETTINGS, f"control.key={str(key).lower()}"])
    )


#: Models of pictures of 8 x 8 pixels, by what is special about them.
PICTURE_MODELS = {
    "vae": ("digits-vae", "model.encoder.sizes=[8]", "model.decoder.sizes=[8]"),
    "ae": ("digits-ae", "model.encoder.channels=[2,2]", "model.decoder.channels=[2,2]"),
    "denoiser": (
        "digits-ae",
        "model.encoder.channels=[2]",
        "model.decoder.channels=[2]",
        "data.corrupt={kind: noise, sd: 0.3}",
    ),
    "enlarger": (
        "digits-ae",
        "model.encoder.channels=[2]",
        "model.decoder.channels=[2,2]",
        "data.corrupt={kind: shrink, factor: 2}",
    ),
    "residual": (
        "digits-ae",
        "model.encoder.channels=[2]",
        "model.decoder.channels=[2,2]",
        "data.corrupt={kind: shrink, factor: 2}",
        "model.residual=true",
        "model.likelihood=gaussian",
    ),
    "conditional": (
        "digits-vae",
        "model.encoder.sizes=[8]",
        "model.decoder.sizes=[8]",
        "model.classes=10",
        "model.latent_size=3",
    ),
    "colour": (
        "digits-ae",
        "codec.channels=3",
        "model.encoder.channels=[2,2]",
        "model.decoder.channels=[2,2]",
    ),
}


def save_picture_model(folder: Path, special: str = "vae") -> Path:
    """Write a model of pictures with random weights.

    ``special`` is a key of :data:`PICTURE_MODELS`.
    """
    preset, *changes = PICTURE_MODELS[special]
    return save_random(folder, load_config(preset, changes))


def digits(count: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's first digits, uint8 [N, 8, 8], and their classes [N]."""
    from sklearn.datasets import load_digits

    data, labels = load_digits(return_X_y=True)
    return np.rint(data[:count].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8), labels[
        :count
    ].astype(np.int64)


def save_random(folder: Path, config: RunConfig) -> Path:
    """Write a model with random weights."""
    codec = build_codec(config.codec.model_dump())
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = build_model(config, codec)
        with torch.no_grad():
            for (
                parameter
            ) in model.parameters():  # the start is so even that every point would decode alike
                parameter.add_(0.2 * torch.randn_like(parameter))
    save_bundle(folder, config, model, {}, {})
    return folder


def codec() -> ScoreCodec:
    return score_codec(load_config("mel-2bar").codec.model_dump())


def melody(
    bars: int, qpm: float = 100.0, name: str = "Melody", first: int = 60, program: int = 0
) -> Score:
    """Return quarter notes that go up the scale."""
    tokens = np.zeros(bars * 16, np.uint8)
    tokens[::4] = 2 + first - 21 + np.arange(bars * 4) % 11
    return codec().decode(tokens, qpm=qpm, name=name, program=program)


ONE_TRACK = (Track("Melody"),)


def score(notes, tracks=ONE_TRACK, metre=(4, 4), ticks=480) -> Score:
    """Return a score of (start, end, pitch, track) in quarters."""
    rows = [
        (int(start * ticks), int(end * ticks), pitch, 80, track)
        for start, end, pitch, track in notes
    ]
    return Score(ticks, np.array(rows, NOTE), tracks, metres=np.array([(0, *metre)], METRE))


def save(piece: Score, path: Path) -> str:
    write_midi(piece, path, overwrite=True)
    return str(path)
