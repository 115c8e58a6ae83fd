"""``musae inspect``."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    "musae inspect tape.wav --plot tape.png           what is wrong with it, and what mends it",
)


@dataclass(frozen=True)
class Request:
    """What was asked of sounds.

    Attributes:
        files: the inputs.
        plot: picture of what would be taken away, or None.
    """

    files: tuple[str, ...]
    plot: str | None


@click.command(name="inspect", epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option(
    "--plot", metavar="P.png", help="Draw a sound and what is wrong with it (PNG, SVG or PDF)."
)
@join_option
@model_option(AUTO_MODEL)
@console_options
@with_job
def inspect_(files: tuple[str, ...], plot: str | None, job: Job) -> Any:
    """Show what is in files and what the model can use of it.

    Of music: tracks, metre and tempo, key and chords, the windows that can be used, and why the
    rest cannot be. Notes are counted in what is left out; "windows" where whole windows are. A
    reason here is no error: the exit code is 0. Chords are those that the file has as markers or
    texts, or else inferred from its notes, two a bar.

    Of pictures (with a model of pictures): how many, their sizes and labels, and whether the model
    would resize them.

    Of sound: length, rate, channels, encoding, level and peak; what is wrong with it (hiss, hum,
    crackle, clicks, clipping, dropouts, rumble, an offset, a narrow band), the worst first, how
    much, and the command that mends it. Of long sounds eight parts are heard.
    """
    from musae.kinds import kind_of_files

    source = click.get_current_context().get_parameter_source("model")
    given = source is click.core.ParameterSource.COMMANDLINE
    if not given and kind_of_files(files) == "sound":
        job = replace(job, model="denoise")
    check_inputs(job, files, {"sound": ("plot",)})
    sound = job.medium.words.content == "sound"
    return present(job, "inspect", Request(files, plot) if sound else files)
