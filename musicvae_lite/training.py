"""The one training loop: fit, validate, save, resume, on one device or several (Lightning Fabric).

A run folder is a model folder (the best model so far) with, beside it, ``last/`` (the latest model), ``training.safetensors``
(the state for ``--resume``), ``metrics.jsonl`` and ``tensorboard/``.
"""

from __future__ import annotations

import logging
import math
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite import __version__
from musicvae_lite.bundle import CARD, CONFIG, WEIGHTS, describe, load_weights, save_bundle
from musicvae_lite.checkpoint import STATE, Progress, load_state, read_progress, save_state
from musicvae_lite.config import RunConfig
from musicvae_lite.corpora.store import Corpus, read_manifest
from musicvae_lite.devices import keep_freed_memory, resolve_device, resolve_precision
from musicvae_lite.errors import MusaeError, UsageError
from musicvae_lite.evaluation import Measures, evaluate_windows
from musicvae_lite.events import Event, Meter, Notice, Trained, Validated
from musicvae_lite.interrupt import stoppable
from musicvae_lite.models import Batch, build_model
from musicvae_lite.noise import Noise
from musicvae_lite.objective import NATS_PER_BIT
from musicvae_lite.optimisation import TrainStep, clip_gradients, make_optimiser, objective, schedule, set_rate
from musicvae_lite.runlog import METRICS, RunLog

# Fewer bits than this in the latent of a window, after a tenth of the run, is a collapsed posterior: z says nothing.
_COLLAPSED_BITS = 1.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended; ``rank`` is the number of this process among those that shared it."""

    folder: Path
    step: int
    finished: bool
    metrics: dict[str, float]
    rank: int = 0


def train(
    config: RunConfig,
    corpora: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    resume: bool = False,
    init_from: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    on_event: Callable[[Event], None] | None = None,
) -> Outcome:
    """Train the model of ``config`` on prepared corpora and leave it in the folder ``output``.

    Args:
        config: the run.
        corpora: one prepared corpus or several.
        output: the run folder; new or empty unless ``resume``.
        resume: go on where the run in ``output`` stopped, exactly.
        init_from: a model folder or shipped name whose weights to start from.
        device: auto, cpu, cuda or mps.
        devices: number of devices (or CPU processes) that share each batch; under torchrun its processes share it instead.
        on_event: called on rank 0 with :class:`Trained`, :class:`Validated` and :class:`Notice`.

    Raises:
        UsageError: settings, corpus, folder and options do not go together.
        MusaeError: too little data, the loss is not a number, or the file system refuses; what was saved stays.
    """
    output = Path(output)
    _check_folder(output, resume)
    corpus = Corpus.open(corpora)
    if corpus.codec.config() != config.codec.model_dump(mode="json"):
        raise UsageError(_codec_difference(config, corpus))
    local, nodes = _processes(devices)
    if config.training.batch_size % (local * nodes):
        raise UsageError(f"training.batch_size {config.training.batch_size} cannot be shared by {local * nodes} processes")
    folders = [Path(corpora)] if isinstance(corpora, str | Path) else [Path(folder) for folder in corpora]
    manifests = [read_manifest(folder) for folder in folders]
    where, report = resolve_device(device), on_event or (lambda event: None)
    with torch.random.fork_rng([]):  # the caller's random numbers on the CPU stay as they were
        run = _Run(config, corpus, manifests, output, resume, init_from, where, (local, nodes), report)
        with stoppable() as stop:
            return run.fit(stop)


class _Run:
    """One run: its parts and where it is. Not for use from outside :func:`train`."""

    def __init__(
        self,
        config: RunConfig,
        corpus: Corpus,
        manifests: list[dict[str, Any]],
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
        logging.getLogger("lightning.fabric").setLevel(logging.WARNING)  # its remarks on precision are for developers
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self.fabric = Fabric(accelerator=device.type, devices=processes[0], num_nodes=processes[1], precision=precision)
        self.fabric.launch()
        self.config, self.output, self.rank = config, output, self.fabric.global_rank
        self.train_set, held_out = corpus.split("train"), corpus.split("valid")
        self.train_set.batches(config.training.batch_size, config.seed, 0)  # raises now, before anything is written
        self.data = _data(manifests)
        self.valid = _choose(held_out if len(held_out) else self.train_set, config)
        self.held_out = bool(len(held_out))
        torch.manual_seed(config.seed)
        model = build_model(config.model, corpus.codec.vocabulary, corpus.codec.steps)
        if init_from is not None:
            load_weights(model, describe(init_from))
        self.model = model.to(self.fabric.device)
        self.parameters: list[Tensor] = list(self.model.parameters())
        self.average = [p.detach().clone() for p in self.parameters]
        # Fabric's wrapper has no types; it is called as the module is.
        wrapped: Any = self.fabric.setup(TrainStep(self.model, config), make_optimiser(self.model, config))
        self.step_module, self.optimiser = wrapped
        self.rate = schedule(config.optimiser.learning_rate, config.training.steps)
        self.progress = Progress(
            run=config.model_dump(mode="json"),
            corpora=[str(manifest["fingerprint"]) for manifest in manifests],
            command=_command(),
            init_from=None if init_from is None else str(init_from),
        )
        if resume:
            self._resume()
        self.log = RunLog(output, self.progress.step) if self.rank == 0 else None
        self.updating = False
        self.on_event = on_event if self.rank == 0 else (lambda event: None)

    def fit(self, stop: Callable[[], bool]) -> Outcome:
        """Run to the end, or until ``stop()`` says so, and save."""
        settings, progress = self.config.training, self.progress
        self._send(Notice(progress.step, self._plan(), warning=False))
        if not self.held_out:
            self._send(Notice(progress.step, _NO_SONG_HELD_OUT))
        try:
            stopped = self._loop(stop)
        except MusaeError:  # the loss or the disk: what was saved before is the better state
            raise
        except BaseException:  # a caller's on_event, a second Ctrl-C: an hour of work is not lost for it
            if not self.updating and self.fabric.world_size == 1:
                self._save()
            raise
        self._save()
        if stopped:
            self._send(Notice(progress.step, f"stopped and saved at step {progress.step}; --resume goes on from here", False))
        if self.log is not None:
            self.log.close()
        self.fabric.barrier()
        return Outcome(self.output, progress.step, progress.step >= settings.steps, progress.best_metrics, self.rank)

    def _plan(self) -> str:
        millions = sum(p.numel() for p in self.parameters if p.requires_grad) / 1e6
        steps = self.config.training.steps - self.progress.step
        place = f"{self.fabric.world_size} x {self.fabric.device.type}" if self.fabric.world_size > 1 else self.fabric.device.type
        return f"{self.config.name} ({millions:.1f} M parameters) on {place}: {len(self.train_set):,} windows, {steps:,} steps"

    def _loop(self, stop: Callable[[], bool]) -> bool:
        """Make the updates that are left; return whether it was asked to stop before the end."""
        settings, progress = self.config.training, self.progress
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

    def _batches(self, step: int) -> Iterator[Batch]:
        """Yield the batches of the run from ``step`` on; epoch and place in it follow from the step alone."""
        size, world = self.config.training.batch_size, self.fabric.world_size
        per_epoch = max(1, len(self.train_set) // size)
        while step < self.config.training.steps:
            epoch, first = divmod(step, per_epoch)
            arguments = (size, self.config.seed, epoch, self.config.data.transpose, self.rank, world)
            for index, arrays in enumerate(self.train_set.batches(*arguments)):
                if index < first:
                    continue
                tokens = torch.from_numpy(arrays.x).to(self.fabric.device).long()
                yield Batch(tokens, tokens)
                step += 1
                if step == self.config.training.steps:
                    return

    def _update(self, batch: Batch, step: int) -> tuple[Tensor, Tensor, Tensor, float]:
        """Make one update and return (loss, nll, kl, gradient norm)."""
        settings = self.config.optimiser
        torch.manual_seed((self.config.seed * 1_000_003 + step) % 2**63)  # for dropout layers: exact on resume
        noise = Noise(self.config.seed, step, rank=self.rank, world=self.fabric.world_size, device=self.fabric.device)
        set_rate(self.optimiser, self.rate(step), settings.eps, step)
        self.optimiser.zero_grad(set_to_none=True)
        total, nll, kl = self.step_module(batch, step, noise)
        self.fabric.backward(total)
        norm = clip_gradients(self.parameters, settings.clip_norm, settings.skip_norm)
        if not math.isfinite(norm) and not math.isfinite(float(total.detach())):
            raise MusaeError(self._not_a_number(step))
        self.optimiser.step()
        # While the run is young the average follows closely, so that it does not remember the random start.
        decay = min(settings.average, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        return total.detach(), nll.detach(), kl.detach(), norm

    def _not_a_number(self, step: int) -> str:
        saved = self.output / STATE
        kept = f"{saved.parent} keeps what was saved before" if saved.exists() else "nothing had been saved yet"
        return (
            f"the loss is not a number at step {step}; {kept}. Lower the rate (--set optimiser.learning_rate.start=...) "
            "or train in float32 (--set training.precision=32)"
        )

    def _report(self, meter: Meter) -> None:
        settings, step = self.config.training, self.progress.step
        loss, nll, kl = self._reduce(meter.means(), "mean").tolist()
        speed = meter.examples_per_second()
        left = (settings.steps - step) * settings.batch_size / speed
        beta, rate = self.step_module.objective.beta(step - 1), self.rate(step - 1)
        bits = kl / NATS_PER_BIT
        self._send(Trained(step, settings.steps, loss, nll, bits, beta, rate, meter.norm, speed, left))
        meter.clear()

    def _validate(self) -> None:
        """Measure the averaged weights on the held-out windows and keep them if they are the best so far."""
        self.fabric.barrier()
        if self.rank == 0:
            with self._averaged():
                measures = evaluate_windows(self.model, self.valid, seed=self.config.seed)
                self._judge(measures)
                if self.log is not None:
                    self.log.reconstructions(self.progress.step, self.model, self.valid[:8])
        self.fabric.barrier()

    def _judge(self, measures: Measures) -> None:
        progress, step = self.progress, self.progress.step
        final = self.config.training.steps
        goal = objective(self.config)
        charged = max(0.0, measures.kl_bits - (goal.free_bits if goal.per == "total" else 0.0)) * NATS_PER_BIT
        score = measures.nll_nats + goal.beta(final) * charged
        best = progress.best_score is None or score < progress.best_score
        if best:
            progress.best_score, progress.best_metrics = score, measures.as_dict()
            self._save_model(self.output, measures.as_dict())
        self._send(Validated(step, measures, score, best))
        if measures.kl_bits < _COLLAPSED_BITS and step >= final // 10:
            self._send(Notice(step, _COLLAPSE.format(bits=measures.kl_bits)))

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the averaged weights into the model for the block."""
        raw = [p.detach().clone() for p in self.parameters]
        with torch.no_grad():
            torch._foreach_copy_(self.parameters, self.average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, raw)

    def _save(self) -> None:
        """Save the state for resuming and the latest model; before the first validation it is the best one too."""
        if self.rank == 0:
            save_state(self.output / STATE, self.model, self.average, self.optimiser.optimizer, self.progress)
            with self._averaged():
                self._save_model(self.output / "last", {})
                if self.progress.best_score is None:
                    self._save_model(self.output, {})
        self.fabric.barrier()

    def _save_model(self, folder: Path, metrics: dict[str, float]) -> None:
        save_bundle(folder, self.config, self.model, self._provenance(), metrics)

    def _provenance(self) -> dict[str, Any]:
        progress = self.progress
        return {
            "data": self.data,
            "corpora": progress.corpora,
            "held_out": self.held_out,
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
        _check_same_run(saved.run, self.progress.run)
        if saved.corpora != self.progress.corpora:
            raise UsageError(f"{self.output}: was started on another corpus; --resume needs the same --data")
        if saved.step >= self.config.training.steps:
            done = f"{self.output}: is trained already ({saved.step} steps); to go on, --set training.steps= a higher number"
            raise UsageError(done)
        load_state(path, self.model, self.average, self.optimiser.optimizer)
        saved.run = self.progress.run
        self.progress = saved

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


_NO_SONG_HELD_OUT = (
    "no song is held out, so the measures are of songs the model has seen; "
    "prepare more files, or with --valid-fraction 0.2 --overwrite"
)
_COLLAPSE = (
    "the posterior has collapsed: the latent carries {bits:.2f} bits a window and the decoder does without it; "
    "lower objective.beta, raise objective.free_bits or raise teacher.dropout"
)


def _processes(devices: int) -> tuple[int, int]:
    """Return processes on this machine and number of machines; torchrun says so in the environment."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return devices, 1
    local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    return local, world // local


def _data(manifests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return name, windows and rights of every source of the corpora, for the model card."""
    return [
        {"name": name, "windows": facts["distinct"], "rights": manifest.get("rights", "")}
        for manifest in manifests
        for name, facts in manifest["sources"].items()
    ]


def _choose(held_out: Corpus, config: RunConfig) -> NDArray[np.uint8]:
    """Return the windows to validate on, the same ones throughout the run."""
    order = torch.randperm(len(held_out), generator=torch.Generator().manual_seed(0)).numpy()
    windows: NDArray[np.uint8] = held_out.windows[order[: config.training.valid_windows]]
    return windows


def _command() -> str:
    """Return the command line of this process, where it is the command's."""
    name = Path(sys.argv[0]).name
    return shlex.join(["musae", *sys.argv[1:]]) if name in {"musae", "__main__.py"} else "musicvae_lite.train(...)"


def _check_folder(output: Path, resume: bool) -> None:
    if resume:
        read_progress(output / STATE)
        return
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: is a file; name a folder with -o")
    if (output / STATE).exists():
        raise UsageError(f"{output}: holds a run already; --resume continues it, or choose another folder with -o")
    for name in (CONFIG, WEIGHTS, CARD, METRICS, "last", "tensorboard"):
        if (output / name).exists():
            raise UsageError(f"{output / name}: would be overwritten by the run; choose another folder with -o")
    if not output.parent.is_dir():
        raise UsageError(f"{output.parent}: no such folder; create it first or choose another output with -o")


def _check_same_run(saved: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuse to resume with settings that would make the continuation another run; length and rhythm may change."""
    before, now = dict(_leaves(saved)), dict(_leaves(wanted))
    free = ("name", "description", "training.")
    for key in sorted(before.keys() | now.keys()):
        if key != "training.batch_size" and key.startswith(free):
            continue
        if before.get(key) != now.get(key):
            was = f"{key} was {before.get(key)}, now it is {now.get(key)}"
            raise UsageError(f"the run was started with other settings ({was}); --resume needs the same")


def _leaves(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _codec_difference(config: RunConfig, corpus: Corpus) -> str:
    wanted, there = config.codec.model_dump(mode="json"), corpus.codec.config()
    keys = [key for key in wanted if wanted[key] != there.get(key)]
    detail = ", ".join(f"{key} is {there.get(key)}, the run needs {wanted[key]}" for key in keys)
    return f"the corpus was prepared for another codec ({detail}); run 'musae prepare' with the preset or file of this run"
