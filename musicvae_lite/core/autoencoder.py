"""Models: the one interface that training and use know, and how a preset's settings become a model.

Letters in shapes: B batch, T steps, V classes, Z latent size, C channels, H W picture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from musicvae_lite.core.latent import Latent
from musicvae_lite.core.random import Noise

if TYPE_CHECKING:
    from musicvae_lite.config import RunConfig
    from musicvae_lite.core.codec import Codec
    from musicvae_lite.music.codec import ScoreCodec
    from musicvae_lite.nn.discriminator import Adversary
    from musicvae_lite.nn.event_time import Clock


@dataclass  # not frozen: Fabric sets the fields of a copy when it converts the precision
class Batch:
    """One batch of examples on one device.

    Attributes:
        x: what the encoder sees: [B, T] token classes for sequences, [B, C, H, W] brightness 0..1
            for pictures, [B, N] samples for sound.
        target: what the decoder must give, [B, T], [B, C, H, W] or [B, N].
        length: [B] number of valid steps of each example, or None where all are full.
        condition: what encoder and decoder are told: [B, T, C] control input ([B, G, C] of events
            that are told by time), [B, C] one-hot class of a picture, [B, K] power of the noise
            alone in each band of a sound (NaN rows where it is not known), or None.
    """

    x: Tensor
    target: Tensor
    length: Tensor | None = None
    condition: Tensor | None = None


@dataclass(frozen=True)
class Teacher:
    """What the decoder is told of the target's past while it is trained.

    Attributes:
        sampling: probability that an input is the model's own sample (scheduled sampling, Bengio et
            al. 2015).
        dropout: probability that an input is hidden (word dropout, Bowman et al. 2016).
    """

    sampling: float = 0.0
    dropout: float = 0.0


FORCED = Teacher()


class Autoencoder(nn.Module, ABC):
    """An encoder to a :class:`Latent` and a decoder with a likelihood.

    Attributes:
        latent_size: Z, numbers of a code.
        adversary: the discriminator that shapes the codes in place of a KL term, or None.
    """

    latent_size: int
    adversary: Adversary | None

    @abstractmethod
    def encode(self, batch: Batch) -> Latent:
        """Return the posterior of each example, mean [B, Z]."""

    @abstractmethod
    def nll(
        self, z: Tensor, batch: Batch, teacher: Teacher = FORCED, noise: Noise | None = None
    ) -> Tensor:
        """Return [B], the negative log-likelihood of each target given z [B, Z] in nats."""

    @abstractmethod
    def predict(self, z: Tensor, batch: Batch) -> Tensor:
        """Return the likeliest value of each step (or pixel) given z [B, Z], shape of the target.

        It may use the true steps before it, and the input ``batch.x``: what a denoiser's mask is
        laid on.
        """

    @abstractmethod
    def decode(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return what z [B, Z] decodes to, [B, length, ...].

        Temperature 0 takes the likeliest value of every step.

        ``noise`` is needed where something is drawn: a temperature above 0, a teacher that samples
            or hides.
        """


def build_model(config: RunConfig, codec: Codec) -> Autoencoder:
    """Build the model that a run describes, for what ``codec`` makes."""
    from musicvae_lite.audio.codec import SoundCodec
    from musicvae_lite.audio.denoise import model as denoiser
    from musicvae_lite.audio.timbre import model as timbre
    from musicvae_lite.images import model as image
    from musicvae_lite.images.codec import ImageCodec
    from musicvae_lite.music import model as sequence
    from musicvae_lite.music.codec import ScoreCodec

    if config.model.kind == "sequence" and isinstance(codec, ScoreCodec):
        clock = _clock(config, codec)
        return sequence.build(
            config.model, codec.sizes, codec.steps, codec.table, codec.end, codec.pitches, clock
        )
    if config.model.kind == "image" and isinstance(codec, ImageCodec):
        return image.build(config.model, codec, config.data.corrupt)
    if config.model.kind == "spectrogram" and isinstance(codec, SoundCodec):
        return denoiser.build(config.model, codec.rate)
    if config.model.kind == "timbre" and isinstance(codec, SoundCodec):
        return timbre.build(config.model, codec.rate, codec.samples)
    raise ValueError(f"a {config.model.kind} model does not go with codec {codec.kind!r}")


def _clock(config: RunConfig, codec: ScoreCodec) -> Clock | None:
    """Build what tells events the chord and the key of their time.

    None where each step of a window has its own.
    """
    from musicvae_lite.music.chords import CHORDS
    from musicvae_lite.nn.event_time import Clock

    if not config.control.size or codec.shifts is None:
        return None
    return Clock(codec.shifts, codec.segment, CHORDS * config.control.chords)
