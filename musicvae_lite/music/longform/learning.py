"""Learning a model of long pieces from prepared windows of 8 to 16 bars.

Letters in shapes: N windows, B of a batch, T steps, K voices, C numbers of the condition.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from musicvae_lite.core.devices import resolve_precision
from musicvae_lite.core.random import seed_layers
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.data.corpus import Corpus
from musicvae_lite.music.longform.masks import missing
from musicvae_lite.music.prior_features import Features
from musicvae_lite.music.prior_training import Windows
from musicvae_lite.nn.event_model import EventModel
from musicvae_lite.nn.fill_model import MISSING, FillModel, widened

_RATE, _WARMUP, _CLIP, _AVERAGE = 2e-3, 50, 5.0, 0.998
#: Bars that begin a phrase are drawn this much as often as others: a piece is to begin like one.
_PHRASE, _PHRASE_WEIGHT = 4, 4.0
_HALF = 0.4  # of the batches are of half of a window
_DROPOUT = 0.1

#: Called with steps done, steps in all, and the mean cost of the last steps, nats an event.
OnStep = Callable[[int, int, float], None]


def build_network(
    codec: ScoreCodec, features: Features, hidden: int = 256, token_size: int = 24
) -> tuple[FillModel, dict[str, Any]]:
    """Build the network for windows of a codec, and say with which arguments."""
    bar = codec.steps_per_bar
    lags = (bar // 4, bar // 2, bar, 2 * bar, 4 * bar, 8 * bar)
    arguments: dict[str, Any] = {
        "classes": list(codec.sizes),
        "steps": codec.steps,
        "period": bar,
        "hidden": hidden,
        "token_size": token_size,
        "lags": [lag for lag in lags if lag < codec.steps],
        "condition_size": features.size,
        "ahead": 96,
        "leads": [lag for lag in lags[2:] if lag < codec.steps],
    }
    return FillModel(**arguments, dropout=_DROPOUT), arguments


class Learner:
    """Trains a network on the windows of a corpus, one step after another.

    Args:
        network: to train.
        features: what it is told.
        train: windows to learn from.
        batch_size: B.
        seed: of all that is drawn.
        rate: the highest learning rate.
    """

    def __init__(
        self,
        network: FillModel,
        features: Features,
        train: Corpus,
        batch_size: int = 16,
        seed: int = 0,
        rate: float = _RATE,
        average: float = _AVERAGE,
    ) -> None:
        self.network, self.features, self.rate = network, features, rate
        self.windows, self.batch_size, self.seed = Windows.of_corpus(train), batch_size, seed
        self.average, self.decay, self.done = copy.deepcopy(network).eval(), average, 0
        self.optimiser = torch.optim.Adam(network.parameters(), rate, (0.9, 0.99))
        self.bfloat16 = resolve_precision("auto", torch.device("cpu")) == "bf16-mixed"
        weights = np.where(_in_track(train) % _PHRASE == 0, _PHRASE_WEIGHT, 1.0)
        self.upto: NDArray[np.float64] = weights.cumsum() / weights.sum()

    def step(self, progress: float) -> float:
        """Do one step and return its cost, nats a missing event.

        Args:
            progress: 0 to 1, how much of the training is done; the learning rate falls with it.
        """
        draws = np.random.default_rng([self.seed, self.done])
        rows = np.searchsorted(self.upto, draws.random(self.batch_size))
        rows = rows.clip(0, len(self.upto) - 1)
        events, condition = self.windows.batch(rows, self.features, draws)
        codec = self.windows.corpus.codec
        bars = codec.bars // 2 if draws.random() < _HALF else codec.bars
        steps = bars * codec.steps_per_bar
        events, condition = events[:, :steps], condition[:, :steps]
        gone = missing(len(rows), bars, codec.steps_per_bar, events.shape[2], draws)
        rate = self.rate * min(1, (self.done + 1) / _WARMUP) * (1 - progress) + 1e-6
        self.optimiser.param_groups[0]["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            cost = mean_cost(self.network, events, torch.from_numpy(gone), condition)
        self.optimiser.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimiser.step()
        self._follow(min(self.decay, (1 + self.done) / (10 + self.done)))
        self.done += 1
        return cost.item()

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
        for kept, new in pairs:
            kept.lerp_(new, 1 - decay)

    def state(self) -> dict[str, Any]:
        """Return what :meth:`restore` goes on from."""
        parts = (self.network, self.average, self.optimiser)
        return {"done": self.done, "parts": [part.state_dict() for part in parts]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        network, average, optimiser = state["parts"]
        self.network.load_state_dict(network)
        self.average.load_state_dict(average)
        self.optimiser.load_state_dict(optimiser)
        self.done = state["done"]


def mean_cost(network: FillModel, events: Tensor, gone: Tensor, condition: Tensor) -> Tensor:
    """Return the mean cost of missing events, nats.

    Args:
        network: predicts them.
        events: int64 [B, T, K].
        gone: which are missing [B, T, K].
        condition: [B, T, C].
    """
    known = torch.where(gone, MISSING, events)
    return network.costs(events, known, condition).sum() / gone.sum()


@torch.inference_mode()
def measure(
    network: FillModel, features: Features, valid: Corpus, count: int = 256
) -> dict[str, Any]:
    """Return the cost of held-out windows, nats an event: of whole ones, and of two bars in the
    middle of eight.
    """
    windows, codec = Windows.of_corpus(valid), valid.codec
    rows = np.random.default_rng(0).permutation(len(windows))[:count]
    bar, whole, middle = codec.steps_per_bar, list[float](), list[float]()
    for start in range(0, len(rows), 32):
        events, condition = windows.batch(rows[start : start + 32], features, None)
        gone = torch.ones_like(events, dtype=torch.bool)
        whole.append(float(mean_cost(network, events, gone, condition)))
        short = min(8, codec.bars) * bar
        gone = torch.zeros_like(events[:, :short], dtype=torch.bool)
        gone[:, 3 * bar : 5 * bar] = True
        cost = mean_cost(network, events[:, :short], gone, condition[:, :short])
        middle.append(float(cost))
    found = {"nats_whole": float(np.mean(whole)), "nats_middle": float(np.mean(middle))}
    return {**found, "n": len(rows)}


def prepare(
    train: Corpus,
    transpose: tuple[int, int] | None,
    hidden: int = 256,
    token_size: int = 24,
    start: EventModel | None = None,
    start_features: Features | None = None,
    seed: int = 0,
) -> tuple[FillModel, Features, dict[str, Any]]:
    """Build a network for a corpus.

    Args:
        train: windows to learn from.
        transpose: semitones that they are moved by while learning.
        hidden: size of the network.
        token_size: of the embedding of an event.
        start: a model of shorter windows to begin with; the sizes are its.
        start_features: what that one is told.
        seed: of the first weights.

    Returns:
        The network, what it is told, and what its file says of it.
    """
    features = start_features or Features.of_windows(train.codec, train.windows, transpose)
    seed_layers(torch.device("cpu"), seed)
    if start is not None:
        hidden, token_size = (
            start.lstm.hidden_size,
            start.tokens[0].get_parameter("weight").shape[1],
        )
    network, arguments = build_network(train.codec, features, hidden, token_size)
    if start is not None:
        widened(network, start)
    facts = {
        "codec": train.codec.config(),
        "network": arguments,
        "features": asdict(features),
        "learned": {"windows": len(train), "seed": seed},
    }
    return network, features, facts


def _in_track(corpus: Corpus) -> NDArray[np.int64]:
    """Return the bar of each window from the first of its track on [N]."""
    track = corpus.source.astype(np.int64) * (int(corpus.track.max(initial=0)) + 1) + corpus.track
    _, place = np.unique(track, return_inverse=True)
    first = np.full(place.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, place, corpus.bar.astype(np.int64))
    return corpus.bar.astype(np.int64) - first[place]
