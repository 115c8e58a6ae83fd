"""One run: updates, validation, saving, from where it is to its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from musicvae_lite.config import RunConfig
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.dataset import Dataset, Measured
from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.medium import build_model
from musicvae_lite.core.objective import NATS_PER_BIT
from musicvae_lite.core.random import Noise, seed_layers
from musicvae_lite.model_dir.bundle import describe, start_from
from musicvae_lite.model_dir.weights import no_larger_than_memory
from musicvae_lite.training.checkpoint import STATE, Progress
from musicvae_lite.training.events import Event, Meter, Notice, Trained, Validated
from musicvae_lite.training.logger import RunLog
from musicvae_lite.training.optimiser import (
    TrainStep,
    adam_step,
    clip_gradients,
    make_optimiser,
    schedule,
    set_rate,
)
from musicvae_lite.training.processes import start_fabric
from musicvae_lite.training.run_dir import clear_leftovers
from musicvae_lite.training.saving import Saver, final_objective
from musicvae_lite.training.signals import Stop
from musicvae_lite.training.weight_average import WeightAverage

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Fewer bits than this in the latent of a window, after a tenth of the run, is a collapsed
# posterior: z says nothing.
_COLLAPSED_BITS = 1.0
_SKIPPED = (
    "the gradient's norm is {norm:,.0f}; gradients at {limit:,.0f} or above, or of no number, "
    "count as zero "
    "(--set optimiser.skip_norm=...). This is said once"
)
_FROM_NOTHING = (
    "{0} is meant for training a model further, and this run starts from random "
    "weights (--init-from {1})"
)
_COLLAPSE = (
    "the posterior has collapsed: the latent carries {bits:.2f} bits a window and the decoder "
    "does without it; "
    "lower objective.beta, raise objective.free_bits or raise teacher.dropout"
)


@dataclass(frozen=True)
class Outcome:
    """How a run ended; ``rank`` is the number of this process among those that shared it."""

    folder: Path
    step: int
    finished: bool
    metrics: dict[str, float]
    rank: int = 0


class Run:
    """One run: its parts and where it is.

    :func:`musicvae_lite.training.train.train` makes one.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        output: Path,
        resume: bool,
        init_from: str | Path | None,
        device: torch.device,
        processes: tuple[int, int],
        command: str,
        on_event: Callable[[Event], None],
    ) -> None:
        self.fabric = start_fabric(config.training.precision, device, processes)
        self.config, self.output, self.rank = config, output, self.fabric.global_rank
        self.told_of_skips = False
        self.told: list[Notice] = []  # of settings and folder, for when the run begins
        self.dataset = dataset
        next(self._epoch(0))  # raises now, before anything is written
        torch.manual_seed(config.seed)
        with no_larger_than_memory(config.name):
            model = build_model(config, build_codec(config.codec.model_dump()))
        if init_from is not None:
            start_from(model, describe(init_from))
        self.model = model.to(self.fabric.device)
        self.parameters: list[Tensor] = list(self.model.parameters())
        self.average = WeightAverage(self.model, config.optimiser.average)
        # Fabric's wrapper has no types; it is called as the module is.
        wrapped: Any = self.fabric.setup(
            TrainStep(self.model, config), make_optimiser(self.model, config)
        )
        self.step_module, self.optimiser = wrapped
        self.rate = schedule(config.optimiser.learning_rate, config.training.steps)
        self.progress = Progress(
            run=config.model_dump(mode="json"),
            corpora=dataset.fingerprints,
            command=command,
            init_from=None if init_from is None else str(init_from),
        )
        self.saver = Saver(
            output, config, dataset, self.model, self.average, self.optimiser.optimizer
        )
        if resume:
            self.progress = self.saver.resume(self.progress)
        elif self.rank == 0 and clear_leftovers(output):
            text = f"{output}: replaces the log of a run that ended before its first save"
            self.told.append(Notice(0, text, warning=False))
        if self.progress.init_from is None and config.training.starts_from:
            text = _FROM_NOTHING.format(config.name, config.training.starts_from)
            self.told.append(Notice(self.progress.step, text))
        self.log = RunLog(output, self.progress.step) if self.rank == 0 else None
        self.updating = False
        self.on_event = on_event if self.rank == 0 else (lambda event: None)

    def fit(self, stop: Stop) -> Outcome:
        """Run to the end, or until ``stop()`` says so, and save."""
        settings, progress = self.config.training, self.progress
        for notice in self.told:
            self._send(notice)
        plan = _plan(self.config, self.parameters, self.fabric, self.dataset, progress.step)
        self._send(Notice(progress.step, plan, warning=False))
        if self.dataset.notice:
            self._send(Notice(progress.step, self.dataset.notice))
        with ExitStack() as stack:
            if self.log is not None:
                stack.callback(self.log.close)
            try:
                stopped = self._loop(stop)
            except MusaeError:  # the loss or the disk: what was saved before is the better state
                raise
            except (
                BaseException
            ):  # a caller's on_event, a second Ctrl-C: an hour of work is not lost for it
                if not self.updating and self.fabric.world_size == 1:
                    self._save()
                raise
            self._save()
            if not stopped:
                self._finish(stop)
            else:
                self._send(
                    Notice(
                        progress.step,
                        f"stopped and saved at step {progress.step}; --resume goes on from here",
                        False,
                    )
                )
        self.fabric.barrier()
        return Outcome(
            self.output,
            progress.step,
            progress.step >= settings.steps,
            progress.best_metrics,
            self.rank,
        )

    def _finish(self, stop: Stop) -> None:
        """Add what is learned of a trained model; without it the model is whole, too."""
        if self.rank or not self.dataset.finishing:
            return
        step = self.progress.step
        self._send(
            Notice(
                step,
                f"{self.dataset.finishing} ...; the model is saved, Ctrl-C leaves this out",
                warning=False,
            )
        )
        try:
            with stop.at_once():
                said = self.dataset.finish(self.output, self.fabric.device, self.config.seed)
            self._send(Notice(step, said, warning=False))
        except KeyboardInterrupt:
            self._send(
                Notice(step, f"left out; the model is whole. {self.dataset.later}", warning=False)
            )
        except MusaeError as error:
            self._send(Notice(step, str(error)))

    def _loop(self, stop: Stop) -> bool:
        """Make the updates that are left; return whether it was asked to stop before the end."""
        settings, progress = self.config.training, self.progress
        if self._has_missed_validation():
            self._validate()
        meter = Meter(settings.batch_size)
        for batch in self._batches(progress.step):
            if self._agree(stop()):
                self._send(Notice(progress.step, "stopping: saving", warning=False))
                return True
            self.updating = True
            meter.add(*self._update(batch, progress.step))
            progress.step += 1
            self.updating = False
            if progress.step % settings.log_every == 0 or progress.step == settings.steps:
                self._report(meter)
            if progress.step % settings.valid_every == 0 or progress.step == settings.steps:
                self._validate()
                meter.restart_clock()
            if progress.step % settings.save_every == 0 and progress.step < settings.steps:
                self._save()
                meter.restart_clock()
        return False

    def _has_missed_validation(self) -> bool:
        """Say whether a run that goes on was ended between an update and the validation
        after it.
        """
        step, settings = self.progress.step, self.config.training
        due = step % settings.valid_every == 0 or step == settings.steps
        return bool(step) and due and self.progress.validated not in (None, step)

    def _batches(self, step: int) -> Iterator[Batch]:
        """Yield the batches of the run from ``step`` on.

        Epoch and place in it follow from the step alone.
        """
        per_epoch = max(1, len(self.dataset) // self.config.training.batch_size)
        while step < self.config.training.steps:
            epoch, first = divmod(step, per_epoch)
            for index, batch in enumerate(self._epoch(epoch)):
                if index < first:
                    continue
                yield batch
                step += 1
                if step == self.config.training.steps:
                    return

    def _epoch(self, epoch: int) -> Iterator[Batch]:
        size, seed = self.config.training.batch_size, self.config.seed
        return self.dataset.batches(
            self.fabric.device, size, seed, epoch, self.rank, self.fabric.world_size
        )

    def _update(self, batch: Batch, step: int) -> tuple[dict[str, Tensor], float]:
        """Make one update and return the terms of the objective and the gradient's norm."""
        settings = self.config.optimiser
        seed_layers(
            self.fabric.device, self.config.seed * 1_000_003 + step
        )  # for dropout layers: exact on resume
        noise = Noise(
            self.config.seed,
            step,
            rank=self.rank,
            world=self.fabric.world_size,
            device=self.fabric.device,
        )
        set_rate(self.optimiser.optimizer, self.rate(step), settings.eps, step)
        for parameter in self.parameters:
            parameter.grad = None
        if self.fabric.world_size > 1:
            terms = self.step_module(batch, step, noise)
            self.fabric.backward(terms["loss"])
        else:  # the same without what Fabric does at each call for the sake of several processes
            with self.fabric.autocast():
                terms = self.step_module.module(batch, step, noise)
            terms["loss"].backward()
        norm = clip_gradients(self.parameters, settings.clip_norm, settings.skip_norm)
        if not math.isfinite(norm) and not math.isfinite(float(terms["loss"].detach())):
            raise MusaeError(not_a_number(self.config, self.output, step))
        if not norm < settings.skip_norm and not self.told_of_skips:
            self.told_of_skips = True
            self._send(Notice(step, _SKIPPED.format(norm=norm, limit=settings.skip_norm)))
        adam_step(self.optimiser.optimizer)
        self.average.update(step)
        return {key: value.detach() for key, value in terms.items()}, norm

    def _report(self, meter: Meter) -> None:
        settings, step = self.config.training, self.progress.step
        means = meter.means()
        values = dict(
            zip(
                means, self._reduce(torch.stack(list(means.values())), "mean").tolist(), strict=True
            )
        )
        loss, nll, bits = values.pop("loss"), values.pop("nll"), values.pop("kl") / NATS_PER_BIT
        speed = meter.examples_per_second()
        left = (settings.steps - step) * settings.batch_size / speed
        beta, rate = self.step_module.objective.beta(step - 1), self.rate(step - 1)
        self._send(
            Trained(
                step, settings.steps, loss, nll, bits, beta, rate, meter.norm, speed, left, values
            )
        )
        meter.clear()

    def _validate(self) -> None:
        """Measure the averaged weights on the held-out examples and keep them if they are the best
        so far (or the last).
        """
        self.fabric.barrier()
        if self.rank == 0:
            if not (self.output / STATE).exists():
                self.saver.save_state(
                    self.progress
                )  # from a model folder without it no run could go on
            with self.average.in_the_model():
                self._judge(self.dataset.measure(self.model, self.config.seed))
                if self.log is not None:
                    self.model.eval()
                    self.log.picture(self.progress.step, self.dataset.picture(self.model))
                    self.model.train()
        self.fabric.barrier()

    def _judge(self, measured: Measured) -> None:
        progress, step = self.progress, self.progress.step
        bits = measured.kl_bits or 0.0
        score = final_objective(self.config, measured.nll, bits)
        best = (
            self.config.training.keep == "last"
            or progress.best_score is None
            or score < progress.best_score
        )
        if best:
            # First the model, then that it is there: a state that is saved between them would have
            # a run go on without its best model.
            self.saver.save_model(self.output, progress, measured.values)
            progress.best_score, progress.best_terms, progress.best_metrics = (
                score,
                [measured.nll, bits],
                measured.values,
            )
        progress.validated = step
        self._send(Validated(step, measured.values, score, best))
        if (
            measured.kl_bits is not None
            and bits < _COLLAPSED_BITS
            and step >= self.config.training.steps // 10
        ):
            self._send(Notice(step, _COLLAPSE.format(bits=bits)))

    def _save(self) -> None:
        """Save the state for resuming and the latest model, in the first process."""
        if self.rank == 0:
            self.saver.save(self.progress)
        self.fabric.barrier()

    def _agree(self, stop: bool) -> bool:
        """Return whether any process was asked to stop, so that all stop at the same step."""
        if self.fabric.world_size == 1:
            return stop
        return bool(self._reduce(torch.tensor(float(stop)), "sum") > 0)

    def _reduce(self, values: Tensor, how: str) -> Tensor:
        reduced = self.fabric.all_reduce(values, reduce_op=how)
        assert isinstance(reduced, Tensor)
        return reduced

    def _send(self, event: Event) -> None:
        if self.log is not None:
            self.log.write(type(event).__name__.lower(), asdict(event))
        self.on_event(event)


def _plan(
    config: RunConfig, parameters: list[Tensor], fabric: Fabric, dataset: Dataset, step: int
) -> str:
    """Say what a run is about to do."""
    millions = sum(p.numel() for p in parameters if p.requires_grad) / 1e6
    steps = config.training.steps - step
    place = (
        f"{fabric.world_size} x {fabric.device.type}"
        if fabric.world_size > 1
        else fabric.device.type
    )
    size = f"{millions:.1f} M" if millions >= 0.1 else f"{millions * 1e6:,.0f}"
    examples = f"{len(dataset):,} {dataset.unit}"
    way = f", from {step:,} to {config.training.steps:,}" if step else ""
    return f"{config.name} ({size} parameters) on {place}: {examples}, {steps:,} steps{way}"


def not_a_number(config: RunConfig, output: Path, step: int) -> str:
    """Say what to do where the loss is not a number."""
    saved = output / STATE
    kept = (
        f"{saved.parent} keeps what was saved before"
        if saved.exists()
        else "nothing had been saved yet"
    )
    rate = config.optimiser.learning_rate
    highest = "" if rate.shape == "constant" else ".start" if rate.start > rate.end else ".end"
    return (
        f"the loss is not a number at step {step}; {kept}. Lower the rate (--set "
        f"optimiser.learning_rate{highest}=...) "
        "or train in float32 (--set training.precision=32)"
    )
