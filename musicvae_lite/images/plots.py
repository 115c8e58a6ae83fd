"""Figures of models of pictures: rows of pictures, maps of the latent space, curves of a run.

Matplotlib is imported late.

Each function returns the content of a file; the same input gives the same bytes. Letters in shapes:
N pictures, H W pixels, Z latent size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.plotting import DPI, empty_figure, figure_bytes

#: Ten colours that are told apart with every common kind of colour blindness (Tol's "muted" and
#: black).
COLOURS = (
    "#332288",
    "#88CCEE",
    "#44AA99",
    "#117733",
    "#999933",
    "#DDCC77",
    "#CC6677",
    "#882255",
    "#AA4499",
    "#555555",
)
_CELL_PIXELS, _GAP_PIXELS = 84, 6
_FONT, _SMALL = 10, 9
_LETTER_INCHES = 0.085  # width of a letter, a little more than most have


@dataclass(frozen=True, eq=False)
class Row:
    """Pictures side by side.

    Attributes:
        label: what stands to the left.
        pictures: brightness 0..1, each [H, W] or [H, W, 3]; None leaves a gap.
    """

    label: str
    pictures: Sequence[NDArray[Any] | None]


@dataclass(frozen=True)
class Scale:
    """What the colours of a picture of numbers mean, for a bar beside it."""

    low: float
    high: float
    label: str


def draw_rows(
    rows: Sequence[Row],
    columns: Sequence[str],
    title: str,
    suffix: str = ".png",
    axes: tuple[str, str] = ("", ""),
    cell: int = _CELL_PIXELS,
    gap: int = _GAP_PIXELS,
    scale: Scale | None = None,
) -> bytes:
    """Draw rows of pictures, each enlarged by whole pixels so that they stay sharp.

    Args:
        rows: as many pictures in each.
        columns: what stands above each column; "" for nothing.
        title: above all.
        suffix: kind of the file.
        axes: what the columns and the rows are, below and to the left.
        cell: pixels that a picture should have.
        gap: pixels between them.
        scale: what the colours mean, where they are not the pictures' own.
    """
    canvas, step_y, step_x = _canvas(rows, cell, gap)
    height, width = (size / DPI for size in canvas.shape[:2])
    longest = max(len(row.label) for row in rows)
    left = 0.15 + _LETTER_INCHES * longest + (0.3 if axes[1] else 0)
    right = 0.95 if scale else 0.15
    lines = _wrapped(title, left + width + right)
    top = 0.2 + 0.19 * len(lines) + (0.22 if any(columns) else 0)
    bottom = 0.4 if axes[0] else 0.12
    w, h = left + width + right, top + height + bottom
    figure = empty_figure(w, h)
    panel = figure.add_axes((left / w, bottom / h, width / w, height / h))
    panel.imshow(
        canvas, interpolation="none", aspect="auto", extent=(0, canvas.shape[1], canvas.shape[0], 0)
    )
    panel.set_yticks(
        [gap + (step_y - gap) / 2 + step_y * i for i in range(len(rows))],
        [row.label for row in rows],
        fontsize=_SMALL,
    )
    middles = [gap + (step_x - gap) / 2 + step_x * i for i in range(len(columns))]
    panel.set_xticks(middles, list(columns), fontsize=_SMALL)
    panel.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    for side in panel.spines.values():
        side.set_visible(False)
    panel.set_xlabel(axes[0], fontsize=_FONT)
    if axes[1]:
        figure.text(
            0.1 / w, (bottom + height / 2) / h, axes[1], rotation=90, va="center", fontsize=_FONT
        )
    figure.text(0.15 / w, 1 - 0.1 / h, "\n".join(lines), va="top", fontsize=_FONT)
    if scale:
        _bar(figure, scale, ((left + width + 0.12) / w, bottom / h, 0.12 / w, height / h))
    return figure_bytes(figure, suffix)


def _wrapped(text: str, inches: float) -> list[str]:
    """Break a title into lines that fit."""
    from textwrap import wrap

    return wrap(text, max(20, int(inches / _LETTER_INCHES))) or [""]


def _canvas(rows: Sequence[Row], cell: int, gap: int) -> tuple[NDArray[np.float64], int, int]:
    """Lay rows out on white; return [h, w, 3] and how far rows and columns are apart."""
    shapes = [picture.shape for row in rows for picture in row.pictures if picture is not None]
    height, width = max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)
    times = max(1, round(cell / max(height, width)))
    step_y, step_x = height * times + gap, width * times + gap
    canvas = np.ones(
        (len(rows) * step_y + gap, max(len(row.pictures) for row in rows) * step_x + gap, 3)
    )
    for y, row in enumerate(rows):
        for x, picture in enumerate(row.pictures):
            if picture is None:
                continue
            large = _enlarged(picture, height * times, width * times)
            top, left = gap + y * step_y, gap + x * step_x
            canvas[top : top + height * times, left : left + width * times] = large
    return canvas, step_y, step_x


def _enlarged(picture: NDArray[Any], height: int, width: int) -> NDArray[np.float64]:
    """Return a picture as colours [height, width, 3], each of its pixels a block."""
    rows = np.arange(height) * picture.shape[0] // height
    columns = np.arange(width) * picture.shape[1] // width
    large = np.clip(picture[rows][:, columns].astype(np.float64), 0, 1)
    return large if large.ndim == 3 else np.repeat(large[..., None], 3, axis=2)


def in_colours(values: NDArray[Any], high: float) -> NDArray[np.float64]:
    """Return numbers 0..high [..., H, W] as colours [..., H, W, 3] that are told apart without
    seeing red or green.
    """
    from matplotlib import colormaps

    colours: NDArray[np.float64] = colormaps["viridis"](np.clip(values / max(high, 1e-12), 0, 1))[
        ..., :3
    ]
    return colours


def _bar(figure: Any, scale: Scale, place: tuple[float, float, float, float]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = figure.colorbar(
        ScalarMappable(Normalize(scale.low, scale.high), "viridis"), cax=figure.add_axes(place)
    )
    bar.set_label(scale.label, fontsize=_SMALL)
    bar.ax.tick_params(labelsize=_SMALL - 1)
    bar.outline.set_visible(False)


def prior_grid(size: int) -> NDArray[np.float32]:
    """Return ``size`` x ``size`` points [size * size, 2] that part a standard normal prior into
    cells of equal probability.

    Row by row from the top: the first number grows to the right, the second upwards.
    """
    quantiles = np.array([NormalDist().inv_cdf((i + 0.5) / size) for i in range(size)])
    first, second = np.meshgrid(quantiles, quantiles[::-1])
    return np.stack([first.ravel(), second.ravel()], 1).astype(np.float32)


def draw_grid(pictures: NDArray[Any], size: int, title: str, suffix: str = ".png") -> bytes:
    """Draw the pictures of :func:`prior_grid` [size * size, H, W(, 3)], close together, with the
    latent numbers at the edges.
    """
    points = prior_grid(size)
    every = max(1, size // 5)
    columns = [f"{points[i, 0]:+.2f}" if i % every == every // 2 else "" for i in range(size)]
    rows = [
        Row(
            f"{points[i * size, 1]:+.2f}" if i % every == every // 2 else "",
            list(pictures[i * size : (i + 1) * size]),
        )
        for i in range(size)
    ]
    return draw_rows(
        rows,
        columns,
        title,
        suffix,
        ("first latent number", "second latent number"),
        cell=56,
        gap=3,
    )


def draw_scatter(
    points: NDArray[Any],
    labels: NDArray[Any] | None,
    title: str,
    suffix: str = ".png",
    axes: tuple[str, str] = ("first latent number", "second latent number"),
    prior: bool = False,
) -> bytes:
    """Draw points [N, 2], a colour and a legend for each class.

    Its name stands in the middle of it.

    Args:
        points: [N, 2].
        labels: class of each [N], or None.
        title: above.
        suffix: kind of the file.
        axes: what the two numbers are.
        prior: draw the circles that hold half and 95 % of a standard normal prior.
    """
    figure = empty_figure(8.0, 7.0)
    panel = figure.add_axes((0.1, 0.09, 0.76, 0.83))
    classes = [] if labels is None else np.unique(labels).tolist()
    size = float(np.clip(24_000 / max(1, len(points)), 2.5, 30))
    style = {"s": size, "linewidths": 0, "alpha": 0.75, "rasterized": len(points) > 2000}
    if labels is None or len(classes) > len(COLOURS):
        colours = {"c": COLOURS[0]} if labels is None else {"c": labels, "cmap": "viridis"}
        shown = panel.scatter(*points.T, **colours, **style)
        if labels is not None:
            figure.colorbar(shown, cax=figure.add_axes((0.88, 0.4, 0.02, 0.5)), label="class")
    else:
        # In mixed order, so that no class lies on top of all others.
        order = np.random.Generator(np.random.PCG64(0)).permutation(len(points))
        index = np.searchsorted(classes, labels)
        panel.scatter(*points[order].T, c=[COLOURS[i] for i in index[order]], **style)
        _name_classes(panel, points, labels, classes)
    if prior:
        _draw_prior(figure, panel)
    panel.set_aspect("equal", adjustable="datalim")
    panel.grid(color="#e6e6e6", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.set_xlabel(axes[0], fontsize=_FONT)
    panel.set_ylabel(axes[1], fontsize=_FONT)
    figure.text(0.1, 0.932, "\n".join(_wrapped(title, 7)), va="bottom", fontsize=_FONT + 1)
    return figure_bytes(figure, suffix)


def _name_classes(
    panel: Any, points: NDArray[Any], labels: NDArray[Any], classes: Sequence[int]
) -> None:
    from matplotlib.patheffects import withStroke

    handles = [
        panel.plot([], [], "o", color=colour, markersize=7, label=str(name))[0]
        for name, colour in zip(classes, COLOURS, strict=False)
    ]
    reach = 0.25 * float(points.std())
    panel.legend(
        handles=handles,
        title="class",
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        frameon=False,
        fontsize=_FONT,
    )
    for name, colour in zip(classes, COLOURS, strict=False):
        x, y = _densest(points[labels == name], reach)
        halo = [withStroke(linewidth=3.5, foreground="white")]
        panel.text(
            x,
            y,
            str(name),
            color=colour,
            fontsize=17,
            weight="bold",
            ha="center",
            va="center",
            path_effects=halo,
        )


def _densest(points: NDArray[Any], reach: float) -> NDArray[Any]:
    """Return the point of [N, 2] with the most others within ``reach``.

    A class may fall into several heaps.
    """
    few = points[:1000].astype(np.float64)
    distance = np.linalg.norm(few[:, None] - few[None], axis=2)
    place: NDArray[Any] = few[(distance < reach).sum(1).argmax()]
    return place


def _draw_prior(figure: Any, panel: Any) -> None:
    from matplotlib.patches import Circle

    for share in (0.5, 0.95):
        radius = float(
            np.sqrt(-2 * np.log(1 - share))
        )  # of a circle that holds the share of a normal in two dimensions
        panel.add_patch(
            Circle(
                (0, 0), radius, fill=False, color="#555555", linewidth=0.9, linestyle=(0, (4, 3))
            )
        )
    figure.text(
        0.875, 0.12, "dashed: 50 %\nand 95 % of\nthe prior", fontsize=_SMALL, color="#333333"
    )
