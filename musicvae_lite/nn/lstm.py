"""LSTM parts: a stack of layers of any sizes, the encoder over it and the decoder that sees z at
every step.

Weights have the layout of ``torch.nn.LSTM`` (gates i, f, g, o; a layer a module), so that cuDNN and
oneDNN run them and a checkpoint of another program can be copied in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from musicvae_lite.core.autoencoder import FORCED, Teacher
from musicvae_lite.core.random import Noise
from musicvae_lite.nn.decoding import State, Stepper
from musicvae_lite.nn.event_time import Clock, Running
from musicvae_lite.nn.inputs import EventInput
from musicvae_lite.nn.likelihood import Groove, StepLikelihood
from musicvae_lite.nn.piano_roll import PianoRoll

Readout = Literal["final", "steps"]


class LstmStack(nn.Module):
    """Layers of LSTM cells, one above the other.

    A bidirectional layer passes both directions to the next.
    """

    def __init__(
        self, inputs: int, sizes: Sequence[int], bidirectional: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.directions = 2 if bidirectional else 1
        self.dropout = nn.Dropout(dropout)
        widths = [inputs, *(size * self.directions for size in sizes)]
        layers = [
            nn.LSTM(width, size, batch_first=True, bidirectional=bidirectional)
            for width, size in zip(widths[:-1], self.sizes, strict=True)
        ]
        self.output_size = widths[-1]
        self.layers = nn.ModuleList(layers)
        for layer in layers:
            _start_weights(layer)

    def forward(
        self, x: Tensor, state: State | None = None, length: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Run the stack over x [B, T, D].

        Args:
            x: inputs.
            state: (h, c) of each layer, each [B, H] (one direction only); zeros where None.
            length: [B] valid steps; outputs after them are 0, and the backward direction starts
                from the last of them.

        Returns:
            Outputs of the top layer [B, T, H * directions], and (h, c) of each layer, [B, H *
            directions], after the last valid step (forward) and the first (backward).
        """
        final: State = []
        total = x.shape[1]
        for index, layer in enumerate(self._lstms()):
            x = self.dropout(x)
            start = (
                None
                if state is None
                else (state[index][0].unsqueeze(0), state[index][1].unsqueeze(0))
            )
            if length is None:
                x, (h, c) = layer(x, start)
            else:
                packed = pack_padded_sequence(
                    x, length.cpu().long(), batch_first=True, enforce_sorted=False
                )
                packed, (h, c) = layer(packed, start)
                x, _ = pad_packed_sequence(packed, batch_first=True, total_length=total)
            final.append((h.transpose(0, 1).flatten(1), c.transpose(0, 1).flatten(1)))
        return x, final

    def weights(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return input weight, recurrent weight and bias of each layer of a one-directional
        stack.
        """
        each = (layer.all_weights[0] for layer in self._lstms())
        return [
            (weight_ih, weight_hh, bias_ih + bias_hh)
            for weight_ih, weight_hh, bias_ih, bias_hh in each
        ]

    def _lstms(self) -> Iterator[nn.LSTM]:
        return (layer for layer in self.layers if isinstance(layer, nn.LSTM))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Advance a one-directional stack by one step: x [B, D] -> top output [B, H] and the new
        state.
        """
        after: State = []
        for layer, (h, c) in zip(self._lstms(), state, strict=True):
            weight_ih, weight_hh, bias_ih, bias_hh = layer.all_weights[0]
            x, c = torch.lstm_cell(self.dropout(x), (h, c), weight_ih, weight_hh, bias_ih, bias_hh)
            after.append((x, c))
        return x, after


_filled_later: ContextVar[bool] = ContextVar("filled_later", default=False)


@contextmanager
def filled_later() -> Iterator[None]:
    """Build layers without their start values, which take seconds at 2048 units.

    For weights that are read from a file.
    """
    token = _filled_later.set(True)
    try:
        yield
    finally:
        _filled_later.reset(token)


def _start_weights(layer: nn.Module) -> None:
    """Start input weights at Glorot's scale, recurrent ones orthogonal, forget gates open
    (Jozefowicz et al. 2015).
    """
    if _filled_later.get():
        for name, parameter in layer.named_parameters():
            parameter.requires_grad_("bias_hh" not in name)
        return
    for name, parameter in layer.named_parameters():
        if "weight_ih" in name:
            nn.init.xavier_uniform_(parameter)
        elif "weight_hh" in name:
            for gate in parameter.data.chunk(4, 0):
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(parameter)
            if "bias_ih" in name:
                parameter.data.chunk(4)[1].fill_(1.0)
            else:  # torch adds two biases; one is enough, and is what the published models have
                parameter.requires_grad_(False)


def summary(
    stack: LstmStack,
    project: nn.Linear | None,
    x: Tensor,
    length: Tensor | None,
    steps: int,
    skip: bool = False,
) -> Tensor:
    """Return one vector for each sequence x [B, T, D], T up to ``steps``.

    It is the last state of each direction, or, with ``project``, what the map makes of the outputs
    of all ``steps`` steps (with ``skip`` each followed by its input).
    """
    outputs, state = stack(x, length=length)
    if project is None:
        top: Tensor = state[-1][0]
        return top
    if skip:
        if length is not None:
            x = x * (torch.arange(x.shape[1], device=x.device) < length.unsqueeze(1)).unsqueeze(-1)
        outputs = torch.cat([outputs, x], -1)
    read: Tensor = project(outputs)
    return F.pad(read, (0, 0, 0, steps - read.shape[1])).flatten(1)


class LstmEncoder(nn.Module):
    """Bidirectional LSTM over the events of a sequence to one vector.

    Args:
        events: makes vectors of events.
        sizes: hidden size of each layer, per direction.
        readout: ``final``: last hidden state of each direction (MusicVAE); ``steps``: the outputs
            of all ``length`` steps, each mapped to ``readout_size`` numbers, so that no step's
            content has to survive the recurrence.
        readout_size: numbers a step, for ``steps``.
        length: number of steps; ``steps`` needs it.
        control_size: numbers a step of the control input C.
    """

    def __init__(
        self,
        events: EventInput,
        sizes: Sequence[int],
        readout: Readout = "final",
        readout_size: int = 32,
        length: int = 0,
        control_size: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.tokens = events
        self.stack = LstmStack(
            events.size + control_size, sizes, bidirectional=True, dropout=dropout
        )
        self.length = length
        self.project = (
            nn.Linear(self.stack.output_size, readout_size) if readout == "steps" else None
        )
        self.output_size = self.stack.output_size if self.project is None else length * readout_size

    def forward(
        self, events: Tensor, length: Tensor | None = None, control: Tensor | None = None
    ) -> Tensor:
        """Return [B, output_size] for events [B, T] (or [B, T, K]), with control [B, T, C]."""
        return summary(
            self.stack,
            self.project,
            with_control(self.tokens(events), control),
            length,
            self.length,
        )


def with_control(x: Tensor, control: Tensor | None) -> Tensor:
    """Return x [B, T, D] followed by control [B, T, C], where there is one."""
    return x if control is None else torch.cat([x, control.to(x.dtype)], -1)


class LstmDecoder(nn.Module):
    """LSTM decoder: starts from tanh(W z) and sees [previous event, z, plan, position, control] at
    every step.

    Args:
        events: makes vectors of events.
        likelihood: distribution of one event.
        latent_size: Z.
        sizes: hidden size of each layer.
        plan_size: size of a vector that each step gets of its own by a linear map of z; 0 for none.
        position_size: size of a learned embedding of the step's number; 0 for none.
        length: number of steps that plan and position know.
        control_size: numbers a step of the control input C.
        latent_input: whether z is part of the input of every step; without, a plan can say what a
            step needs at less cost.
        end: class after which a sequence holds only events that stand for nothing; None where all
            are full.
        clock: of a decoder of segments that are told by time.
    """

    def __init__(
        self,
        events: EventInput,
        likelihood: StepLikelihood,
        latent_size: int,
        sizes: Sequence[int],
        plan_size: int = 0,
        position_size: int = 0,
        length: int = 0,
        control_size: int = 0,
        dropout: float = 0.0,
        latent_input: bool = True,
        end: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self.end, self.clock = end, clock
        self.latent_input = latent_input
        self.likelihood = likelihood
        self.tokens = events
        self.length = length
        self.plan = nn.Linear(latent_size, length * plan_size) if plan_size else None
        self.position = (
            nn.Parameter(torch.randn(length, position_size) * 0.1) if position_size else None
        )
        inputs = events.size + latent_size * latent_input + plan_size + position_size + control_size
        self.stack = LstmStack(inputs, sizes, dropout=dropout)
        self.start = nn.Linear(latent_size, 2 * sum(sizes))
        self.output = nn.Linear(self.stack.output_size, likelihood.size)

    def forced(
        self,
        z: Tensor,
        previous: Tensor,
        control: Tensor | None = None,
        length: Tensor | None = None,
    ) -> Tensor:
        """Return outputs [B, T, V] where the event before each step is given: previous [B, T] (or
        [B, T, K]).

        After ``length`` [B] steps they mean nothing.
        """
        fixed = self._fixed(z, previous.shape[1], control)
        x = torch.cat([self.tokens(previous), *fixed], dim=-1)
        outputs, _ = self.stack(x, initial_state(self.start, z, self.stack.sizes), length)
        logits: Tensor = self.output(outputs)
        return logits

    def run(
        self,
        z: Tensor,
        target: Tensor,
        teacher: Teacher = FORCED,
        noise: Noise | None = None,
        control: Tensor | None = None,
        first: Tensor | None = None,
    ) -> Tensor:
        """Return outputs [B, T, V] over target [B, T] (or [B, T, K]) with inputs as ``teacher``
        says.

        ``first`` [B] (or [B, K]) is the event before the first step; nothing where None.
        """
        previous = shifted(target, self.tokens.none if first is None else first)
        if teacher.dropout > 0:
            hidden = _bernoulli(teacher.dropout, previous.shape[:2], noise, z.device)
            previous = choose(hidden, self.tokens.none.to(previous.dtype), previous)
        if teacher.sampling <= 0:
            return self.forced(
                z,
                previous,
                control,
                None if self.end is None else steps_held(target, self.tokens.none),
            )
        replaced = _bernoulli(teacher.sampling, previous.shape[:2], noise, z.device)
        fixed = torch.cat(self._fixed(z, target.shape[1], control), -1)
        state, outputs = initial_state(self.start, z, self.stack.sizes), []
        event = previous[:, 0]
        for t in range(target.shape[1]):
            if t:
                event = choose(replaced[:, t], event, previous[:, t])
            output, state = self._step(event, fixed[:, t], state)
            outputs.append(output)
            event = self._drawn(output.detach(), 1.0, noise, event)
        return torch.stack(outputs, dim=1)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        control: Tensor | None = None,
        first: Tensor | None = None,
        given: Tensor | None = None,
    ) -> Tensor:
        """Decode z [B, Z] step by step, each event fed to the next step: events [B, length] (or [B,
        length, K]).

        ``given`` is described at :meth:`musicvae_lite.nn.likelihood.Groove.sample`; [B, length, K].
        After the ``end`` follow events that stand for nothing. With a :attr:`clock` control is by
        time [B, G, C].
        """
        time = (
            None
            if control is None or self.clock is None
            else Running(self.clock, control.to(z.dtype))
        )
        latent, *told = self._fixed(z, length, control if time is None else None)
        none = self.tokens.none.expand(z.shape[0], *self.tokens.none.shape)
        state, events = initial_state(self.start, z, self.stack.sizes), list[Tensor]()
        timed_size = 0 if time is None else time.told.shape[1]
        steps = Stepper(
            self.stack.weights(),
            state,
            latent[:, 0],
            torch.cat(told, -1) if told else None,
            timed_size,
        )
        event = none if first is None else first
        for t in range(length):
            over = (event == self.end) | (event == none) if self.end is not None and t else None
            if over is not None and bool(over.all()):
                events += [none] * (length - t)
                break
            output = self.output(
                steps.advance(self.tokens(event), t, None if time is None else time.told)
            )
            if given is not None and isinstance(self.likelihood, Groove):
                event = self.likelihood.sample(output, temperature, noise, given[:, t])
            else:
                event = self._drawn(output, temperature, noise, event)
            if over is not None:
                event = torch.where(over, none, event)
            if time is not None:
                time.hear(event)
            events.append(event)
        return torch.stack(events, dim=1)

    def _drawn(
        self, output: Tensor, temperature: float, noise: Noise | None, before: Tensor
    ) -> Tensor:
        """Return the event of a step, of a piano told of the one ``before`` it."""
        if isinstance(self.likelihood, PianoRoll):
            return self.likelihood.sample(output, temperature, noise, before)
        return self.likelihood.sample(output, temperature, noise)

    def _step(self, event: Tensor, fixed: Tensor, state: State) -> tuple[Tensor, State]:
        output, state = self.stack.step(torch.cat([self.tokens(event), fixed], dim=-1), state)
        return self.output(output), state

    def _fixed(self, z: Tensor, steps: int, control: Tensor | None) -> list[Tensor]:
        """Return the inputs that do not depend on the events: z, plan, position, control.

        [B, steps, ...].
        """
        batch = z.shape[0]
        parts = (
            [z.unsqueeze(1).expand(batch, steps, -1)]
            if self.latent_input
            else [z.new_zeros(batch, steps, 0)]
        )
        if self.plan is not None:
            parts.append(self.plan(z).view(batch, self.length, -1)[:, :steps])
        if self.position is not None:
            parts.append(self.position[:steps].unsqueeze(0).expand(batch, -1, -1))
        if control is not None:
            parts.append(control[:, :steps].to(z.dtype))
        return parts


def initial_state(start: nn.Module, z: Tensor, sizes: Sequence[int]) -> State:
    """Return (h, c) of each layer from z [B, Z].

    The linear map ``start`` holds c, h of layer 0, then of layer 1 and so on.
    """
    parts = torch.split(torch.tanh(start(z)), [size for size in sizes for _ in "ch"], dim=1)
    return [(h.contiguous(), c.contiguous()) for c, h in zip(parts[::2], parts[1::2], strict=True)]


def shifted(target: Tensor, first: Tensor) -> Tensor:
    """Return the event before each step of target [B, T] (or [B, T, K]).

    Before the first: ``first``, [B] or one for all.
    """
    begin = first.to(target.dtype).expand(target.shape[0], *target.shape[2:])
    return torch.cat([begin.unsqueeze(1), target[:, :-1]], 1)


def steps_held(events: Tensor, none: Tensor) -> Tensor:
    """Return how many steps of events [B, T] hold something, at least 1 [B].

    ``none`` stands for nothing.
    """
    held: Tensor = (events != none).sum(1).clamp_min(1)
    return held


def choose(where: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Return ``yes`` or ``no``, step by step; ``where`` lacks the dimension K that they may
    have.
    """
    return torch.where(where.view(*where.shape, *[1] * (no.dim() - where.dim())), yes, no)


def _bernoulli(p: float, shape: Sequence[int], noise: Noise | None, device: torch.device) -> Tensor:
    if noise is None:
        raise ValueError("a teacher that samples or hides events needs noise to draw from")
    return noise.uniform(shape, device) < p
