"""What a run leaves to look at: ``metrics.jsonl``, one JSON object a line, and a TensorBoard
folder.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import atomic_output, json_text, reason
from musicvae_lite.model_dir.bundle import METRICS

BOARD = "tensorboard"


class RunLog:
    """Writes events of a run; lines after ``step`` that an earlier attempt left are removed
    first.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.path = folder / METRICS
        self._before = threading.excepthook
        threading.excepthook = self._thread_failed
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._forget_after(step)
            self.board = SummaryWriter(str(folder / BOARD), purge_step=step or None)
        except OSError as error:
            raise MusaeError(f"{folder}: cannot be written: {reason(error)}") from error

    def _forget_after(self, step: int) -> None:
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        kept = [line for line in lines if _step(line) <= step]
        with atomic_output(self.path, overwrite=True) as part:
            part.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def write(self, kind: str, values: dict[str, Any]) -> None:
        """Append one event; its numbers become TensorBoard scalars named ``kind/key``.

        Raises:
            MusaeError: if the disk is full.
        """
        with self._told():
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json_text({"event": kind, **values}) + "\n")
            for name, value in _scalars(values):
                self.board.add_scalar(f"{kind}/{name}", value, values["step"])

    def picture(self, step: int, brightness: NDArray[np.float64]) -> None:
        """Add a picture [H, W] or [H, W, 3] of held-out examples and what the model makes
        of them.
        """
        with self._told():
            self.board.add_image(
                "reconstructions",
                brightness,
                step,
                dataformats="HWC" if brightness.ndim == 3 else "HW",
            )
            self.board.flush()

    def close(self) -> None:
        """Write out what is still held back."""
        try:
            with self._told():
                self.board.close()
        finally:
            threading.excepthook = self._before

    def _thread_failed(self, told: Any) -> None:
        """Say nothing of a disk that failed in TensorBoard's thread, which raises it once more in
        ours.
        """
        if not isinstance(told.exc_value, OSError):
            self._before(told)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MusaeError(f"{self.path.parent}: cannot be written: {reason(error)}") from error


def _step(line: str) -> float:
    """Return the step of a line; infinity for one that a kill or a full disk cut off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _scalars(values: dict[str, Any]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            found += _scalars(value)
        elif (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and key not in {"step", "steps"}
        ):
            found.append((key, float(value)))
    return found
