"""A mask network that hears a sound piece by piece and computes nothing twice.

Each convolution keeps the few columns of its input that its next output needs, and each connection
from encoder to decoder
what the decoder has not come to yet: what comes out is what the network makes of the whole, as far
as it can be known.

Letters in shapes: B batch, C channels, K bands, T frames; frames of an inner level are columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from musicvae_lite.audio.denoise.network import MaskNetwork
    from musicvae_lite.nn.winograd import WinogradConv


class History:
    """What a network that hears a sound piece by piece remembers of it.

    Attributes:
        ended: whether nothing follows the piece that it hears.
    """

    def __init__(self) -> None:
        self.ended = False
        self._columns: dict[nn.Module, Tensor] = {}
        self._passed: dict[int, Tensor] = {}

    def copy(self) -> History:
        """Return another one of the same; no tensor is ever changed in place."""
        other = History()
        other.ended, other._columns, other._passed = (
            self.ended,
            dict(self._columns),
            dict(self._passed),
        )
        return other

    def joined(self, conv: nn.Conv2d | WinogradConv, x: Tensor) -> Tensor:
        """Return new input of a convolution over 3 columns after what it still needs of its input
        before, [B, C, H, columns].

        Before the first columns and after the last ones lies silence, as much as the padding of the
        convolution would be.
        """
        side, stride = conv.dilation[1], conv.stride[1]
        kept = self._columns.get(conv)
        before = side if kept is None else kept.shape[-1]
        count = before + x.shape[-1]
        layout = torch.contiguous_format if x.is_contiguous() else torch.channels_last
        size = (*x.shape[:-1], count + side * self.ended)
        whole = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=layout)
        whole[..., :before] = 0 if kept is None else kept
        whole[..., before:count] = x
        whole[..., count:] = 0
        done = ((size[-1] - 2 * side - 1) // stride + 1) * stride
        self._columns[conv] = whole[..., done:].clone()
        return whole

    def passed(self, level: int, new: Tensor, columns: int) -> Tensor:
        """Return what the encoder passed on at a level for the next ``columns`` of the decoder.

        ``new`` comes after the rest.
        """
        kept = torch.cat([self._passed[level], new], -1) if level in self._passed else new
        self._passed[level] = kept[..., columns:].clone()
        return kept[..., :columns]


class MaskStream:
    """The gains of one sound from features that come piece by piece; without gradients.

    Args:
        network: of :func:`musicvae_lite.audio.denoise.network.folded`.
        bfloat16: let the network multiply in it: twice as fast where the hardware does; the cleaned
            sound differs by what is some 50 dB below it.
    """

    def __init__(self, network: MaskNetwork, bfloat16: bool = False) -> None:
        self.network, self.bfloat16 = network, bfloat16
        self._history = History()
        self._waiting: list[Tensor] = []
        self._heard, self._given = 0, 0

    def copy(self) -> MaskStream:
        """Return another stream that has heard the same."""
        other = MaskStream(self.network, self.bfloat16)
        other._history, other._waiting = self._history.copy(), list(self._waiting)
        other._heard, other._given = self._heard, self._given
        return other

    @torch.inference_mode()
    def feed(self, seen: Tensor, last: bool = False) -> Tensor:
        """Hear the next frames.

        Args:
            seen: features [B, FEATURES, K, T]; T is a multiple of ``network.time_stride`` but at
                the end.
            last: whether the sound ends with them.

        Returns:
            Gains [B, K, t] of the frames that follow those returned before, up to ``network.reach``
            frames before the last one heard at least; of all with ``last``.
        """
        batch, _, bands, frames = seen.shape
        self._heard += frames
        self._history.ended = last
        self._waiting.append(seen)
        if (
            not last and self._heard <= self.network.reach
        ):  # the innermost level may have no column yet
            return seen.new_empty(batch, bands, 0)
        seen = torch.cat(self._waiting, -1) if len(self._waiting) > 1 else seen
        self._waiting = []
        # A convolution in bfloat16 with a stride of 2 that yields one column is wrong, or NaN, on
        # processors with AMX (oneDNN of torch 2.13).
        several = seen.shape[-1] > self.network.time_stride
        with torch.autocast(seen.device.type, torch.bfloat16, enabled=self.bfloat16 and several):
            latent, passed = self.network.encode(seen, self._history)
            logits = self.network.decode(
                latent.mean, passed, self._heard - self._given, self._history
            )
        self._given += logits.shape[-1]
        return logits.float().sigmoid()  # bfloat16 knows nothing between 0.996 and 1
