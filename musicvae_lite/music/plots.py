"""Pictures of music: piano rolls. matplotlib is imported only where a file is drawn.

Letters in shapes: N windows, T steps, H W picture.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.files import atomic_output
from musicvae_lite.media.midi import Score
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.codecs.groove import HITS, VELOCITIES
from musicvae_lite.music.codecs.melody import FIRST_NOTE, NOTE_OFF

FORMATS = (".png", ".svg", ".pdf")
_BARS_WITH_BEATS = 8  # in longer steps beats are too near to one another, and lines take time
MAX_STEPS = 200  # in one picture; they take half a minute, and matplotlib can draw no more than 65,535 pixels in height

MAX_IN_SHEET = 2500
DPI = 150
_SHEET_PIXELS, _EACH_PIXELS, _LINE = (
    4000,
    96,
    128,
)  # width that is not exceeded, wanted size of one, brightness between

_PIXELS = 3  # of a step and of a semitone in a picture for TensorBoard
# Of start and end (and the lower corners of a grid): told apart with every common kind of colour
# blindness.
_CORNERS = ("#2f6db5", "#d9622b", "#2a8f6a", "#7a3f98")
_PANEL_INCHES, _HEIGHT_INCHES, _MAX_COLUMNS = 1.5, 2.3, 9


def roll_image(windows: NDArray[Any], codec: ScoreCodec | None = None) -> NDArray[np.float64]:
    """Draw windows [N, T] or [N, T, K] side by side: melodies on 88 keys, low notes at the bottom.

    Of a trio voice over voice.

    Args:
        windows: of melodies, drums, trios, grooves or several instruments (all on one roll).
        codec: that made them; default: of melodies.

    Returns:
        Brightness 0 to 1 [H, W]: 1 where a note starts (of a groove its velocity), 0.6 where it
        goes on, 0.3 between windows.
    """
    windows = np.asarray(windows)
    kind = "melody" if codec is None else codec.kind
    if codec is not None and codec.whole:
        return _framed(np.stack([_score_roll(codec.decode(window), codec) for window in windows]))
    if kind == "melody":
        return _framed(_melody_rolls(windows))
    if kind == "trio":
        lines = [_melody_rolls(windows[..., voice]) for voice in (0, 1)]
        return _framed(np.concatenate([*lines, _drum_rolls(windows[..., 2])], axis=1))
    if kind == "groove":
        windows = (windows[..., HITS] > 0.5) * windows[..., VELOCITIES]
    return _framed(_drum_rolls(windows))


def _drum_rolls(windows: NDArray[Any]) -> NDArray[np.float64]:
    """Return drum windows as pictures [N, classes, T], the first class at the bottom: tokens of 9
    bits [N, T], or brightness.
    """
    bits = (
        (windows[..., None].astype(np.int64) >> np.arange(9)) & 1 if windows.ndim == 2 else windows
    )
    return bits.astype(np.float64).transpose(0, 2, 1)[:, ::-1]


def _melody_rolls(windows: NDArray[Any]) -> NDArray[np.float64]:
    """Return melody windows [N, T] as pictures [N, 88, T]."""
    count, steps = windows.shape
    keys = 88
    sounding = _sounding(windows)
    rolls = np.zeros((count, keys, steps))
    window, step = np.nonzero((sounding >= 0) & (sounding < keys))
    key = sounding[window, step]
    rolls[window, keys - 1 - key, step] = np.where(windows[window, step] >= FIRST_NOTE, 1.0, 0.6)
    return rolls


def _score_roll(score: Score, codec: ScoreCodec) -> NDArray[np.float64]:
    """Return the notes of a window as a picture [128, steps]."""
    roll = np.zeros((128, codec.bars * codec.steps_per_bar))
    ticks = score.ticks_per_quarter // codec.steps_per_quarter
    for start, end, pitch, *_ in score.notes.tolist():
        row = roll[127 - pitch, start // ticks : end // ticks]
        row[:] = np.maximum(row, 0.6)
        row[:1] = 1.0
    return roll


def _framed(rolls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lay pictures [N, H, W] side by side, enlarged, with a line after each."""
    large = rolls.repeat(_PIXELS, axis=1).repeat(_PIXELS, axis=2)
    line = np.full((*large.shape[:2], 1), 0.3)
    return np.concatenate(list(np.concatenate([large, line], axis=2)), axis=1)


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


def _sounding(windows: NDArray[Any]) -> NDArray[np.int64]:
    """Return the key (0 for the lowest) that sounds at every step, -1 for silence [N, T]."""
    steps = np.arange(windows.shape[1])
    last = np.maximum.accumulate(np.where(windows > 0, steps, 0), axis=1)
    event = np.take_along_axis(windows.astype(np.int64), last, axis=1)
    return np.where(event > NOTE_OFF, event - FIRST_NOTE, -1)


def check_picture(path: Path, steps: int = 0) -> None:
    """Refuse a picture of a kind that cannot be written, or of too many steps.

    Raises:
        UsageError: naming the kinds, or the limit.
    """
    if steps > MAX_STEPS:
        raise UsageError(f"{path}: a picture holds up to {MAX_STEPS:,} steps, not {steps:,}")
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: a picture ends in {', '.join(FORMATS)}")


def plot_interpolation(
    scores: Sequence[Score], path: Path, title: str = "", overwrite: bool = False
) -> None:
    """Draw one piano roll a step, side by side on one axis of pitch, and write PNG, SVG or PDF.

    Args:
        scores: the steps in order, each a score of one melody.
        path: where to; the suffix says which kind.
        title: above the picture.
        overwrite: replace an existing file.

    Raises:
        UsageError: the kind of picture is not known, or see
            :func:`musicvae_lite.core.files.check_output`.
        MusaeError: if the file system refuses.
    """
    data = picture(scores, path, title)
    with atomic_output(path, overwrite) as part:
        part.write_bytes(data)


def picture(
    scores: Sequence[Score],
    path: Path,
    title: str = "",
    labels: Sequence[str] = (),
    columns: int | None = None,
) -> bytes:
    """Return the content of the picture that :func:`plot_interpolation` writes.

    Args:
        scores: the steps in order.
        path: of the picture.
        title: above it.
        labels: above each step; default their numbers.
        columns: of a grid of steps; default a path, which goes on in the next line where it is
            long.

    Raises:
        UsageError: see :func:`check_picture`.
    """
    check_picture(path, len(scores))
    names = labels or [str(step + 1) for step in range(len(scores))]
    return figure_bytes(_figure(scores, title, names, columns), path.suffix)


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


def _figure(scores: Sequence[Score], title: str, labels: Sequence[str], grid: int | None) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = grid or min(len(scores), _MAX_COLUMNS)
    rows = -(-len(scores) // columns)
    figure = Figure(
        figsize=(_PANEL_INCHES * columns + 0.9, _HEIGHT_INCHES * rows + 0.5), layout="constrained"
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(
        rows, columns, squeeze=False
    ).ravel()  # a shared axis takes time that grows with the square of steps
    colours = _mixed(len(scores), grid)
    low, high = _pitch_range(scores)
    for panel, score, colour, label in zip(panels, scores, colours, labels, strict=False):
        _draw(panel, score, colour, low, high)
        panel.set_title(label, fontsize=9)
    for panel in panels[len(scores) :]:
        panel.set_visible(False)
    for number, panel in enumerate(panels):
        panel.tick_params(labelleft=number % columns == 0)
    for panel in panels[::columns]:
        panel.set_ylabel("pitch", fontsize=8)
    if title:
        figure.suptitle(title, fontsize=10)
    figure.supxlabel("bar (of each step)", fontsize=8)
    return figure


def _mixed(steps: int, grid: int | None) -> NDArray[np.float64]:
    """Return a colour for each step [S, 3]: between those of the ends, or of the corners where
    ``grid`` steps are in a row.
    """
    from matplotlib.colors import to_rgb

    top, bottom = (
        np.array([to_rgb(colour) for colour in pair]) for pair in (_CORNERS[:2], _CORNERS[2:])
    )
    columns = grid or steps
    across = np.tile(np.linspace(0, 1, columns), -(-steps // columns))[:steps, None]
    down = np.repeat(np.linspace(0, 1, -(-steps // columns)), columns)[:steps, None]
    mixed: NDArray[np.float64] = (1 - down) * ((1 - across) * top[0] + across * top[1]) + down * (
        (1 - across) * bottom[0] + across * bottom[1]
    )
    return mixed


def _pitch_range(scores: Sequence[Score]) -> tuple[int, int]:
    """Return lowest and highest pitch, at least an octave apart."""
    pitches = (
        np.concatenate([score.notes["pitch"] for score in scores])
        if scores
        else np.zeros(0, np.uint8)
    )
    if not len(pitches):
        return 60, 72
    low, high = int(pitches.min()), int(pitches.max())
    return min(low, high - 12), high


def _draw(panel: Any, score: Score, colour: Any, low: int, high: int) -> None:
    """Draw the notes of one step; the lines are bars, beats and the C of every octave."""
    from matplotlib.collections import PolyCollection

    metre = score.metres[0]
    bar = 4 * score.ticks_per_quarter * int(metre["numerator"]) / int(metre["denominator"])
    bars = max(1, -(-score.end // bar))
    start, end, pitch = (
        score.notes[column].astype(np.float64) for column in ("start", "end", "pitch")
    )
    x = np.stack([start, start, end, end], 1) / bar
    y = np.stack([pitch - 0.42, pitch + 0.42, pitch + 0.42, pitch - 0.42], 1)
    bars_of_notes = PolyCollection(
        list(np.stack([x, y], 2)), facecolor=colour, edgecolor="white", linewidth=0.4
    )
    panel.add_collection(bars_of_notes, autolim=False)
    octaves = [
        pitch for pitch in range(12 * (low // 12), high + 13, 12) if low - 1 <= pitch <= high + 1
    ]
    panel.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves], fontsize=8)
    panel.set_xticks(
        np.arange(bars + 1), [str(number + 1) for number in range(int(bars))] + [""], fontsize=7
    )
    if bars <= _BARS_WITH_BEATS:
        panel.set_xticks(np.arange(0, bars, 1 / int(metre["numerator"])), minor=True)
    panel.grid(axis="x", color="#cccccc", linewidth=0.8)
    panel.grid(axis="x", which="minor", color="#eeeeee", linewidth=0.5)
    panel.grid(axis="y", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.tick_params(length=0, which="both")
    panel.set_xlim(0, bars)
    panel.set_ylim(low - 1.5, high + 1.5)
    for side in ("top", "right", "left", "bottom"):
        panel.spines[side].set_color("#bbbbbb")


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
    colours = LinearSegmentedColormap.from_list("signed", [_CORNERS[0], "#ffffff", _CORNERS[1]])
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
