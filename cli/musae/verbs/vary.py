"""``musae vary``."""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from musae.job import Job, check_inputs, job_options, present
from musae.options import FILE, Number, examples, output_option, piece_options

_EPILOG = examples(
    "musae vary song.mid --amount 0.3           song.varied.mid, a third of it new",
    "musae vary song.mid --count 4 -o others/   four variations",
)


@dataclass(frozen=True)
class Request:
    """What was asked for; None where nothing was said.

    Attributes:
        file: the piece.
        amount: share that is new, 0 to 1.
        count: how many variations.
        key: as the user named it.
        temperature: of the events.
        track: track to use.
        roles: tracks of the voices.
    """

    file: str
    amount: float
    count: int
    key: str | None = None
    temperature: float = 1.0
    track: int | None = None
    roles: dict[str, int] = field(default_factory=dict)


@click.command(epilog=_EPILOG)
@click.argument("file", type=FILE, metavar="FILE.mid")
@output_option("The file, or a folder (DIR/). [default: FILE.varied.mid here]")
@click.option(
    "--amount",
    type=Number(0, 1, min_open=True),
    default=0.3,
    show_default=True,
    metavar="FLOAT",
    help="Share of the half bars that is written anew.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="How many variations, the likeliest first.",
)
@piece_options
@job_options()
def vary(
    file: str,
    amount: float,
    count: int,
    key: str | None,
    temperature: float,
    track: int | None,
    roles: dict[str, int],
    job: Job,
) -> None:
    """Write a share of a piece anew: the same tune, otherwise.

    Half bars are chosen by chance and written so that they fit between those that stay; below an
    amount of 1 the first and the last note stay, too.
    """
    check_inputs(job, [file])
    present(job, "vary", Request(file, amount, count, key, temperature, track, roles))
