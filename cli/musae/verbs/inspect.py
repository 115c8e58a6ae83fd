"""``musae inspect``."""

from __future__ import annotations

from typing import Any

import click

from musae.job import Job, check_inputs, present, with_job
from musae.options import (
    AUTO_MODEL,
    FILE,
    console_options,
    examples,
    join_option,
    model_option,
)

_EPILOG = examples(
    "musae inspect song.mid",
    "musae inspect songs/*.mid --json",
    "musae inspect 3.png t10k-images-idx3-ubyte.gz -m mnist-vae",
    "musae inspect noisy.wav -m denoise",
)


@click.command(name="inspect", epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@join_option
@model_option(AUTO_MODEL)
@console_options
@with_job
def inspect_(files: tuple[str, ...], job: Job) -> Any:
    """Show what is in files and what the model can use of it.

    Of music: tracks, metre and tempo, key and chords, the windows that can be used, and why the
    rest cannot be. Notes are counted in what is left out; "windows" where whole windows are. A
    reason here is no error: the exit code is 0. Chords are those that the file has as markers or
    texts, or else inferred from its notes, two a bar.

    Of pictures (with a model of pictures): how many, their sizes and labels, and whether the model
    would resize them.

    Of sound (with a model of sound): length, rate, channels, encoding, level and peak, whether it
    is clipped, and whether the model would change its rate.
    """
    check_inputs(job, files)
    return present(job, "inspect", files)
