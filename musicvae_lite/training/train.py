"""The one training loop: fit, validate, save, resume, on one device or several (Lightning Fabric).

A run folder is a model folder (the best model so far) with, beside it, ``last/`` (the latest
model), ``training.safetensors`` (the state for ``--resume``), ``metrics.jsonl`` and
``tensorboard/``.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from musicvae_lite.config import RunConfig
from musicvae_lite.core.devices import resolve_device
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.locks import only_writer
from musicvae_lite.core.medium import open_dataset
from musicvae_lite.training.events import Event, Notice
from musicvae_lite.training.processes import processes_of
from musicvae_lite.training.run import Outcome, Run
from musicvae_lite.training.run_dir import check_folder, settings_of, tidy
from musicvae_lite.training.signals import stoppable


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
    local, nodes = processes_of(devices)
    if config.training.batch_size % (local * nodes):
        raise UsageError(
            f"training.batch_size {config.training.batch_size} cannot be shared by "
            f"{local * nodes} processes"
        )
    where, report = resolve_device(device), on_event or (lambda event: None)
    speaks = os.environ.get("LOCAL_RANK", "0") == "0"  # of several processes the first one speaks
    dataset = open_dataset(
        config, _named(data), lambda told: report(Notice(0, told, False)) if speaks else None
    )
    config = _with_steps(config, len(dataset))
    with (
        _only_run(output, resume),
        torch.random.fork_rng([]),  # the caller's random numbers on the CPU stay as they were
    ):
        run = Run(
            config, dataset, output, resume, init_from, where, (local, nodes), _command(), report
        )
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
