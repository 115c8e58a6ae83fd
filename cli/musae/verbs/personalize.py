"""``musae personalize``."""

from __future__ import annotations

from dataclasses import dataclass

import click

from musae.job import Job, job_options, present
from musae.options import FILE, examples, output_option

_EPILOG = examples(
    "musae personalize my-songs/ -o mine/          a model that draws like your songs",
    "musae sample -m mine --bars 16                what it makes",
)


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        sources: MIDI files, folders and zip files of them.
    """

    sources: tuple[str, ...]


@click.command(epilog=_EPILOG)
@click.argument("sources", nargs=-1, required=True, type=FILE, metavar="FOLDER|ZIP|FILE...")
@output_option("Model folder to make.", required=True)
@job_options()
def personalize(sources: tuple[str, ...], job: Job) -> None:
    """Make a model draw music like yours: from one to twenty songs, in at most a minute.

    The folder has the weights of --model and what it draws with, learned further on the songs: two
    bars at a time ('musae sample'), and long pieces ('musae sample --bars', 'continue', 'infill',
    'vary').
    """
    present(job, "personalize", Request(sources))
