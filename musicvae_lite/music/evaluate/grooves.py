"""What a groove model adds to drums, against the performance: which drums it hits, how hard, and
when.

Letters in shapes: N windows, T steps of a window; a step is 27 numbers, see
:mod:`musicvae_lite.music.codecs.groove`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.config import GrooveInputSettings, RunConfig
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.music.codecs.groove import CLASSES, HITS, OFFSETS, VELOCITIES, GrooveCodec
from musicvae_lite.music.data.groove_inputs import (
    ADD,
    HUMANIZE,
    TAP,
    WHOLE,
    has_way,
    hits_given,
    shown,
    told,
)
from musicvae_lite.music.model import SequenceAutoencoder

QPM = 120.0  # windows of a corpus have no tempo: errors of timing are told at this one
CONSTANT_VELOCITY = 80 / 127
_BATCH = 256

Floats = NDArray[np.float32]
Rows = dict[str, dict[str, float]]


@torch.inference_mode()
def evaluate_grooves(
    model: SequenceAutoencoder,
    windows: Floats,
    train: Floats,
    config: RunConfig,
    codec: GrooveCodec,
) -> Rows:
    """Measure what a model can do of: giving back, humanizing, making a beat of taps, adding a
    drum.

    Args:
        model: of grooves; in evaluation mode.
        windows: performances [N, T, 27], at least one.
        train: windows [M, T, 27] that ``position mean`` is learned from, none for no such row.
        config: of the model.
        codec: of the windows.

    Returns:
        For each task ``hit_f1`` (over all drums and steps, or those of the drum that is added,
        decoded freely and greedily), ``timing_ms`` (mean absolute error at :data:`QPM`) and
        ``velocity`` (mean absolute error, of 127). Of humanizing, timing and velocity are of all
        hits of the performance, which the model is given; of others, of the hits that it finds.
        ``humanize (grid)`` is the quantised input with one velocity, 80 or the mean of the hits
        measured, ``humanize (position mean)`` the mean velocity and offset of each drum at each
        step of a training window.
    """
    rows: Rows = {}
    for name, way in _tasks(config):
        inputs = np.stack([shown(window, way, np.random.default_rng(0)) for window in windows])
        condition = told(windows, config)
        heard, truth = decoded(model, inputs, condition), windows
        if name == ADD:
            heard, truth = heard[..., way.add[0] :: CLASSES], truth[..., way.add[0] :: CLASSES]
        rows[name] = {"hit_f1": hit_f1(heard, truth), **errors(heard, truth, codec)}
        if name == HUMANIZE:
            rows[name] |= errors(
                decoded(model, inputs, condition, hits_given(windows)), windows, codec
            )
    if has_way(config, HUMANIZE):
        rows |= _baselines(windows, train, codec)
    return rows


def _tasks(config: RunConfig) -> list[tuple[str, GrooveInputSettings]]:
    """Return what is measured of a model: the tasks that it was trained for, each in one way that
    leaves nothing to chance.
    """
    tasks = [(WHOLE, GrooveInputSettings()), (HUMANIZE, GrooveInputSettings(humanize=True))]
    tasks += [
        (TAP, way.model_copy(update={"note_dropout": 0.0})) for way in config.data.inputs if way.tap
    ][:1]
    tasks += [
        (ADD, way.model_copy(update={"add": way.add[:1]})) for way in config.data.inputs if way.add
    ][:1]
    return [(name, way) for name, way in tasks if has_way(config, name)]


def decoded(
    model: SequenceAutoencoder,
    inputs: Floats,
    condition: NDArray[Any] | None,
    given: Floats | None = None,
) -> Floats:
    """Return what a model makes of inputs [N, T, 27], greedily from the posterior mean."""
    device = next(model.parameters()).device

    def part(array: NDArray[Any] | None, start: int) -> Tensor | None:
        return None if array is None else torch.from_numpy(array[start : start + _BATCH]).to(device)

    parts = []
    for start in range(0, len(inputs), _BATCH):
        x, control = part(inputs, start), part(condition, start)
        assert x is not None
        mean = model.encode(Batch(x, x, condition=control)).latent.mean
        parts.append(
            model.decode(mean, x.shape[1], condition=control, given=part(given, start))
            .cpu()
            .numpy()
        )
    return np.concatenate(parts)


def hit_f1(heard: Floats, given: Floats) -> float:
    """Return the harmonic mean of precision and recall of the hits (first third of a step's
    numbers); 1 where none are.
    """
    hits = slice(0, heard.shape[-1] // 3)
    ours, theirs = heard[..., hits] > 0.5, given[..., hits] > 0.5
    total = int(ours.sum() + theirs.sum())
    return 2 * int((ours & theirs).sum()) / total if total else 1.0


def errors(heard: Floats, given: Floats, codec: GrooveCodec, qpm: float = QPM) -> dict[str, float]:
    """Return mean absolute errors of timing (ms) and velocity (of 127) over the hits that both
    have; nothing without any.
    """
    both = np.logical_and(*(np.split(rows, 3, -1)[0] > 0.5 for rows in (heard, given)))
    if not both.any():
        return {}
    velocity, offset = (
        np.abs(np.split(heard - given, 3, -1)[part][both]).mean(dtype=np.float64) for part in (1, 2)
    )
    return {
        "timing_ms": float(offset) * half_step_ms(codec, qpm),
        "velocity": float(velocity) * 127,
    }


def half_step_ms(codec: GrooveCodec, qpm: float) -> float:
    """Return how long half a step is, the unit of offsets."""
    return 60_000 / qpm / codec.steps_per_quarter / 2


def _baselines(windows: Floats, train: Floats, codec: GrooveCodec) -> Rows:
    """Return the errors of the quantised input, and of the mean of each drum at each step of the
    training windows.
    """
    hit = windows[..., HITS] > 0.5
    grid = windows.copy()
    grid[..., OFFSETS], grid[..., VELOCITIES] = 0, CONSTANT_VELOCITY
    rows: Rows = {"humanize (grid)": errors(grid, windows, codec)}
    if hit.any():
        grid[..., VELOCITIES] = windows[..., VELOCITIES][hit].mean()
        rows["humanize (grid)"]["velocity_mean"] = errors(grid, windows, codec)["velocity"]
    if len(train):
        grid[..., VELOCITIES], grid[..., OFFSETS] = (
            position_mean(train, part) for part in (VELOCITIES, OFFSETS)
        )
        rows["humanize (position mean)"] = errors(grid, windows, codec)
    return rows


def position_mean(windows: Floats, part: slice) -> Floats:
    """Return the mean of velocities or offsets over the hits of each drum at each step [T, 9].

    Of a drum that is never hit at a step it is the drum's mean over all steps, of one that is never
    hit that of all drums.
    """
    hit = windows[..., HITS] > 0.5
    values: Sequence[NDArray[Any]] = (windows[..., part] * hit, hit)
    sums, counts = (rows.sum(0, dtype=np.float64) for rows in values)
    mean = np.full(sums.shape, sums.sum() / max(1.0, counts.sum()))
    for axis in (0, None):
        total, count = (sums, counts) if axis is None else (sums.sum(axis), counts.sum(axis))
        mean = np.where(count > 0, total / np.maximum(count, 1), mean)
    return mean.astype(np.float32)
