"""Keys of a piano at a step: what a network sees of them, and their distribution.

A step is a class for each of K keys: 0 silent, 1 held on from the step before, 2 and more struck,
with a bin of loudness. Letters in shapes: B rows, T steps, K keys, V classes of a key, L bins of
loudness (V - 2), M mixtures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.core.random import Noise

_HELD, _STRUCK = 1, 2


class PianoInput(nn.Module):
    """Each key as three numbers: whether it is struck, whether it sounds, and how hard (0 to 1).

    Args:
        keys: K.
        classes: V.
        projected: size of what a linear map makes of these; None for no map.

    Attributes:
        size: numbers of a vector, ``projected`` or 3 K.
        none: the event that stands for nothing [K], silence.
    """

    none: Tensor

    def __init__(self, keys: int, classes: int, projected: int | None = None) -> None:
        super().__init__()
        self.loudnesses = classes - _STRUCK
        self.size = 3 * keys if projected is None else projected
        self.project = None if projected is None else nn.Linear(3 * keys, projected, bias=False)
        if self.project is not None:
            # A dozen of the numbers are not 0, as a rule.
            nn.init.normal_(self.project.weight, std=12**-0.5)
        self.register_buffer("none", torch.zeros(keys, dtype=torch.long), persistent=False)

    def forward(self, events: Tensor) -> Tensor:
        """Return [B, T, size] for classes [B, T, K]; any leading shape will do."""
        struck, sounds = (events >= _STRUCK).float(), (events > 0).float()
        loudness = (events.float() - (_STRUCK - 0.5)).clamp_min(0) / self.loudnesses
        keys = torch.cat([struck, sounds, loudness], -1)
        if self.project is None:
            return keys
        projected: Tensor = self.project(keys)
        return projected


class PianoRoll(nn.Module):
    """Which keys are struck, then which are held on, then how hard those that are struck are.

    From low to high each key is struck with a probability that depends on the decoder's output and
    on the lower keys that are struck, by their intervals: ``sigmoid(o_k + sum_m g_m sum_j<k
    w_m[k - j] struck_j)``, with gates g from the decoder. So chords are drawn as wholes, as a NADE
    draws them (Larochelle & Murray 2011), while all keys of a target are measured in one product
    of matrices. A key that sounded at the step before and is not struck is held with
    ``sigmoid(h_k + sum_j u[k - j] struck_j)``; others cannot be held. The bin of loudness is
    categorical; its logits are a quadratic function of the key's place, so that a melody can be
    louder than what goes with it.

    Args:
        keys: K.
        classes: V.
        mixtures: M.
        loudness_weight: what a nat of loudness counts beside one of keys. Below 1 the code spends
            fewer of its bits on how hard keys are struck, and the nats are no likelihood any more.

    Attributes:
        size: number of decoder outputs per step, 2 K + 3 L + M.
    """

    distance: Tensor
    place: Tensor

    def __init__(
        self, keys: int, classes: int, mixtures: int, loudness_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.loudness_weight = loudness_weight
        self.keys, self.bins, self.mixtures = keys, classes - _STRUCK, mixtures
        self.parts = [keys, keys, 3 * self.bins, mixtures]
        self.size = sum(self.parts)
        self.struck = nn.Parameter(torch.randn(mixtures, keys) * 0.05)
        self.held = nn.Parameter(torch.zeros(2 * keys - 1))
        number = torch.arange(keys)
        self.register_buffer("distance", number - number.unsqueeze(1), persistent=False)
        place = torch.linspace(-1, 1, keys)
        powers = torch.stack([torch.ones_like(place), place, place.square()], -1)
        self.register_buffer("place", powers, persistent=False)

    def nll(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return [B, T] nats for outputs [B, T, size] and classes [B, T, K], in float32."""
        begin, hold, loud, gates = torch.split(outputs.float(), self.parts, -1)
        struck = target >= _STRUCK
        bits = struck.float()
        logits = begin + self._lower(bits, gates)
        nats = F.binary_cross_entropy_with_logits(logits, bits, reduction="none")
        free = F.pad(target[:, :-1] > 0, (0, 0, 1, 0)) & ~struck
        held = F.binary_cross_entropy_with_logits(
            self._held(hold, bits), (target == _HELD).float(), reduction="none"
        )
        total = (nats + held * free).sum(-1)
        row, step, key = struck.nonzero(as_tuple=True)
        logits = self._loudness(loud[row, step], self.place[key])
        hard = F.cross_entropy(logits, target[row, step, key] - _STRUCK, reduction="none")
        return total.index_put((row, step), self.loudness_weight * hard, accumulate=True)

    def sample(
        self, outputs: Tensor, temperature: float, noise: Noise | None, before: Tensor
    ) -> Tensor:
        """Draw steps [B, K], outputs [B, size], told of the step ``before`` [B, K].

        Temperature 0 takes the likelier value of each.

        Raises:
            ValueError: if there is a temperature but no noise to draw with.
        """
        begin, hold, loud, gates = torch.split(outputs.float(), self.parts, -1)
        struck = self._draw_struck(begin, gates, self._threshold(begin, temperature, noise))
        bits = struck.float()
        held = self._held(hold, bits) > self._threshold(begin, temperature, noise)
        held &= (before > 0) & ~struck
        logits = self._loudness(loud.unsqueeze(-2), self.place)
        if temperature > 0 and noise is not None:
            # Gumbel-max, see Categorical.
            uniform = noise.uniform(logits.shape, logits.device).clamp(1e-20, 1 - 1e-7)
            logits = logits / temperature - torch.log(-torch.log(uniform))
        return torch.where(struck, logits.argmax(-1) + _STRUCK, held.long())

    def _draw_struck(self, logits: Tensor, gates: Tensor, threshold: Tensor) -> Tensor:
        """Return which keys are struck [B, K], from the lowest on."""
        toward = self._intervals()
        struck = torch.zeros(logits.shape, dtype=torch.bool, device=logits.device)
        for key in range(self.keys):
            now = logits[:, key] > threshold[:, key]
            struck[:, key] = now
            if bool(now.any()):
                logits = logits + now.unsqueeze(-1) * (gates @ toward[:, key])
        return struck

    def _threshold(self, logits: Tensor, temperature: float, noise: Noise | None) -> Tensor:
        """Return what logits [B, K] must exceed for a bit to be 1.

        It is 0, or at a temperature a draw from the logistic distribution.
        """
        if temperature <= 0:
            return torch.zeros_like(logits)
        if noise is None:
            raise ValueError("drawing at a temperature above 0 needs noise")
        uniform = noise.uniform(logits.shape, logits.device).clamp(1e-20, 1 - 1e-7)
        return temperature * torch.logit(uniform)

    def _intervals(self) -> Tensor:
        """Return the weight of each struck key for each higher one [M, K, K], 0 for the others."""
        return self.struck[:, self.distance.clamp_min(0)] * (self.distance > 0)

    def _lower(self, bits: Tensor, gates: Tensor) -> Tensor:
        """Return what the lower keys that are struck add to the logit of each key [..., K]."""
        toward = self._intervals().permute(1, 0, 2).flatten(1)
        each = (bits @ toward).view(*bits.shape[:-1], self.mixtures, self.keys)
        added: Tensor = (gates.unsqueeze(-2) @ each).squeeze(-2)
        return added

    def _held(self, hold: Tensor, bits: Tensor) -> Tensor:
        return hold + bits @ self.held[self.distance + self.keys - 1]

    def _loudness(self, loud: Tensor, place: Tensor) -> Tensor:
        """Return the logits of the bins [..., L]: loud [..., 3 L], place [..., 3]."""
        parts = loud.reshape(*loud.shape[:-1], 3, self.bins)
        logits: Tensor = (parts * place.unsqueeze(-1)).sum(-2)
        return logits
