"""LSTM layers as the LSTM operator of ONNX, which takes the length of each sequence.

``torch.nn.LSTM`` over packed sequences cannot be exported. Letters in shapes: B batch, T steps, D
inputs, H hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from musicvae_lite.nn.decoding import State
from musicvae_lite.nn.lstm import LstmStack

_FLOAT = 1  # TensorProto.FLOAT
_OPSET = 14


class OnnxLstm(nn.Module):
    """One layer with the weights of a ``torch.nn.LSTM``."""

    def __init__(self, layer: nn.LSTM) -> None:
        super().__init__()
        self.hidden_size, self.directions = layer.hidden_size, 2 if layer.bidirectional else 1
        weights = layer.all_weights
        self.inputs = nn.Parameter(torch.stack([_reordered(one[0]) for one in weights]))
        self.recurrent = nn.Parameter(torch.stack([_reordered(one[1]) for one in weights]))
        biases = [torch.cat([_reordered(one[2]), _reordered(one[3])]) for one in weights]
        self.bias = nn.Parameter(torch.stack(biases))

    def forward(
        self, x: Tensor, length: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return outputs [B, T, H * directions], 0 after each length, and the last state of each
        direction [B, H * directions].

        Args:
            x: [B, T, D].
            length: [B] valid steps.
            state: h and c before the first step, [B, H]; zeros where None. One direction only.
        """
        given = [x.transpose(0, 1), self.inputs, self.recurrent, self.bias, length.int()]
        if state is not None:
            given += [part.unsqueeze(0) for part in state]
        batch, steps, hidden = x.shape[0], x.shape[1], self.hidden_size
        outputs, last = torch.onnx.ops.symbolic_multi_out(
            "LSTM",
            given,
            {
                "hidden_size": hidden,
                "direction": "bidirectional" if self.directions == 2 else "forward",
            },
            dtypes=[_FLOAT, _FLOAT],
            shapes=[[steps, self.directions, batch, hidden], [self.directions, batch, hidden]],
            version=_OPSET,
        )
        return outputs.permute(2, 0, 1, 3).flatten(2), last.transpose(0, 1).flatten(1)


class OnnxStack(nn.Module):
    """The layers of a :class:`~musicvae_lite.nn.lstm.LstmStack`."""

    def __init__(self, stack: LstmStack) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            OnnxLstm(layer) for layer in stack.layers if isinstance(layer, nn.LSTM)
        )

    def forward(
        self, x: Tensor, length: Tensor, state: State | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return outputs of the top layer [B, T, H * directions] and its last state."""
        last = x
        for index, layer in enumerate(self.layers):
            x, last = layer(x, length, None if state is None else state[index])
        return x, last


def _reordered(weight: Tensor) -> Tensor:
    """Return gates i, f, g, o as ONNX has them: i, o, f, g."""
    i, f, g, o = weight.detach().chunk(4)
    return torch.cat([i, o, f, g])
