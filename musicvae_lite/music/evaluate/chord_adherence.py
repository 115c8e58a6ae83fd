"""Whether what a model makes keeps to the chords that it is told of.

Letters in shapes: N windows, T steps, K columns, G steps of time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.core.autoencoder import Autoencoder
from musicvae_lite.core.prior import NormalPrior
from musicvae_lite.core.random import Noise
from musicvae_lite.media.midi import Score
from musicvae_lite.music.chords import chord_pitches, transposed_chords
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.conditioning.control import Classes, Control
from musicvae_lite.music.evaluate.sequences import on_device

SAMPLES = 20  # windows over each chord
_TEMPERATURE = 0.5  # what `musae sample` takes
_TRIADS = range(1, 25)  # classes of the major and the minor ones; the others are rare in music
_MINOR, _RELATIVE = (
    13,
    3,
    # first class of the minor ones; semitones from a minor chord's root to the key that has its
    # notes
)


@torch.inference_mode()
def chord_following(
    model: Autoencoder,
    codec: ScoreCodec,
    control: Control,
    windows: NDArray[Any],
    told: Classes,
    seed: int = 0,
    samples: int = SAMPLES,
) -> dict[str, float]:
    """Measure how many notes of draws from the prior belong to the one chord that was told
    throughout.

    Args:
        model: that is told of chords, on the device where it is to run.
        codec: of its windows.
        control: what it is told.
        windows: pieces [N, T] or [N, T, K] to compare with.
        told: what is told of them [N, G, K].
        seed: of the draws.
        samples: windows over each of the 24 major and minor chords.

    Returns:
        ``in_chord``: share of the pitched notes of the draws that are in the triad told;
        ``in_other_chord``: in the triad a semitone up, which was not (what does not listen to
        chords has the same share in both); ``notes``: how many they are; ``in_chord_data``: share
        of the notes of ``windows`` in their chord, of those with one major or minor chord
        throughout (left out where there are none).
    """
    chords = np.repeat(np.array(_TRIADS), samples)
    roots = (chords - 1) % 12
    keys = np.where(chords < _MINOR, roots, (roots + _RELATIVE) % 12)
    classes = control.join(
        *(np.repeat(told_of[:, None], codec.grid_steps, 1) for told_of in (chords, keys))
    )
    device, noise = next(model.parameters()).device, Noise(seed)
    drawn = []
    for start in range(0, len(chords), samples):
        z = NormalPrior(model.latent_size).sample(samples, noise).to(device)
        condition = on_device(control.numbers(classes[start : start + samples]), device)
        drawn.append(
            model.decode(z, codec.steps, _TEMPERATURE, noise, condition)
            .cpu()
            .numpy()
            .astype(codec.dtype)
        )
    pieces = [codec.decode(window) for window in np.concatenate(drawn)]
    right, notes = _in_triads(pieces, chords)
    others, _ = _in_triads(pieces, transposed_chords(chords, np.ones(len(chords))))
    one = (told[..., 0] == told[:, :1, 0]).all(1) & np.isin(told[:, 0, 0], _TRIADS)
    data, there = _in_triads((codec.decode(window) for window in windows[one]), told[one, 0, 0])
    return {
        "in_chord": right / max(notes, 1),
        "in_other_chord": others / max(notes, 1),
        "notes": notes,
    } | ({"in_chord_data": data / there} if there else {})


def _in_triads(pieces: Iterable[Score], chords: Sequence[int] | NDArray[Any]) -> tuple[int, int]:
    """Count the pitched notes of pieces that are in the triad of each, and all."""
    table, right, notes = chord_pitches(), 0, 0
    for piece, chord in zip(pieces, chords, strict=True):
        drums = np.array([track.is_drum for track in piece.tracks], bool)
        pitches = piece.notes["pitch"][~drums[piece.notes["track"]]]
        right, notes = right + int(table[chord, pitches % 12].sum()), notes + len(pitches)
    return right, notes
