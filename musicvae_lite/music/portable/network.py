"""A model of music as ONNX graphs, run by onnxruntime: what :mod:`.loop` needs of it. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.music.portable.loop import Decoding, Events, Floats, State

Run = Callable[[str, dict[str, NDArray[Any]]], list[NDArray[Any]]]


class OnnxNetwork:
    """A :class:`~musicvae_lite.music.portable.loop.Network` of graphs.

    Args:
        run: runs a graph by its name.
        how: the steps are run.
        framed: whether what is drawn has to be put into the frame of its chords, by the graph
            ``decoder_finish``.
    """

    def __init__(self, run: Run, how: Decoding, framed: bool) -> None:
        self._run, self._how, self._framed = run, how, framed

    def encode(
        self, windows: Events, length: NDArray[np.int64], control: Floats | None
    ) -> tuple[Floats, Floats]:
        """Return mean and scale [B, Z] of windows [B, T] (or [B, T, K])."""
        more = {} if control is None else {"control": control}
        mean, scale = self._run("encoder", {"windows": windows, "length": length, **more})
        return mean, scale

    def start(self, z: Floats, control: Floats | None) -> tuple[Floats, Floats, Floats]:
        """Return given [N, L, D], h and c [N, H] for codes [B, Z]."""
        more = {} if control is None else {"control": control}
        given, h, c = self._run("decoder_start", {"z": z, **more})
        return given, h, c

    def step(
        self, event: Events, given: Floats, state: State, told: Floats | None
    ) -> tuple[Floats, State]:
        """Return outputs [N, V] and the next state."""
        feeds = {"event": event, "given": given, "h": state[0], "c": state[1]}
        if told is not None:
            feeds["told"] = told
        outputs, h, c = self._run("decoder_step", feeds)
        return outputs, (h, c)

    def bits(self, outputs: Floats, uniform: Floats, temperature: float) -> Events:
        """Return the bits [N, K] of a NADE."""
        warm = np.array([temperature], np.float32)
        feeds = {"outputs": outputs, "uniform": uniform, "temperature": warm}
        return self._run("decoder_bits", feeds)[0]

    def finish(self, events: Events, control: Floats) -> Events:
        """Return events [B, T] as they are heard."""
        if not self._framed:
            return events
        return self._run("decoder_finish", {"events": events, "control": control})[0]
