"""The parts of a model of sequences as modules that ``torch.onnx`` can export.

They hold no loop over steps: whoever decodes calls the step once a step, since a loop inside a
graph is many times slower. Letters in shapes: B batch, T steps, Z latent size, S segments, L steps
of a segment, N = B * S rows, K numbers of an event, C control numbers, D gates of all first layers
together, H hidden units of all layers together, V outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.music.model import SequenceAutoencoder
from musicvae_lite.nn.hierarchical import (
    HierarchicalDecoder,
    HierarchicalEncoder,
    SplitDecoder,
    SplitEncoder,
)
from musicvae_lite.nn.likelihood import Nade
from musicvae_lite.nn.lstm import LstmDecoder, LstmEncoder, initial_state, steps_held, with_control
from musicvae_lite.nn.onnx_lstm import OnnxStack


class Encoder(nn.Module):
    """Windows [B, T] (or [B, T, K]), their lengths [B] and control [B, T, C] to the mean and the
    scale of the posterior [B, Z].

    T may be less than the steps of a window where time is not told by events.
    """

    def __init__(self, model: SequenceAutoencoder, steps: int) -> None:
        super().__init__()
        self.model, self.head = [model], model.head  # a list: its weights are not all needed
        encoder = model.encoder
        parts = list(encoder.parts) if isinstance(encoder, SplitEncoder) else [encoder]
        self.split = isinstance(encoder, SplitEncoder)
        self.parts = nn.ModuleList(_Levels(part, steps) for part in parts)

    def forward(
        self, windows: Tensor, length: Tensor, control: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return mean and scale [B, Z]."""
        (model,) = self.model
        if control is not None and model.clock is not None:
            control = model.clock.tell(windows, control)
        if control is not None and model.frame is not None:
            windows = model.frame.enter(windows, control)
        vectors = [
            part(windows[..., index] if self.split else windows, length, control)
            for index, part in enumerate(self.parts)
        ]
        latent = self.head(torch.cat(vectors, -1))
        return latent.mean, latent.scale


class _Levels(nn.Module):
    """An encoder of one level or several, computed over all steps of a window whatever T is."""

    def __init__(self, encoder: object, steps: int) -> None:
        super().__init__()
        assert isinstance(encoder, LstmEncoder | HierarchicalEncoder)
        self.tokens, self.steps = encoder.tokens, steps
        self.lengths: tuple[int, ...] = (steps,)
        projects: list[nn.Module | None]
        if isinstance(encoder, LstmEncoder):
            self.skip, self.padded = False, False
            stacks, projects = [encoder.stack], [encoder.project]
        else:
            self.lengths, self.skip, self.padded = encoder.lengths, encoder.skip, encoder.padded
            stacks, projects = encoder._stacks(), list(encoder.projects)
        self.stacks = nn.ModuleList(OnnxStack(stack) for stack in stacks)
        self.projects = nn.ModuleList(one for one in projects if one is not None)

    def forward(self, events: Tensor, length: Tensor, control: Tensor | None) -> Tensor:
        """Return [B, size] for events [B, T] (or [B, T, K]), as the encoder itself does."""
        x, given = with_control(self.tokens(events), control), events.shape[1]
        x = torch.cat([x, x.new_zeros(x.shape[0], self.steps, x.shape[2])], 1)[:, : self.steps]
        total = self.steps
        for index, (stack, size) in enumerate(zip(self.stacks, self.lengths, strict=True)):
            inside = length
            if total > size:
                begin = torch.arange(total // size) * size
                inside = (length.unsqueeze(1) - begin).clamp(1, size).flatten()
            if self.padded and index == 0:
                held = steps_held(events.reshape(-1, size), self.tokens.none)
                inside = torch.minimum(inside, held)
            length = (length + size - 1) // size
            x = x.reshape(-1, size, x.shape[2])
            outputs, last = stack(x, inside)
            if len(self.projects):
                if self.skip and index:
                    inner = torch.arange(size) < inside.unsqueeze(1)
                    outputs = torch.cat([outputs, x * inner.unsqueeze(-1)], -1)
                read = self.projects[index](outputs)
                read = read.reshape(-1, total, read.shape[-1])
                # Steps that are not there are read as 0, not as what the map makes of 0.
                there = torch.arange(total) < given
                last = (read * there.unsqueeze(-1)).reshape(-1, size * read.shape[-1])
            total, given = total // size, (given + size - 1) // size
            x = last.reshape(-1, total, last.shape[-1])
        return x.flatten(1)


def cores_of(decoder: object) -> list[LstmDecoder]:
    """Return the decoders of a sequence or a segment, one for each voice where they are split."""
    core = decoder.core if isinstance(decoder, HierarchicalDecoder) else decoder
    if isinstance(core, SplitDecoder):
        return core._cores()
    assert isinstance(core, LstmDecoder)
    return [core]


class Start(nn.Module):
    """Codes z [B, Z] and control [B, S * L, C] to all that the steps need which no event changes.

    Given [N, L, D]: what z, plan, position and control add to the gates of each step; and the
    states h and c [N, H] before the first one.
    """

    def __init__(self, model: SequenceAutoencoder) -> None:
        super().__init__()
        self.decoder, self.cores = model.decoder, nn.ModuleList(cores_of(model.decoder))
        tall = model.decoder if isinstance(model.decoder, HierarchicalDecoder) else None
        self.conductor = OnnxStack(tall.conductor) if tall is not None else None

    def forward(self, z: Tensor, control: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return given [N, L, D], h and c [N, H]."""
        rows = z if self.conductor is None else self._conducted(z)
        if control is not None and isinstance(self.decoder, HierarchicalDecoder):
            control = control.reshape(-1, self.decoder.steps, control.shape[2])
        given, states = [], []
        for core in self.cores:
            assert isinstance(core, LstmDecoder)
            weight, _, bias = core.stack.weights()[0]
            fixed = torch.cat(core._fixed(rows, core.length, control), -1)
            own = weight[:, core.tokens.size :][:, : fixed.shape[-1]]
            given.append(F.linear(fixed, own, bias))
            states += initial_state(core.start, rows, core.stack.sizes)
        h, c = (torch.cat([state[part] for state in states], 1) for part in (0, 1))
        return torch.cat(given, -1), h, c

    def _conducted(self, z: Tensor) -> Tensor:
        """Return what :meth:`HierarchicalDecoder.conduct` does, [B * S, ...]."""
        decoder = self.decoder
        assert isinstance(decoder, HierarchicalDecoder) and self.conductor is not None
        if not torch.compiler.is_compiling():  # the operators of ONNX compute nothing in torch
            return decoder.conduct(z).flatten(0, 1)
        if decoder.plan is None:
            inputs = z.new_zeros(z.shape[0], decoder.segments, 1)
        else:
            flat = decoder.plan(z)
            inputs = flat.reshape(-1, decoder.segments, flat.shape[1] // decoder.segments)
        state = initial_state(decoder.start, z, decoder.conductor.sizes)
        outputs, _ = self.conductor(inputs, torch.full_like(z[:, 0], decoder.segments).int(), state)
        return torch.cat([outputs, inputs] if decoder.skip else [outputs], -1).flatten(0, 1)


class Step(nn.Module):
    """One step of the decoder: the event before it, what is given, and the states h and c [N, H] to
    outputs [N, V] and the states after it.

    An event is [N] or [N, K]; given is [N, D], ``given[:, t]`` of the start; ``told`` [N, C] is
    what holds at the time of the event, where events are told by time.
    """

    def __init__(self, model: SequenceAutoencoder) -> None:
        super().__init__()
        self.cores = nn.ModuleList(cores_of(model.decoder))
        self.timed = model.control_size if model.clock is not None else 0

    def forward(
        self, event: Tensor, given: Tensor, h: Tensor, c: Tensor, told: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return outputs [N, V], h and c [N, H]."""
        cores = [core for core in self.cores if isinstance(core, LstmDecoder)]
        sizes = [size for core in cores for size in core.stack.sizes]
        states = iter(zip(torch.split(h, sizes, 1), torch.split(c, sizes, 1), strict=True))
        starts = torch.split(given, [4 * core.stack.sizes[0] for core in cores], 1)
        outputs, after = [], []
        for index, core in enumerate(cores):
            x = core.tokens(event[:, index] if len(cores) > 1 else event)
            for layer, (weight_ih, weight_hh, bias) in enumerate(core.stack.weights()):
                hidden, cell = next(states)
                if layer:
                    gates = F.linear(x, weight_ih, bias)
                else:
                    gates = starts[index] + F.linear(x, weight_ih[:, : core.tokens.size])
                    if told is not None:
                        gates = gates + F.linear(told, weight_ih[:, -self.timed :])
                i, f, g, o = (gates + F.linear(hidden, weight_hh)).chunk(4, 1)
                cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
                x = torch.sigmoid(o) * torch.tanh(cell)
                after.append((x, cell))
            outputs.append(core.output(x))
        h, c = (torch.cat([state[part] for state in after], 1) for part in (0, 1))
        return torch.cat(outputs, -1), h, c


class Finish(nn.Module):
    """Events [B, T] as they were drawn, numbered from the root of their chord, to events as they
    are heard, with control [B, T, C].
    """

    def __init__(self, model: SequenceAutoencoder) -> None:
        super().__init__()
        self.frame = model.frame

    def forward(self, events: Tensor, control: Tensor) -> tuple[Tensor]:
        """Return events [B, T]."""
        assert self.frame is not None
        return (self.frame.leave(events, control),)


class Bits(nn.Module):
    """Outputs [N, V] of a NADE, random numbers in 0 to 1 [N, K] and a temperature [1] to bits [N,
    K].

    With 0.5 for every number and temperature 1 each bit is the likelier one.
    """

    def __init__(self, nade: Nade) -> None:
        super().__init__()
        self.nade = nade

    def forward(self, outputs: Tensor, uniform: Tensor, temperature: Tensor) -> tuple[Tensor]:
        """Return bits [N, K]."""
        nade, bits = self.nade, []
        a, bias = torch.split(outputs, [nade.hidden, nade.bits], -1)
        for index in range(nade.bits):
            logit = bias[:, index] + torch.sigmoid(a) @ nade.decode[index]
            bit = uniform[:, index] < torch.sigmoid(logit / temperature)
            a = a + bit.unsqueeze(-1) * nade.encode[index]
            bits.append(bit)
        return (torch.stack(bits, -1).long(),)
