"""The one training loop: fit, validate, save, resume, on one device or several (Lightning Fabric).

A run folder is a model folder (the best model so far) with, beside it, ``last/`` (the latest
model), ``training.safetensors`` (the state for ``--resume``), ``metrics.jsonl`` and
``tensorboard/``.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from musicvae_lite import __version__
from musicvae_lite.config import RunConfig, parse_config
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.dataset import Dataset, Measured
from musicvae_lite.core.devices import keep_freed_memory, resolve_device, resolve_precision
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.locks import only_writer
from musicvae_lite.core.medium import build_model, open_dataset
from musicvae_lite.core.objective import NATS_PER_BIT
from musicvae_lite.core.random import Noise, seed_layers
from musicvae_lite.model_dir.bundle import describe, save_bundle, start_from
from musicvae_lite.model_dir.weights import no_larger_than_memory
from musicvae_lite.training.checkpoint import (
    STATE,
    Progress,
    averaged_tensors,
    load_state,
    read_progress,
    save_state,
)
from musicvae_lite.training.events import Event, Meter, Notice, Trained, Validated
from musicvae_lite.training.logger import RunLog
from musicvae_lite.training.optimiser import (
    TrainStep,
    adam_step,
    clip_gradients,
    make_optimiser,
    objective,
    schedule,
    set_rate,
)
from musicvae_lite.training.run_dir import (
    LAST,
    check_folder,
    check_same_run,
    clear_leftovers,
    settings_of,
    tidy,
)
from musicvae_lite.training.signals import Stop, stoppable

# Fewer bits than this in the latent of a window, after a tenth of the run, is a collapsed
# posterior: z says nothing.
_COLLAPSED_BITS = 1.0


def _leave() -> None:
    """Leave the group of processes.

    Fabric does so for GPUs only, and a CPU process may abort where its threads outlive it.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@dataclass(frozen=True)
class Outcome:
    """How a run ended; ``rank`` is the number of this process among those that shared it."""

    folder: Path
    step: int
    finished: bool
    metrics: dict[str, float]
    rank: int = 0


def train(
    config: RunConfig | str | Path,
    data: str | Path | Sequence[str | Path] | None,
    output: str | Path,
    *,
    changes: Sequence[str] = (),
    resume: bool = False,
    init_from: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    on_event: Callable[[Event], None] | None = None,
) -> Outcome:
    """Train the model of ``config`` and leave it in the folder ``output``.

    Args:
        config: the run: the name of a preset, a YAML file, or settings.
        data: for music one prepared corpus or several; for pictures a folder or file; for sound
            folders of clean recordings or MIDI files; None for what the run names itself.
        output: the run folder; new or empty unless ``resume``.
        changes: settings that differ, such as ``["training.steps=5000"]``.
        resume: go on where the run in ``output`` stopped, exactly. With a name or file what
            ``changes`` do not say under ``training.`` (the length of the run) is as it was;
            settings are taken whole.
        init_from: a model folder or shipped name whose weights to start from.
        device: auto, cpu, cuda or mps.
        devices: number of devices (or CPU processes) that share each batch; under torchrun its
            processes share it instead.
        on_event: called on rank 0 with :class:`Trained`, :class:`Validated` and :class:`Notice`.

    Raises:
        UsageError: settings, data, folder and options do not go together.
        MusaeError: too little data, the loss is not a number, or the file system refuses; what was
            saved stays.
    """
    output = Path(output)
    check_folder(output, resume)
    config, told = settings_of(config, changes, output, resume)
    local, nodes = _processes(devices)
    if config.training.batch_size % (local * nodes):
        raise UsageError(
            f"training.batch_size {config.training.batch_size} cannot be shared by "
            f"{local * nodes} processes"
        )
    where, report = resolve_device(device), on_event or (lambda event: None)
    speaks = os.environ.get("LOCAL_RANK", "0") == "0"  # of several processes the first one speaks
    material = open_dataset(
        config, _named(data), lambda told: report(Notice(0, told, False)) if speaks else None
    )
    config = _with_steps(config, len(material))
    with (
        _only_run(output, resume),
        torch.random.fork_rng([]),  # the caller's random numbers on the CPU stay as they were
    ):
        run = _Run(config, material, output, resume, init_from, where, (local, nodes), report)
        if told:
            run.told.append(Notice(run.progress.step, told, warning=False))
        with stoppable() as stop:
            return run.fit(stop)


@contextmanager
def _only_run(output: Path, resume: bool) -> Iterator[None]:
    """Be the one run in a folder, for the block, and put in order what a killed one left there.

    Of several processes that share a run the first one is it.

    Raises:
        UsageError, MusaeError: another run has begun there; the file system refuses.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0" or os.environ.get("GROUP_RANK", "0") != "0":
        yield
        return
    with only_writer(output, "musae train"):
        check_folder(output, resume)  # again: until now another run could begin
        tidy(output)
        yield


class _Run:
    """One run: its parts and where it is. Not for use from outside :func:`train`."""

    def __init__(
        self,
        config: RunConfig,
        material: Dataset,
        output: Path,
        resume: bool,
        init_from: str | Path | None,
        device: torch.device,
        processes: tuple[int, int],
        on_event: Callable[[Event], None],
    ) -> None:
        from lightning_fabric import Fabric

        precision = resolve_precision(config.training.precision, device)
        if device.type == "cpu":
            keep_freed_memory()
        logging.getLogger("lightning.fabric").setLevel(
            logging.WARNING
        )  # its remarks on precision are for developers
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self.fabric = Fabric(
            accelerator=device.type,
            devices=processes[0],
            num_nodes=processes[1],
            precision=precision,
        )
        self.fabric.launch()
        if self.fabric.world_size > 1:
            atexit.register(_leave)
        self.config, self.output, self.rank = config, output, self.fabric.global_rank
        self.told_of_skips = False
        self.told: list[Notice] = []  # of settings and folder, for when the run begins
        self.material = material
        next(self._epoch(0))  # raises now, before anything is written
        torch.manual_seed(config.seed)
        with no_larger_than_memory(config.name):
            model = build_model(config, build_codec(config.codec.model_dump()))
        if init_from is not None:
            start_from(model, describe(init_from))
        self.model = model.to(self.fabric.device)
        self.parameters: list[Tensor] = list(self.model.parameters())
        # Running means of a normalisation move with the weights: an average of one without the
        # other would fit nothing.
        self.averaged: list[Tensor] = [
            tensor.detach() for tensor in averaged_tensors(self.model).values()
        ]
        self.average = [tensor.clone() for tensor in self.averaged]
        # Fabric's wrapper has no types; it is called as the module is.
        wrapped: Any = self.fabric.setup(
            TrainStep(self.model, config), make_optimiser(self.model, config)
        )
        self.step_module, self.optimiser = wrapped
        self.rate = schedule(config.optimiser.learning_rate, config.training.steps)
        self.progress = Progress(
            run=config.model_dump(mode="json"),
            corpora=material.fingerprints,
            command=_command(),
            init_from=None if init_from is None else str(init_from),
        )
        if resume:
            self._resume()
        elif self.rank == 0 and clear_leftovers(output):
            self.told.append(
                Notice(
                    0,
                    f"{output}: replaces the log of a run that ended before its first save",
                    warning=False,
                )
            )
        if self.progress.init_from is None and config.training.starts_from:
            self.told.append(
                Notice(
                    self.progress.step,
                    _FROM_NOTHING.format(config.name, config.training.starts_from),
                )
            )
        self.log = RunLog(output, self.progress.step) if self.rank == 0 else None
        self.updating = False
        self.on_event = on_event if self.rank == 0 else (lambda event: None)

    def fit(self, stop: Stop) -> Outcome:
        """Run to the end, or until ``stop()`` says so, and save."""
        settings, progress = self.config.training, self.progress
        for notice in self.told:
            self._send(notice)
        self._send(Notice(progress.step, self._plan(), warning=False))
        if self.material.notice:
            self._send(Notice(progress.step, self.material.notice))
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
        if self.rank or not self.material.finishing:
            return
        step = self.progress.step
        self._send(
            Notice(
                step,
                f"{self.material.finishing} ...; the model is saved, Ctrl-C leaves this out",
                warning=False,
            )
        )
        try:
            with stop.at_once():
                said = self.material.finish(self.output, self.fabric.device, self.config.seed)
            self._send(Notice(step, said, warning=False))
        except KeyboardInterrupt:
            self._send(
                Notice(step, f"left out; the model is whole. {self.material.later}", warning=False)
            )
        except MusaeError as error:
            self._send(Notice(step, str(error)))

    def _plan(self) -> str:
        millions = sum(p.numel() for p in self.parameters if p.requires_grad) / 1e6
        steps = self.config.training.steps - self.progress.step
        place = (
            f"{self.fabric.world_size} x {self.fabric.device.type}"
            if self.fabric.world_size > 1
            else self.fabric.device.type
        )
        size = f"{millions:.1f} M" if millions >= 0.1 else f"{millions * 1e6:,.0f}"
        examples = f"{len(self.material):,} {self.material.unit}"
        way = (
            f", from {self.progress.step:,} to {self.config.training.steps:,}"
            if self.progress.step
            else ""
        )
        return (
            f"{self.config.name} ({size} parameters) on {place}: {examples}, {steps:,} steps{way}"
        )

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
        """Say whether a run that goes on was ended between an update and the validation after it."""
        step, settings = self.progress.step, self.config.training
        due = step % settings.valid_every == 0 or step == settings.steps
        return bool(step) and due and self.progress.validated not in (None, step)

    def _batches(self, step: int) -> Iterator[Batch]:
        """Yield the batches of the run from ``step`` on.

        Epoch and place in it follow from the step alone.
        """
        per_epoch = max(1, len(self.material) // self.config.training.batch_size)
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
        return self.material.batches(
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
            raise MusaeError(self._not_a_number(step))
        if not norm < settings.skip_norm and not self.told_of_skips:
            self.told_of_skips = True
            self._send(Notice(step, _SKIPPED.format(norm=norm, limit=settings.skip_norm)))
        adam_step(self.optimiser.optimizer)
        if settings.average:
            # While the run is young the average follows closely, so that it does not remember the
            # random start.
            decay = min(settings.average, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.average, self.averaged, 1 - decay)
        return {key: value.detach() for key, value in terms.items()}, norm

    def _not_a_number(self, step: int) -> str:
        saved = self.output / STATE
        kept = (
            f"{saved.parent} keeps what was saved before"
            if saved.exists()
            else "nothing had been saved yet"
        )
        rate = self.config.optimiser.learning_rate
        highest = "" if rate.shape == "constant" else ".start" if rate.start > rate.end else ".end"
        return (
            f"the loss is not a number at step {step}; {kept}. Lower the rate (--set "
            f"optimiser.learning_rate{highest}=...) "
            "or train in float32 (--set training.precision=32)"
        )

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
                self._save_state()  # from a model folder without it no run could go on
            with self._averaged():
                self._judge(self.material.measure(self.model, self.config.seed))
                if self.log is not None:
                    self.model.eval()
                    self.log.picture(self.progress.step, self.material.picture(self.model))
                    self.model.train()
        self.fabric.barrier()

    def _judge(self, measured: Measured) -> None:
        progress, step = self.progress, self.progress.step
        bits = measured.kl_bits or 0.0
        score = self._score(measured.nll, bits)
        best = (
            self.config.training.keep == "last"
            or progress.best_score is None
            or score < progress.best_score
        )
        if best:
            # First the model, then that it is there: a state that is saved between them would have
            # a run go on without its best model.
            self._save_model(self.output, measured.values)
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

    def _score(self, nll: float, kl_bits: float) -> float:
        """Return the objective at the weights of the last step.

        Free bits of single dimensions are charged as the others.
        """
        goal = objective(self.config)
        charged = (
            max(0.0, kl_bits - (goal.free_bits if goal.per == "total" else 0.0)) * NATS_PER_BIT
        )
        return nll + goal.beta(self.config.training.steps - 1) * charged

    def _catch_up(self) -> None:
        """Let the average be the weights as they are where none is taken.

        Done when it is asked for, not at every step.
        """
        if not self.config.optimiser.average:
            with torch.no_grad():
                torch._foreach_copy_(self.average, self.averaged)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the averaged weights into the model for the block."""
        self._catch_up()
        raw = [tensor.clone() for tensor in self.averaged]
        with torch.no_grad():
            torch._foreach_copy_(self.averaged, self.average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self.averaged, raw)

    def _save(self) -> None:
        """Save the state for resuming and the latest model.

        Before the first validation it is the best one too.
        """
        if self.rank == 0:
            self._save_state()
            with self._averaged():
                self._save_model(self.output / LAST, {})
                if self.progress.best_score is None:
                    self._save_model(self.output, {})
        self.fabric.barrier()

    def _save_state(self) -> None:
        self._catch_up()
        save_state(
            self.output / STATE, self.model, self.average, self.optimiser.optimizer, self.progress
        )

    def _save_model(self, folder: Path, metrics: dict[str, float]) -> None:
        save_bundle(folder, self.config, self.model, self._provenance(), metrics)

    def _provenance(self) -> dict[str, Any]:
        progress = self.progress
        return {
            "data": self.material.sources,
            "corpora": progress.corpora,
            "held_out": self.material.held_out,
            "command": progress.command,
            "init_from": progress.init_from,
            "steps": progress.step,
            "examples": progress.step * self.config.training.batch_size,
            "musae": __version__,
            "torch": torch.__version__,
        }

    def _resume(self) -> None:
        path = self.output / STATE
        saved = read_progress(path)
        # Settings that came after the run was started have their defaults.
        check_same_run(
            parse_config(saved.run, str(path)).model_dump(mode="json"), self.progress.run
        )
        begun = self.progress.init_from
        if begun is not None and begun != saved.init_from:
            raise UsageError(
                f"{self.output}: was started from {saved.init_from or 'no model'}, not {begun}; "
                "leave out --init-from"
            )
        if saved.corpora != self.progress.corpora:
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
        load_state(path, self.model, self.average, self.optimiser.optimizer)
        saved.run = self.progress.run
        if saved.best_terms:
            saved.best_score = self._score(
                *saved.best_terms
            )  # with another end the weights at it may differ
        self.progress = saved

    def _is_finished(self, saved: Progress) -> bool:
        """Say whether nothing is left to do of a run that has made its last step: it may have ended
        while its last model was written, or while more was learned of it.
        """
        try:
            last = describe((self.output / LAST).absolute()).provenance.get("steps")
            return last == saved.step and self.material.is_finished(self.output)
        except MusaeError:
            return False

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


def _processes(devices: int) -> tuple[int, int]:
    """Return processes on this machine and number of machines; torchrun says so in the environment."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return devices, 1
    local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    return local, world // local


def _named(data: str | Path | Sequence[str | Path] | None) -> list[str | Path]:
    if data is None:
        return []
    if not isinstance(data, str | Path | Sequence):
        raise UsageError(
            "data are the path of a prepared corpus, of pictures or of sounds, or several, not "
            f"{type(data).__name__}"
        )
    return [data] if isinstance(data, str | Path) else list(data)


def _with_steps(config: RunConfig, examples: int) -> RunConfig:
    """Return the run with its length in steps, where the settings give it in epochs."""
    settings = config.training
    if settings.epochs is None:
        return config
    steps = settings.epochs * max(1, examples // settings.batch_size)
    return config.model_copy(update={"training": settings.model_copy(update={"steps": steps})})


def _command() -> str:
    """Return the command line of this process, where it is the command's."""
    name = Path(sys.argv[0]).name
    return (
        shlex.join(["musae", *sys.argv[1:]])
        if name in {"musae", "__main__.py"}
        else "musicvae_lite.train(...)"
    )
