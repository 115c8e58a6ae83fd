"""A model of music computed by NumPy from the weights of its folder. No torch.

For a few windows it is done before torch is loaded. Letters in shapes: B windows, T steps, K
numbers of an event, S segments, L steps of a segment, N = B * S rows, C control numbers, Z latent
size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError
from musicvae_lite.music.chords import CHORDS
from musicvae_lite.music.portable.loop import Decoding, Events, Floats, State, sigmoid
from musicvae_lite.music.portable.lstm import Cell, Linear, Stack, Tokens, Weights, times

if TYPE_CHECKING:
    from musicvae_lite.config import RunConfig
    from musicvae_lite.music.codec import ScoreCodec


def decoding_of(config: RunConfig, codec: ScoreCodec) -> Decoding:
    """Say how the steps of a run's decoder are run.

    Raises:
        UsageError: a part of the model is not known here.
    """
    model = _settings(config)
    decoder, kind = model.decoder, model.likelihood.kind
    tall = decoder.kind == "hierarchical"
    sizes, nothing = codec.sizes, codec.sizes
    if kind == "nade":
        nothing = (0,) * len(codec.sizes)
    elif kind == "groove":
        sizes, nothing = (len(codec.sizes) // 3,), (0,) * len(codec.sizes)
    return Decoding(
        segments=decoder.levels[0] if tall else 1,
        steps=decoder.levels[1] if tall else codec.steps,
        carry=tall and decoder.carry,
        likelihood=kind,
        sizes=tuple(sizes),
        split=decoder.split,
        nothing=tuple(nothing),
        end=codec.end,
        hits_only=kind == "groove" and model.likelihood.hits_only,
        shifts=tuple(codec.shifts) if codec.shifts and model.control_size else None,
        chords=CHORDS * config.control.chords if codec.shifts and model.control_size else 0,
    )


def _settings(config: RunConfig) -> Any:
    """Return the settings of a model of the library's own parts.

    Raises:
        UsageError: it has others.
    """
    model: Any = config.model
    own = ("lstm", "hierarchical")
    latent = getattr(getattr(model, "latent", None), "kind", "normal")
    if model.encoder.kind not in own or model.decoder.kind not in own or latent != "normal":
        raise UsageError("a part of the model is of another package")
    return model


class NumpyModel:
    """Encoder and decoder of a model; a :class:`~musicvae_lite.music.portable.loop.Network`.

    Args:
        config: the run that made it.
        codec: of its windows.
        arrays: its weights.
    """

    def __init__(
        self, config: RunConfig, codec: ScoreCodec, arrays: dict[str, NDArray[Any]]
    ) -> None:
        self.how, model = decoding_of(config, codec), _settings(config)
        self.latent_size, self.control_size = model.latent_size, model.control_size
        weights = Weights(arrays)
        self._encoder = _Encoder(model, codec, weights)
        self._decoder = _Decoder(model, self.how, weights.of("decoder"))
        self._frame = _Frame(codec) if model.relative_pitch else None

    def encode(
        self, windows: Events, length: NDArray[np.int64] | None, control: Floats | None
    ) -> tuple[Floats, Floats]:
        """Return mean and scale [B, Z] of windows [B, T] (or [B, T, K])."""
        if control is not None and self.how.shifts is not None:
            control = _told(windows, control, self.how)
        if control is not None and self._frame is not None:
            windows = self._frame.moved(windows, control, -1)
        return self._encoder(windows, length, control)

    def start(self, z: Floats, control: Floats | None) -> tuple[Floats, Floats, Floats]:
        """Return given [N, L, D], h and c [N, H] for codes [B, Z]."""
        return self._decoder.start(z, control)

    def step(
        self, event: Events, given: Floats, state: State, told: Floats | None
    ) -> tuple[Floats, State]:
        """Return outputs [N, V] and the next state."""
        return self._decoder.step(event, given, state, told)

    def bits(self, outputs: Floats, uniform: Floats, temperature: float) -> Events:
        """Return the bits [N, K] of a NADE."""
        encode, decode = self._decoder.nade
        a, bias = outputs[:, : encode.shape[1]], outputs[:, encode.shape[1] :]
        bits = []
        for index in range(len(encode)):
            logit = bias[:, index] + sigmoid(a) @ decode[index]
            bit = uniform[:, index] < sigmoid(logit / np.float32(temperature))
            a = a + bit[:, None] * encode[index]
            bits.append(bit)
        return np.stack(bits, -1).astype(np.int64)

    def finish(self, events: Events, control: Floats) -> Events:
        """Return events [B, T] as they are heard."""
        return events if self._frame is None else self._frame.moved(events, control, 1)


class _Encoder:
    """Windows to the posterior."""

    def __init__(self, model: Any, codec: ScoreCodec, weights: Weights) -> None:
        own = weights.of("encoder")
        settings, sizes = model.encoder, codec.sizes
        self.split = settings.split
        bits = model.likelihood.kind in ("nade", "groove")
        if self.split:
            parts = own.each("parts")
            tokens = [
                Tokens(_tables(part, [size], settings.token_size))
                for part, size in zip(parts, sizes, strict=True)
            ]
        else:
            tables = [] if bits else _tables(own, sizes, settings.token_size, codec.table)
            parts, tokens = [own], [Tokens(tables, model.likelihood.kind == "nade")]
        padding = codec.padding if codec.end is not None else None
        each = zip(tokens, parts, strict=True)
        self.parts = [_Levels(settings, codec.steps, token, part, padding) for token, part in each]
        self.mean, self.scale = Linear(weights.of("head.mean")), Linear(weights.of("head.scale"))

    def __call__(
        self, windows: Events, length: NDArray[np.int64] | None, control: Floats | None
    ) -> tuple[Floats, Floats]:
        vectors = [
            part(windows[..., number] if self.split else windows, length, control)
            for number, part in enumerate(self.parts)
        ]
        read = np.concatenate(vectors, -1)
        if self.mean.weight.ndim == 3:
            segments = len(self.mean.weight)
            each = read.reshape(len(read), len(self.parts), segments, -1)
            waves = np.einsum("fs,bvsk->bfvk", cosines(segments), each)
            read = waves.reshape(len(read), segments, -1)
        mean, raw = (head(read).reshape(len(read), -1) for head in (self.mean, self.scale))
        return mean, np.logaddexp(np.float32(0), raw)


class _Levels:
    """An encoder of one level or several; see :class:`~musicvae_lite.nn.hierarchical`."""

    def __init__(
        self, settings: Any, steps: int, tokens: Tokens, weights: Weights, padding: int | None
    ) -> None:
        tall = settings.kind == "hierarchical"
        self.tokens, self.padding = tokens, padding if tall else None
        self.lengths = tuple(settings.levels) if tall else (steps,)
        self.skip = tall and settings.skip
        stacks = weights.each("levels") if tall else [weights.of("stack")]
        self.stacks = [Stack(stack) for stack in stacks]
        maps = weights.each("projects") if tall else [weights.of("project")]
        self.projects = [Linear(one) for one in maps if "weight" in one]

    def __call__(
        self, events: Events, length: NDArray[np.int64] | None, control: Floats | None
    ) -> Floats:
        x = self.tokens(events)
        x = x if control is None else np.concatenate([x, control], -1, dtype=np.float32)
        batch = len(x)
        for level, (stack, size) in enumerate(zip(self.stacks, self.lengths, strict=True)):
            segments, inside = x.shape[1] // size, None
            if length is not None:
                inside = np.clip(length[:, None] - np.arange(segments) * size, 1, size).ravel()
                length = -(-length // size)
            if self.padding is not None and level == 0:
                held = (events.reshape(batch * segments, size) != self.padding).sum(1).clip(1)
                inside = held if inside is None else np.minimum(inside, held)
            x = x.reshape(batch * segments, size, -1)
            x = self._summary(stack, level, x, inside).reshape(batch, segments, -1)
        return x.reshape(batch, -1)

    def _summary(
        self, stack: Stack, level: int, x: Floats, inside: NDArray[np.int64] | None
    ) -> Floats:
        """Return one vector for each sequence x [N, T, D]."""
        outputs, last = stack.run(x, inside)
        if not self.projects:
            return last
        if self.skip and level:
            if inside is not None:
                x = x * (np.arange(x.shape[1]) < inside[:, None])[..., None]
            outputs = np.concatenate([outputs, x], -1, dtype=np.float32)
        return self.projects[level](outputs).reshape(len(x), -1)


class _Decoder:
    """Codes to what the steps need, and the steps."""

    def __init__(self, model: Any, how: Decoding, weights: Weights) -> None:
        settings, self.how = model.decoder, how
        tall = settings.kind == "hierarchical"
        core = weights.of("core") if tall else weights
        self.skip, self.timed = tall and settings.skip, how.shifts is not None
        self.conductor = Stack(weights.of("conductor")) if tall else None
        if tall:
            self.opening = Linear(weights.of("start"))
            spectral = "plan.maps.weight" in weights
            self.plan = None
            if spectral or "plan.weight" in weights:
                self.plan = Linear(weights.of("plan.maps" if spectral else "plan"))
        parts = core.each("cores") if how.split else [core]
        groups = [[size] for size in how.sizes] if how.split else [list(how.sizes)]
        if how.likelihood != "categorical":
            groups = [[]]
        self.cores = [
            _Core(settings, part, group, model, how)
            for part, group in zip(parts, groups, strict=True)
        ]
        if how.likelihood == "nade":
            bits = core.of("likelihood")
            self.nade = bits["encode"], bits["decode"]

    def start(self, z: Floats, control: Floats | None) -> tuple[Floats, Floats, Floats]:
        rows = z if self.conductor is None else self._conducted(z)
        if control is not None:
            control = control.reshape(len(rows), self.how.steps, -1)
        begun = [core.start(rows, control) for core in self.cores]
        given, h, c = (np.concatenate(parts, -1) for parts in zip(*begun, strict=True))
        return given, h, c

    def _conducted(self, z: Floats) -> Floats:
        """Return the vector of each segment, [N, D]."""
        assert self.conductor is not None
        count, segments = len(z), self.how.segments
        if self.plan is None:
            inputs = np.zeros((count, segments, 1), np.float32)
        elif self.plan.weight.ndim == 3:
            waves = self.plan(z.reshape(count, segments, -1))
            inputs = np.einsum("fs,bfp->bsp", cosines(segments), waves)
        else:
            inputs = self.plan(z).reshape(count, segments, -1)
        sizes = [layer[0].size for layer in self.conductor.layers]
        states = _states(np.tanh(self.opening(z)), sizes)
        outputs, _ = self.conductor.run(inputs, None, states)
        made = np.concatenate([outputs, inputs], -1, dtype=np.float32) if self.skip else outputs
        return made.reshape(count * segments, -1)

    def step(
        self, event: Events, given: Floats, state: State, told: Floats | None
    ) -> tuple[Floats, State]:
        sizes = [cell.size for core in self.cores for cell in core.cells]
        cuts = np.cumsum(sizes)[:-1]
        states = iter(zip(*(np.split(part, cuts, 1) for part in state), strict=True))
        outputs, after, place = [], [], 0
        for number, core in enumerate(self.cores):
            size = 4 * core.cells[0].size
            own = event[:, number] if len(self.cores) > 1 else event
            top, new = core.step(own, given[:, place : place + size], states, told)
            place += size
            outputs.append(top)
            after += new
        if len(after) == 1:
            return outputs[0], after[0]
        h, c = (np.concatenate(parts, 1) for parts in zip(*after, strict=True))
        return np.concatenate(outputs, 1), (h, c)


class _Core:
    """The decoder of a sequence, a segment, or of one voice of it."""

    def __init__(
        self, settings: Any, weights: Weights, sizes: Sequence[int], model: Any, how: Decoding
    ) -> None:
        self.tokens = Tokens(_tables(weights, sizes, settings.token_size))
        self.cells = [layer[0] for layer in Stack(weights.of("stack")).layers]
        self.opening, self.output = Linear(weights.of("start")), weights["output.weight"]
        self.bias = weights["output.bias"]
        self.latent = settings.latent_input
        self.plan = Linear(weights.of("plan")) if "plan.weight" in weights else None
        self.position = weights["position"] if "position" in weights else None
        self.steps = how.steps
        cell, timed = self.cells[0], model.control_size if how.shifts is not None else 0
        if sizes:
            event = sum(table.shape[1] for table in self.tokens.tables)
        else:
            event = len(how.nothing)
        last = cell.inputs.shape[1] - timed
        self.on_given, self.on_told = cell.inputs[:, event:last], cell.inputs[:, last:]
        self.on_event = np.ascontiguousarray(cell.inputs[:, :event])
        # What each class adds to the gates is looked up.
        self.gates = [
            table @ self.on_event[:, place : place + table.shape[1]].T
            for table, place in zip(self.tokens.tables, self._places(), strict=True)
        ]

    def _places(self) -> list[int]:
        widths = [table.shape[1] for table in self.tokens.tables]
        return [sum(widths[:number]) for number in range(len(widths))]

    def start(self, rows: Floats, control: Floats | None) -> tuple[Floats, Floats, Floats]:
        """Return given [N, L, 4 H], h and c of all layers [N, H]."""
        count, parts = len(rows), list[Floats]()
        if self.plan is not None:
            parts.append(self.plan(rows).reshape(count, self.steps, -1))
        if self.position is not None:
            parts.append(np.broadcast_to(self.position, (count, *self.position.shape)))
        if control is not None:
            parts.append(control)
        first = rows.shape[1] * self.latent
        given = np.repeat((self._same(rows, first) + self.cells[0].bias)[:, None], self.steps, 1)
        if parts:
            fixed = np.concatenate(parts, -1, dtype=np.float32).reshape(count * self.steps, -1)
            given += (fixed @ self.on_given[:, first:].T).reshape(given.shape)
        states = _states(np.tanh(self.opening(rows)), [cell.size for cell in self.cells])
        h, c = (np.concatenate(part, 1) for part in zip(*states, strict=True))
        return given, h, c

    def _same(self, rows: Floats, first: int) -> Floats:
        """Return what the latent input adds to the gates of every step [N, 4 H]."""
        if not first:
            return np.zeros((len(rows), len(self.on_given)), np.float32)
        return rows @ self.on_given[:, :first].T

    def step(
        self, event: Events, given: Floats, states: Any, told: Floats | None
    ) -> tuple[Floats, list[State]]:
        """Return outputs [N, V] and the states of all layers."""
        if len(self.gates) == 1:
            gates = given + self.gates[0][event]
        elif self.gates:
            gates = given + sum(table[event[:, part]] for part, table in enumerate(self.gates))
        else:
            gates = given + times(self.on_event, event.astype(np.float32))
        if told is not None:
            gates = gates + told @ self.on_told.T
        after: list[State] = []
        for number, cell in enumerate(self.cells):
            if number:
                gates = times(cell.inputs, after[-1][0]) + cell.bias
            after.append(cell.step(gates, next(states)))
        return times(self.output, after[-1][0]) + self.bias, after


class _Frame:
    """Pitches numbered from the chord: :class:`~musicvae_lite.music.conditioning.chord_frame`."""

    def __init__(self, codec: ScoreCodec) -> None:
        self.pitches = codec.pitches

    def moved(self, events: Events, control: Floats, sign: int) -> Events:
        """Return events [B, T] (or [B, T, K]) moved by the root of their chord, up or down."""
        chord = control[..., :CHORDS].argmax(-1)
        shift = sign * np.where(chord == 0, 0, (chord + 4) % 12 - 5)
        if len(self.pitches) == 1:
            return _turned(events, shift, self.pitches[0])
        numbers = zip(np.moveaxis(events, -1, 0), self.pitches, strict=True)
        return np.stack([_turned(number, shift, pitches) for number, pitches in numbers], -1)


def _turned(classes: Events, shift: NDArray[np.int64], pitches: tuple[int, int] | None) -> Events:
    if pitches is None:
        return classes
    first, count = pitches
    inside = (classes >= first) & (classes < first + count)
    return np.where(inside, first + (classes.astype(np.int64) - first + shift) % count, classes)


def _told(events: Events, by_time: Floats, how: Decoding) -> Floats:
    """Return what each event is told: :meth:`musicvae_lite.nn.event_time.Clock.tell`."""
    assert how.shifts is not None
    moves = np.array([*how.shifts, 0])[events].reshape(len(events), -1, how.steps)
    now = np.minimum(moves.cumsum(2) - moves, by_time.shape[1] - 1).reshape(len(events), -1)
    told = np.take_along_axis(by_time, now[..., None], 1)
    first = by_time[:, 0].copy()
    if how.chords:
        first[:, : how.chords] = 0
        first[:, 0] = 1
    told[:, :: how.steps] = first[:, None]
    return told


def _states(flat: Floats, sizes: Sequence[int]) -> list[State]:
    """Return (h, c) of each layer; ``flat`` holds c, h of layer 0, then of layer 1 and so on."""
    cuts = np.cumsum([size for size in sizes for _ in "ch"])[:-1]
    parts = np.split(flat, cuts, 1)
    return [(h, c) for c, h in zip(parts[::2], parts[1::2], strict=True)]


def _tables(
    weights: Weights,
    sizes: Sequence[int],
    token_size: int | None,
    table: Sequence[Sequence[float]] | None = None,
) -> list[Floats]:
    """Return the vectors of the classes of each number of an event; the last is that of nothing."""
    if token_size is None:
        fixed = [np.eye(size) if table is None else np.array(table) for size in sizes]
        return [np.pad(one, ((0, 1), (0, 0))).astype(np.float32) for one in fixed]
    if len(sizes) == 1:
        return [weights["tokens.embedding.weight"]]
    return [part["embedding.weight"] for part in weights.each("tokens.parts")] if sizes else []


def cosines(size: int) -> Floats:
    """Return the orthonormal cosine transform; see :func:`musicvae_lite.nn.dct.cosines`."""
    place = np.arange(size, dtype=np.float64)
    waves = np.cos(np.pi * (place + 0.5) * place[:, None] / size)
    scaled: Floats = (waves / np.linalg.norm(waves, axis=1, keepdims=True)).astype(np.float32)
    return scaled


__all__ = ["Cell", "NumpyModel", "decoding_of"]
