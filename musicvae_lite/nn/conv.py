"""Convolutional and fully connected encoders and decoders of images, as the lesson builds them.

Letters in shapes: B batch, C channels, H W image, Z latent size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.core.shapes import Float
from musicvae_lite.nn.kernels import Linear, convolve_few, enlarge_and_convolve, max_pool

Shape = tuple[int, int, int]  # C, H, W


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

    def forward(
        self, x: Float[Tensor, "B C H W"], condition: Float[Tensor, "B K"] | None
    ) -> Float[Tensor, "B D"]:
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


class DenseEncoder(nn.Module):
    """Fully connected layers with ReLU on all pixels."""

    def __init__(self, shape: Shape, sizes: Sequence[int], classes: int = 0) -> None:
        super().__init__()
        self.layers = _dense([math.prod(shape) + classes, *sizes])
        self.output_size = sizes[-1] if sizes else math.prod(shape) + classes

    def forward(
        self, x: Float[Tensor, "B C H W"], condition: Float[Tensor, "B K"] | None
    ) -> Float[Tensor, "B D"]:
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

    def forward(
        self, z: Float[Tensor, "B Z"], condition: Float[Tensor, "B K"] | None
    ) -> Float[Tensor, "B C H W"]:
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

    def forward(
        self, z: Float[Tensor, "B Z"], condition: Float[Tensor, "B K"] | None
    ) -> Float[Tensor, "B C H W"]:
        """Return outputs [B, C, H, W] for codes z [B, Z]."""
        outputs: Tensor = self.output(self.layers(_with(z, condition)))
        return outputs.view(-1, *self.shape)

    def last(self) -> nn.Module:
        """Return the layer that makes the pixels."""
        return self.output


def start_weights(layer: nn.Module) -> None:
    """Start weights so that signals keep their size through layers with ReLU (He et al. 2015).

    Torch's own make them fade.
    """
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _dense(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [Linear(before, after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _with(vector: Tensor, condition: Tensor | None) -> Tensor:
    return vector if condition is None else torch.cat([vector, condition.to(vector.dtype)], 1)
