"""What an encoder and a decoder of sequences must offer, whatever they are built of.

The models of music use them through these protocols alone. Another package registers a decoder
under ``musicvae_lite.decoders`` and a latent code under ``musicvae_lite.latents`` (see
docs/recipes). Letters in shapes: B batch, T steps, K numbers of a step, V outputs a step, C control
numbers, D features, Z latent size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from musicvae_lite.core.autoencoder import Teacher
from musicvae_lite.core.latent import Posterior
from musicvae_lite.core.random import Noise
from musicvae_lite.nn.inputs import EventInput
from musicvae_lite.nn.likelihood import StepLikelihood


class SequenceEncoder(Protocol):
    """Reads a sequence of events.

    Attributes:
        output_size: D.
    """

    output_size: int

    def __call__(self, events: Tensor, length: Tensor | None, control: Tensor | None) -> Tensor:
        """Return features [B, D] (or [B, G, D] of G segments).

        Args:
            events: [B, T] or [B, T, K].
            length: valid steps of each sequence [B], or None where all are full.
            control: control input of each step [B, T, C], or None.
        """
        ...


class SequenceDecoder(Protocol):
    """Writes a sequence of events, one after another.

    Attributes:
        likelihood: distribution of one event.
    """

    @property
    def likelihood(self) -> StepLikelihood:
        """Distribution of one event."""
        ...

    def run(
        self,
        z: Tensor,
        target: Tensor,
        teacher: Teacher,
        noise: Noise | None,
        control: Tensor | None,
    ) -> Tensor:
        """Return outputs [B, T, V] while the past of ``target`` is shown as ``teacher`` says.

        Args:
            z: codes [B, Z].
            target: true events [B, T] or [B, T, K].
            teacher: how much of the past is hidden or replaced by samples.
            noise: where random numbers come from.
            control: control input of each step [B, T, C], or None.
        """
        ...

    def sample(
        self,
        z: Tensor,
        length: int,
        temperature: float,
        noise: Noise | None,
        control: Tensor | None,
    ) -> Tensor:
        """Return events [B, length] or [B, length, K]; temperature 0 takes the likeliest."""
        ...


class LatentHead(Protocol):
    """The last layer of an encoder: from its features to a posterior."""

    def __call__(self, features: Tensor) -> Posterior:
        """Return the posterior for features [B, D] (or [B, G, D])."""
        ...


@dataclass(frozen=True)
class DecoderParts:
    """What a decoder is built of beside its own settings.

    Attributes:
        events: makes vectors of events [..., ] -> [..., events.size].
        likelihood: distribution of one event; the decoder makes ``likelihood.size`` outputs a step.
        latent_size: Z.
        length: T.
        control_size: C; 0 where there is no control input.
        dropout: rate between layers.
    """

    events: EventInput
    likelihood: StepLikelihood
    latent_size: int
    length: int
    control_size: int = 0
    dropout: float = 0.0


class DecoderKind(Protocol):
    """What is registered under ``musicvae_lite.decoders``: a class of modules.

    Attributes:
        settings: class of its settings, with a ``kind`` of the registered name.
    """

    settings: Any

    def build(self, settings: Any, parts: DecoderParts) -> nn.Module:
        """Build a decoder that follows :class:`SequenceDecoder`."""
        ...


class LatentKind(Protocol):
    """What is registered under ``musicvae_lite.latents``: a class of modules.

    Attributes:
        settings: class of its settings, with a ``kind`` of the registered name.
    """

    settings: Any

    def build(self, settings: Any, inputs: int, latent_size: int) -> nn.Module:
        """Build a head that follows :class:`LatentHead`."""
        ...
