"""The learned prior of a model of music: what it can be told, and how it is loaded.

Letters in shapes: N draws, T steps, G steps of the grid (T here), C numbers of the condition, Z
latent size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.random import Noise
from musicvae_lite.model_dir.bundle import Bundle
from musicvae_lite.model_dir.prior_file import (
    WEIGHTS,
    describe_prior,
    has_prior,
    read_prior_weights,
)
from musicvae_lite.model_dir.swap import current
from musicvae_lite.model_dir.weights import no_larger_than
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.prior_features import NO_WISH, Features, Wish
from musicvae_lite.nn.event_model import EventModel
from musicvae_lite.nn.event_prior import EventPrior

KIND = "events"


class MusicPrior:
    """A learned prior of a model of music.

    Args:
        events: draws codes.
        features: what it can be told.
        codec: of the windows.
        name: what messages call the model.
        tune: how much a track had to be like a tune to be learned from.
    """

    def __init__(
        self,
        events: EventPrior,
        features: Features,
        codec: ScoreCodec,
        name: str,
        tune: float = 0.0,
    ) -> None:
        self.events, self.features, self.codec, self.name = events, features, codec, name
        self.tune = tune

    def condition(
        self, count: int, wish: Wish = NO_WISH, control: NDArray[Any] | None = None
    ) -> Tensor:
        """Return what the network is told [N, T, C], for draws of :meth:`sample`.

        Args:
            count: N.
            wish: what all of them are to be like.
            control: control input of the model [N, T, C'], where it has one.
        """
        numbers = torch.from_numpy(self.features.wished(count, wish))
        told = numbers[:, None].expand(-1, self.codec.steps, -1)
        size = self.events.control_size
        if not size:
            return told
        shape = (count, self.codec.steps, size)
        given = torch.zeros(shape) if control is None else torch.from_numpy(control).float()
        return torch.cat([told, given], -1)

    def sample(
        self,
        count: int,
        noise: Noise,
        wish: Wish = NO_WISH,
        control: NDArray[Any] | None = None,
    ) -> Tensor:
        """Draw codes [N, Z]; draw i is the same for every ``count`` above i.

        Raises:
            UsageError: a wish that it cannot be told.
        """
        self.features.check(wish, self.name)
        return self.events.sample(count, noise, self.condition(count, wish, control))

    def log_likelihood(
        self, windows: NDArray[Any], wish: Wish = NO_WISH, control: NDArray[Any] | None = None
    ) -> NDArray[np.float64]:
        """Return how likely windows [N, T] or [N, T, K] are, nats [N]."""
        events = torch.from_numpy(np.asarray(windows).astype(np.int64))
        events = events.unsqueeze(-1) if self.events.flat else events
        told = self.condition(len(events), wish, control)
        return self.events.log_likelihood(events, told).double().numpy()


def load_prior(bundle: Bundle, name: str) -> MusicPrior | None:
    """Load the learned prior of a model folder; None where there is none.

    Raises:
        UsageError: it is of another model.
        MusaeError: it is damaged.
    """
    description = bundle.description
    if not has_prior(description.folder) or not isinstance(bundle.codec, ScoreCodec):
        return None
    tree = describe_prior(description, name)
    weights = read_prior_weights(description, name)
    cure = f"learn it with 'musae prior {name} --data CORPUS', or draw with --prior normal"
    try:
        if tree["kind"] != KIND:
            raise ValueError(f"kind {tree['kind']!r} is not known")
        features, settings = Features.of_tree(tree["features"]), tree["network"]
        control = int(tree["control_size"])
        shapes = {key: tuple(value.shape) for key, value in weights.items()}
        with no_larger_than(shapes, current(description.folder, WEIGHTS)):
            network = EventModel(**settings)
        if network.condition_size != features.size + control:
            raise ValueError("the condition does not fit")
        network.load_state_dict(weights)
        flat, temperature = bool(tree["flat"]), float(tree["temperature"])
        refine, tune = int(tree["refine"]), float(tree["learned"].get("tune", 0.0))
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        said = str(error).split("\n")[0]
        raise MusaeError(f"{description.folder}: its prior is damaged ({said}); {cure}") from error
    events = EventPrior(network, bundle.model, control, flat, temperature, refine)
    return MusicPrior(events, features, bundle.codec, name, tune)
