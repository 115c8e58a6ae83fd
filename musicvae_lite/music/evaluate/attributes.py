"""Learning attribute vectors: which way of the latent space has more of something, and what going
there does.

The MusicVAE paper (Roberts et al. 2018, section 5.2 on attribute vectors) takes the mean code of
the top quartile less that of the bottom one; such a vector moves all that goes along with an
attribute. Here all attributes are fitted at once, and the vectors corrected by what they were
measured to do, so that each moves what it is named after and little else. Letters in shapes: N
windows, T steps, A attributes, Z latent size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.errors import NothingUsableError
from musicvae_lite.music.attribute_vectors import AttributeVectors, save_vectors
from musicvae_lite.music.attributes import UNITS
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.evaluate.sequences import Told, nothing_told, on_device
from musicvae_lite.nn.inputs import as_events
from musicvae_lite.plotting import matrix_picture

if TYPE_CHECKING:
    from musicvae_lite.model_dir.bundle import Description

#: Windows that are enough for the mean of a quarter, and that an effect is measured on.
WINDOWS, PROBES = 10_000, 512
_BATCH = 256
_FEWEST = 8  # two windows a quartile
_RIDGE = 0.01  # of the mean variance of the codes
#: Rounds of correction, share of the error that a round corrects, the standard deviations that are
#: enough, and how many times longer than at first a vector may become.
_ROUNDS, _DAMPING, _ENOUGH, _LONGEST = 7, 0.6, 0.6, 3.0


@torch.inference_mode()
def learn_vectors(
    model: Autoencoder,
    codec: ScoreCodec,
    windows: NDArray[np.number],
    probes: NDArray[np.number] | None = None,
    limit: int = WINDOWS,
    seed: int = 0,
    shown: Callable[[NDArray[np.number]], NDArray[np.number]] = lambda windows: windows,
    told: tuple[Told, Told] = (nothing_told, nothing_told),
) -> AttributeVectors:
    """Learn a vector for each attribute of the codec that differs among windows.

    Args:
        model: on the device where it is to run.
        codec: of the windows; it says what their attributes are.
        windows: training windows [N, T] or [N, T, K], of which at most ``limit`` are used.
        probes: other windows, to measure the effects on (at most :data:`PROBES`); default the
            training windows.
        limit: see ``windows``.
        seed: of the choice of windows.
        shown: what the encoder sees of windows, for a model whose input is not its output;
            attributes are of the output.
        told: control inputs of the windows and of the probes, for a model that has one; a window
            keeps its own all along.

    Raises:
        NothingUsableError: too few windows, or no attribute that differs.
    """
    rows = _some(len(windows), limit, seed)
    chosen = windows[rows]
    if len(chosen) < _FEWEST:
        raise NothingUsableError(
            f"attribute vectors are learned from {_FEWEST} windows or more, not from {len(chosen)}"
        )
    training = model.training
    model.eval()
    found = _directions(encode(model, shown(chosen), _of(told[0], rows)), codec.attributes(chosen))
    if not found:
        raise NothingUsableError(
            "no attribute differs among the windows, so there is no vector to learn"
        )
    names = tuple(found)
    vectors = np.stack([found[name][0] for name in names]).astype(np.float32)
    contrast, spread = (np.array([found[name][place] for name in names]) for place in (1, 2))
    inner = _some(len(chosen), PROBES, seed + 2)
    own, their_own = (
        encode(model, shown(chosen[inner]), _of(told[0], rows[inner])),
        _of(told[0], rows[inner]),
    )
    vectors = _cleaned(
        lambda moves: _effects(model, codec, names, moves, own, their_own), vectors, spread
    )
    held_out = probes is not None and len(probes) > 0
    measured, their = (probes, told[1]) if probes is not None and held_out else (windows, told[0])
    rows = _some(len(measured), PROBES, seed + 1)
    others, condition = measured[rows], _of(their, rows)
    effects = _effects(
        model, codec, names, vectors, encode(model, shown(others), condition), condition
    )
    model.train(training)
    learned = {"windows": len(chosen), "probes": len(others), "held_out": held_out, "seed": seed}
    units = tuple(UNITS.get(name, "") for name in names)
    return AttributeVectors(names, units, vectors, contrast, spread, effects, learned)


def keep_vectors(description: Description, vectors: AttributeVectors) -> None:
    """Write vectors into the folder of the model that they were learned of, with their picture and
    their part of the card.

    Raises:
        MusaeError: if the file system refuses; the folder keeps what it had.
    """
    title = f"{description.config.name}: what adding an attribute vector does"
    save_vectors(description.folder, description.sha256, vectors, effects_picture(vectors, title))


def effects_picture(vectors: AttributeVectors, title: str) -> bytes:
    """Draw the effects of vectors as a matrix, in standard deviations of each attribute; PNG."""
    values = vectors.effects / vectors.spread
    rows = [f"+1 {name}" for name in vectors.names]
    return matrix_picture(
        values, rows, vectors.names, title, "change, in standard deviations of the attribute"
    )


def encode(
    model: Autoencoder, windows: NDArray[np.number], told: Told = nothing_told
) -> NDArray[np.float32]:
    """Return the posterior means [N, Z] of windows."""
    device = next(model.parameters()).device
    means = []
    for part in _parts(len(windows)):
        x = as_events(windows[part]).to(device)
        batch = Batch(x, x, condition=on_device(told(part), device))
        means.append(model.encode(batch).latent.mean.float().cpu().numpy())
    return np.concatenate(means)


def decode(
    model: Autoencoder, z: NDArray[np.float32], codec: ScoreCodec, told: Told = nothing_told
) -> NDArray[np.number]:
    """Return the likeliest windows at points [N, Z], in the codec's type of numbers."""
    device = next(model.parameters()).device
    windows = []
    for part in _parts(len(z)):
        heard = model.decode(
            torch.from_numpy(z[part]).to(device),
            codec.steps,
            condition=on_device(told(part), device),
        )
        windows.append(heard.cpu().numpy())
    return np.concatenate(windows).astype(codec.dtype)


def _parts(count: int) -> list[slice]:
    return [slice(start, start + _BATCH) for start in range(0, count, _BATCH)]


def _some(count: int, limit: int, seed: int) -> NDArray[np.int64]:
    """Return at most ``limit`` of the numbers below ``count``, drawn at random: of equal values the
    quartiles then hold any.
    """
    return np.random.default_rng(seed).permutation(count)[:limit]


def _of(told: Told, rows: NDArray[np.int64]) -> Told:
    """Return what gives the control input of the windows at ``rows``, numbered anew."""
    return lambda part: told(rows[part])


def _directions(
    codes: NDArray[np.float32], values: dict[str, NDArray[np.float64]]
) -> dict[str, tuple[NDArray[np.float64], float, float]]:
    """Return vector [Z], difference of the quartiles and standard deviation of each attribute that
    differs.

    The vectors are of a linear model of all attributes at once (ridge regression on the codes,
    B [Z, A]): of the moves that it says add one standard deviation of one attribute and nothing of
    the others, those that are shortest as the codes are spread: (B' S B)^-1 B' S, S their
    covariance.
    """
    facts = {name: _facts(value) for name, value in values.items()}
    names = [name for name, (contrast, spread) in facts.items() if contrast > 0 and spread > 0]
    table = np.stack([values[name] for name in names], 1) if names else np.zeros((len(codes), 0))
    known = np.isfinite(table).all(1)
    if not names or known.sum() < _FEWEST:
        return {}
    x = codes[known].astype(np.float64)
    x -= x.mean(0)
    y = table[known]
    scaled = (y - y.mean(0)) / np.array([facts[name][1] for name in names])
    gram = x.T @ x / len(x)
    ridge = _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    fit = np.linalg.solve(gram + ridge, x.T @ scaled / len(x))
    reach = fit.T @ gram
    moves = np.linalg.pinv(reach @ fit) @ reach
    return {name: (move, *facts[name]) for name, move in zip(names, moves, strict=True)}


def _facts(value: NDArray[np.float64]) -> tuple[float, float]:
    """Return the difference between the means of the quartiles of an attribute, and its standard
    deviation; zeros where too little is known.
    """
    known = np.sort(value[np.isfinite(value)])
    quarter = len(known) // 4
    if quarter < _FEWEST // 4:
        return 0.0, 0.0
    return float(known[-quarter:].mean() - known[:quarter].mean()), float(known.std())


def _cleaned(
    measure: Callable[[NDArray[np.float32]], NDArray[np.float64]],
    vectors: NDArray[np.float32],
    spread: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Correct vectors [A, Z] by what adding them was measured to do, until each moves its own
    attribute by about a standard deviation and the others by next to nothing.

    ``measure`` gives the mean change of each attribute (column) by each vector (row).
    """
    wanted = np.eye(len(vectors))
    best, least = vectors.copy(), np.full(len(vectors), np.inf)
    longest = _LONGEST * np.linalg.norm(vectors, axis=1, keepdims=True)
    for _ in range(_ROUNDS):
        effect = measure(vectors) / spread
        own = np.maximum(np.diag(effect), 1e-3)
        beside = np.abs(effect - np.diag(np.diag(effect))).max(1) / own
        # What counts first is that half a deviation is reached, then what moves beside it.
        off = beside + 4 * np.maximum(0, _ENOUGH - own)
        better = off < least
        best[better], least[better] = vectors[better], off[better]
        step = (_DAMPING * (wanted - effect) @ vectors.astype(np.float64)).astype(np.float32)
        vectors = vectors + step
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = vectors * np.minimum(1, longest / np.maximum(length, 1e-9)).astype(np.float32)
    return best


def _effects(
    model: Autoencoder,
    codec: ScoreCodec,
    names: tuple[str, ...],
    vectors: NDArray[np.float32],
    codes: NDArray[np.float32],
    told: Told,
) -> NDArray[np.float64]:
    """Return the mean change of each attribute (column) by each vector (row) [A, A], over the codes
    at which both are known.
    """
    before = codec.attributes(decode(model, codes, codec, told))
    effects = np.zeros((len(names), len(names)))
    for row, vector in enumerate(vectors):
        after = codec.attributes(decode(model, codes + vector, codec, told))
        for column, name in enumerate(names):
            change = after[name] - before[name]
            change = change[np.isfinite(change)]
            effects[row, column] = change.mean() if len(change) else 0.0
    return effects
