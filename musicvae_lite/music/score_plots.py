"""Pictures of whole scores: a piano roll a row, a colour for each instrument.

matplotlib is imported only where a file is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import Score, Track
from musicvae_lite.music.plots import name_drums
from musicvae_lite.music.windows import bar_ticks
from musicvae_lite.plotting import check_picture, figure_bytes

MAX_BARS = 400  # in one row; more are too narrow to be seen
_MAX_ROWS = 50
# Told apart with every common kind of colour blindness (Okabe & Ito 2008), black last.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#000000")
_DRUMS = "#777777"
_WIDTH_INCHES, _BAR_INCHES, _ROW_INCHES = 6.0, 0.5, 2.0
_MOST_INCHES = 24.0


def stacked_rolls(
    scores: Sequence[Score], path: Path, labels: Sequence[str], title: str = ""
) -> bytes:
    """Return a picture of scores, one above the other on one axis of time and one of pitch.

    Of pieces of more than :data:`MAX_BARS` bars the beginning.

    Args:
        scores: each in one metre; bars are counted by the first.
        path: of the picture; the suffix says which kind.
        labels: of each score.
        title: above the picture.

    Raises:
        UsageError: the kind of picture is not known, or there are too many scores.
    """
    check_stacked(path, len(scores))
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bars = min(max(1, *(-(-score.end // bar_ticks(score)) for score in scores)), MAX_BARS)
    width = min(max(_WIDTH_INCHES, _BAR_INCHES * bars + 1.5), _MOST_INCHES)
    height = _ROW_INCHES * len(scores) + 0.8
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    drums = all(track.is_drum for score in scores for track in score.tracks)
    panels = figure.subplots(len(scores), 1, squeeze=False).ravel()
    colours = _colours(scores)
    pitches = np.concatenate([score.notes["pitch"] for score in scores])
    low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 72)
    for panel, score, label in zip(panels, scores, labels, strict=True):
        _draw(panel, score, colours)
        _frame(panel, bars, min(low, high - 12), high)
        if drums:
            name_drums(panel, low, high, np.unique(pitches).tolist())
        panel.set_title(label, fontsize=9)
    _legend(figure, colours)
    if title:
        figure.suptitle(title, fontsize=10)
    figure.supxlabel("bar", fontsize=8)
    return figure_bytes(figure, path.suffix)


def check_stacked(path: Path, rows: int) -> None:
    """Refuse a picture of another kind, or of more rows than can be seen.

    Raises:
        UsageError: naming the limit.
    """
    check_picture(path, 1)
    if rows > _MAX_ROWS:
        raise UsageError(f"{path}: a picture shows up to {_MAX_ROWS} pieces, not {rows:,}")


def _instrument(track: Track) -> tuple[bool, int, str]:
    """Return what tracks of one colour share; drums come last."""
    return track.is_drum, 0 if track.is_drum else track.program, track.name


def _colours(scores: Sequence[Score]) -> dict[tuple[bool, int, str], str]:
    """Choose a colour for each instrument, the same in every row."""
    found = sorted({_instrument(track) for score in scores for track in score.tracks})
    return {
        own: _DRUMS if own[0] else _COLOURS[number % len(_COLOURS)]
        for number, own in enumerate(found)
    }


def _draw(panel: Any, score: Score, colours: dict[tuple[bool, int, str], str]) -> None:
    """Draw the notes of a score, loud ones darker."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    bar = bar_ticks(score)
    for number, track in enumerate(score.tracks):
        own = (score.notes["track"] == number) & (score.notes["start"] < MAX_BARS * bar)
        notes = score.notes[own]
        start, end = notes["start"] / bar, notes["end"] / bar
        pitch = notes["pitch"].astype(np.float64)
        x = np.stack([start, start, end, end], 1)
        y = np.stack([pitch - 0.42, pitch + 0.42, pitch + 0.42, pitch - 0.42], 1)
        faces = np.tile(to_rgba(colours[_instrument(track)]), (len(notes), 1))
        faces[:, 3] = 0.35 + 0.65 * notes["velocity"] / 127
        boxes = PolyCollection(list(np.stack([x, y], 2)), facecolor=faces, linewidth=0)
        panel.add_collection(boxes, autolim=False)


def _frame(panel: Any, bars: int, low: int, high: int) -> None:
    """Draw bar lines and the C of every octave, and name them."""
    every = max(1, bars // 16)
    octaves = [pitch for pitch in range(12 * (low // 12), high + 13, 12) if low <= pitch <= high]
    panel.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves], fontsize=8)
    ticks = np.arange(0, bars + 1, every)
    panel.set_xticks(ticks, [str(number + 1) if number < bars else "" for number in ticks])
    panel.tick_params(length=0, labelsize=7)
    panel.grid(color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.set_xlim(0, bars)
    panel.set_ylim(low - 1.5, high + 1.5)
    for side in ("top", "right", "left", "bottom"):
        panel.spines[side].set_color("#bbbbbb")


def _legend(figure: Any, colours: dict[tuple[bool, int, str], str]) -> None:
    """Name the instruments, where there are several."""
    from matplotlib.patches import Patch

    if len(colours) < 2:
        return
    handles = [
        Patch(color=colour, label=name or ("drums" if drums else f"program {program}"))
        for (drums, program, name), colour in colours.items()
    ]
    figure.legend(handles=handles, loc="outside right upper", fontsize=7, frameon=False)
