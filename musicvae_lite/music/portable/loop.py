"""Decoding step by step outside torch: the host's part, whoever computes a step.

Imports no torch. Letters in shapes: B pieces, S segments, L steps of a segment, N = B * S rows, T =
S * L steps, K numbers of an event, C control numbers, G steps of time, V outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError

Floats = NDArray[np.float32]
Events = NDArray[Any]
State = tuple[Floats, Floats]

Kind = Literal["categorical", "nade", "groove"]


@dataclass(frozen=True)
class Decoding:
    """How the steps of a decoder are run; plain data, and so it stands in ``musae.json``.

    Attributes:
        segments: S.
        steps: L.
        carry: a segment begins with the last event of the one before it; else with nothing.
        likelihood: ``categorical``: an event is the likeliest (or a drawn) class of each group of
            outputs; ``nade``: bits, see ``decoder_bits.onnx``; ``groove``: hits (from logits),
            velocities (sigmoid) and offsets (tanh).
        sizes: outputs of each number of an event; of a groove one size, the number of drums.
        split: each number of an event has a decoder of its own.
        nothing: the event before the first step [K].
        end: class after which a segment holds only ``nothing``; null where all are full.
        hits_only: of grooves: velocity and offset are 0 where no drum is hit.
        shifts: where events are told by time: steps by which each class moves on in it.
        chords: numbers of the control that say the chord, which the first event of a segment is not
            told; the first of them means none.
    """

    segments: int
    steps: int
    carry: bool
    likelihood: Kind
    sizes: tuple[int, ...]
    split: bool
    nothing: tuple[int, ...]
    end: int | None = None
    hits_only: bool = False
    shifts: tuple[int, ...] | None = None
    chords: int = 0

    @classmethod
    def read(cls, tree: Mapping[str, Any]) -> Decoding:
        """Build from plain data."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in tree.items()
        }
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for :meth:`read`."""
        return asdict(self)

    @property
    def floats(self) -> bool:
        """Whether an event is of real numbers."""
        return self.likelihood == "groove"


class Network(Protocol):
    """Computes the parts of a decoder; see :mod:`musicvae_lite.music.portable.graphs`."""

    def start(self, z: Floats, control: Floats | None) -> tuple[Floats, Floats, Floats]:
        """Return given [N, L, D], h and c [N, H] for codes [B, Z]."""
        ...

    def step(
        self, event: Events, given: Floats, state: State, told: Floats | None
    ) -> tuple[Floats, State]:
        """Return outputs [N, V] and the next state."""
        ...

    def bits(self, outputs: Floats, uniform: Floats, temperature: float) -> Events:
        """Return the bits [N, K] of a NADE."""
        ...

    def finish(self, events: Events, control: Floats) -> Events:
        """Return events [B, T] as they are heard."""
        ...


class Uniforms(Protocol):
    """Where random numbers come from."""

    def uniform(self, shape: Sequence[int]) -> Floats:
        """Return numbers in [0, 1)."""
        ...


def decode(
    network: Network,
    how: Decoding,
    z: Floats,
    temperature: float = 0.0,
    noise: Uniforms | None = None,
    control: Floats | None = None,
    known: Floats | None = None,
) -> Events:
    """Decode codes [B, Z]: events [B, T], or [B, T, K] where an event has several numbers.

    Args:
        network: computes the steps.
        how: they are run.
        z: codes.
        temperature: 0 takes the likeliest event, above it events are drawn.
        noise: for a temperature above 0.
        control: what the model is told [B, T, C], or [B, G, C] by time.
        known: of grooves, the numbers that are given [B, T, 3 K], NaN for the others.

    Raises:
        UsageError: a temperature and no noise.
    """
    timed = how.shifts is not None
    given, h, c = network.start(z, None if timed else control)
    count = len(given)
    draws = _draws(how, count, noise) if temperature > 0 else None
    nothing = np.asarray(how.nothing[0] if len(how.nothing) == 1 else how.nothing)
    nothing = nothing.astype(np.float32 if how.floats else np.int64)
    clock = None
    if how.shifts is not None and control is not None:
        clock = _Clock(how, np.repeat(control, how.segments, 0))
    run = _Run(network, how, given, temperature, draws, nothing, clock, known)
    if how.carry and how.segments > 1:
        first, parts = np.repeat(nothing[None], len(z), 0), []
        for segment in range(how.segments):
            rows = np.arange(len(z)) * how.segments + segment
            parts.append(run.segment(rows, (h[rows], c[rows]), first))
            first = parts[-1][:, -1]
        events = np.stack(parts, 1)
    else:
        first = np.repeat(nothing[None], count, 0)
        events = run.segment(np.arange(count), (h, c), first)
    events = events.reshape(len(z), how.segments * how.steps, *nothing.shape)
    return events if control is None else network.finish(events, control)


def _draws(how: Decoding, rows: int, noise: Uniforms | None) -> list[Floats]:
    """Return the random numbers of each step, in the order in which torch's decoder draws them.

    A decoder of its own draws all its steps before the next one does.
    """
    if noise is None:
        raise UsageError("drawing at a temperature above 0 needs noise")
    if how.likelihood == "groove":
        return [noise.uniform((rows, how.sizes[0])) for _ in range(how.steps)]
    if how.likelihood == "nade":
        numbers = range(how.steps)
        return [np.stack([noise.uniform((rows,)) for _ in how.sizes], 1) for _ in numbers]
    if how.split:
        voices = [[noise.uniform((rows, size)) for _ in range(how.steps)] for size in how.sizes]
        return [np.concatenate(step, 1) for step in zip(*voices, strict=True)]
    return [
        np.concatenate([noise.uniform((rows, size)) for size in how.sizes], 1)
        for _ in range(how.steps)
    ]


@dataclass(frozen=True, eq=False)
class _Run:
    """One call of :func:`decode`."""

    network: Network
    how: Decoding
    given: Floats
    temperature: float
    draws: list[Floats] | None
    nothing: Events
    clock: _Clock | None
    known: Floats | None

    def segment(self, rows: NDArray[np.int64], state: State, event: Events) -> Events:
        """Decode the segments ``rows`` [M], of which each begins after an event: [M, L, ...]."""
        how, events = self.how, list[Events]()
        if self.clock is not None:
            self.clock.begin(rows)
        for t in range(how.steps):
            over = (
                (event == how.end) | (event == self.nothing) if how.end is not None and t else None
            )
            if over is not None and over.all():
                events += [np.repeat(self.nothing[None], len(rows), 0)] * (how.steps - t)
                break
            told = None if self.clock is None else self.clock.told
            outputs, state = self.network.step(event, self.given[rows, t], state, told)
            event = self._event(outputs, rows, t)
            if over is not None:
                event = np.where(over, self.nothing, event)
            if self.clock is not None:
                self.clock.hear(event)
            events.append(event)
        return np.stack(events, 1)

    def _event(self, outputs: Floats, rows: NDArray[np.int64], t: int) -> Events:
        """Choose the event that outputs [M, V] are of."""
        how, warm = self.how, self.temperature
        drawn = None if self.draws is None else self.draws[t][rows]
        if how.likelihood == "groove":
            known = None if self.known is None else self.known[rows, t]
            return _groove(outputs, how, warm, drawn, known)
        if how.likelihood == "nade":
            if drawn is None:
                drawn, warm = np.full((len(outputs), len(how.sizes)), 0.5, np.float32), 1.0
            return self.network.bits(outputs, drawn, warm)
        if drawn is not None:
            uniform = np.clip(drawn, np.float32(1e-20), np.float32(1 - 1e-7))
            outputs = outputs / np.float32(warm) - np.log(-np.log(uniform))
        if len(how.sizes) == 1:
            likeliest: Events = outputs.argmax(1)
            return likeliest
        parts = np.split(outputs, np.cumsum(how.sizes)[:-1], 1)
        return np.stack([part.argmax(1) for part in parts], 1)


def _groove(
    outputs: Floats, how: Decoding, temperature: float, drawn: Floats | None, known: Floats | None
) -> Floats:
    """Return hits, velocities and offsets [M, 3 K] of outputs [M, 3 K]."""
    logits, velocity, offset = np.split(outputs, 3, 1)
    hit = logits > 0 if drawn is None else drawn < sigmoid(logits / np.float32(temperature))
    step = np.concatenate([hit.astype(np.float32), sigmoid(velocity), np.tanh(offset)], 1)
    if known is not None:
        step = np.where(np.isnan(known), step, known.astype(np.float32))
    if how.hits_only:
        step = step * np.tile(step[:, : how.sizes[0]] > 0, (1, 3))
    return step.astype(np.float32)


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), without overflow."""
    result: Floats = np.float32(0.5) * np.tanh(np.float32(0.5) * x) + np.float32(0.5)
    return result


class _Clock:
    """Tells events what holds at their time: :class:`musicvae_lite.nn.event_time.Running`."""

    def __init__(self, how: Decoding, by_time: Floats) -> None:
        assert how.shifts is not None
        self._shifts, self._chords = np.array([*how.shifts, 0]), how.chords
        self._all = by_time

    def begin(self, rows: NDArray[np.int64]) -> None:
        """Begin segments ``rows`` [M]."""
        self._by_time = self._all[rows]
        self._now = np.zeros(len(rows), np.int64)
        self.told = self._by_time[:, 0].copy()
        if self._chords:
            self.told[:, : self._chords] = 0
            self.told[:, 0] = 1

    def hear(self, event: Events) -> None:
        """Go on after an event [M]."""
        self._now = self._now + self._shifts[event]
        at = np.minimum(self._now, self._by_time.shape[1] - 1)
        self.told = self._by_time[np.arange(len(at)), at]
