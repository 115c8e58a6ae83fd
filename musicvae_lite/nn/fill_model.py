"""An autoregressive model of long sequences of events that also hears what is given further on.

Events that are missing are drawn from left to right, by the model of
:mod:`musicvae_lite.nn.event_model`, told at every step what a recurrent network makes of the given
events from the end back to there, and of those at fixed distances ahead: filling in the middle, as
in the "anticipation RNN" of Hadjeres & Nielsen (2018, arXiv 1709.06404). Where nothing is given it
is a plain autoregressive model. Letters in shapes: B sequences, T steps, K voices, C condition
numbers, A numbers of what is ahead.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.nn.event_model import EventModel

#: Stands for an event that is not given.
MISSING = -1


class Ahead(nn.Module):
    """What is given at each step and after it.

    Args:
        classes: number of classes of each voice [K].
        period: steps of a bar.
        bars: of the longest sequence.
        hidden: size of the recurrent network.
        token_size: of the embedding of an event.
        leads: how many steps ahead single events are looked at.
    """

    def __init__(
        self,
        classes: Sequence[int],
        period: int,
        bars: int,
        hidden: int = 96,
        token_size: int = 16,
        leads: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.classes, self.period, self.leads = tuple(classes), period, tuple(leads)
        # Two more classes: not given, and beyond the end.
        self.tokens = nn.ModuleList([nn.Embedding(size + 2, token_size) for size in self.classes])
        self.left = nn.Embedding(bars + 1, 8)
        self.place = nn.Embedding(period, 8)
        width = len(self.classes) * token_size
        self.back = nn.GRU(width + 16, hidden, batch_first=True)
        self.size = hidden + 16 + width * len(self.leads)

    def forward(self, known: Tensor) -> Tensor:
        """Return what is ahead [B, T, A] in given events [B, T, K], -1 where one is missing."""
        batch, steps, _ = known.shape
        at = torch.arange(steps, device=known.device)
        bars_left = (-(-(steps - at) // self.period)).clamp_max(self.left.num_embeddings - 1)
        where = torch.cat([self.left(bars_left), self.place(at % self.period)], -1)
        where = where.expand(batch, -1, -1)
        now = [
            embed(torch.where(known[..., k] < 0, size, known[..., k]))
            for k, (size, embed) in enumerate(zip(self.classes, self.tokens, strict=True))
        ]
        reversed_, _ = self.back(torch.cat([*now, where], -1).flip(1))
        parts = [reversed_.flip(1), where]
        for lead in self.leads:
            for row, size, embed in zip(now, self.classes, self.tokens, strict=True):
                end = embed(torch.tensor(size + 1, device=known.device))
                beyond = end.expand(batch, min(lead, steps), -1)
                parts.append(torch.cat([row[:, lead:], beyond.to(row.dtype)], 1))
        return torch.cat(parts, -1)


class FillModel(nn.Module):
    """p(missing events | given events, condition).

    Args:
        classes: number of classes of each voice [K].
        steps: T, the length of the longest sequence.
        period: steps of a bar.
        hidden: of the model that draws.
        token_size: of the embedding of an event there.
        lags: how many steps back it looks.
        condition_size: C.
        ahead: of the network that hears what is given further on.
        leads: how many steps ahead it looks.
        dropout: when training.
    """

    def __init__(
        self,
        classes: Sequence[int],
        steps: int,
        period: int,
        hidden: int = 256,
        token_size: int = 24,
        lags: Sequence[int] = (16,),
        condition_size: int = 0,
        ahead: int = 96,
        leads: Sequence[int] = (16,),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.classes, self.steps, self.period = tuple(classes), steps, period
        self.ahead = Ahead(classes, period, steps // period, ahead, 16, leads)
        size = condition_size + self.ahead.size
        self.condition_size = condition_size
        self.events = EventModel(
            classes, steps, period, hidden, token_size, lags, size, dropout=dropout
        )

    def costs(self, events: Tensor, known: Tensor, condition: Tensor) -> Tensor:
        """Return what each missing event costs, nats [B, T, K]; 0 where it is given.

        Args:
            events: int64 [B, T, K], whole.
            known: the same with -1 where one is missing.
            condition: [B, T, C].
        """
        logits = self.events(events, torch.cat([condition, self.ahead(known)], -1))
        costs = [
            F.cross_entropy(voice.float().transpose(1, 2), events[..., k], reduction="none")
            for k, voice in enumerate(logits)
        ]
        return torch.stack(costs, -1) * (known < 0)

    @torch.no_grad()
    def draw(
        self,
        uniforms: Tensor,
        known: Tensor,
        condition: Tensor,
        temperature: float = 1.0,
        bias: Sequence[Tensor | None] | None = None,
    ) -> Tensor:
        """Draw the missing events, int64 [B, T, K].

        Args:
            uniforms: random numbers from 0 to 1 [B, T, K].
            known: given events, -1 where one is missing.
            condition: [B, T, C].
            temperature: of the events.
            bias: added to the logits of each voice [B, V], None for none.
        """
        told = torch.cat([condition, self.ahead(known)], -1)
        return self.events.draw(uniforms, told, temperature, known, bias)


def widened(model: FillModel, start: EventModel) -> None:
    """Give a model the weights of one of shorter sequences without anything ahead, so that it
    begins as that one: inputs that it did not have count for nothing at first.

    Raises:
        ValueError: they differ in classes, sizes or period.
    """
    own = model.events
    same = own.classes == start.classes and own.period == start.period
    same &= own.lstm.hidden_size == start.lstm.hidden_size
    same &= own.tokens[0].embedding_dim == start.tokens[0].embedding_dim
    if not same or model.condition_size != start.condition_size:
        raise ValueError("the two models differ in classes, sizes or period")
    source, target = _columns(start), _columns(own)
    there = own.state_dict()  # the very tensors of the weights
    with torch.no_grad():
        for name, value in start.state_dict().items():
            weight = there[name]
            if name == "bar.weight":
                weight.copy_(value[torch.arange(len(weight)) % len(value)])
            elif name == "lstm.weight_ih_l0":
                weight.zero_()
                for key, (begin, end) in source.items():
                    to = target[key][0]
                    weight[:, to : to + end - begin] = value[:, begin:end]
                begin, end = target["condition"]
                weight[:, begin + start.condition_size : end].normal_(std=0.02)
            else:
                weight.copy_(value)


def _columns(model: EventModel) -> dict[str, tuple[int, int]]:
    """Return which inputs of the LSTM of a model are what."""
    size = model.tokens[0].embedding_dim
    assert isinstance(size, int)
    sizes: list[tuple[str, int]] = []
    for voice in range(len(model.classes)):
        names = ["before", "last", *(f"lag {lag}" for lag in model.lags)]
        sizes += [(f"{voice} {name}", size) for name in names]
        sizes += [(f"{voice} repeats {lag}", 1) for lag in model.lags]
    sizes += [("place", 32), ("condition", model.condition_size)]
    found, at = {}, 0
    for name, width in sizes:
        found[name] = (at, at + width)
        at += width
    return found
