"""What pictures of all media share: file formats, sheets, matrices.

matplotlib is imported only where a file is drawn. Letters in shapes: N images, H W image, R rows,
C columns.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError

FORMATS = (".png", ".svg", ".pdf")
MAX_STEPS = 200  # of one picture: half a minute; matplotlib draws at most 65,535 pixels in height
MAX_IN_SHEET = 2500
DPI = 150
_TRAINING, _HELD_OUT = "#2f6db5", "#d9622b"
_FONT = 10
#: Four colours that are told apart with every common kind of colour blindness.
CORNER_COLOURS = ("#2f6db5", "#d9622b", "#2a8f6a", "#7a3f98")
_SHEET_PIXELS = 4000  # width of a sheet that is not exceeded
_EACH_PIXELS, _LINE = 96, 128  # wanted size of one picture, brightness between them


def check_picture(path: Path, steps: int = 0) -> None:
    """Refuse a picture of a kind that cannot be written, or of too many steps.

    Raises:
        UsageError: naming the kinds, or the limit.
    """
    if steps > MAX_STEPS:
        raise UsageError(f"{path}: a picture holds up to {MAX_STEPS:,} steps, not {steps:,}")
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: a picture ends in {', '.join(FORMATS)}")


def figure_bytes(figure: Any, suffix: str) -> bytes:
    """Return a matplotlib figure as the content of a file; the same figure gives the same bytes.

    Args:
        figure: what was drawn.
        suffix: one of :data:`FORMATS`.
    """
    import matplotlib

    # No date, and fixed names inside an SVG.
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix.lower(), {})
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "musae"}):
        figure.savefig(buffer, format=suffix[1:].lower(), dpi=DPI, metadata=metadata)
    return buffer.getvalue()


def tile(rows: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Lay pictures out in rows, with a thin line between them.

    Smaller ones are enlarged by whole pixels.

    Args:
        rows: pictures of each row, brightness 0..1 [N, H, W, 1] or [N, H, W, 3].

    Returns:
        Brightness 0 to 1 [H, W] or [H, W, 3].
    """
    height, width = (max(pictures.shape[axis] for pictures in rows) for axis in (1, 2))
    lines = []
    for pictures in rows:
        large = pictures.repeat(height // pictures.shape[1], axis=1).repeat(
            width // pictures.shape[2], axis=2
        )
        framed = np.pad(
            large.astype(np.float64), ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=0.5
        )
        lines.append(np.concatenate(list(framed), axis=1))
    picture = np.concatenate(lines)
    return picture[..., 0] if picture.shape[-1] == 1 else picture


def sheet(pictures: NDArray[Any], columns: int) -> NDArray[np.uint8]:
    """Lay pictures out row by row, enlarged by whole pixels to a size that can be looked at, with
    lines between them.

    Args:
        pictures: brightness 0..1 [N, H, W] or [N, H, W, 3].
        columns: pictures in a row.

    Returns:
        One picture as bytes [h, w] or [h, w, 3].

    Raises:
        UsageError: more pictures than one can hold.
    """
    count, height, width = pictures.shape[:3]
    if count > MAX_IN_SHEET:
        raise UsageError(
            f"one picture shows up to {MAX_IN_SHEET:,}, not {count:,}; write a folder (DIR/) or "
            "arrays (.npz)"
        )
    rows = -(-count // columns)
    fits = _SHEET_PIXELS // max(columns * width, rows * height)
    times = max(1, min(-(-_EACH_PIXELS // max(height, width)), fits))
    gap = max(1, times // 2)
    large = (
        np.rint(np.clip(pictures, 0, 1) * 255)
        .astype(np.uint8)
        .repeat(times, axis=1)
        .repeat(times, axis=2)
    )
    canvas = np.full(
        (
            rows * (large.shape[1] + gap) + gap,
            columns * (large.shape[2] + gap) + gap,
            *pictures.shape[3:],
        ),
        _LINE,
    )
    for index, picture_ in enumerate(large):
        top = gap + index // columns * (large.shape[1] + gap)
        left = gap + index % columns * (large.shape[2] + gap)
        canvas[top : top + large.shape[1], left : left + large.shape[2]] = picture_
    return canvas.astype(np.uint8)


def matrix_picture(
    values: NDArray[Any], rows: Sequence[str], columns: Sequence[str], title: str, label: str
) -> bytes:
    """Draw a matrix of signed numbers [R, C] as coloured cells with the numbers in them; PNG.

    Args:
        values: orange above 0, blue below; full colour at the largest of all.
        rows: their names, to the left.
        columns: their names, above.
        title: above all.
        label: what the numbers are.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.8 + 1.1 * len(columns), 1.3 + 0.5 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    limit = float(np.abs(values).max(initial=0.0)) or 1.0
    colours = LinearSegmentedColormap.from_list(
        "signed", [CORNER_COLOURS[0], "#ffffff", CORNER_COLOURS[1]]
    )
    image = panel.imshow(values, cmap=colours, vmin=-limit, vmax=limit, aspect="auto")
    for row, column in np.ndindex(*values.shape):
        dark = abs(values[row, column]) > 0.75 * limit
        text = f"{values[row, column]:+.2f}"
        panel.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=9,
            color="white" if dark else "#222222",
        )
    panel.set_xticks(range(len(columns)), columns, fontsize=9)
    panel.set_yticks(range(len(rows)), rows, fontsize=9)
    panel.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    for side in panel.spines.values():
        side.set_visible(False)
    figure.colorbar(image, ax=panel, shrink=0.9).set_label(label, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure_bytes(figure, ".png")


def empty_figure(width: float, height: float) -> Any:
    """Return an empty figure of a size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


@dataclass(frozen=True, eq=False)
class Curve:
    """Values over the steps of a run.

    Attributes:
        label: its name in the legend.
        steps: [N].
        values: [N].
        points: the values are of held-out examples: few, drawn as dots, too.
    """

    label: str
    steps: Sequence[float]
    values: Sequence[float]
    points: bool = False


def draw_curves(
    panels: Mapping[str, Sequence[Curve]],
    title: str,
    suffix: str = ".png",
    across: str = "step",
    level: float | None = None,
) -> bytes:
    """Draw panels of curves, one below another over the same steps.

    Each is named by what its values are.

    Args:
        panels: curves by the name of their values.
        title: above all.
        suffix: kind of the file.
        across: what the steps are.
        level: value to which those of the last panel compare, drawn as a dashed line.
    """
    h = 0.8 + 2.6 * len(panels)
    figure = empty_figure(8.0, h)
    shown = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    figure.subplots_adjust(left=0.11, right=0.97, top=1 - 0.5 / h, bottom=0.55 / h, hspace=0.12)
    for panel, (name, curves) in zip(shown, panels.items(), strict=True):
        for curve in curves:
            style, colour = ("o-", _HELD_OUT) if curve.points else ("-", _TRAINING)
            panel.plot(
                curve.steps,
                curve.values,
                style,
                color=colour,
                linewidth=1.5,
                markersize=4,
                label=curve.label,
            )
        low, high = _limits(curves)
        panel.set_ylim(low, high)
        panel.set_ylabel(name, fontsize=_FONT)
        panel.grid(color="#e6e6e6", linewidth=0.6)
        panel.set_axisbelow(True)
    if level is not None:
        shown[-1].axhline(level, color="#555555", linewidth=0.9, linestyle=(0, (4, 3)))
    shown[-1].set_xlabel(across, fontsize=_FONT)
    figure.text(0.11, 1 - 0.12 / h, title, va="top", fontsize=_FONT + 1)
    lines = {
        label: line
        for panel in shown
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        lines.values(),
        lines.keys(),
        loc="upper right",
        bbox_to_anchor=(0.98, 1 - 0.05 / h),
        ncols=2,
        frameon=False,
        fontsize=_FONT,
    )
    return figure_bytes(figure, suffix)


def _limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return the range to show: the first few values, far off before anything is learned, would
    flatten the rest.
    """
    later = np.concatenate(
        [np.asarray(curve.values[len(curve.values) // 20 :], float) for curve in curves]
    )
    later = later[np.isfinite(later)]
    low, high = (float(later.min()), float(later.max())) if len(later) else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room
