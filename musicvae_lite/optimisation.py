"""One update: the forward pass with its objective, Adam with Magenta's clipping and decay."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from musicvae_lite.config import RunConfig, ScheduleSettings
from musicvae_lite.models import Autoencoder, Batch, Teacher
from musicvae_lite.noise import Noise
from musicvae_lite.objective import Objective, Schedule


class TrainStep(nn.Module):
    """Forward pass and objective of one batch; one module, so that Fabric can wrap it for several devices."""

    def __init__(self, model: Autoencoder, config: RunConfig) -> None:
        super().__init__()
        self.model = model
        self.sampling = schedule(config.teacher.sampling, config.training.steps)
        self.dropout = config.teacher.dropout
        self.objective = objective(config)

    def forward(self, batch: Batch, step: int, noise: Noise) -> dict[str, Tensor]:
        """Return the terms of the batch, scalars in nats: ``loss`` (what is minimised), ``nll``, ``kl`` and others by name."""
        latent = self.model.encode(batch)
        teacher = Teacher(self.sampling(step), self.dropout)
        z = latent.sample(noise)
        loss = self.objective(self.model.nll(z, batch, teacher, noise), latent.kl(), step)
        terms = {"loss": loss.total, "nll": loss.nll, "kl": loss.kl}
        adversary = self.model.adversary
        if adversary is not None:
            contest = adversary(z, noise)
            terms["loss"] = loss.total + adversary.weight * contest.encoder + contest.discriminator
            terms |= {"discriminator": contest.discriminator, "encoder": contest.encoder, "told": contest.accuracy}
        return terms


def schedule(settings: ScheduleSettings, run_steps: int) -> Schedule:
    """Return the schedule that the settings describe in a run of ``run_steps`` steps."""
    arguments = settings.model_dump()
    fraction = arguments.pop("fraction")
    if fraction is not None:
        arguments["steps"] = round(fraction * max(1, run_steps - settings.warmup))
    return Schedule(**arguments)


def objective(config: RunConfig) -> Objective:
    """Return the objective that the settings describe."""
    settings = config.objective
    return Objective(schedule(settings.beta, config.training.steps), settings.free_bits, settings.per)


def make_optimiser(model: nn.Module, config: RunConfig) -> torch.optim.Adam:
    """Return Adam with the settings' constants; the rate is set at every step."""
    settings = config.optimiser
    fused = next(model.parameters()).device.type in {"cpu", "cuda"}
    return torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad],
        lr=schedule(settings.learning_rate, config.training.steps)(0),
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
        fused=fused,
    )


def set_rate(optimiser: torch.optim.Adam, rate: float, eps: float, step: int) -> None:
    """Set Adam's rate and epsilon for the update number ``step`` (from 0).

    Epsilon enters as in the last lines of section 2 of Kingma & Ba 2015 (TensorFlow's form): it is added to the second
    moment's root before the bias correction, where torch adds it after.
    """
    for group in optimiser.param_groups:
        group["lr"] = rate
        group["eps"] = eps / math.sqrt(1 - group["betas"][1] ** (step + 1))


def clip_gradients(parameters: Sequence[Tensor], clip_norm: float, skip_norm: float) -> float:
    """Scale the gradients to a global norm of at most ``clip_norm`` and return the norm they had.

    At ``skip_norm`` or above, or where the norm is not a number, they become zero (Magenta's ``grad_norm_clip_to_zero``).
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = float(torch.nn.utils.get_total_norm(gradients))
    if not norm < skip_norm:
        torch._foreach_zero_(gradients)
    elif norm > clip_norm:
        torch._foreach_mul_(gradients, clip_norm / norm)
    return norm
