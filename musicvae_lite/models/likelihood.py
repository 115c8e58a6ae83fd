"""What a decoder's output means: the distribution of one event and its negative log-likelihood."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.noise import Noise


class Categorical(nn.Module):
    """One of ``classes`` classes per step, from logits.

    Attributes:
        size: number of decoder outputs per step (the logits).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.size = classes

    def nll(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return [B, T] nats for logits [B, T, V] and classes [B, T]; computed in float32."""
        flat = F.cross_entropy(logits.float().flatten(0, 1), target.flatten().long(), reduction="none")
        return flat.view(target.shape)

    def sample(self, logits: Tensor, temperature: float, noise: Noise | None) -> Tensor:
        """Draw [B] classes from softmax(logits / temperature), logits [B, V]; temperature 0 takes the likeliest.

        Raises:
            ValueError: if there is a temperature but no noise to draw with.
        """
        if temperature <= 0:
            return logits.argmax(-1)
        if noise is None:
            raise ValueError("drawing at a temperature above 0 needs noise")
        # Gumbel-max: the argmax of logits plus Gumbel noise is a draw from the softmax.
        uniform = noise.uniform(logits.shape, logits.device).clamp(1e-20, 1 - 1e-7)
        return (logits.float() / temperature - torch.log(-torch.log(uniform))).argmax(-1)
