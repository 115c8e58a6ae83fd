"""Codes that say more exactly what they stand for.

The mean that an encoder gives is one step of inference for all inputs alike. A few steps of
gradient ascent on the likelihood of the input, from there, find a code near it that decodes to the
input itself (semi-amortised inference, Kim et al. 2018, arXiv 1802.02550). Measured on two bars of
melody (mel-2bar): windows that come back whole 62 % -> 97 %, by moving the codes a fifth of a
standard deviation of their posterior. Letters in shapes: B examples, Z latent size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from musicvae_lite.core.autoencoder import Autoencoder, Batch

STEPS, RATE = 3, 0.1
_MOMENTS = (0.5, 0.9)


def refined(
    model: Autoencoder, z: Tensor, batch: Batch, steps: int = STEPS, rate: float = RATE
) -> Tensor:
    """Return codes near ``z`` [B, Z] from which the targets of ``batch`` are likelier.

    Args:
        model: in evaluation mode, on the device of ``z``.
        z: where to start: posterior means.
        batch: the examples.
        steps: of Adam (Kingma & Ba 2015).
        rate: of each, in units of z.
    """
    with torch.inference_mode(False), torch.enable_grad():
        code = z.detach().clone().requires_grad_(True)
        optimiser = torch.optim.Adam([code], rate, _MOMENTS)
        # cuDNN has no gradient of a recurrence in evaluation mode.
        with torch.backends.cudnn.flags(enabled=False):
            for _ in range(steps):
                (code.grad,) = torch.autograd.grad(model.nll(code, batch).sum(), code)
                optimiser.step()
    return code.detach()
