"""Paths and directions between points of a latent space, on arrays; no torch.

:mod:`musicvae_lite.core.latent` has the same for tensors. Letters in shapes: Z latent size, S
points of a path.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import ArgumentError, UsageError
from musicvae_lite.core.validation import whole

Path = Literal["slerp", "lerp"]

Floats = NDArray[np.float32]

# Below this sine the two directions are equal or opposite for float32 and the great circle between
# them is not defined.
_PARALLEL = 1e-4


def interpolate(
    start: NDArray[Any], end: NDArray[Any], steps: int, path: Path = "slerp"
) -> NDArray[Any]:
    """Return ``steps`` points from ``start`` [Z] to ``end`` [Z], both included exactly, [steps, Z].

    See :func:`along`.

    Raises:
        ArgumentError: if ``steps`` is no whole number from 1 on, or there is no such path.
        ValueError: if the ends differ in shape.
    """
    steps = whole(steps, 1, f"steps is {steps}; a whole number, at least 1, is needed")
    return along(start, end, np.linspace(0, 1, steps), path)


def along(
    start: NDArray[Any], end: NDArray[Any], fractions: NDArray[Any], path: Path = "slerp"
) -> NDArray[Any]:
    """Return the points at ``fractions`` [S] of the way from ``start`` [Z] to ``end`` [Z], [S, Z],
    in the type of ``start``.

    At 0 and 1 the ends exactly.

    ``slerp`` goes along the great circle and moves the length linearly from one end's to the
    other's (Shoemake 1985 for the direction; White 2016 for its use in latent spaces). Equal,
    opposite or zero ends, where the circle is not defined, fall back on the straight line,
    ``lerp``.

    Raises:
        ArgumentError: if there is no such path.
        ValueError: if the ends differ in shape.
    """
    if path not in get_args(Path):
        raise ArgumentError(f"path {path!r} is not known; valid: {', '.join(get_args(Path))}")
    if start.shape != end.shape or start.ndim != 1:
        raise ValueError(
            f"the ends must be two vectors of one size, not {tuple(start.shape)} and "
            f"{tuple(end.shape)}"
        )
    a, b = start.astype(np.float64), end.astype(np.float64)
    t = np.asarray(fractions, np.float64)[:, None]
    points = (1 - t) * a + t * b
    length_a, length_b = np.linalg.norm(a), np.linalg.norm(b)
    if path == "slerp" and length_a > 0 and length_b > 0:
        unit_a, unit_b = a / length_a, b / length_b
        # atan2 keeps its precision near 0 and pi, where acos of a dot product loses it.
        angle = 2 * np.arctan2(np.linalg.norm(unit_a - unit_b), np.linalg.norm(unit_a + unit_b))
        if np.sin(angle) > _PARALLEL:
            direction = (np.sin((1 - t) * angle) * unit_a + np.sin(t * angle) * unit_b) / np.sin(
                angle
            )
            points = direction * ((1 - t) * length_a + t * length_b)
    points = np.where(t == 1, b, np.where(t == 0, a, points))
    result: NDArray[Any] = points.astype(start.dtype)
    return result


def grid(corners: NDArray[Any], rows: int, columns: int, path: Path = "slerp") -> NDArray[Any]:
    """Return points between four corners, [rows, columns, Z].

    The corners of the grid are ``corners`` exactly.

    Bilinear: each row is a path between a point of the left side and one of the right side, which
    are paths themselves.

    Args:
        corners: [4, Z]: top left, top right, bottom left, bottom right.
        rows: at least 2.
        columns: at least 2.
        path: ``slerp`` or ``lerp``, see :func:`along`.

    Raises:
        ValueError: if there are not four corners, or too few rows or columns.
    """
    if corners.ndim != 2 or len(corners) != 4 or min(rows, columns) < 2:
        raise ValueError(
            f"a grid of at least 2 x 2 has corners [4, Z]; this is {rows} x {columns} of "
            f"{tuple(corners.shape)}"
        )
    left = interpolate(corners[0], corners[2], rows, path)
    right = interpolate(corners[1], corners[3], rows, path)
    return np.stack([interpolate(a, b, columns, path) for a, b in zip(left, right, strict=True)])


def towards(draws: NDArray[Any], goal: NDArray[Any], fraction: float) -> NDArray[Any]:
    """Return the points at ``fraction`` of the great circle from each draw [N, Z] to ``goal`` [Z],
    [N, Z]; see :func:`along`.
    """
    return np.concatenate([along(draw, goal, np.array([fraction])) for draw in draws])


def check_similar(similarity: float, count: int) -> None:
    """Refuse a similarity or a count out of range.

    Raises:
        UsageError: naming it.
    """
    if not 0 <= similarity <= 1:
        raise UsageError(f"similarity is {similarity}; it goes from 0 (unrelated) to 1 (the same)")
    whole(count, 1, f"count is {count}; at least 1 can be drawn")


def points_of(z: Any) -> Floats:
    """Return points (an array or a tensor), or the mean of a posterior, as an array of at least two
    dimensions.

    Raises:
        UsageError: if they are no numbers.
    """
    z = z.mean if hasattr(z, "scale") else z
    array = z.detach().cpu().numpy() if hasattr(z, "detach") else np.asarray(z)
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise UsageError(f"points are numbers, not {array.dtype}")
    return np.atleast_2d(array).astype(np.float32)


def checked_points(z: Any, size: int, name: str) -> Floats:
    """Return points [N, Z] of a model.

    Raises:
        UsageError: another shape, or a number that is not finite.
    """
    array = points_of(z)
    if array.ndim != 2 or array.shape[1] != size:
        raise UsageError(f"{name} has points [N, {size}]; these are {list(array.shape)}")
    if not np.isfinite(array).all():
        raise UsageError("a point has a number that is not finite")
    return array
