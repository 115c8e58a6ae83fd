"""``musae infill``."""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from musae.job import Job, check_inputs, job_options, present
from musae.options import FILE, attempts_option, examples, output_option, piece_options

_EPILOG = examples(
    "musae infill song.mid --bars 5-8                        song.filled.mid",
    "musae infill song.mid --bars 5-8 --keep 5.3-6.1         bar 5 beat 3 to bar 6 beat 1 stay",
    "musae infill song.mid --bars 5-8 --attempts 4           four, the likeliest first",
)


@dataclass(frozen=True)
class Request:
    """What was asked for; None where nothing was said.

    Attributes:
        file: the piece.
        bars: such as 5-8.
        keep: beats that stay.
        voice: the one that is written.
        attempts: how many are written.
        key: as the user named it.
        temperature: of the events.
        track: track to use.
        roles: tracks of the voices.
    """

    file: str
    bars: str
    keep: tuple[str, ...]
    voice: str | None
    attempts: int
    key: str | None = None
    temperature: float = 1.0
    track: int | None = None
    roles: dict[str, int] = field(default_factory=dict)


@click.command(epilog=_EPILOG)
@click.argument("file", type=FILE, metavar="FILE.mid")
@output_option("The file, or a folder (DIR/). [default: FILE.filled.mid here]")
@click.option(
    "--bars", required=True, metavar="BARS", help="Bars to write anew, such as 5-8 or 5,7-8."
)
@click.option(
    "--keep",
    multiple=True,
    metavar="BAR.BEAT-BAR.BEAT",
    help="Beats among them that stay, such as 5.3-6.1; may be repeated.",
)
@click.option("--voice", metavar="NAME", help="Write this voice alone, such as bass.")
@attempts_option
@piece_options
@job_options()
def infill(
    file: str,
    bars: str,
    keep: tuple[str, ...],
    voice: str | None,
    attempts: int,
    key: str | None,
    temperature: float,
    track: int | None,
    roles: dict[str, int],
    job: Job,
) -> None:
    """Write bars of a piece anew, so that they lead from what is before them to what is after them.

    All notes that start outside the bars, in beats that --keep names, or in other voices stay
    identical, and all else of the file with them. Of several attempts the first is the one that the
    model finds likeliest.
    """
    check_inputs(job, [file])
    present(
        job, "infill", Request(file, bars, keep, voice, attempts, key, temperature, track, roles)
    )
