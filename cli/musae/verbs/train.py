"""``musae train``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musae.options import FILE, Console, console_options, device_option, examples
from musicvae_lite.core.text import shown

if TYPE_CHECKING:
    from musicvae_lite.training.events import Event, Trained

_EPILOG = examples(
    "musae train mel-2bar --data corpus -o run",
    (
        "musae train digits-vae                                             runs/digits-vae, in "
        "seconds"
    ),
    "musae train mnist-vae                                              fetches MNIST once",
    "musae train mel-2bar --data corpus -o run --resume                 goes on after Ctrl-C",
    (
        "musae train denoise-small --data clean/ --set data.noise=noises/   recordings (or MIDI "
        "files), and noises to mix with"
    ),
    "musae train my.yaml --data a --data b -o run --set training.steps=5000",
    "musae train mel-2bar-finetune --data mine -o run --init-from mel-2bar",
)


@click.command(epilog=_EPILOG)
@click.argument("preset", metavar="PRESET|FILE.yaml")
@click.option(
    "--data",
    multiple=True,
    type=FILE,
    metavar="DATA",
    help="Prepared corpora, pictures (folder, .npz, IDX) or sounds. [default: the preset's own]",
)
@click.option(
    "--output",
    "-o",
    metavar="RUN",
    help="Folder of the run; it becomes a model folder. [default: runs/PRESET]",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="A.B=C",
    help="Change one setting; more than once for several.",
)
@click.option(
    "--resume",
    is_flag=True,
    help=(
        "Go on where the run in RUN stopped; its training.* settings stay where --set names no "
        "others."
    ),
)
@click.option("--init-from", metavar="NAME|FOLDER", help="Model whose weights to start from.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    metavar="INTEGER",
    help="The same as --set seed=INTEGER.",
)
@device_option
@click.option(
    "--devices",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    metavar="N",
    help="Share each batch.",
)
@console_options
def train(
    preset: str,
    data: tuple[str, ...],
    output: str | None,
    changes: tuple[str, ...],
    resume: bool,
    init_from: str | None,
    seed: int | None,
    device: str,
    devices: int,
    console: Console,
) -> int:
    """Train a model. Ctrl-C stops and saves; the same command with --resume goes on exactly there.

    RUN holds the best model, last/ the latest, metrics.jsonl and tensorboard/ what happened. Use it
    with --model RUN.
    """
    from musicvae_lite.config import load_config

    wanted = [*changes, *([] if seed is None else [f"seed={seed}"])]
    config = load_config(preset, wanted)
    if init_from is not None:
        from musicvae_lite.model_dir.bundle import describe

        describe(init_from)
    from musicvae_lite.training.train import train as run

    folder = _folder(output, config.name)
    try:
        with _progress(console, config.training.steps) as on_event:
            outcome = run(
                preset,
                data,
                folder,
                changes=wanted,
                resume=resume,
                init_from=init_from,
                device=device,
                devices=devices,
                on_event=on_event,
            )
    except Exception:
        if int(os.environ.get("LOCAL_RANK", "0")):
            return 1  # the first process of those that share the batch tells what is wrong
        raise
    if outcome.rank:
        return 0  # one of several processes speaks
    state = "finished" if outcome.finished else "stopped"
    console.show(f"{outcome.folder}: {state} at step {outcome.step:,}{_measures(outcome.metrics)}")
    facts = {key: value for key, value in asdict(outcome).items() if key != "rank"}
    console.document({**facts, "folder": str(outcome.folder)})
    return 0 if outcome.finished else 130


def _folder(output: str | None, preset: str) -> Path:
    """Return the folder of the run; the one that holds the default is made."""
    if output is not None:
        return Path(output)
    from musae.outputs import make_folder

    make_folder(Path("runs"))
    return Path("runs", preset)


def _measures(values: dict[str, Any]) -> str:
    """Write the measures that say most."""
    parts = []
    shown = (
        ("accuracy", "accuracy", ".4f"),
        ("onset_accuracy", "note starts", ".4f"),
        ("bce_mean", "BCE", ".4f"),
        ("psnr_db", "PSNR", ".2f"),
        ("elbo_nats", "ELBO", ".2f"),
        ("si_sdr_improvement_db", "SI-SDR improvement", ".2f"),
        ("worst_db", "worst", ".2f"),
        ("lsd_db", "log-spectral distance", ".1f"),
        ("kl_bits", "bits", ".1f"),
    )
    for key, label, form in shown:
        if isinstance(values.get(key), int | float):
            parts.append(f"{label} {values[key]:{form}}")
    return ": " + ", ".join(parts) if parts else ""


@contextmanager
def _progress(console: Console, steps: int) -> Iterator[Callable[[Event], None] | None]:
    """Show the run on stderr: a bar on a terminal, lines elsewhere."""
    if console.quiet:
        yield None
    elif console.draws:
        from rich.console import Console as Terminal
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Terminal(stderr=True)) as bar:
            task = bar.add_task("train", total=steps, state="")

            from musicvae_lite.training.events import Trained

            def draw(event: Event) -> None:
                if isinstance(event, Trained):
                    bar.update(task, completed=event.step, total=event.steps, state=_state(event))
                else:
                    bar.console.print(shown(_line(event)), highlight=False, markup=False)

            yield draw
    else:
        yield lambda event: console.note(_line(event))


def _state(event: Trained) -> str:
    return (
        f"{event.examples_per_second:,.0f} examples/s  loss {event.loss:.2f}  nll "
        f"{event.nll:.2f}  kl {event.kl_bits:.1f} bits"
    )


def _line(event: Event) -> str:
    """Write an event on one line."""
    from musicvae_lite.training.events import Trained, Validated

    if isinstance(event, Trained):
        return f"step {event.step:,} of {event.steps:,}: {_state(event)}  beta {event.beta:.3g}"
    if isinstance(event, Validated):
        best = " (best so far)" if event.best else ""
        return f"step {event.step:,}: validation{_measures(event.measures)}{best}"
    return f"{'musae: warning: ' if event.warning else ''}{event.message}"
