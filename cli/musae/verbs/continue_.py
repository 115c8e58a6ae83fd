"""``musae continue``."""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from musae.job import Job, check_inputs, job_options, present
from musae.options import FILE, attempts_option, examples, output_option, piece_options

_EPILOG = examples(
    "musae continue song.mid --bars 8                 song.continued.mid",
    "musae continue song.mid --attempts 4 -o more/    four ways on, the likeliest first",
)


@dataclass(frozen=True)
class Request:
    """What was asked for; None where nothing was said.

    Attributes:
        file: the piece.
        bars: how many are new.
        attempts: how many are written.
        key: as the user named it.
        temperature: of the events.
        track: track to use.
        roles: tracks of the voices.
    """

    file: str
    bars: int
    attempts: int
    key: str | None = None
    temperature: float = 1.0
    track: int | None = None
    roles: dict[str, int] = field(default_factory=dict)


@click.command("continue", epilog=_EPILOG)
@click.argument("file", type=FILE, metavar="FILE.mid")
@output_option("The file, or a folder (DIR/). [default: FILE.continued.mid here]")
@click.option(
    "--bars",
    type=click.IntRange(1, 1_000_000),
    default=8,
    show_default=True,
    metavar="N",
    help="How many to add.",
)
@attempts_option
@piece_options
@job_options()
def continue_(
    file: str,
    bars: int,
    attempts: int,
    key: str | None,
    temperature: float,
    track: int | None,
    roles: dict[str, int],
    job: Job,
) -> None:
    """Go on from where a piece ends, in its key and its manner.

    What is there stays as it is, and all else of the file with it. The new bars are of one track:
    the one most like a tune, or --track; of a model of trios those of its three voices.
    """
    check_inputs(job, [file])
    present(job, "continue", Request(file, bars, attempts, key, temperature, track, roles))
