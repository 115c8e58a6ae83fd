"""Autoencoders of pictures: convolutional or fully connected, deterministic, variational,
adversarial, conditional.

Letters in shapes: B batch, C channels, H W picture, Z latent size, K classes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from musicvae_lite.core.autoencoder import FORCED, Autoencoder, Batch, Teacher
from musicvae_lite.core.latent import Latent
from musicvae_lite.core.random import Noise
from musicvae_lite.nn.discriminator import Adversary
from musicvae_lite.nn.heads import IdentityHead, PointHead, PosteriorHead
from musicvae_lite.nn.likelihood import Bernoulli, Gaussian

if TYPE_CHECKING:
    from musicvae_lite.config import Corruption, ImageModel, ImagePart
    from musicvae_lite.images.codec import ImageCodec

Shape = tuple[int, int, int]  # C, H, W

_FEW_PLANES, _FEW_INPUTS = 3, 8


class ConvEncoder(nn.Module):
    """3x3 convolutions with ReLU and 2x2 max pooling each (sizes rounded up: 28, 14, 7, 4), or
    without pooling.

    A class enters as one more plane a class, 1 or 0 all over. ``dense``: sizes of fully connected
    layers after them.

    Attributes:
        output_shape: (C, H, W) of the feature map.
    """

    def __init__(
        self,
        shape: Shape,
        channels: Sequence[int],
        classes: int = 0,
        pool: bool = True,
        dense: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.pool = pool
        inputs, height, width = shape
        widths = [inputs + classes, *channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1)
            for before, after in zip(widths[:-1], channels, strict=True)
        )
        for _ in channels if pool else ():
            height, width = math.ceil(height / 2), math.ceil(width / 2)
        self.output_shape: Shape = (channels[-1], height, width)
        self.dense = _dense([math.prod(self.output_shape), *dense])
        self.output_size = dense[-1] if dense else math.prod(self.output_shape)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Return the feature map of x [B, C, H, W] as a vector (or the last layer after it), [B,
        output_size].
        """
        if condition is not None:
            planes = condition[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, planes.to(x.dtype)], 1)
        x = x.contiguous(memory_format=torch.channels_last)  # 1.5 to 2 times as fast on a CPU
        for index, layer in enumerate(self.layers):
            x = layer(x) if index else convolve_few(x, layer)
            # Pooling before the ReLU gives the same numbers with a quarter of the work for it.
            x = torch.relu(max_pool(x) if self.pool else x)
        vector: Tensor = self.dense(x.flatten(1))
        return vector


def convolve_few(x: Tensor, layer: nn.Module) -> Tensor:
    """Convolve x [B, C, H, W] with a 3x3 layer of padding 1: [B, O, H, W] in channels_last.

    One to three planes on a CPU are one matrix product of the nine shifted planes, which takes a
    sixth of the time of oneDNN's convolution with the gradient of its weights.
    """
    count, planes, height, width = x.shape
    if planes > _FEW_PLANES or x.device.type != "cpu":
        convolved: Tensor = layer(x)
        return convolved
    padded = F.pad(x, (1, 1, 1, 1))
    places = itertools.product(range(planes), range(3), range(3))
    columns = torch.stack(
        [
            padded[:, plane, row : row + height, column : column + width]
            for plane, row, column in places
        ]
    )
    weight, bias = layer.get_parameter("weight").flatten(1), layer.get_parameter("bias")
    # Contiguous: its layout decides how autograd computes its gradient, and the other way takes ten
    # times as long.
    product = torch.addmm(bias, columns.flatten(1).t(), weight.t().contiguous())
    return product.view(count, height, width, len(bias)).permute(0, 3, 1, 2)


def max_pool(x: Tensor) -> Tensor:
    """Return the maximum of each 2x2 square of x [B, C, H, W], sizes rounded up.

    With even sizes it is several times as fast on a CPU as torch's pooling, forwards and backwards.
    """
    if x.shape[2] % 2 or x.shape[3] % 2:
        return F.max_pool2d(x, 2, ceil_mode=True)
    return _MaxOfPairs.apply(_MaxOfPairs.apply(x, 2), 3)  # type: ignore[no-untyped-call, no-any-return]


class _MaxOfPairs(torch.autograd.Function):
    """The larger of each two neighbours along a dimension of even size.

    The gradient is written where it belongs; that of slices would be filled with zeros and added
    up, a fifth of a step.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:
        first, second = _pairs(x, dim)
        ctx.save_for_backward(x)
        ctx.dim = dim
        return torch.maximum(first, second)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        first, second = _pairs(x, ctx.dim)
        result = torch.empty_like(x)
        to_first, to_second = _pairs(result, ctx.dim)
        torch.ops.aten.threshold_backward.grad_input(
            gradient, second - first, 0, grad_input=to_second
        )  # ReLU's gradient
        torch.sub(gradient, to_second, out=to_first)
        return result, None


def _pairs(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    return (x[:, :, ::2], x[:, :, 1::2]) if dim == 2 else (x[..., ::2], x[..., 1::2])


class DenseEncoder(nn.Module):
    """Fully connected layers with ReLU on all pixels."""

    def __init__(self, shape: Shape, sizes: Sequence[int], classes: int = 0) -> None:
        super().__init__()
        self.layers = _dense([math.prod(shape) + classes, *sizes])
        self.output_size = sizes[-1] if sizes else math.prod(shape) + classes

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Return the last hidden layer for x [B, C, H, W], [B, output_size]."""
        vector: Tensor = self.layers(_with(x.flatten(1), condition))
        return vector


class ConvDecoder(nn.Module):
    """3x3 convolutions with ReLU, each followed by enlarging by two (nearest), and a last
    convolution to the picture.

    The code (given as it is, or through a linear map) has the size of the encoder's feature map. On
    the way 4, 8, 16 to 28 the map becomes two pixels too large; the next convolution then goes
    without padding (16 to 14). What is left over at the end is cut off.
    """

    def __init__(
        self,
        shape: Shape,
        code: Shape,
        channels: Sequence[int],
        latent_size: int | None = None,
        classes: int = 0,
        dense: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.shape, self.code = shape, code
        self.spread = (
            None
            if latent_size is None
            else _dense([latent_size + classes, *dense, math.prod(code)])
        )
        widths = [code[0], *channels, shape[0]]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1)
            for before, after in zip(widths[:-1], widths[1:], strict=True)
        )
        axes = zip(code[1:], shape[1:], strict=True)
        self.cuts = list(
            zip(*(_cuts(before, after, len(channels)) for before, after in axes), strict=True)
        )

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """Return outputs [B, C, H, W] for codes z [B, Z]."""
        if self.spread is not None:
            z = self.spread(_with(z, condition))
        first, *rest = self.layers
        x = first(z.view(-1, *self.code).contiguous(memory_format=torch.channels_last))
        for layer, (rows, columns) in zip(rest, self.cuts, strict=True):
            x = enlarge_and_convolve(torch.relu(x), layer)
            if rows or columns:
                x = F.pad(
                    x, (-columns, -columns, -rows, -rows)
                )  # as a slice would, with one gradient for both axes
        outputs: Tensor = x[:, :, : self.shape[1], : self.shape[2]]
        return outputs

    def last(self) -> nn.Module:
        """Return the layer that makes the pixels."""
        return self.layers[-1]


def _cuts(size: int, target: int, stages: int) -> list[int]:
    """Return for each enlargement along one axis whether its convolution goes without padding (1)
    or with (0).

    Raises:
        ValueError: if so many enlargements do not reach the picture's size.
    """
    cuts = []
    for stage in range(1, stages + 1):
        wanted = math.ceil(target / 2 ** (stages - stage))
        cuts.append(1 if 2 * size - 2 >= wanted else 0)
        size = 2 * size - 2 * cuts[-1]
    if size < target:
        raise ValueError(
            f"{stages} channels enlarge the code {stages} times, to {size} pixels of {target}; "
            "give it more"
        )
    return cuts


def enlarge_and_convolve(x: Tensor, layer: nn.Module) -> Tensor:
    """Enlarge x [B, C, H, W] by two (nearest) and convolve it with a 3x3 layer of padding 1: [B, O,
    2H, 2W].

    Computed on the small map: each of the four pixels that a pixel becomes sees a 3x3 neighbourhood
    of it, with weights that are sums of the given ones (sub-pixel convolution, Shi et al. 2016).
    Less than half the time, and the same numbers.
    """
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    upper, middle, lower = weight.unbind(2)
    zero = torch.zeros_like(upper)
    rows = (
        torch.stack([upper, middle + lower, zero], 2),
        torch.stack([zero, upper + middle, lower], 2),
    )
    kernels = []
    for kernel in rows:
        left, centre, right = kernel.unbind(3)
        zero = torch.zeros_like(left)
        kernels += [
            torch.stack([left, centre + right, zero], 3),
            torch.stack([zero, left + centre, right], 3),
        ]
    folded = torch.stack(kernels, 1).flatten(0, 1)
    return F.pixel_shuffle(F.conv2d(x, folded, bias.repeat_interleave(4), padding=1), 2)


class DenseDecoder(nn.Module):
    """Fully connected layers with ReLU, and a linear one to the pixels."""

    def __init__(
        self, shape: Shape, sizes: Sequence[int], latent_size: int, classes: int = 0
    ) -> None:
        super().__init__()
        self.shape = shape
        widths = [latent_size + classes, *sizes]
        self.layers = _dense(widths)
        self.output = Linear(widths[-1], math.prod(shape))

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """Return outputs [B, C, H, W] for codes z [B, Z]."""
        outputs: Tensor = self.output(self.layers(_with(z, condition)))
        return outputs.view(-1, *self.shape)

    def last(self) -> nn.Module:
        """Return the layer that makes the pixels."""
        return self.output


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

    def encode(self, batch: Batch) -> Latent:
        """Return the posterior (or code) of each picture, mean [B, Z]."""
        latent: Latent = self.head(self.encoder(batch.x, batch.condition))
        return latent

    def outputs(self, z: Tensor, x: Tensor | None, condition: Tensor | None) -> Tensor:
        """Return what the likelihood reads, [B, C, H, W]."""
        outputs: Tensor = self.decoder(z, condition)
        if self.residual and x is not None:
            outputs = outputs + F.interpolate(
                x, size=outputs.shape[2:], mode="bicubic", align_corners=False
            )
        return outputs

    def nll(
        self, z: Tensor, batch: Batch, teacher: Teacher = FORCED, noise: Noise | None = None
    ) -> Tensor:
        """Return [B] nats, summed over the pixels."""
        nats: Tensor = self.likelihood.nll(self.outputs(z, batch.x, batch.condition), batch.target)
        return nats

    def predict(self, z: Tensor, batch: Batch) -> Tensor:
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


def start_weights(layer: nn.Module) -> None:
    """Start weights so that signals keep their size through layers with ReLU (He et al. 2015).

    Torch's own make them fade.
    """
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class Linear(nn.Linear):
    """torch's linear layer, computed in a faster order on a CPU.

    torch copies the bias over the output before the product is added to it, which takes a tenth of
    the product's time. With very few inputs the layout of the weights decides how autograd computes
    their gradient, as in :func:`convolve_few`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, outputs] for x [B, inputs]."""
        if x.device.type != "cpu":
            return super().forward(x)
        weight = self.weight.t()
        return (x @ (weight.contiguous() if self.in_features <= _FEW_INPUTS else weight)).add_(
            self.bias
        )


def _dense(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [Linear(before, after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _with(vector: Tensor, condition: Tensor | None) -> Tensor:
    return vector if condition is None else torch.cat([vector, condition.to(vector.dtype)], 1)


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
