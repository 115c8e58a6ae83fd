"""Pictures of sound: spectrograms before and after denoising.

Matplotlib is imported only where a file is drawn.

Letters in shapes: C channels, F frequency bins, T frames, H W picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.files import atomic_output
from musicvae_lite.media.spectrum import Grid
from musicvae_lite.plotting import check_picture, figure_bytes

Floats = NDArray[np.float64]

_WIDTH, _HEIGHT = 1200, 256  # pixels of a panel at most
_LOWEST_HZ = 40.0
_RANGE_DB, _MASK_RANGE_DB = 80.0, 40.0
_TINY = 1e-20
_TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


class SpectrogramRecorder:
    """Gathers the spectrum before and after a mask in a picture of fixed size, however long the
    sound is.

    Args:
        samples: N of the whole sound.
        grid: of the frames.
        rate_hz: samples in a second.
    """

    def __init__(self, samples: int, grid: Grid, rate_hz: int) -> None:
        self.samples, self.grid = samples, grid
        self.seconds = samples / rate_hz
        self.width = max(1, min(_WIDTH, samples // grid.hop))
        self.rows_hz, self._bins = _rows(grid.window, rate_hz)
        self._before = np.zeros((len(self.rows_hz), self.width))
        self._after = np.zeros_like(self._before)
        self._counts = np.zeros(self.width)

    def add(self, first: int, before: NDArray[Any], after: NDArray[Any]) -> None:
        """Count in the powers [C, F, T] of frames from number ``first`` on, each at its middle."""
        middles = (first + np.arange(before.shape[-1])) * self.grid.hop
        inside = middles < self.samples
        if not inside.any():
            return
        columns, starts, counts = np.unique(
            middles[inside] * self.width // self.samples, return_index=True, return_counts=True
        )
        self._counts[columns] += counts
        for sums, power in ((self._before, before), (self._after, after)):
            rows = _row_means(power.mean(axis=0, dtype=np.float64)[:, inside], self._bins)
            sums[:, columns] += np.add.reduceat(rows, starts, axis=1)

    def pictures(self) -> tuple[Floats, Floats, Floats]:
        """Return the levels before and after, in dB of the loudest before, and the gain between
        them; [H, W], low notes first.
        """
        counts = np.maximum(self._counts, 1)
        before, after = self._before / counts, self._after / counts
        loudest = max(float(before.max()), _TINY)
        least = loudest * 10 ** (-_RANGE_DB / 10)
        levels = [10 * np.log10(np.maximum(power, least) / loudest) for power in (before, after)]
        gain = 10 * np.log10((after + _TINY * loudest) / (before + _TINY * loudest))
        return levels[0], levels[1], gain


def _rows(n_fft: int, rate_hz: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return the frequency of every row, evenly spaced in octaves, and its bins from .. to
    [H + 1].
    """
    edges = np.geomspace(min(_LOWEST_HZ, rate_hz / 8), rate_hz / 2, _HEIGHT + 1)
    bins = np.clip(np.rint(edges * n_fft / rate_hz).astype(np.int64), 0, n_fft // 2)
    return np.sqrt(edges[:-1] * edges[1:]), bins


def _row_means(power: Floats, bins: NDArray[np.int64]) -> Floats:
    """Average the bins of every row, [F, T] -> [H, T]; a row narrower than a bin gets that bin."""
    sums = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power, axis=0)])
    first = bins[:-1]
    last = np.maximum(bins[1:], first + 1)
    means: Floats = (sums[last] - sums[first]) / (last - first)[:, None]
    return means


def plot_denoised(
    recorder: SpectrogramRecorder, path: Path, title: str = "", overwrite: bool = False
) -> None:
    """Draw spectrograms before and after denoising and what was taken away, one above the other:
    PNG, SVG or PDF.

    Raises:
        UsageError: the kind of picture is not known, or see
            :func:`musicvae_lite.core.files.check_output`.
        MusaeError: if the file system refuses.
    """
    data = denoised_picture(recorder, path, title)
    with atomic_output(path, overwrite) as part:
        part.write_bytes(data)


def denoised_picture(recorder: SpectrogramRecorder, path: Path, title: str = "") -> bytes:
    """Return the content of the picture that :func:`plot_denoised` writes.

    The same sound gives the same bytes.

    Raises:
        UsageError: see :func:`musicvae_lite.plotting.check_picture`.
    """
    check_picture(path)
    return figure_bytes(_figure(recorder, title), path.suffix)


def _figure(recorder: SpectrogramRecorder, title: str) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 9), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(3, 1, sharex=True)
    names = ("before", "after", "taken away")
    ranges = (
        (-_RANGE_DB, 0.0, "magma"),
        (-_RANGE_DB, 0.0, "magma"),
        (-_MASK_RANGE_DB, 0.0, "Blues_r"),
    )
    for panel, name, image, (low, high, colours) in zip(
        panels, names, recorder.pictures(), ranges, strict=True
    ):
        extent = (0.0, recorder.seconds, 0.0, float(len(image)))
        drawn = panel.imshow(
            image,
            origin="lower",
            aspect="auto",
            extent=extent,
            vmin=low,
            vmax=high,
            cmap=colours,
            interpolation="nearest",
        )
        panel.set_ylabel(f"{name}, kHz")
        _mark_frequencies(panel, recorder.rows_hz)
        figure.colorbar(drawn, ax=panel, pad=0.01).set_label("dB")
    panels[-1].set_xlabel("seconds")
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _mark_frequencies(panel: Any, rows_hz: Floats) -> None:
    """Put ticks where round frequencies lie on the axis of rows."""
    shown = [hz for hz in _TICKS_HZ if rows_hz[0] <= hz <= rows_hz[-1]]
    places = np.interp(np.log(shown), np.log(rows_hz), np.arange(len(rows_hz)) + 0.5)
    panel.set_yticks(places, [f"{hz / 1000:g}" for hz in shown], fontsize=8)
