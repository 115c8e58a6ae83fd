"""``musae prepare``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musae.options import FILE, Console, Number, console_options, examples

if TYPE_CHECKING:
    from musicvae_lite.music.data.prepare import Progress, Report

_EPILOG = examples(
    "musae prepare my-midi/ --preset mel-2bar -o corpus",
    (
        "musae prepare a.zip b/ -o corpus --workers 8      several sources; the same command goes "
        "on "
        "after a stop"
    ),
    "musae prepare a.zip -o corpus --shard 2/10        the second of ten jobs that fill one folder",
)
_LINES = 20  # of progress, where stderr is no terminal


def _shard(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    """Parse ``i/n``."""
    number, sign, shards = value.partition("/")
    digits = sign and (number + shards).isascii() and number.isdigit() and shards.isdigit()
    if not digits or not 1 <= int(number) <= int(shards):
        raise click.BadParameter(
            f"{value!r} is not i/n with i from 1 to n, such as 2/10", ctx, parameter
        )
    return int(number), int(shards)


@click.command(epilog=_EPILOG)
@click.argument("sources", nargs=-1, required=True, type=FILE, metavar="FOLDER|ZIP|FILE...")
@click.option(
    "--preset",
    default="mel-2bar",
    show_default=True,
    metavar="NAME|FILE.yaml",
    help="Whose codec cuts the files (and says whether chords are kept).",
)
@click.option(
    "--output", "-o", required=True, metavar="CORPUS", help="Folder to make, or to go on with."
)
@click.option("--overwrite", is_flag=True, help="Drop an earlier corpus in it.")
@click.option(
    "--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes. [default: one a core]"
)
@click.option(
    "--shard", callback=_shard, default="1/1", metavar="I/N", help="Prepare one part of N."
)
@click.option(
    "--valid-fraction",
    type=Number(0, 1, max_open=True),
    default=0.05,
    show_default=True,
    metavar="FLOAT",
    help="Share of the songs kept for validation.",
)
@click.option(
    "--rights",
    default="",
    metavar="TEXT",
    help="Licence of the files; the cards of models trained on them repeat it.",
)
@console_options
def prepare(
    sources: tuple[str, ...],
    preset: str,
    output: str,
    overwrite: bool,
    workers: int | None,
    shard: tuple[int, int],
    valid_fraction: float,
    rights: str,
    console: Console,
) -> None:
    """Cut all MIDI files in folders and zip files into windows to train on.

    The table on stderr says what was left out and why; CORPUS/dropped.csv names the files. The same
    command goes on after a stop; on a finished corpus it shows what it holds, and takes on new
    --rights.
    """
    from musicvae_lite.config import load_config

    config = load_config(preset)
    from musicvae_lite.music.data.prepare import prepare_corpus

    with _progress(console) as on_event:
        report = prepare_corpus(
            sources,
            config,
            output,
            workers,
            shard,
            valid_fraction,
            overwrite,
            rights,
            on_event,
        )
    if not console.quiet:
        _table(console, report)
    part = "" if report.complete else " so far (other shards are missing)"
    used = f"{report.used:,} of {report.files:,} files used"
    console.show(
        f"{output}: {report.distinct:,} different windows{part}, {report.valid:,} of them for "
        f"validation; {used}"
    )
    console.document(_document(report))


def _document(report: Report) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(report), "output": str(report.output)}


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[Progress], None] | None]:
    """Show how far it is: a bar on a terminal, now and then a line elsewhere."""
    if console.quiet:
        yield None
    elif console.draws:
        from rich.console import Console as Terminal
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        speed = TextColumn("files  {task.fields[speed]:,.0f} files/s")
        columns = (BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
        with Bar(*columns, console=Terminal(stderr=True), transient=True) as bar:
            task = bar.add_task("prepare", total=None, speed=0.0)
            yield lambda event: bar.update(
                task,
                completed=event.files_done,
                total=event.files_total,
                speed=event.files_per_second,
            )
    else:
        last = [0]

        def say(event: Progress) -> None:
            twentieth = event.files_done * _LINES // max(1, event.files_total)
            if twentieth > last[0]:
                last[0] = twentieth
                speed = f"{event.files_per_second:,.0f} files/s"
                console.note(
                    f"{event.files_done:,} of {event.files_total:,} files, {speed}, "
                    f"{event.windows:,} windows"
                )

        yield say


def _table(console: Console, report: Report) -> None:
    """Show on stderr what was left out."""
    if not report.dropped:
        return
    from rich.console import Console as Terminal
    from rich.table import Table
    from rich.text import Text

    table = Table(
        "left out",
        "count",
        "of",
        title=Text(f"all of it, with files and bars: {Path(report.output) / 'dropped.csv'}"),
    )
    for reason, count in sorted(report.dropped.items(), key=lambda row: -row[1]):
        unit = next((kind for kind in ("file", "window") if reason.startswith(kind)), "note")
        table.add_row(Text(reason.removeprefix("file: ")), f"{count:,}", unit + "s")
    terminal = Terminal(stderr=True, color_system=None)  # codes of colours would be shown as such
    with terminal.capture() as text:
        terminal.print(table)
    console.note(text.get().rstrip("\n"))
