"""Measures of notes: how much of a window of many voices a model gives back.

Windows become notes by their codec, so that the measures mean the same for a piano and for a band.
Of notes that a model made and those that were wanted, the part that the other has too is the F1
measure: 2 * both / (made + wanted). Notes count as often as they occur.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.evaluate.sequences import Told, nothing_told, on_device
from musicvae_lite.music.notes import DRUMS, notes_of, shared, velocity_error
from musicvae_lite.nn.inputs import as_events

#: What is measured, in words.
MEANINGS = {
    "onset_f1": "note starts that are right: step, pitch and instrument (F1)",
    "note_f1": "notes with pitch whose start and end are right, to the step (F1)",
    "pitch_f1": "note starts that are right, whatever instrument plays them (F1)",
    "program_f1": "instruments of a window that are right (F1)",
    "velocity_error": "mean difference of the velocities of right notes, of 127",
}


def compare_notes(
    codec: ScoreCodec, heard: NDArray[Any], given: NDArray[Any]
) -> dict[str, float | None]:
    """Measure how far windows agree [N, ...]; see :data:`MEANINGS`.

    None where there is nothing to compare; instruments are left out of a codec of one, velocities
    where it holds none.
    """
    made, wanted = notes_of(codec, heard), notes_of(codec, given)
    place = ("window", "program", "pitch", "start")
    pitched = [table[table["program"] < DRUMS] for table in (made, wanted)]
    values = {
        "onset_f1": _f1(made[[*place]], wanted[[*place]]),
        "note_f1": _f1(*(table[[*place, "end"]] for table in pitched)),
    }
    if codec.whole:
        anyone = ("window", "pitch", "start")
        parts = (np.unique(table[["window", "program"]]) for table in (made, wanted))
        values["pitch_f1"] = _f1(made[[*anyone]], wanted[[*anyone]])
        values["program_f1"] = _f1(*parts)
    if codec.dynamic or codec.whole:
        values["velocity_error"] = velocity_error(made, wanted, place)
    return values


def _f1(made: NDArray[np.void], wanted: NDArray[np.void]) -> float | None:
    total = len(made) + len(wanted)
    return 2 * shared(made, wanted) / total if total else None


@torch.inference_mode()
def evaluate_notes(
    model: Autoencoder,
    windows: NDArray[Any],
    codec: ScoreCodec,
    inputs: NDArray[Any] | None = None,
    condition: Told = nothing_told,
    batch_size: int = 256,
) -> dict[str, float | None]:
    """Measure what a model gives back of windows [N, ...], greedily from the posterior means.

    Args:
        model: of sequences.
        windows: what it should give.
        codec: of the windows.
        inputs: what the encoder sees; default the windows.
        condition: control input, of a model that needs one.
        batch_size: windows that run together.
    """
    training, device = model.training, next(model.parameters()).device
    model.eval()
    heard = []
    for start in range(0, len(windows), batch_size):
        part = slice(start, start + batch_size)
        x = as_events((windows if inputs is None else inputs)[part]).to(device)
        told = on_device(condition(part), device)
        mean = model.encode(Batch(x, x, condition=told)).latent.mean
        heard.append(model.decode(mean, codec.steps, condition=told).cpu().numpy())
    model.train(training)
    return compare_notes(codec, np.concatenate(heard).astype(windows.dtype), windows)
