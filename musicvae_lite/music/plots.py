"""Pictures of music: piano rolls. matplotlib is imported only where a file is drawn.

Letters in shapes: N windows, T steps, H W picture.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.files import atomic_output
from musicvae_lite.media.midi import Score
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.codecs.drums import GROUPS
from musicvae_lite.music.codecs.groove import HITS, VELOCITIES
from musicvae_lite.music.codecs.melody import FIRST_NOTE, NOTE_OFF
from musicvae_lite.plotting import CORNER_COLOURS, check_picture, figure_bytes

_BARS_WITH_BEATS = 8  # in longer steps beats are too near to one another, and lines take time
_BAR_NUMBERS = 8  # in a panel
_PIXELS = 3  # of a step and of a semitone in a picture for TensorBoard
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
    if codec is not None and (codec.whole or codec.kind == "piano"):
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


def _sounding(windows: NDArray[Any]) -> NDArray[np.int64]:
    """Return the key (0 for the lowest) that sounds at every step, -1 for silence [N, T]."""
    steps = np.arange(windows.shape[1])
    last = np.maximum.accumulate(np.where(windows > 0, steps, 0), axis=1)
    event = np.take_along_axis(windows.astype(np.int64), last, axis=1)
    return np.where(event > NOTE_OFF, event - FIRST_NOTE, -1)


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
        np.array([to_rgb(colour) for colour in pair])
        for pair in (CORNER_COLOURS[:2], CORNER_COLOURS[2:])
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


def name_drums(panel: Any, low: int, high: int, only: Collection[int] | None = None) -> None:
    """Name the drums from pitch ``low`` to ``high`` (or ``only`` some) beside their lines.

    Where no list is given, each drum of General MIDI is named once, at its usual pitch.
    """
    names = {group[0]: name for name, group in GROUPS.items()}
    if only is not None:
        names = {pitch: _drum_name(pitch) for pitch in only}
    there = sorted(pitch for pitch in names if low <= pitch <= high)
    panel.set_yticks(there, [names[pitch] for pitch in there], fontsize=6)


def _drum_name(pitch: int) -> str:
    return next((name for name, group in GROUPS.items() if pitch in group), str(pitch))


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
    if all(track.is_drum for track in score.tracks):
        name_drums(panel, low, high)
    else:
        panel.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves], fontsize=8)
    every = -(-int(bars) // _BAR_NUMBERS)  # more numbers than this run into one another
    numbers = ["" if number % every else str(number + 1) for number in range(int(bars))]
    panel.set_xticks(np.arange(bars + 1), [*numbers, ""], fontsize=7)
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
