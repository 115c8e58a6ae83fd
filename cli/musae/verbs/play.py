"""``musae play``."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import click

from musae.job import Job, check_inputs, job_options
from musae.options import FILE, MAX_INPUTS, examples

_EPILOG = examples(
    "musae play                                 demo tunes in the corners",
    "musae play a.mid b.mid                     your own; drop others on the page",
    "musae play beat.mid other.mid -m drums-2bar",
    "musae play -m denoise                      recordings: hear, see and clean them",
    "musae play --no-browser --port 9000        open the address that is printed yourself",
)


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, type=FILE, metavar="[A.mid B.mid [C.mid D.mid]]")
@click.option(
    "--output",
    "-o",
    metavar="DIR",
    default="musae-play",
    show_default=True,
    help="Folder in which what you hear is kept.",
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="[default: a free one]")
@click.option("--no-browser", is_flag=True, help="Print the address and open no browser.")
@job_options()
def play(
    files: tuple[str, ...],
    port: int | None,
    no_browser: bool,
    job: Job,
) -> None:
    """Hear, see and steer a model on a page in the browser.

    Two or four pieces are the corners of a pad: drag the puck and hear what lies between them, draw
    a path, move the sliders, lock notes and ask for the rest anew. Each variation is a MIDI file in
    the folder -o from the moment it is heard. Ctrl-C ends the program.

    With -m denoise the page cleans recordings, which are opened there.

    Only this machine is served, and nothing is fetched from elsewhere.
    """
    from musae.outputs import check_folder

    context = click.get_current_context()
    if files:
        check_inputs(job, files)
    if files and job.handle.medium.name == "denoise":
        raise click.UsageError(
            f"recordings are opened on the page itself: musae play -m {job.model}", context
        )
    if len(files) not in (0, 2, MAX_INPUTS):
        here = "is 1 file" if len(files) == 1 else f"are {len(files)} files"
        raise click.UsageError(f"a pad has 2 or 4 corners; here {here}", context)
    if files:
        _check_corners(job, files)
    folder = Path(str(job.output)).absolute()
    check_folder(folder)
    from musicvae_lite.play.server import serve

    server = serve(
        job.model,
        files,
        device=job.device,
        seed=job.seed,
        folder=folder,
        port=port,
        browser=not no_browser,
    )
    job.console.document({"url": server.url, "folder": str(folder), "model": job.model})
    job.console.answer(f"playing {job.model} at {server.url}")
    job.console.show(f"what you hear is kept in {folder}; Ctrl-C ends")
    server.run()
    _leave()


def _leave() -> None:
    """End now: a thread that still computes for a page that is gone would hold the program up."""
    if threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _check_corners(job: Job, files: tuple[str, ...]) -> None:
    """Refuse files that the model cannot use, as every verb does."""
    from musae.music.reading import codec_of
    from musicvae_lite.music.windows import one_window

    for name in files:
        one_window(name, codec_of(job.handle), job.model)
