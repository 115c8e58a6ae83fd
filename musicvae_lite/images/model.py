"""Autoencoders of images: an encoder, a code, a decoder, a likelihood of the pixels.

This is the lesson's autoencoder: the encoder (:mod:`musicvae_lite.nn.conv`) makes a vector of an
image, the head a code of the vector, the decoder an image of the code. A head without a scale makes
a plain autoencoder, one with a scale a variational one, an adversary an adversarial one. A denoiser
or a super-resolver is an autoencoder whose input is not its target.

Letters in shapes: B batch, C channels, H W image, Z latent size, K classes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.core.autoencoder import FORCED, Autoencoder, Batch, Encoding, Teacher
from musicvae_lite.core.random import Noise
from musicvae_lite.nn.conv import (
    ConvDecoder,
    ConvEncoder,
    DenseDecoder,
    DenseEncoder,
    Shape,
    start_weights,
)
from musicvae_lite.nn.discriminator import Adversary
from musicvae_lite.nn.heads import IdentityHead, PointHead, PosteriorHead
from musicvae_lite.nn.likelihood import Bernoulli, Gaussian

if TYPE_CHECKING:
    from musicvae_lite.config import Corruption, ImageModel, ImagePart
    from musicvae_lite.images.codec import ImageCodec


class ImageAutoencoder(Autoencoder):
    """Encoder, head, decoder and likelihood of pictures.

    Args:
        input_shape: (C, H, W) of what the encoder sees.
        residual: the decoder's output is added to the input, enlarged to the picture's size.
    """

    def __init__(
        self,
        encoder: ConvEncoder | DenseEncoder,
        head: PosteriorHead | PointHead | IdentityHead,
        decoder: ConvDecoder | DenseDecoder,
        likelihood: Bernoulli | Gaussian,
        latent_size: int,
        input_shape: Shape,
        residual: bool = False,
        classes: int = 0,
        adversary: Adversary | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.head, self.decoder, self.likelihood = encoder, head, decoder, likelihood
        self.latent_size, self.input_shape, self.classes = latent_size, input_shape, classes
        self.residual = residual
        self.adversary = adversary
        for part in (encoder, decoder):
            part.apply(start_weights)
        if residual:  # it starts from what it is to add to
            nn.init.zeros_(decoder.last().get_parameter("weight"))

    def encode(self, batch: Batch) -> Encoding:
        """Return the posterior (or code) of each picture, mean [B, Z]."""
        return Encoding(self.head(self.encoder(batch.x, batch.condition)))

    def outputs(self, z: Tensor, x: Tensor | None, condition: Tensor | None) -> Tensor:
        """Return what the likelihood reads, [B, C, H, W]."""
        outputs: Tensor = self.decoder(z, condition)
        if self.residual and x is not None:
            outputs = outputs + F.interpolate(
                x, size=outputs.shape[2:], mode="bicubic", align_corners=False
            )
        return outputs

    def losses(
        self,
        z: Tensor,
        batch: Batch,
        teacher: Teacher = FORCED,
        noise: Noise | None = None,
        skips: tuple[Tensor, ...] = (),
    ) -> dict[str, Tensor]:
        """Return ``nll_nats`` [B], summed over the pixels."""
        outputs = self.outputs(z, batch.x, batch.condition)
        return {"nll_nats": self.likelihood.nll(outputs, batch.target)}

    def predict(self, z: Tensor, batch: Batch, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the picture that is expected, brightness 0..1 [B, C, H, W]."""
        picture: Tensor = self.likelihood.mean(self.outputs(z, batch.x, batch.condition))
        return picture

    def decode(
        self,
        z: Tensor,
        length: int = 0,
        temperature: float = 0.0,
        noise: Noise | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return the picture that is expected, brightness 0..1 [B, C, H, W].

        Pixels are never drawn.

        Raises:
            ValueError: if the model wants a class and none is given.
        """
        if self.classes and condition is None:
            raise ValueError(f"the model draws one of {self.classes} classes; say which")
        picture: Tensor = self.likelihood.mean(self.outputs(z, None, condition))
        return picture


def build(config: ImageModel, codec: ImageCodec, corrupt: Corruption | None) -> ImageAutoencoder:
    """Build the model of a preset for pictures of ``codec``.

    A shrunken input is what the encoder then sees.

    Raises:
        UsageError: if the sizes do not go together.
    """
    from musicvae_lite.core.errors import UsageError

    seen = (
        codec.smaller(corrupt.factor) if corrupt is not None and corrupt.kind == "shrink" else codec
    )
    shape, input_shape = _shape(codec), _shape(seen)
    encoder = _encoder(config.encoder, input_shape, config.classes)
    z = config.latent_size
    if z is None:
        head: PosteriorHead | PointHead | IdentityHead = IdentityHead()
    elif config.variational:
        head = PosteriorHead(encoder.output_size, z, start=encoder.output_size**-0.5)
    else:
        head = PointHead(encoder.output_size, z)
    try:
        decoder = _decoder(config.decoder, shape, encoder, z, config.classes)
    except ValueError as error:
        raise UsageError(f"model.decoder: {error}") from error
    gaussian = config.likelihood == "gaussian"
    size = encoder.output_size if z is None else z
    return ImageAutoencoder(
        encoder,
        head,
        decoder,
        Gaussian(config.scale, linear=config.residual) if gaussian else Bernoulli(),
        size,
        input_shape,
        config.residual,
        config.classes,
        None
        if config.adversary is None
        else Adversary(size, config.adversary.sizes, config.adversary.weight),
    )


def _shape(codec: ImageCodec) -> Shape:
    return codec.channels, codec.height, codec.width


def _encoder(part: ImagePart, shape: Shape, classes: int) -> ConvEncoder | DenseEncoder:
    if part.kind == "conv":
        return ConvEncoder(shape, part.channels, classes, part.pool, part.dense)
    return DenseEncoder(shape, part.sizes, classes)


def _decoder(
    part: ImagePart,
    shape: Shape,
    encoder: ConvEncoder | DenseEncoder,
    latent_size: int | None,
    classes: int,
) -> ConvDecoder | DenseDecoder:
    if part.kind == "dense":
        assert latent_size is not None  # checked with the settings
        return DenseDecoder(shape, part.sizes, latent_size, classes)
    if isinstance(encoder, ConvEncoder):
        code = encoder.output_shape
    else:
        stages = len(part.channels)
        code = (part.channels[0], math.ceil(shape[1] / 2**stages), math.ceil(shape[2] / 2**stages))
    return ConvDecoder(shape, code, part.channels, latent_size, classes, part.dense)
