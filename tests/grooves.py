"""Groove models small enough for tests, and drums to give them."""

from pathlib import Path

import numpy as np

from musicvae_lite.config import load_config
from musicvae_lite.media.midi import METRE, NOTE, TEMPO, Score, Track
from musicvae_lite.music.codecs.groove import GrooveCodec
from tests.tiny import SETTINGS, save_random


def save_groove_model(folder: Path, preset: str = "groove-2bar") -> Path:
    """Write a groove model of 4 latent numbers with random weights."""
    return save_random(folder, load_config(preset, SETTINGS))


def windows(count: int, codec: GrooveCodec | None = None, seed: int = 0) -> np.ndarray:
    """Return random performances [N, T, 27] in which a third of the drums is hit."""
    shape = (codec or GrooveCodec()).steps, 9
    generator = np.random.default_rng(seed)
    hits = (generator.random((count, *shape)) < 0.3).astype(np.float32)
    offset = hits * generator.uniform(-0.9, 0.9, hits.shape)
    return np.concatenate([hits, hits * generator.uniform(0.1, 1, hits.shape), offset], -1).astype(
        np.float32
    )


def beat(bars: int = 5, qpm: float = 97, first: int = 0, drums: bool = True) -> Score:
    """Return kick, snare and hi-hat on the grid at one velocity, from bar ``first`` (0-based) on,
    beside a bass.
    """
    rows = []
    for bar in range(first, first + bars):
        rows += [
            (bar * 1920 + quarter * 480, 36 if quarter % 2 == 0 else 38, 0) for quarter in range(4)
        ]
        rows += [(bar * 1920 + eighth * 240, 42, 0) for eighth in range(8)]
        rows += [(bar * 1920, 40, 1)]
    notes = np.array([(start, start + 60, pitch, 80, track) for start, pitch, track in rows], NOTE)
    tracks = (Track("Kit", 0, drums), Track("Bass", 33))
    return Score(480, notes, tracks, np.array([(0, qpm)], TEMPO), np.array([(0, 4, 4)], METRE))
