"""A learned prior: windows drawn from a small autoregressive model, seen through the encoder of the
autoencoder.

The codes that a decoder knows are those that its encoder makes of real windows. So a code is drawn
by drawing a window, event by event, and encoding it: z = E[q(z | x)], refined until it decodes to
x, x ~ p(x). What the autoregressive model cannot do (paths, attributes, similar pieces, codes for
other uses) the code can; what draws of N(0, I) lack (being like the examples) the window has.
Measured on two bars of melody it needs a hundredth of the training of a flow over the codes for the
same likeness, see docs/draws.md. Letters in shapes: N draws, T steps, K voices, Z latent size, C
numbers of the
condition, of which the last ones are the model's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.random import Noise
from musicvae_lite.core.refine import STEPS, refined
from musicvae_lite.nn.event_model import EventModel

#: Windows that are drawn at a time, filled up to it: equal draws whatever their number.
_BLOCK = 64


class EventPrior:
    """Draws codes of one model by drawing windows.

    Args:
        network: draws windows.
        model: encodes them; of its control input it gets the last numbers of the condition.
        control_size: how many these are.
        flat: whether its windows are [N, T], not [N, T, K].
        temperature: of the events; 1 is the network itself.
        steps: of the refinement of the codes, see :func:`musicvae_lite.core.refine.refined`.
    """

    def __init__(
        self,
        network: EventModel,
        model: Autoencoder,
        control_size: int = 0,
        flat: bool = True,
        temperature: float = 1.0,
        steps: int = STEPS,
    ) -> None:
        self.network, self.model = network.eval(), model
        self.control_size, self.flat = control_size, flat
        self.temperature, self.steps = temperature, steps

    def sample(self, count: int, noise: Noise, condition: Tensor | None = None) -> Tensor:
        """Draw codes [N, Z]; see :meth:`musicvae_lite.core.prior.Prior.sample`."""
        return self.encode(self.windows(count, noise, condition), condition)

    def windows(
        self,
        count: int,
        noise: Noise,
        condition: Tensor | None = None,
        known: Tensor | None = None,
        temperature: float | None = None,
    ) -> Tensor:
        """Draw windows, int64 [N, T, K].

        Args:
            count: N.
            noise: what is random.
            condition: [N, T, C]; default nothing known.
            known: events that are given [N, T, K], -1 where one is drawn.
            temperature: in place of that of the prior.
        """
        network = self.network
        shape = (1, network.steps, len(network.classes))
        uniforms = torch.cat([noise.uniform(shape, torch.device("cpu")) for _ in range(count)])
        parts = []
        for start in range(0, count, _BLOCK):
            rows = torch.arange(start, start + _BLOCK).clamp_max(count - 1)
            told, given = (None if table is None else table[rows] for table in (condition, known))
            drawn = network.draw(uniforms[rows], told, temperature or self.temperature, given)
            parts.append(drawn[: min(_BLOCK, count - start)])
        return torch.cat(parts) if parts else torch.zeros(0, *shape[1:], dtype=torch.long)

    @torch.no_grad()
    def encode(self, windows: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return codes [N, Z] of windows [N, T, K]: the posterior means, refined."""
        x = windows[..., 0] if self.flat else windows
        control = (
            condition[..., -self.control_size :]
            if self.control_size and condition is not None
            else None
        )
        codes = []
        for start in range(0, len(x), _BLOCK):
            rows = torch.arange(start, start + _BLOCK).clamp_max(len(x) - 1)
            told = None if control is None else control[rows]
            batch = Batch(x[rows], x[rows], condition=told)
            code = refined(self.model, self.model.encode(batch).latent.mean, batch, self.steps)
            codes.append(code[: min(_BLOCK, len(x) - start)].float().cpu())
        return torch.cat(codes) if codes else torch.zeros(0, self.model.latent_size)

    @torch.no_grad()
    def log_likelihood(self, windows: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the log-likelihood of windows [N, T, K] in nats [N]."""
        rows = range(0, len(windows), _BLOCK)
        parts = [
            self.network.nll(
                windows[at : at + _BLOCK],
                None if condition is None else condition[at : at + _BLOCK],
            )
            for at in rows
        ]
        return -torch.cat(parts) if parts else torch.zeros(0)
