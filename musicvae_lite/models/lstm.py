"""LSTM parts: a stack of layers of any sizes, the encoder over it and the decoder that sees z at every step.

Weights have the layout of ``torch.nn.LSTM`` (gates i, f, g, o; a layer a module), so that cuDNN and oneDNN run them and a
checkpoint of another program can be copied in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from musicvae_lite.models import FORCED, Teacher
from musicvae_lite.models.likelihood import Categorical
from musicvae_lite.noise import Noise

State = list[tuple[Tensor, Tensor]]
Readout = Literal["final", "steps"]


class TokenInput(nn.Module):
    """Token classes to vectors: an embedding, or one-hot vectors where ``size`` is None (Magenta's form).

    The class ``tokens`` (one past the last) stands for "nothing": the start of a piece or a hidden input. It is a zero
    vector.
    """

    one_hot: Tensor

    def __init__(self, tokens: int, size: int | None) -> None:
        super().__init__()
        self.tokens = tokens
        self.size = tokens if size is None else size
        self.embedding = None if size is None else nn.Embedding(tokens + 1, size, padding_idx=tokens)
        self.register_buffer("one_hot", torch.eye(tokens + 1, tokens) if size is None else None, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return [B, T, size] for classes [B, T]."""
        if self.embedding is not None:
            vectors: Tensor = self.embedding(tokens)
            return vectors
        return F.embedding(tokens, self.one_hot)


class LstmStack(nn.Module):
    """Layers of LSTM cells, one above the other; a bidirectional layer passes both directions to the next."""

    def __init__(self, inputs: int, sizes: Sequence[int], bidirectional: bool = False, dropout: float = 0.0) -> None:
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

    def forward(self, x: Tensor, state: State | None = None, length: Tensor | None = None) -> tuple[Tensor, State]:
        """Run the stack over x [B, T, D].

        Args:
            x: inputs.
            state: (h, c) of each layer, each [B, H] (one direction only); zeros where None.
            length: [B] valid steps; outputs after them are 0, and the backward direction starts from the last of them.

        Returns:
            Outputs of the top layer [B, T, H * directions], and (h, c) of each layer, [B, H * directions], after the
            last valid step (forward) and the first (backward).
        """
        final: State = []
        total = x.shape[1]
        for index, layer in enumerate(self._lstms()):
            x = self.dropout(x)
            start = None if state is None else (state[index][0].unsqueeze(0), state[index][1].unsqueeze(0))
            if length is None:
                x, (h, c) = layer(x, start)
            else:
                packed = pack_padded_sequence(x, length.cpu().long(), batch_first=True, enforce_sorted=False)
                packed, (h, c) = layer(packed, start)
                x, _ = pad_packed_sequence(packed, batch_first=True, total_length=total)
            final.append((h.transpose(0, 1).flatten(1), c.transpose(0, 1).flatten(1)))
        return x, final

    def _lstms(self) -> Iterator[nn.LSTM]:
        return (layer for layer in self.layers if isinstance(layer, nn.LSTM))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Advance a one-directional stack by one step: x [B, D] -> top output [B, H] and the new state."""
        after: State = []
        for layer, (h, c) in zip(self._lstms(), state, strict=True):
            weight_ih, weight_hh, bias_ih, bias_hh = layer.all_weights[0]
            x, c = torch.lstm_cell(self.dropout(x), (h, c), weight_ih, weight_hh, bias_ih, bias_hh)
            after.append((x, c))
        return x, after


def _start_weights(layer: nn.Module) -> None:
    """Start input weights at Glorot's scale, recurrent ones orthogonal, forget gates open (Jozefowicz et al. 2015)."""
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


class LstmEncoder(nn.Module):
    """Bidirectional LSTM over token classes (or vectors) to one vector per example.

    Args:
        tokens: number of token classes.
        sizes: hidden size of each layer, per direction.
        token_size: size of the token embedding; None for one-hot vectors.
        readout: ``final``: last hidden state of each direction (MusicVAE); ``steps``: the outputs of all ``length`` steps,
            each mapped to ``readout_size`` numbers, so that no step's content has to survive the recurrence.
        readout_size: numbers a step, for ``steps``.
        length: number of steps; ``steps`` needs it.
    """

    def __init__(
        self,
        tokens: int,
        sizes: Sequence[int],
        token_size: int | None = None,
        readout: Readout = "final",
        readout_size: int = 32,
        length: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.tokens = TokenInput(tokens, token_size)
        self.stack = LstmStack(self.tokens.size, sizes, bidirectional=True, dropout=dropout)
        self.length = length
        self.project = nn.Linear(self.stack.output_size, readout_size) if readout == "steps" else None
        self.output_size = self.stack.output_size if self.project is None else length * readout_size

    def forward(self, tokens: Tensor, length: Tensor | None = None) -> Tensor:
        """Return [B, output_size] for token classes [B, T]."""
        outputs, state = self.stack(self.tokens(tokens.long()), length=length)
        if self.project is None:
            top: Tensor = state[-1][0]
            return top
        steps: Tensor = self.project(outputs)
        return F.pad(steps, (0, 0, 0, self.length - steps.shape[1])).flatten(1)


class LstmDecoder(nn.Module):
    """LSTM decoder: starts from tanh(W z) and sees [previous event, z, position, control] at every step.

    Args:
        likelihood: distribution of one event.
        latent_size: Z.
        sizes: hidden size of each layer.
        token_size: size of the embedding of the previous event; None for one-hot vectors.
        plan_size: size of a vector that each step gets of its own by a linear map of z; 0 for none.
        position_size: size of a learned embedding of the step's number; 0 for none.
        length: number of steps that plan and position know.
    """

    def __init__(
        self,
        likelihood: Categorical,
        latent_size: int,
        sizes: Sequence[int],
        token_size: int | None = None,
        plan_size: int = 0,
        position_size: int = 0,
        length: int = 0,
        control_size: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.likelihood = likelihood
        self.tokens = TokenInput(likelihood.classes, token_size)
        self.length = length
        self.plan = nn.Linear(latent_size, length * plan_size) if plan_size else None
        self.position = nn.Parameter(torch.randn(length, position_size) * 0.1) if position_size else None
        inputs = self.tokens.size + latent_size + plan_size + position_size + control_size
        self.stack = LstmStack(inputs, sizes, dropout=dropout)
        self.start = nn.Linear(latent_size, 2 * sum(sizes))
        self.output = nn.Linear(self.stack.output_size, likelihood.size)

    def initial_state(self, z: Tensor) -> State:
        """Return (h, c) of each layer from z [B, Z]; the linear map holds c, h of layer 0, then of layer 1 and so on."""
        parts = torch.split(torch.tanh(self.start(z)), [size for size in self.stack.sizes for _ in "ch"], dim=1)
        return [(h.contiguous(), c.contiguous()) for c, h in zip(parts[::2], parts[1::2], strict=True)]

    def forced(self, z: Tensor, previous: Tensor, control: Tensor | None = None) -> Tensor:
        """Return logits [B, T, V] where the event before each step is given: previous [B, T], V for "none"."""
        steps = previous.shape[1]
        fixed = self._fixed(z, 0, steps, control)
        outputs, _ = self.stack(torch.cat([self.tokens(previous), *fixed], dim=-1), self.initial_state(z))
        logits: Tensor = self.output(outputs)
        return logits

    def run(
        self,
        z: Tensor,
        target: Tensor,
        teacher: Teacher = FORCED,
        noise: Noise | None = None,
        control: Tensor | None = None,
    ) -> Tensor:
        """Return logits [B, T, V] over target [B, T] with inputs as ``teacher`` says."""
        target = target.long()
        previous = F.pad(target, (1, 0), value=self.tokens.tokens)[:, :-1]
        if teacher.dropout > 0:
            hidden = _bernoulli(teacher.dropout, previous.shape, noise, z.device)
            previous = torch.where(hidden, self.tokens.tokens, previous)
        if teacher.sampling <= 0:
            return self.forced(z, previous, control)
        replaced = _bernoulli(teacher.sampling, previous.shape, noise, z.device)
        state, logits = self.initial_state(z), []
        event = previous[:, 0]
        for t in range(target.shape[1]):
            if t:
                event = torch.where(replaced[:, t], event, previous[:, t])
            step_logits, state = self._step(event, z, state, t, control)
            logits.append(step_logits)
            event = self.likelihood.sample(step_logits.detach(), 1.0, noise)
        return torch.stack(logits, dim=1)

    def sample(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        control: Tensor | None = None,
    ) -> Tensor:
        """Decode z [B, Z] step by step, each event fed to the next step: classes [B, length]."""
        state, events = self.initial_state(z), []
        event = torch.full((z.shape[0],), self.tokens.tokens, dtype=torch.long, device=z.device)
        for t in range(length):
            logits, state = self._step(event, z, state, t, control)
            event = self.likelihood.sample(logits, temperature, noise)
            events.append(event)
        return torch.stack(events, dim=1)

    def _step(self, event: Tensor, z: Tensor, state: State, t: int, control: Tensor | None) -> tuple[Tensor, State]:
        fixed = [part[:, 0] for part in self._fixed(z, t, 1, None if control is None else control[:, t : t + 1])]
        output, state = self.stack.step(torch.cat([self.tokens(event), *fixed], dim=-1), state)
        return self.output(output), state

    def _fixed(self, z: Tensor, first: int, steps: int, control: Tensor | None) -> list[Tensor]:
        """Return the inputs of ``steps`` steps that do not depend on the events: z, position, control; [B, steps, ...]."""
        batch = z.shape[0]
        parts = [z.unsqueeze(1).expand(batch, steps, -1)]
        if self.plan is not None:
            parts.append(self.plan(z).view(batch, self.length, -1)[:, first : first + steps])
        if self.position is not None:
            parts.append(self.position[first : first + steps].unsqueeze(0).expand(batch, -1, -1))
        if control is not None:
            parts.append(control)
        return parts


def _bernoulli(p: float, shape: torch.Size, noise: Noise | None, device: torch.device) -> Tensor:
    if noise is None:
        raise ValueError("a teacher that samples or hides events needs noise to draw from")
    return noise.uniform(shape, device) < p
