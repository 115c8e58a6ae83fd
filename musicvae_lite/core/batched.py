"""Running a trained model on arrays of any length, in blocks of one fixed size.

Everything runs in float32, and the last block is filled up, so that a result does not depend on how
many rows are asked for.
Letters in shapes: N rows, Z latent size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.core.autoencoder import Autoencoder
from musicvae_lite.core.geometry import checked_points
from musicvae_lite.core.latent import Latent

#: Rows that run through a model together. Larger is faster for many rows and slower for a few.
BLOCK = 32
_FEW_BLOCKS = 4  # up to so many are computed on one thread
_LARGE = 2**22  # unless a weight has so many numbers

Floats = NDArray[np.float32]
Points = Latent | Tensor | NDArray[Any]


class Blocks:
    """A model on its device.

    Args:
        model: the model; it stays on the device where it is.
        name: what messages call it.
    """

    def __init__(self, model: Autoencoder, name: str) -> None:
        self.model, self.name = model, name
        self.device = next(model.parameters()).device
        self._large = max(weight.numel() for weight in model.parameters()) >= _LARGE

    def run(
        self,
        function: Callable[..., tuple[Tensor, ...]],
        count: int,
        arrays: dict[str, NDArray[Any] | None],
        empty: Sequence[tuple[int, ...]],
        least: int = BLOCK,
    ) -> list[NDArray[Any]]:
        """Call ``function(first row, **rows of the arrays)`` for every block.

        The last one is filled up and cut again.

        Args:
            function: what is computed.
            count: N.
            arrays: its keyword arguments, [N, ...].
            empty: the shapes, without N, of what it returns when there are no rows.
            least: rows of the smallest block, a power of two; the last block has as many as needed,
                doubling from there. Other sizes than :data:`BLOCK` may change the last digits of
                numbers, which classes chosen from them do not show.
        """
        if not count:
            return [np.zeros((0, *shape), np.float32) for shape in empty]
        parts = []
        with torch.inference_mode(), self._settings(count):
            for start in range(0, count, BLOCK):
                size = least
                while size < min(BLOCK, count - start):
                    size *= 2
                rows = np.minimum(np.arange(start, start + size), count - 1)
                given = {
                    key: torch.from_numpy(a[rows]).to(self.device)
                    for key, a in arrays.items()
                    if a is not None
                }
                keep = min(BLOCK, count - start)
                parts.append([result[:keep].cpu().numpy() for result in function(start, **given)])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    @contextmanager
    def _settings(self, count: int) -> Iterator[None]:
        """Keep cuDNN from rounding to TensorFloat-32, and small work on one CPU thread."""
        with ExitStack() as stack:
            if self.device.type == "cuda":
                # All flags are set: without ``enabled`` cuDNN would be off.
                stack.enter_context(
                    torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True)
                )
            elif count <= _FEW_BLOCKS * BLOCK and not self._large:
                stack.enter_context(one_thread())
            yield

    def latents(self, z: Points) -> Floats:
        """Check points [N, Z].

        Raises:
            UsageError: another shape, or a number that is not finite.
        """
        return checked_points(z, self.model.latent_size, self.name)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread.

    Threads gain nothing on products this small, and where other programs use the cores each
    hand-over waits for the scheduler: measured 30 ms instead of 0.2 ms for one LSTM cell on 2 busy
    cores.
    """
    with _single.lock:
        if not _single.callers:
            _single.threads = torch.get_num_threads()
        _single.callers += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _single.lock:
            _single.callers -= 1
            torch.set_num_threads(_single.threads)


class _Single:
    """Who computes on one thread, of all threads of the program that may do so at once, and how
    many it had before.
    """

    def __init__(self) -> None:
        self.lock, self.callers, self.threads = Lock(), 0, 1


_single = _Single()
