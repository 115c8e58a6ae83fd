"""A small autoregressive model of sequences of events, which looks back at what was a bar or more
before.

Each step is predicted from the steps before it by an LSTM (Graves 2013, arXiv 1308.0850). Beside
the last step it sees those at fixed lags and whether the last step repeated them, as in the
"lookback" RNN of Waite (2016), so that repetition is a matter of copying and not of memory; and the
last event that is not class 0, which is what still sounds. Letters in shapes: B sequences, T steps,
K voices of a step, C condition numbers, H hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

State = tuple[Tensor, Tensor]


class EventModel(nn.Module):
    """p(events | condition), step by step and within a step voice by voice.

    Args:
        classes: number of classes of each voice [K].
        steps: T, the length of a sequence.
        period: steps of a bar; position is told as bar and place in it.
        hidden: H.
        token_size: of the embedding of an event.
        lags: how many steps back it looks.
        condition_size: C, 0 for none.
        dropout: of the inputs and outputs of the LSTM, when training.
    """

    def __init__(
        self,
        classes: Sequence[int],
        steps: int,
        period: int,
        hidden: int = 256,
        token_size: int = 32,
        lags: Sequence[int] = (16,),
        condition_size: int = 0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.classes, self.steps, self.period = tuple(classes), steps, period
        self.lags, self.condition_size = tuple(lags), condition_size
        # One more class stands for what is before the start.
        self.tokens = nn.ModuleList([nn.Embedding(size + 1, token_size) for size in self.classes])
        self.place, self.bar = nn.Embedding(period, 16), nn.Embedding(-(-steps // period), 16)
        looks = 2 + len(self.lags)
        width = len(self.classes) * (looks * token_size + len(self.lags)) + 32 + condition_size
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleList([nn.Linear(hidden, size) for size in self.classes])
        # A later voice of a step hears the earlier ones.
        within = [nn.Embedding(size, hidden) for size in self.classes[:-1]]
        for embedding in within:
            nn.init.normal_(embedding.weight, std=0.02)
        self.within = nn.ModuleList(within)

    def forward(self, events: Tensor, condition: Tensor | None = None) -> list[Tensor]:
        """Return the logits of every step of events [B, T, K] given those before, [B, T, classes]
        of each voice.

        Args:
            events: int64 [B, T, K].
            condition: [B, T, C], where the model has one.
        """
        output, _ = self.lstm(self.dropout(self._inputs(events, condition)))
        return self._logits(self.dropout(output), events)

    def nll(self, events: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the negative log-likelihood of sequences [B, T, K], nats [B]."""
        logits = self(events, condition)
        costs = [
            F.cross_entropy(voice.transpose(1, 2), events[..., k], reduction="none")
            for k, voice in enumerate(logits)
        ]
        return torch.stack(costs).sum((0, 2))

    @torch.no_grad()
    def draw(
        self,
        uniforms: Tensor,
        condition: Tensor | None = None,
        temperature: float = 1.0,
        known: Tensor | None = None,
        bias: Sequence[Tensor | None] | None = None,
    ) -> Tensor:
        """Draw sequences [B, T, K], one event after another, by inverting the distribution function
        of each.

        Args:
            uniforms: random numbers from 0 to 1 [B, T, K]; equal ones give equal sequences.
            condition: [B, T, C], where the model has one.
            temperature: of the events; 1 is the model itself.
            known: events that are given [B, T, K], -1 where one is drawn.
            bias: added to the logits of each voice [B, V]; None for none.
        """
        count, steps, voices = uniforms.shape
        events = torch.zeros((count, steps, voices), dtype=torch.long, device=uniforms.device)
        state: State | None = None
        first = 0 if known is None else _known_first(known[:, :steps])
        if known is not None and first:
            # What is given up to the first that is not need not be gone through step by step.
            events[:, :first] = known[:, :first]
            told = None if condition is None else condition[:, :first]
            _, state = self.lstm(self._inputs(events[:, :first], told))
        for step in range(first, steps):
            told = None if condition is None else condition[:, step : step + 1]
            output, state = self.lstm(self._inputs(events, told, step), state)
            heard = output[:, 0]
            for voice in range(voices):
                logits = self.heads[voice](heard).float()
                added = None if bias is None else bias[voice]
                logits = logits if added is None else logits + added
                chosen = _invert(logits / temperature, uniforms[:, step, voice])
                if known is not None:
                    given = known[:, step, voice]
                    chosen = torch.where(given >= 0, given, chosen)
                events[:, step, voice] = chosen
                if voice < voices - 1:
                    heard = heard + self.within[voice](chosen)
        return events

    def _logits(self, output: Tensor, events: Tensor) -> list[Tensor]:
        logits = []
        for voice, head in enumerate(self.heads):
            logits.append(head(output))
            if voice < len(self.heads) - 1:
                output = output + self.within[voice](events[..., voice])
        return logits

    def _inputs(self, events: Tensor, condition: Tensor | None, step: int | None = None) -> Tensor:
        """Return what the LSTM hears [B, T, D] of events [B, T, K], or at one ``step`` alone [B, 1,
        D].
        """
        batch, steps, _ = events.shape
        at = (
            torch.arange(steps, device=events.device)
            if step is None
            else torch.tensor([step], device=events.device)
        )
        parts = []
        for voice, (size, embed) in enumerate(zip(self.classes, self.tokens, strict=True)):
            line = events[..., voice]
            before = _at(line, at - 1, size)
            back = [_at(line, at - lag, size) for lag in self.lags]
            repeated = [
                (before == _at(line, at - 1 - lag, size)).float().unsqueeze(-1) for lag in self.lags
            ]
            parts += [*(embed(row) for row in (before, _last(line, at, size), *back)), *repeated]
        where = torch.cat([self.place(at % self.period), self.bar(at // self.period)], -1)
        parts.append(where.expand(batch, -1, -1))
        if self.condition_size and condition is not None:
            parts.append(condition)
        return torch.cat(parts, -1)


def _known_first(known: Tensor) -> int:
    """Return how many steps of [B, T, K] from the start are given in all sequences."""
    missing = (known < 0).any(2).any(0).nonzero()
    return int(missing[0]) if len(missing) else known.shape[1]


def _at(line: Tensor, places: Tensor, start: int) -> Tensor:
    """Return the events of ``line`` [B, T] at places [P], ``start`` before its first, [B, P]."""
    found = line[:, places.clamp_min(0)]
    return torch.where(places < 0, start, found)


def _last(line: Tensor, at: Tensor, start: int) -> Tensor:
    """Return the last event that is not class 0 before each of the places ``at`` [P], ``start``
    where there is none, [B, P].
    """
    steps = torch.arange(line.shape[1], device=line.device)
    marks = torch.where(line > 0, steps, -1)
    if len(at) == 1:
        latest = torch.where(steps < at, marks, -1).amax(1, keepdim=True)
    else:
        latest = F.pad(marks.cummax(1).values[:, :-1], (1, 0), value=-1)
    return torch.where(latest < 0, start, line.gather(1, latest.clamp_min(0)))


def _invert(logits: Tensor, uniforms: Tensor) -> Tensor:
    """Return the classes [B] at which the distribution functions of logits [B, V] pass uniforms
    [B].
    """
    passed = logits.softmax(-1).cumsum(-1) < uniforms.unsqueeze(-1)
    return passed.sum(-1).clamp_max(logits.shape[-1] - 1)
