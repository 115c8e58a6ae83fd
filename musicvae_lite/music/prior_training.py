"""Learning the prior of a model of music from the windows of a corpus.

Letters in shapes: N windows, T steps, K voices, C numbers of the condition.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from musicvae_lite.config import PriorSettings, RunConfig
from musicvae_lite.core.devices import resolve_precision
from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.core.locks import only_writer
from musicvae_lite.core.random import seed_layers
from musicvae_lite.core.validation import seed_of
from musicvae_lite.model_dir.bundle import Description, describe
from musicvae_lite.model_dir.prior_file import save_prior
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.data.corpus import Corpus, codec_differences
from musicvae_lite.music.keys import keys_of_tracks
from musicvae_lite.music.prior import KIND
from musicvae_lite.music.prior_features import UNKNOWN, Features
from musicvae_lite.nn.event_model import EventModel

#: How often each thing is told while learning, so that it can be told or left open later.
_KEY, _ATTRIBUTE, _SHIFT = 0.4, 0.3, 0.85
#: Share of the examples that are left as they are written.
_UNMOVED = 0.3
_MEASURED = 2000
_WARMUP = 100
_CLIP = 5.0
_LEAST = 8

#: Called with steps done, steps in all, and the mean cost of the last steps, nats a window.
OnStep = Callable[[int, int, float], None]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows to learn a prior from, with what it is told of them.

    Attributes:
        windows: [N, T] or [N, T, K].
        low: lowest transposition of each [N].
        high: highest [N].
        values: attributes [N] by name.
        keys: key of the piece, 0 to 23, or -1 [N].
        corpus: where they are from; gives the control input.
    """

    windows: NDArray[Any]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    keys: NDArray[np.int64]
    corpus: Corpus

    @classmethod
    def of_corpus(cls, corpus: Corpus) -> Windows:
        """Measure the windows of a corpus."""
        low, high = corpus.low.astype(np.int64), corpus.high.astype(np.int64)
        values = corpus.codec.attributes(corpus.windows)
        return cls(corpus.windows, low, high, values, keys_of_tracks(corpus), corpus)

    def __len__(self) -> int:
        return len(self.windows)

    def batch(
        self, rows: NDArray[np.int64], features: Features, draws: np.random.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Return events [B, T, K] and condition [B, T, C] of some windows.

        Args:
            rows: which.
            features: what is told.
            draws: how they are transposed and what is left open; None: as written, nothing told.
        """
        codec, count = self.corpus.codec, len(rows)
        shifts = np.zeros(count, np.int64)
        keys = np.full(count, UNKNOWN)
        values: dict[str, NDArray[np.float64]] = {}
        if draws is not None:
            shifts = self._shifts(rows, features, draws)
            known = self.keys[rows] != UNKNOWN
            keys = np.where(
                (draws.random(count) < _KEY) & known, moved(self.keys[rows], shifts), -1
            )
            for name in features.names:
                value = self.values[name][rows] + (shifts if name == "register" else 0)
                values[name] = np.where(draws.random(count) < _ATTRIBUTE, value, np.nan)
        hidden = np.zeros(count, bool) if draws is None else draws.random(count) >= _SHIFT
        told = np.where(hidden, features.shifts[1] + 1, shifts)
        x = codec.transpose(self.windows[rows], shifts) if shifts.any() else self.windows[rows]
        numbers = features.numbers(count, values, keys, told)
        condition = np.repeat(numbers[:, None], codec.steps, 1)
        control = self.corpus.control
        if control:
            classes = control.transposed(self.corpus.told[rows], shifts)
            condition = np.concatenate([condition, control.numbers(classes)], -1)
        events = torch.from_numpy(x.astype(np.int64))
        return events.unsqueeze(-1) if events.dim() == 2 else events, torch.from_numpy(condition)

    def _shifts(
        self, rows: NDArray[np.int64], features: Features, draws: np.random.Generator
    ) -> NDArray[np.int64]:
        low = np.clip(self.low[rows], features.shifts[0], 0)
        high = np.clip(self.high[rows], 0, features.shifts[1])
        drawn = low + np.floor(draws.random(len(rows)) * (high - low + 1)).astype(np.int64)
        return np.where(draws.random(len(rows)) < _UNMOVED, 0, drawn)


def moved(keys: NDArray[np.int64], semitones: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return keys (0 to 11 major, 12 to 23 minor) [N] after a transposition."""
    return keys // 12 * 12 + (keys % 12 + semitones) % 12


def build_network(
    codec: ScoreCodec, features: Features, control: int, settings: PriorSettings
) -> tuple[EventModel, dict[str, Any]]:
    """Build the network for windows of a codec, and say with which arguments."""
    bar = codec.steps_per_bar
    lags = [bar // 4, bar // 2, bar, 2 * bar, 4 * bar, 8 * bar]
    arguments: dict[str, Any] = {
        "classes": list(codec.sizes),
        "steps": codec.steps,
        "period": bar,
        "hidden": settings.hidden,
        "token_size": settings.token_size,
        "lags": [lag for lag in dict.fromkeys(lags) if 0 < lag < codec.steps],
        "condition_size": features.size + control,
    }
    return EventModel(**arguments, dropout=settings.dropout), arguments


def fits(codec: ScoreCodec) -> bool:
    """Say whether a prior can be learned for windows of a codec: those of steps, each of
    classes.
    """
    return codec.shifts is None and codec.end is None and np.issubdtype(codec.dtype, np.integer)


def learn_prior(
    description: Description,
    train: Corpus,
    valid: Corpus,
    steps: int,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> dict[str, Any]:
    """Learn the prior of a model and keep it in its folder.

    Args:
        description: of the model; its configuration says how (``prior``).
        train: windows to learn from.
        valid: windows to measure on; may be empty.
        steps: of the training.
        seed: of all that is drawn.
        on_step: called after every hundred steps.

    Returns:
        What was measured: ``nll_nats`` of windows, ``n`` of them, and whether they are held out.

    Raises:
        NothingUsableError: too few windows, or a codec without classes.
    """
    codec, config = train.codec, description.config
    train, valid = (tunes_of(part, config.prior.tune) for part in (train, valid))
    if not fits(codec):
        name = config.name
        raise NothingUsableError(f"{name}: no prior can be learned over windows of {codec.kind}")
    if len(train) < _LEAST:
        raise NothingUsableError(
            f"a prior is learned from {_LEAST} windows or more, not from {len(train)}"
        )
    windows = Windows.of_corpus(train)
    features = Features.of_windows(codec, train.windows, config.data.transpose)
    seed_layers(torch.device("cpu"), seed)
    network, arguments = build_network(codec, features, train.control.size, config.prior)
    kept = fit(network, windows, features, config.prior, steps, seed, on_step)
    held_out = Windows.of_corpus(valid) if len(valid) else windows
    measured = {**_measure(kept, held_out, features), "held_out": bool(len(valid))}
    facts = {
        "kind": KIND,
        "network": arguments,
        "features": asdict(features),
        "control_size": train.control.size,
        "flat": train.windows.ndim == 2,
        "temperature": config.prior.temperature,
        "refine": config.prior.refine,
        "learned": {
            "windows": len(train),
            "steps": steps,
            "seed": seed,
            **config.prior.model_dump(),
        },
        "measured": measured,
    }
    save_prior(description, facts, kept.state_dict())
    return measured


def learn_prior_of(
    model: str | Path,
    data: Sequence[str | Path],
    steps: int,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> dict[str, Any]:
    """Learn the prior of a model (shipped name or folder) from prepared corpora; see
    :func:`learn_prior`.

    Raises:
        UsageError: unknown model, no music, no data, or a corpus of another codec.
        NothingUsableError: too few windows, or a codec without classes.
        MusaeError: a damaged model or corpus, or the folder cannot be written.
    """
    description = describe(model)
    if description.config.model.kind != "sequence":
        raise UsageError(f"{model} is no model of music; priors are learned of those")
    train, valid = open_splits(description.config, data)
    with only_writer(description.folder, "musae prior"):
        return learn_prior(description, train, valid, steps, seed_of(seed), on_step)


def open_splits(config: RunConfig, data: Sequence[str | Path]) -> tuple[Corpus, Corpus]:
    """Open prepared corpora for a model: the windows to learn from and those held out.

    Raises:
        UsageError: one was prepared for another codec, or tells of other things.
        MusaeError: a damaged one.
    """
    corpus = Corpus.open(data)
    differing = codec_differences(config, corpus)
    if differing:
        raise UsageError(
            f"the corpus was prepared for another codec ({differing}); run 'musae prepare' with "
            f"--preset {config.name}"
        )
    if corpus.control.config() != config.control.model_dump():
        raise UsageError(
            "the corpus tells of other things (chords, key) than the model; run 'musae prepare' "
            f"with --preset {config.name}"
        )
    return corpus.split("train"), corpus.split("valid")


def tunes_of(corpus: Corpus, least: float) -> Corpus:
    """Return the windows of tracks that are at least so much like a tune, or were not scored."""
    return corpus if least <= 0 else corpus.take(~(corpus.tune < least))


def _weights(corpus: Corpus, power: float) -> NDArray[np.float64] | None:
    """Return the distribution function of the window that is drawn [N]; None: all alike."""
    if power <= 0:
        return None
    weights = np.where(np.isfinite(corpus.tune), corpus.tune, 1.0).astype(np.float64) ** power
    upto: NDArray[np.float64] = weights.cumsum() / weights.sum()
    return upto


def fit(
    network: EventModel,
    windows: Windows,
    features: Features,
    settings: PriorSettings,
    steps: int,
    seed: int,
    on_step: OnStep | None,
) -> EventModel:
    """Train a network and return the moving average of its weights."""
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate, (0.9, 0.99))
    bfloat16 = resolve_precision("auto", torch.device("cpu")) == "bf16-mixed"
    upto = _weights(windows.corpus, settings.tune_weight)
    recent: list[float] = []
    for step in range(steps):
        draws = np.random.default_rng([seed, step])
        if upto is None:
            rows = draws.integers(0, len(windows), settings.batch_size)
        else:
            rows = np.searchsorted(upto, draws.random(settings.batch_size)).clip(0, len(upto) - 1)
        events, condition = windows.batch(rows, features, draws)
        rate = settings.learning_rate * min(1, (step + 1) / _WARMUP) * (1 - step / steps)
        optimiser.param_groups[0]["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            cost = network.nll(events, condition).mean()
        optimiser.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimiser.step()
        _follow(average, network, min(settings.average, (1 + step) / (10 + step)))
        recent.append(cost.item())
        if on_step is not None and ((step + 1) % 100 == 0 or step + 1 == steps):
            on_step(step + 1, steps, float(np.mean(recent)))
            recent.clear()
    return average


@torch.no_grad()
def _follow(average: EventModel, network: EventModel, decay: float) -> None:
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


@torch.inference_mode()
def _measure(network: EventModel, windows: Windows, features: Features) -> dict[str, Any]:
    rows = np.random.default_rng(0).permutation(len(windows))[:_MEASURED]
    costs = []
    for start in range(0, len(rows), 250):
        costs.append(network.nll(*windows.batch(rows[start : start + 250], features, None)))
    return {"nll_nats": float(torch.cat(costs).mean()), "n": len(rows)}
