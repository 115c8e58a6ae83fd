"""3 x 3 convolutions by Winograd's transforms, for use on processors where they beat the direct
way.

On processors with AVX2 but without AVX-512 NNPACK, which comes with torch, takes half the time of
torch's own choice for images of some width (Lavin & Gray 2016, "Fast algorithms for convolutional
neural networks"); results differ by rounding, some 100 dB below them. torch has it behind a
function of its own for phones only and never chooses it here.

Letters in shapes: B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_FUNCTION = "_nnpack_spatial_convolution"


def winograd_works() -> bool:
    """Return whether :class:`WinogradConv` can be used here.

    NNPACK must have been asked for once before it computes.
    """
    found: bool = torch.backends.nnpack.is_available()  # type: ignore[no-untyped-call]
    return found and hasattr(torch, _FUNCTION)


def winograd_helps() -> bool:
    """Return whether :class:`WinogradConv` works here and is the faster way for float32 on this
    machine's processor.
    """
    return torch.backends.cpu.get_cpu_capability() == "AVX2" and winograd_works()


class WinogradConv(nn.Module):
    """What a convolution ``conv`` computes, without gradients and for images [B, C, H, W] in
    torch's contiguous layout.

    Args:
        conv: 3 x 3, stride 1, padded by 1 along H and not along W, dilated along W at most.

    Raises:
        ValueError: for another one.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        if not fits(conv):
            raise ValueError(
                f"no 3 x 3 convolution of stride 1 that is padded along H alone: {conv}"
            )
        self.dilation, self.stride = conv.dilation, conv.stride
        self.weight = nn.Parameter(conv.weight.detach().contiguous(), requires_grad=False)
        bias = conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
        self.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, C', H, W - 2 dilation]."""
        step = self.dilation[1]
        if step == 1:
            return self._convolve(x)
        # Columns that the convolution joins lie ``step`` apart: these make up images of their own.
        size = x.shape[-1] - 2 * step
        result = x.new_empty(len(x), len(self.weight), x.shape[2], size)
        for first in range(min(step, size)):
            result[..., first::step] = self._convolve(x[..., first::step].contiguous())
        return result

    def _convolve(self, x: Tensor) -> Tensor:
        result: Tensor = getattr(torch, _FUNCTION)(x, self.weight, self.bias, [1, 0], [1, 1])
        return result


def fits(conv: nn.Conv2d) -> bool:
    """Return whether :class:`WinogradConv` can take the place of a convolution."""
    moves = (
        conv.kernel_size == (3, 3)
        and conv.stride == (1, 1)
        and conv.dilation[0] == 1
        and conv.padding == (1, 0)
    )
    return moves and conv.groups == 1 and conv.padding_mode == "zeros"
