"""Measures of notes: how much of a window of many voices a model gives back.

Windows become notes by their codec, so that the measures mean the same for a piano and for a band.
Of notes that a model made and those that were wanted, the part that the other has too is the F1
measure: 2 * both / (made + wanted). Notes count as often as they occur.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.evaluate.sequences import Told, nothing_told, on_device
from musicvae_lite.nn.inputs import as_events

Ints = NDArray[np.int64]

#: What is measured, in words.
MEANINGS = {
    "onset_f1": "note starts that are right: step, pitch and instrument (F1)",
    "note_f1": "notes with pitch whose start and end are right, to the step (F1)",
    "pitch_f1": "note starts that are right, whatever instrument plays them (F1)",
    "program_f1": "instruments of a window that are right (F1)",
    "velocity_error": "mean difference of the velocities of right notes, of 127",
}
_DRUMS = 128  # stands for the program of drums
_FIELDS = ("window", "program", "pitch", "start", "end", "velocity")


def notes_of(codec: ScoreCodec, windows: NDArray[Any]) -> NDArray[np.void]:
    """Return the notes of windows [N, ...], one row each, times in steps of the grid."""
    parts = []
    for number, window in enumerate(windows):
        score = codec.decode(window)
        ticks = score.ticks_per_quarter // codec.steps_per_quarter
        rows = np.zeros(len(score.notes), [(name, "<i8") for name in _FIELDS])
        programs = [_DRUMS if track.is_drum else track.program for track in score.tracks]
        rows["window"], rows["program"] = number, np.array(programs)[score.notes["track"]]
        for name in ("pitch", "velocity"):
            rows[name] = score.notes[name]
        rows["start"], rows["end"] = score.notes["start"] // ticks, score.notes["end"] // ticks
        parts.append(rows)
    return np.concatenate(parts)


def compare_notes(
    codec: ScoreCodec, heard: NDArray[Any], given: NDArray[Any]
) -> dict[str, float | None]:
    """Measure how far windows agree [N, ...]; see :data:`MEANINGS`.

    None where there is nothing to compare; instruments are left out of a codec of one, velocities
    where it holds none.
    """
    made, wanted = notes_of(codec, heard), notes_of(codec, given)
    place = ("window", "program", "pitch", "start")
    pitched = [table[table["program"] < _DRUMS] for table in (made, wanted)]
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
        values["velocity_error"] = _velocity_error(made, wanted, place)
    return values


def _f1(made: NDArray[np.void], wanted: NDArray[np.void]) -> float | None:
    if not len(made) + len(wanted):
        return None
    _, owner = np.unique(np.concatenate([made, wanted]), return_inverse=True)
    counts = [np.bincount(part, minlength=owner.max() + 1) for part in np.split(owner, [len(made)])]
    return 2 * int(np.minimum(*counts).sum()) / (len(made) + len(wanted))


def _velocity_error(
    made: NDArray[np.void], wanted: NDArray[np.void], place: Sequence[str]
) -> float | None:
    names = list(place)
    _, row, other = np.intersect1d(made[names], wanted[names], return_indices=True)
    if not len(row):
        return None
    return float(np.abs(made["velocity"][row] - wanted["velocity"][other]).mean())


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
