"""Faster ways to compute the layers of small convolutional models on a CPU, with the same results.

The models read as the textbook has them; what is here only saves time. Letters in shapes: B batch,
C O channels, H W image.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from musicvae_lite.core.shapes import Float

_FEW_PLANES, _FEW_INPUTS = 3, 8


def convolve_few(x: Float[Tensor, "B C H W"], layer: nn.Module) -> Float[Tensor, "B O H W"]:
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


def max_pool(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C half_H half_W"]:
    """Return the maximum of each 2x2 square of x [B, C, H, W], sizes rounded up.

    With even sizes it is several times as fast on a CPU as torch's pooling, forwards and backwards.
    """
    # An exported graph holds no autograd functions of one's own.
    if x.shape[2] % 2 or x.shape[3] % 2 or torch.compiler.is_compiling():
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


def enlarge_and_convolve(
    x: Float[Tensor, "B C H W"], layer: nn.Module
) -> Float[Tensor, "B O 2*H 2*W"]:
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
