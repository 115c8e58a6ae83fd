"""The model of long pieces in a model folder: drawing, filling in, and how likely what it made is.

Letters in shapes: N attempts or pieces, T steps, K voices, C numbers of the condition, V classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.random import Noise
from musicvae_lite.model_dir.bundle import Description
from musicvae_lite.model_dir.prior_file import describe_prior, read_prior_weights
from musicvae_lite.music.codec import ScoreCodec, score_codec
from musicvae_lite.music.codecs.melody import FIRST_NOTE
from musicvae_lite.music.keys import KEYS_OF_SCALE, best_keys
from musicvae_lite.music.longform.file import STEM
from musicvae_lite.music.prior_features import Features, Wish
from musicvae_lite.nn.fill_model import FillModel

KIND = "longform"
#: Windows begin with a phrase where they can, bars.
_PHRASE = 4
#: What a note outside the scale costs more than the model says, nats.
OUTSIDE_NATS = 2.5


@dataclass(frozen=True)
class Manner:
    """How missing events are drawn.

    Attributes:
        temperature: of the events; 1 is the model itself.
        key: 0 to 23, see :mod:`musicvae_lite.music.keys`; None: not told.
        outside: what a note outside the scale of the key costs more, nats.
        lowest: MIDI pitch below which no melody goes, None for no limit.
        highest: likewise above.
        wish: register and density.
    """

    temperature: float = 1.0
    key: int | None = None
    outside: float = OUTSIDE_NATS
    lowest: int | None = None
    highest: int | None = None
    wish: Wish = Wish()


#: As the model was trained, in a key that is drawn.
PLAIN = Manner()


class LongForm:
    """Draws and fills in pieces of any length.

    Args:
        network: of windows of :attr:`codec`.
        features: what it is told.
        codec: of its windows, the longest that it hears at once.
        name: what messages call the model.
    """

    def __init__(
        self, network: FillModel, features: Features, codec: ScoreCodec, name: str
    ) -> None:
        self.network, self.features = network.eval(), features
        self.codec, self.name = codec, name

    def fill(
        self,
        given: NDArray[np.int64],
        noise: Noise,
        count: int = 1,
        manner: Manner = PLAIN,
        end: int | None = None,
    ) -> NDArray[np.int64]:
        """Write the missing events of a line ``count`` times, [N, T, K].

        Args:
            given: classes of its steps, -1 where one is missing [T, K], or [N, T, K].
            noise: what is random.
            count: N.
            manner: how they are drawn.
            end: the step up to which they are written; default all.
        """
        lines = torch.from_numpy(np.array(given))
        lines = lines.expand(count, -1, -1).clone() if lines.dim() == 2 else lines
        condition, bias = self._told(len(lines), manner), self._bias(manner)
        limit = lines.shape[1] if end is None else end
        for start, stop, upto in self._windows((lines < 0).any(2).any(0).numpy()):
            upto = min(upto, limit)
            if upto <= start or not bool((lines[:, start:upto] < 0).any()):
                continue
            known = lines[:, start:stop]
            shape = (len(lines), upto - start, lines.shape[2])
            uniforms = noise.uniform(shape, torch.device("cpu"))
            told = condition.expand(-1, stop - start, -1)
            drawn = self.network.draw(uniforms, known, told, manner.temperature, bias)
            lines[:, start:upto] = drawn
        return lines.numpy()

    @torch.no_grad()
    def cost(
        self, lines: NDArray[np.int64], given: NDArray[np.int64], manner: Manner = PLAIN
    ) -> NDArray[np.float64]:
        """Return what the missing events of lines cost on average, nats each [N].

        Args:
            lines: whole [N, T, K].
            given: -1 where an event was missing [T, K], or [N, T, K].
            manner: what the model is told.
        """
        events = torch.from_numpy(lines)
        known = torch.from_numpy(np.array(given)).expand(events.shape).clone()
        condition = self._told(len(events), manner)
        total = torch.zeros(len(events))
        for start, end, upto in self._windows((known < 0).any(2).any(0).numpy()):
            told = condition.expand(-1, end - start, -1)
            costs = self.network.costs(events[:, start:end], known[:, start:end], told)
            total += costs[:, : upto - start].sum((1, 2))
            # What was written in this window is given in the next.
            known[:, start:upto] = events[:, start:upto]
        missing = (torch.from_numpy(np.array(given)) < 0).expand(events.shape).sum((1, 2))
        return (total / missing.clamp_min(1)).double().numpy()

    def _windows(self, missing: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
        """Return the stretches that the model hears one after another to write missing steps [T]:
        start, end, and how far it writes, in steps.
        """
        bar, most, found = self.codec.steps_per_bar, self.codec.bars, []
        bars = -(-len(missing) // bar)
        there = [bool(missing[at * bar : (at + 1) * bar].any()) for at in range(bars)]
        at = 0
        while at < bars:
            if not there[at]:
                at += 1
                continue
            start = max(0, at - most // 2)
            phrase = start // _PHRASE * _PHRASE
            start = max(0, min(phrase if at - phrase < most else start, bars - most))
            end = min(bars, start + most)
            last = max(index for index in range(at, end) if there[index]) + 1
            upto = last if last < end or end == bars else max(at + 1, min(end, at + most // 2))
            if start == 0 and at == 0 and last == end:
                upto = end
            found.append((start * bar, min(end * bar, len(missing)), min(upto * bar, len(missing))))
            at = upto
        return found

    def _told(self, count: int, manner: Manner) -> Tensor:
        """Return what the network is told [N, 1, C]."""
        wish = Wish(manner.key, manner.wish.register, manner.wish.density)
        if not self.features.keys:
            wish = Wish(None, wish.register, wish.density)
        return torch.from_numpy(self.features.wished(count, wish))[:, None]

    def _bias(self, manner: Manner) -> list[Tensor | None]:
        """Return what is added to the logits of each voice [1, V]."""
        least = int(self.codec.config().get("min_pitch", 0))
        rows: list[Tensor | None] = []
        for size, pitches in zip(self.codec.sizes, self.codec.pitches, strict=True):
            if pitches is None:
                rows.append(None)
                continue
            pitch = np.arange(size) - FIRST_NOTE + least
            note = np.arange(size) >= FIRST_NOTE
            row = np.zeros(size, np.float32)
            if manner.key is not None:
                row[note & ~KEYS_OF_SCALE[manner.key][pitch % 12]] -= manner.outside
            if not rows and manner.lowest is not None:
                row[note & (pitch < manner.lowest)] = -30
            if not rows and manner.highest is not None:
                row[note & (pitch > manner.highest)] = -30
            rows.append(torch.from_numpy(row)[None])
        return rows


def key_of(counts: NDArray[np.int64]) -> int | None:
    """Return the key that notes of pitch classes [12] are in; None where there is no telling."""
    found = int(best_keys(counts[None])[0])
    return None if found < 0 or counts.sum() < 4 else found


def load_longform(description: Description, name: str) -> LongForm:
    """Load the model of long pieces of a model folder, which has one.

    Raises:
        UsageError: it is of another model.
        MusaeError: it is damaged.
    """
    tree = describe_prior(description, name, STEM)
    weights = read_prior_weights(description, name, STEM)
    try:
        if tree["kind"] != KIND:
            raise ValueError(f"kind {tree['kind']!r} is not known")
        features, codec = Features.of_tree(tree["features"]), score_codec(tree["codec"])
        network = FillModel(**tree["network"])
        if network.condition_size != features.size or network.classes != tuple(codec.sizes):
            raise ValueError("the sizes do not fit")
        network.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError, MusaeError) as error:
        said = str(error).splitlines()[0]
        raise MusaeError(
            f"{description.folder}: its model of long pieces is damaged ({said}); copy the model "
            "folder again"
        ) from error
    return LongForm(network, features, codec, name)


def facts_of(facts: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """Return what the file of a model of long pieces says of it."""
    return {"kind": KIND, **facts, "measured": measured}
