"""Sequences in segments: an encoder and a decoder of two levels (MusicVAE's bars), and a decoder
for each voice.

Letters in shapes: S segments, L steps of a segment, K numbers of an event.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from musicvae_lite.core.autoencoder import FORCED, Teacher
from musicvae_lite.core.random import Noise
from musicvae_lite.nn.dct import SpectralPlan
from musicvae_lite.nn.inputs import EventInput
from musicvae_lite.nn.likelihood import Categorical, Joint, StepLikelihood
from musicvae_lite.nn.lstm import (
    LstmDecoder,
    LstmEncoder,
    LstmStack,
    Readout,
    choose,
    initial_state,
    shifted,
    steps_held,
    summary,
    with_control,
)

_MANY = 64  # rows from which on twice as many take nearly twice as long


class HierarchicalEncoder(nn.Module):
    """Bidirectional LSTMs, one a level: each reads the segments of the level below as one sequence.

    Args:
        events: makes vectors of events.
        levels: steps of a segment, then segments (of segments ...).
        sizes: hidden size of each layer, per direction; the same at every level, but for
            ``upper_sizes``.
        readout: of each level, as at :class:`~musicvae_lite.nn.lstm.LstmEncoder`.
        readout_size: numbers a step, for ``steps``; one for all levels, or one each.
        control_size: numbers a step of the control input C.
        skip: for ``steps``: what is read of a segment at an upper level is read of its input, too,
            past the LSTM.
        padded: segments may end early: events that stand for nothing follow, and are not read.
        upper_sizes: hidden sizes at the levels above the first; None for those of the first.
    """

    def __init__(
        self,
        events: EventInput,
        levels: Sequence[int],
        sizes: Sequence[int],
        readout: Readout = "final",
        readout_size: int | Sequence[int] = 32,
        control_size: int = 0,
        dropout: float = 0.0,
        skip: bool = False,
        padded: bool = False,
        upper_sizes: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.tokens = events
        self.padded = padded
        self.lengths = tuple(levels)
        self.skip = skip
        self.levels, self.projects = nn.ModuleList(), nn.ModuleList()
        inputs = events.size + control_size
        readouts = [readout_size] * len(levels) if isinstance(readout_size, int) else readout_size
        for length, size in zip(levels, readouts, strict=True):
            hidden = upper_sizes if upper_sizes and len(self.levels) else sizes
            stack = LstmStack(inputs, hidden, bidirectional=True, dropout=dropout)
            self.levels.append(stack)
            if readout == "steps":
                seen = stack.output_size + (inputs if skip and len(self.levels) > 1 else 0)
                self.projects.append(nn.Linear(seen, size))
            inputs = length * size if readout == "steps" else stack.output_size
        self.output_size = inputs

    def forward(
        self, events: Tensor, length: Tensor | None = None, control: Tensor | None = None
    ) -> Tensor:
        """Return [B, output_size] for events [B, T] (or [B, T, K]), T the product of the levels,
        with control [B, T, C].
        """
        x = with_control(self.tokens(events), control)
        batch = len(x)
        for index, (stack, steps) in enumerate(zip(self._stacks(), self.lengths, strict=True)):
            project = self.projects[index] if len(self.projects) else None
            assert project is None or isinstance(project, nn.Linear)
            segments = x.shape[1] // steps
            inside = None
            if length is not None:
                begin = torch.arange(segments, device=length.device) * steps
                # A segment after the end is read as one step; the level above does not look at it.
                inside = (length.unsqueeze(1) - begin).clamp(1, steps).flatten()
                length = -(-length // steps)
            if self.padded and index == 0:
                held = steps_held(events.reshape(batch * segments, steps), self.tokens.none)
                inside = held if inside is None else torch.minimum(inside, held)
            x = x.reshape(batch * segments, steps, -1)
            x = summary(stack, project, x, inside, steps, skip=self.skip and index > 0).view(
                batch, segments, -1
            )
        return x.flatten(1)

    def _stacks(self) -> list[LstmStack]:
        return [stack for stack in self.levels if isinstance(stack, LstmStack)]


class SplitEncoder(nn.Module):
    """An encoder for each number of an event; none sees the others' events.

    Their vectors follow one another.
    """

    def __init__(self, parts: Sequence[LstmEncoder | HierarchicalEncoder]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.output_size = sum(part.output_size for part in parts)

    def forward(
        self, events: Tensor, length: Tensor | None = None, control: Tensor | None = None
    ) -> Tensor:
        """Return [B, output_size] for events [B, T, K], with control [B, T, C]."""
        return torch.cat(
            [part(events[..., index], length, control) for index, part in enumerate(self.parts)], -1
        )


class SplitDecoder(nn.Module):
    """A decoder for each number of an event; none sees the others' events (MusicVAE's trio)."""

    def __init__(self, cores: Sequence[LstmDecoder]) -> None:
        super().__init__()
        self.cores = nn.ModuleList(cores)
        self.likelihood = Joint(
            [core.likelihood.classes for core in cores if isinstance(core.likelihood, Categorical)]
        )

    def run(
        self,
        z: Tensor,
        target: Tensor,
        teacher: Teacher = FORCED,
        noise: Noise | None = None,
        control: Tensor | None = None,
        first: Tensor | None = None,
    ) -> Tensor:
        """Return logits [B, T, V] over target [B, T, K]; see :meth:`LstmDecoder.run`."""
        parts = [
            core.run(
                z,
                target[..., index],
                teacher,
                noise,
                control,
                None if first is None else first[..., index],
            )
            for index, core in enumerate(self._cores())
        ]
        return torch.cat(parts, -1)

    def sample(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        control: Tensor | None = None,
        first: Tensor | None = None,
    ) -> Tensor:
        """Decode z [B, Z]: events [B, length, K]; see :meth:`LstmDecoder.sample`."""
        parts = [
            core.sample(
                z, length, temperature, noise, control, None if first is None else first[..., index]
            )
            for index, core in enumerate(self._cores())
        ]
        return torch.stack(parts, -1)

    def _cores(self) -> list[LstmDecoder]:
        return [core for core in self.cores if isinstance(core, LstmDecoder)]


class HierarchicalDecoder(nn.Module):
    """A conductor makes a vector of each segment from z.

    A decoder makes the segment from it as if it were z.

    The conductor does not hear what the segments become. So with the past given (teacher forcing)
    all segments are computed as one batch, and drawing does so too unless ``carry``.

    Args:
        core: decoder of one segment; its latent size is the last of ``conductor``, with ``skip``
            plus ``plan_size``.
        latent_size: Z.
        segments: S.
        steps: L.
        conductor: hidden sizes of the conductor's LSTM layers.
        plan_size: size of a vector that the conductor gets for each segment by a linear map of z;
            0: it gets zeros (MusicVAE).
        carry: the first step of a segment sees the last event of the one before it (MusicVAE);
            otherwise it sees nothing.
        skip: the vector of a segment ends with its plan, so that z reaches the segment past the
            conductor, too.
        spectral: the plan is made wave by wave (:class:`~musicvae_lite.nn.dct.SpectralPlan`).
    """

    def __init__(
        self,
        core: LstmDecoder | SplitDecoder,
        latent_size: int,
        segments: int,
        steps: int,
        conductor: Sequence[int],
        plan_size: int = 0,
        carry: bool = True,
        dropout: float = 0.0,
        skip: bool = False,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.segments, self.steps, self.carry, self.skip = segments, steps, carry, skip
        self.plan: nn.Module | None = None
        if plan_size:
            sizes = (latent_size, segments, plan_size)
            self.plan = (
                SpectralPlan(*sizes) if spectral else nn.Linear(latent_size, segments * plan_size)
            )
        self.conductor = LstmStack(plan_size or 1, conductor, dropout=dropout)
        self.start = nn.Linear(latent_size, 2 * sum(conductor))
        self.core = core

    @property
    def likelihood(self) -> StepLikelihood:
        """Of the decoder of a segment, which alone owns its weights."""
        return self.core.likelihood

    def conduct(self, z: Tensor) -> Tensor:
        """Return a vector for each segment, [B, S, H], from z [B, Z]."""
        batch = len(z)
        inputs = (
            z.new_zeros(batch, self.segments, 1)
            if self.plan is None
            else self.plan(z).view(batch, self.segments, -1)
        )
        outputs, _ = self.conductor(inputs, initial_state(self.start, z, self.conductor.sizes))
        embeddings: Tensor = torch.cat([outputs, inputs], -1) if self.skip else outputs
        return embeddings

    def run(
        self,
        z: Tensor,
        target: Tensor,
        teacher: Teacher = FORCED,
        noise: Noise | None = None,
        control: Tensor | None = None,
    ) -> Tensor:
        """Return outputs [B, T, V] over target [B, T] (or [B, T, K]), T = S * L.

        See :meth:`LstmDecoder.run`.

        The first step of a segment sees the true event before it, also where the teacher samples
        (as in Magenta).
        """
        first = None
        if self.carry:
            none = self._none().to(target.device)
            first = shifted(target, none)[:, :: self.steps].flatten(0, 1)
        embeddings = self.conduct(z).flatten(0, 1)
        outputs = self.core.run(
            embeddings, self._cut(target), teacher, noise, self._cut_control(control), first
        )
        return outputs.reshape(len(z), self.segments * self.steps, -1)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        control: Tensor | None = None,
    ) -> Tensor:
        """Decode z [B, Z]: events [B, length] (or [B, length, K]), length up to S * L.

        See :meth:`LstmDecoder.sample`.
        """
        count = math.ceil(length / self.steps)
        rows = self.conduct(z)[:, :count].flatten(0, 1)
        core = self.core
        if control is not None and isinstance(core, LstmDecoder) and core.clock is not None:
            cut: Tensor | None = control.repeat_interleave(
                count, 0
            )  # every segment has the time of the whole window
        else:
            cut = None if control is None else self._cut_control(control[:, : count * self.steps])
        if not self.carry:
            events = core.sample(rows, self.steps, temperature, noise, cut)
        elif isinstance(core, SplitDecoder):
            events = torch.stack(
                [
                    self._carried(part, rows, count, temperature, noise, cut)
                    for part in core._cores()
                ],
                -1,
            )
        else:
            events = self._carried(core, rows, count, temperature, noise, cut)
        return events.view(len(z), count * self.steps, *events.shape[2:])[:, :length]

    def _carried(
        self,
        core: LstmDecoder,
        z: Tensor,
        count: int,
        temperature: float,
        noise: Noise | None,
        control: Tensor | None,
    ) -> Tensor:
        """Decode z [B * count, H], ``count`` segments of each piece, where a segment sees the last
        event of the one before.

        Segments are decoded together from a guess of that event; those whose guess was wrong are
        decoded again with the same noise, until none is. That gives what one after another gives:
        the first is right at once, the second after one round more at the latest, and so on. Two or
        three rounds do mostly, as the first input of a segment seldom changes its last event.
        """
        rows, none = torch.arange(len(z), device=z.device), core.tokens.none
        # A guess: nothing new, silence; nothing at all where segments end.
        before = (torch.zeros_like(none) if core.end is None else none).repeat(
            len(z), *[1] * none.dim()
        )
        before[::count] = none
        events = before.new_zeros(len(z), self.steps, *none.shape)
        known = torch.zeros(len(z), dtype=torch.bool, device=z.device)
        first = None if noise is None else noise.replay(rows, len(z))
        # Of many, every second segment begins, so that the others need no guess.
        due = rows[rows % count % 2 == 0] if len(z) >= _MANY else rows
        while len(due):
            draws = None if first is None else first.replay(due, len(z))
            told = None if control is None else control[due]
            events[due] = core.sample(z[due], self.steps, temperature, draws, told, before[due])
            decoded = known.index_fill(0, due, True)
            heard = choose(decoded.roll(1), events[:, -1].roll(1, 0), before)
            heard[::count] = none
            due = (~decoded | (heard != before).view(len(z), -1).any(1)).nonzero().squeeze(1)
            before, known = heard, decoded
        if noise is not None and draws is not None:
            noise.skip_to(draws)
        return events

    def _none(self) -> Tensor:
        core = self.core
        if isinstance(core, LstmDecoder):
            return core.tokens.none
        return torch.stack([part.tokens.none for part in core._cores()])

    def _cut(self, rows: Tensor) -> Tensor:
        """Return [B * S, L, ...] for [B, S * L, ...]."""
        return rows.reshape(-1, self.steps, *rows.shape[2:])

    def _cut_control(self, control: Tensor | None) -> Tensor | None:
        return None if control is None else self._cut(control)
