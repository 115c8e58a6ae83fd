"""One update: the forward pass with its objective, Adam with Magenta's clipping and decay."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from musicvae_lite.config import RunConfig, ScheduleSettings
from musicvae_lite.core.autoencoder import Autoencoder, Batch, Teacher
from musicvae_lite.core.objective import Objective, Schedule
from musicvae_lite.core.random import Noise


class TrainStep(nn.Module):
    """Forward pass and objective of one batch.

    One module, so that Fabric can wrap it for several devices.
    """

    def __init__(self, model: Autoencoder, config: RunConfig) -> None:
        super().__init__()
        self.model = model
        self.sampling = schedule(config.teacher.sampling, config.training.steps)
        self.dropout = config.teacher.dropout
        self.objective = objective(config)

    def forward(self, batch: Batch, step: int, noise: Noise) -> dict[str, Tensor]:
        """Return the terms of the batch, scalars in nats: ``loss`` (what is minimised), ``nll``,
        ``kl`` and others by name.

        Only ``loss`` carries a gradient.
        """
        encoding = self.model.encode(batch)
        teacher = Teacher(self.sampling(step), self.dropout)
        z = encoding.latent.sample(noise)
        losses = self.model.losses(z, batch, teacher, noise, encoding.skips)
        loss = self.objective(self.model.weighted(losses), encoding.latent.penalties(), step)
        terms = {"nll": loss.nll, "kl": loss.kl, **loss.penalties}
        if len(losses) > 1:
            terms |= {name: value.mean() for name, value in losses.items()}
        total = loss.total
        adversary = self.model.adversary
        if adversary is not None:
            contest = adversary(z, noise)
            total = total + adversary.weight * contest.encoder + contest.discriminator
            terms |= {
                "discriminator": contest.discriminator,
                "encoder": contest.encoder,
                "told": contest.accuracy,
            }
        return {"loss": total} | {name: term.detach() for name, term in terms.items()}


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
    return Objective(
        schedule(settings.beta, config.training.steps), settings.free_bits, settings.per
    )


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

    Epsilon enters as in the last lines of section 2 of Kingma & Ba 2015 (TensorFlow's form): it is
    added to the second moment's root before the bias correction, where torch adds it after.
    """
    for group in optimiser.param_groups:
        group["lr"] = rate
        group["eps"] = eps / math.sqrt(1 - group["betas"][1] ** (step + 1))


def adam_step(optimiser: torch.optim.Adam) -> None:
    """Make Adam's update as ``optimiser.step()`` does, without its hooks and checks.

    For a small model they take as long.
    """
    (group,) = optimiser.param_groups
    parameters = [p for p in group["params"] if p.grad is not None]
    states = [optimiser.state[p] for p in parameters]
    if not group["fused"] or not all(states):  # the first step makes the state
        optimiser.step()
        return
    adam(
        parameters,
        [p.grad for p in parameters],
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [],
        [state["step"] for state in states],
        fused=True,
        amsgrad=False,
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        lr=group["lr"],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
    )


def clip_gradients(parameters: Sequence[Tensor], clip_norm: float, skip_norm: float) -> float:
    """Scale the gradients to a global norm of at most ``clip_norm`` and return the norm they had.

    At ``skip_norm`` or above, or where the norm is not a number, they become zero (Magenta's
    ``grad_norm_clip_to_zero``).
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = _total_norm(gradients)
    if not norm < skip_norm:
        torch._foreach_zero_(gradients)
    elif norm > clip_norm:
        torch._foreach_mul_(gradients, clip_norm / norm)
    return norm


def _total_norm(tensors: Sequence[Tensor]) -> float:
    if not tensors or tensors[0].device.type != "cpu":
        return float(torch.nn.utils.get_total_norm(tensors))
    # A dot product reads a tensor at twice the speed of torch's norm, on all threads.
    flat = [tensor.flatten() for tensor in tensors]
    return math.sqrt(sum(float(torch.dot(numbers, numbers)) for numbers in flat))
