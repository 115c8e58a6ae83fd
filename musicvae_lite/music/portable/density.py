"""How likely windows are under the learned prior of a model, computed by NumPy. No torch.

Letters in shapes: N windows, T steps, K voices of a step, C condition numbers.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import reason
from musicvae_lite.model_dir.bundle import Description
from musicvae_lite.model_dir.prior_file import WEIGHTS, describe_prior, has_prior
from musicvae_lite.music.portable.lstm import Cell, Floats, Weights
from musicvae_lite.music.prior_features import Features, Wish


class NumpyDensity:
    """The network of a learned prior: :class:`musicvae_lite.nn.event_model.EventModel`.

    Args:
        tree: what the prior's file says.
        arrays: its weights.
    """

    def __init__(self, tree: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        weights, network = Weights(arrays), tree["network"]
        self.features = Features.of_tree(tree["features"])
        self.control_size, self.flat = int(tree["control_size"]), bool(tree["flat"])
        self.classes, self.lags = list(network["classes"]), list(network["lags"])
        self.period = int(network["period"])
        self.tokens = [part["weight"] for part in weights.each("tokens")]
        self.place, self.bar = weights["place.weight"], weights["bar.weight"]
        self.cell = Cell(weights.of("lstm"))
        self.heads = [(part["weight"], part["bias"]) for part in weights.each("heads")]
        self.within = [part["weight"] for part in weights.each("within")]

    def log_likelihood(
        self, windows: NDArray[Any], *, control: Floats | None = None
    ) -> NDArray[np.float64]:
        """Return the log-likelihood of windows [N, T] (or [N, T, K]) in nats [N]."""
        events = np.asarray(windows).astype(np.int64)
        events = events[..., None] if self.flat else events
        outputs, _ = self.cell.run(self._inputs(events, control), None)
        total = np.zeros(len(events))
        for voice, (weight, bias) in enumerate(self.heads):
            logits = outputs @ weight.T + bias
            logits -= logits.max(-1, keepdims=True)
            chosen = np.take_along_axis(logits, events[..., voice, None], -1)[..., 0]
            total += (chosen - np.log(np.exp(logits).sum(-1))).sum(1)
            if voice < len(self.within):
                outputs = outputs + self.within[voice][events[..., voice]]
        return total

    def _inputs(self, events: NDArray[np.int64], control: Floats | None) -> Floats:
        """Return what the LSTM hears [N, T, D] of events [N, T, K]."""
        count, steps, _ = events.shape
        at, parts = np.arange(steps), list[Floats]()
        for voice, table in enumerate(self.tokens):
            line, size = events[..., voice], self.classes[voice]
            before = _at(line, at - 1, size)
            back = [_at(line, at - lag, size) for lag in self.lags]
            parts += [table[row] for row in (before, _last(line, size), *back)]
            parts += [
                (before == _at(line, at - 1 - lag, size))[..., None].astype(np.float32)
                for lag in self.lags
            ]
        where = np.concatenate([self.place[at % self.period], self.bar[at // self.period]], -1)
        told = self.features.wished(count, Wish())
        for row in (where[None], told[:, None]):
            parts.append(np.broadcast_to(row, (count, steps, row.shape[-1])))
        if self.control_size:
            none = np.zeros((count, steps, self.control_size), np.float32)
            parts.append(none if control is None else control)
        return np.concatenate(parts, -1, dtype=np.float32)


def read_density(description: Description, name: str) -> NumpyDensity | None:
    """Read the learned prior of a model folder; None where there is none.

    Raises:
        UsageError: it is of another model.
        MusaeError: it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not has_prior(description.folder):
        return None
    tree, path = describe_prior(description, name), description.folder / WEIGHTS
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != tree.get("sha256"):
            raise ValueError("its checksum is another")
        return NumpyDensity(tree, load(data))
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    except (KeyError, TypeError, ValueError, IndexError, SafetensorError) as error:
        raise MusaeError(f"{path}: is damaged ({error}); copy the model folder again") from error


def _at(line: NDArray[np.int64], places: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """Return the events of ``line`` [N, T] at places [P], ``start`` before its first, [N, P]."""
    return np.where(places < 0, start, line[:, np.maximum(places, 0)])


def _last(line: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """Return the last event that is not class 0 before each step, ``start`` where there is none."""
    marks = np.where(line > 0, np.arange(line.shape[1]), -1)
    latest = np.full_like(marks, -1)
    latest[:, 1:] = np.maximum.accumulate(marks, 1)[:, :-1]
    found = np.take_along_axis(line, np.maximum(latest, 0), 1)
    return np.where(latest < 0, start, found)
