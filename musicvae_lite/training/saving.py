"""What a run leaves in its folder, and how it goes on from there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from musicvae_lite import __version__
from musicvae_lite.config import RunConfig, parse_config
from musicvae_lite.core.autoencoder import Autoencoder
from musicvae_lite.core.dataset import Dataset
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.objective import NATS_PER_BIT
from musicvae_lite.model_dir.bundle import describe, save_bundle
from musicvae_lite.training.checkpoint import (
    STATE,
    Progress,
    load_state,
    read_progress,
    save_state,
)
from musicvae_lite.training.optimiser import objective
from musicvae_lite.training.run_dir import LAST, check_same_run
from musicvae_lite.training.weight_average import WeightAverage


@dataclass(frozen=True)
class Saver:
    """Saves a run.

    Attributes:
        output: the run folder.
        config: the settings.
        dataset: what is learned from.
        model: the model.
        average: of its weights.
        optimiser: Adam.
    """

    output: Path
    config: RunConfig
    dataset: Dataset
    model: Autoencoder
    average: WeightAverage
    optimiser: torch.optim.Adam

    def save(self, progress: Progress) -> None:
        """Save the state for resuming and the latest model.

        Before the first validation it is the best one too.
        """
        self.save_state(progress)
        with self.average.in_the_model():
            self.save_model(self.output / LAST, progress, {})
            if progress.best_score is None:
                self.save_model(self.output, progress, {})

    def save_state(self, progress: Progress) -> None:
        """Save all that an exact continuation needs."""
        average = self.average.tensors()
        save_state(self.output / STATE, self.model, average, self.optimiser, progress)

    def save_model(self, folder: Path, progress: Progress, metrics: dict[str, Any]) -> None:
        """Write the model as it is now as a model folder."""
        save_bundle(folder, self.config, self.model, self._provenance(progress), metrics)

    def _provenance(self, progress: Progress) -> dict[str, Any]:
        return {
            "data": self.dataset.sources,
            "corpora": progress.corpora,
            "held_out": self.dataset.held_out,
            "command": progress.command,
            "init_from": progress.init_from,
            "steps": progress.step,
            "examples": progress.step * self.config.training.batch_size,
            "musae": __version__,
            "torch": torch.__version__,
        }

    def resume(self, begun_now: Progress) -> Progress:
        """Load the state that was saved, and return where the run is.

        Args:
            begun_now: what a run that begins now would be.

        Raises:
            UsageError: another run was begun in the folder, or it is finished.
        """
        path = self.output / STATE
        saved = read_progress(path)
        # Settings that came after the run was started have their defaults.
        check_same_run(parse_config(saved.run, str(path)).model_dump(mode="json"), begun_now.run)
        begun = begun_now.init_from
        if begun is not None and begun != saved.init_from:
            raise UsageError(
                f"{self.output}: was started from {saved.init_from or 'no model'}, not {begun}; "
                "leave out --init-from"
            )
        if saved.corpora != begun_now.corpora:
            raise UsageError(
                f"{self.output}: was started on another corpus; --resume needs the same --data"
            )
        if saved.step >= self.config.training.steps and self._is_finished(saved):
            longer = "steps" if self.config.training.epochs is None else "epochs"
            done = (
                f"{self.output}: is trained already ({saved.step} steps); to go on, --set "
                f"training.{longer}= a higher number"
            )
            raise UsageError(done)
        load_state(path, self.model, self.average.tensors(), self.optimiser)
        saved.run = begun_now.run
        if saved.best_terms:  # with another end the weights at it may differ
            saved.best_score = final_objective(self.config, *saved.best_terms)
        return saved

    def _is_finished(self, saved: Progress) -> bool:
        """Say whether nothing is left to do of a run that has made its last step: it may have ended
        while its last model was written, or while more was learned of it.
        """
        try:
            last = describe((self.output / LAST).absolute()).provenance.get("steps")
            return last == saved.step and self.dataset.is_finished(self.output)
        except MusaeError:
            return False


def final_objective(config: RunConfig, nll: float, kl_bits: float) -> float:
    """Return the objective at the weights of the last step.

    Free bits of single dimensions are charged as the others.
    """
    goal = objective(config)
    free_bits = goal.free_bits if goal.per == "total" else 0.0
    charged = max(0.0, kl_bits - free_bits) * NATS_PER_BIT
    return nll + goal.beta(config.training.steps - 1) * charged
