"""How good the ways between two pieces are, through latent space and through the data itself.

The test of the MusicVAE paper (Roberts et al. 2018, section 5.2 on interpolation): along paths
between random pairs the Hamming distance to both ends, and the cost under a 5-gram model of the
training windows. The other way to blend two windows takes each step from the second one with
probability alpha, from the first one otherwise.
Letters in shapes: P pairs, S points of a path, T steps of a window, Z latent size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.core.autoencoder import Autoencoder
from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.core.latent import interpolate
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.evaluate.attributes import decode, encode
from musicvae_lite.music.evaluate.ngrams import NGrams
from musicvae_lite.plotting import Curve, draw_curves

PAIRS, POINTS, ORDER = 500, 11, 5

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Paths:
    """What is measured along one kind of path, mean over pairs.

    Attributes:
        from_start: share of steps at which the points differ from the first window [S].
        from_end: from the second window [S].
        moved: share of steps that change from each point to the next [S - 1].
        cost: nats a step under the n-gram model [S].
        relative_cost: that, divided by the mean cost of the two windows themselves [S].
    """

    from_start: Floats
    from_end: Floats
    moved: Floats
    cost: Floats
    relative_cost: Floats

    def as_dict(self) -> dict[str, Any]:
        """Return the curves, and what they come to."""
        curves = {
            name: getattr(self, name).tolist()
            for name in ("from_start", "from_end", "moved", "cost", "relative_cost")
        }
        return {
            **curves,
            "length": float(self.moved.sum()),
            "largest_move": float(self.moved.max()),
            "highest_cost": float(self.relative_cost.max()),
            "mean_cost": float(self.relative_cost.mean()),
        }


@dataclass(frozen=True, eq=False)
class PathMeasures:
    """Paths between pairs of windows.

    Attributes:
        pairs: how many.
        alpha: where the points are, 0 to 1 [S].
        apart: share of steps at which the two windows of a pair differ, mean.
        ends_cost: mean cost of the windows themselves, nats a step.
        latent: through latent space, decoded greedily.
        blended: through the data.
        order: of the n-gram model.
    """

    pairs: int
    alpha: Floats
    apart: float
    ends_cost: float
    latent: Paths
    blended: Paths
    order: int

    def as_dict(self) -> dict[str, Any]:
        """Return everything by name."""
        facts = {
            "pairs": self.pairs,
            "alpha": self.alpha.tolist(),
            "apart": self.apart,
            "ends_cost_nats": self.ends_cost,
        }
        return {
            **facts,
            "order": self.order,
            "latent": self.latent.as_dict(),
            "blended": self.blended.as_dict(),
        }


@torch.inference_mode()
def measure_paths(
    model: Autoencoder,
    codec: ScoreCodec,
    train: NDArray[Any],
    windows: NDArray[Any],
    pairs: int = PAIRS,
    seed: int = 0,
    points: int = POINTS,
) -> PathMeasures:
    """Measure paths between random pairs of windows.

    Args:
        model: on the device where it is to run.
        codec: of the windows.
        train: what the n-gram model learns from [N, T] or [N, T, K].
        windows: where the pairs are drawn from, each of two different windows.
        pairs: how many.
        seed: of the pairs and of the blending.
        points: of each path, the ends included.

    Raises:
        NothingUsableError: fewer than two windows.
        UsageError: windows of other than whole numbers.
    """
    if not np.issubdtype(windows.dtype, np.integer):
        raise UsageError(
            "paths are measured on windows of whole numbers: other steps have no n-grams"
        )
    if len(windows) < 2:
        raise NothingUsableError("a path has two ends, and there are fewer than two windows")
    generator = np.random.default_rng(seed)
    first = generator.integers(0, len(windows), pairs)
    second = (first + generator.integers(1, len(windows), pairs)) % len(windows)
    a, b = windows[first], windows[second]
    alpha = np.linspace(0, 1, points)
    # float: 2 ** 61 steps of single drums are no whole number that fits.
    grams = NGrams(train, float(np.prod(np.array(codec.sizes, np.float64))), ORDER)
    ends = (grams.cost(a).mean() + grams.cost(b).mean()) / 2

    def measured(path: NDArray[Any]) -> Paths:
        flat = path.reshape(-1, *path.shape[2:])
        cost = grams.cost(flat).reshape(path.shape[:2]).mean(0)
        moved = np.array([_apart(path[:, step], path[:, step + 1]) for step in range(points - 1)])
        to_a, to_b = (
            np.array([_apart(path[:, step], end) for step in range(points)]) for end in (a, b)
        )
        return Paths(to_a, to_b, moved, cost, cost / ends)

    return PathMeasures(
        pairs,
        alpha,
        _apart(a, b),
        float(ends),
        measured(_through_latent(model, codec, a, b, points)),
        measured(blend(a, b, alpha, generator)),
        ORDER,
    )


def _through_latent(
    model: Autoencoder, codec: ScoreCodec, a: NDArray[Any], b: NDArray[Any], points: int
) -> NDArray[Any]:
    """Return what the points on the great circles between posterior means decode to [P, S, T]."""
    starts, ends = (torch.from_numpy(encode(model, windows)) for windows in (a, b))
    latents = torch.cat(
        [interpolate(start, end, points) for start, end in zip(starts, ends, strict=True)]
    ).numpy()
    return decode(model, latents, codec).reshape(len(a), points, *a.shape[1:])


def blend(
    a: NDArray[Any], b: NDArray[Any], alpha: Floats, generator: np.random.Generator
) -> NDArray[Any]:
    """Return windows that take each step from ``b`` with probability alpha, drawn anew for every
    point, else from ``a``.

    Args:
        a: [P, T] or [P, T, K].
        b: the same shape.
        alpha: [S].
        generator: of the draws.

    Returns:
        [P, S, T] or [P, S, T, K].
    """
    chosen = generator.random((len(a), len(alpha), a.shape[1])) < alpha[:, None]
    chosen = chosen.reshape(*chosen.shape, *(1,) * (a.ndim - 2))
    return np.where(chosen, b[:, None], a[:, None])


def _apart(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the share of steps at which windows differ (in any of their numbers), mean
    over pairs.
    """
    differ = a != b
    return float((differ.any(-1) if differ.ndim == 3 else differ).mean())


def paths_picture(measures: PathMeasures, title: str, suffix: str = ".png") -> bytes:
    """Draw the measures along the paths as curves."""

    def curves(name: str) -> list[Curve]:
        kinds = (("latent space", measures.latent, False), ("blended", measures.blended, True))
        return [
            Curve(label, measures.alpha.tolist(), getattr(path, name).tolist(), dots)
            for label, path, dots in kinds
        ]

    panels = {
        "steps unlike the start": curves("from_start"),
        "steps unlike the end": curves("from_end"),
        f"{measures.order}-gram cost, ends = 1": curves("relative_cost"),
    }
    return draw_curves(panels, title, suffix, "place on the path (alpha)", level=1.0)
