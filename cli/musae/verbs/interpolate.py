"""``musae interpolate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from musae.job import Job, check_inputs, job_options, present
from musae.options import (
    FILE,
    accompany_option,
    chords_options,
    examples,
    for_each,
    join_option,
    label_option,
    numbers_each,
    output_option,
    role_option,
    temperature_option,
)

STEPS = 9
_ONLY = {
    "music": (
        "bar",
        "track",
        "roles",
        "temperature",
        "wav",
        "whole",
        "keep_tracks",
        "chords",
        "key",
        "transpose",
        "exact_ends",
        "accompany",
    ),
    "pictures": ("label",),
}

_EPILOG = examples(
    "musae interpolate a.mid b.mid                    nine steps in a__b.mid",
    "musae interpolate a.mid b.mid -o steps/          steps/00.mid to steps/08.mid",
    "musae interpolate a.mid b.mid --bar 5,1          from bar 5 of a.mid to bar 1 of b.mid",
    "musae interpolate a.mid b.mid --plot path.png    with a picture of the steps",
    "musae interpolate a.mid b.mid c.mid d.mid --grid 5 --plot grid.png",
    (
        "musae interpolate a.mid b.mid --whole --keep-tracks    all of a.mid; its melody turns "
        "into "
        "that of b.mid"
    ),
    'musae interpolate a.mid b.mid -m RUN --chords "C | Am F"   over chords, for such a model',
    "musae interpolate 3.png 8.png -m mnist-vae       a strip of pictures, 3__8.png",
    "musae interpolate x.npz#3 x.npz#8 -m mnist-vae -o steps/",
    (
        "musae interpolate flute.wav bell.wav -m RUN      one sound that turns into another, "
        "flute__bell.wav"
    ),
    (
        "musae interpolate flute.wav bell.wav -m RUN --steps 5   five sounds on the way, one after "
        "another"
    ),
)


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        files: start and end, or the four corners of a grid.
        steps: of a path; None where the user named no number.
        grid: rows and columns of a grid; None for a path.
        bars: bar of the window of each file, or None for the first usable one.
        tracks: track of each.
        roles: tracks of the voices of each.
        path: as the user chose, or None.
        temperature: of events that are drawn.
        whole: go through whole songs.
        keep_tracks: keep all else of the first file.
        chords: what the steps are played over, for a model that is conditioned on them; None for
            those of the inputs.
        key: as the user named it, or None.
        accompany: how the chords are played, too; or None.
        plot: picture to write, or None.
        wav: sound file to write, or None.
        transpose: bring the pieces to one key; None where the user said nothing.
        exact_ends: let the ends be the inputs themselves.
    """

    files: tuple[str, ...]
    steps: int | None
    grid: int | None
    bars: tuple[int | None, ...]
    tracks: tuple[int | None, ...]
    roles: tuple[dict[str, int], ...]
    path: Literal["music", "slerp", "lerp"] | None
    temperature: float
    whole: bool
    keep_tracks: bool
    chords: str | None
    key: str | None
    accompany: str | None
    plot: str | None
    wav: str | None
    transpose: bool | None = None
    exact_ends: bool = False

    @property
    def length(self) -> int:
        """Steps of a path."""
        return self.steps or STEPS

    @property
    def plain_path(self) -> Literal["slerp", "lerp"] | None:
        """The path, of what is no music.

        Raises:
            UsageError: it is one for music.
        """
        if self.path == "music":
            from musicvae_lite.core.errors import UsageError

            raise UsageError("--path music is for models of music; take slerp or lerp")
        return self.path

    @property
    def count(self) -> int:
        """Steps altogether."""
        return self.length if self.grid is None else self.grid**2

    @property
    def extra(self) -> list[Path]:
        """Picture and sound file."""
        return [Path(name) for name in (self.plot, self.wav) if name]


@click.command(epilog=_EPILOG)
@click.argument("a", type=FILE, metavar="A.mid|A.png|A.wav")
@click.argument("b", type=FILE, metavar="B.mid|B.png|B.wav")
@click.argument("more", nargs=-1, type=FILE, metavar="[C.mid D.mid]")
@output_option(
    "File for all steps (of pictures a strip, or arrays in X.npz), or folder (DIR/) for one file "
    "a step. "
    "[default: A__B.mid, A__B.png, A__B.wav]"
)
@click.option(
    "--steps",
    type=click.IntRange(2, 10_000),
    metavar="INTEGER",
    help="Both ends included. [default: 9; of sounds one that moves all the way]",
)
@click.option(
    "--grid",
    type=click.IntRange(2, 100),
    metavar="N",
    help="Fill N x N steps between four corners A B (above) C D.",
)
@click.option(
    "--bar",
    callback=numbers_each,
    metavar="N[,M]",
    help="Bar where the window of A (and B) starts. [default: first usable]",
)
@click.option(
    "--track",
    callback=numbers_each,
    metavar="N[,M]",
    help="Track of A (and B). [default: the one most like a tune]",
)
@role_option
@click.option(
    "--path",
    type=click.Choice(["music", "slerp", "lerp"]),
    help="Great circle or line; of music on the music: octaves apart, where it is dense. "
    "[default: music, of other models slerp, of a plain autoencoder lerp]",
)
@click.option(
    "--transpose/--no-transpose",
    default=None,
    help="Of music: bring the pieces to one key on the way. [default: with --keep-tracks]",
)
@click.option("--exact-ends", is_flag=True, help="Of music: let the ends be the inputs themselves.")
@temperature_option(0.0)
@click.option(
    "--whole",
    is_flag=True,
    help="Go through the whole songs: begin as A, end as B (with --steps, a song a step).",
)
@click.option(
    "--keep-tracks",
    is_flag=True,
    help="With --whole: keep the other tracks of A and all else of its file.",
)
@chords_options(
    "what the steps are played over, a bar each and repeated. [default: those of the nearest input]"
)
@accompany_option
@click.option(
    "--plot",
    metavar="P.png",
    help="Draw the steps with labels, melodies as piano rolls (PNG, SVG or PDF).",
)
@click.option(
    "--wav", metavar="W.wav", help="Render the steps of a melody (or the whole song) as sound."
)
@join_option
@label_option
@job_options()
def interpolate(
    a: str,
    b: str,
    more: tuple[str, ...],
    steps: int | None,
    grid: int | None,
    bar: tuple[int, ...] | None,
    track: tuple[int, ...] | None,
    roles: tuple[dict[str, int], ...],
    path: Literal["music", "slerp", "lerp"] | None,
    transpose: bool | None,
    exact_ends: bool,
    temperature: float,
    whole: bool,
    keep_tracks: bool,
    chords: str | None,
    key: str | None,
    accompany: str | None,
    plot: str | None,
    wav: str | None,
    job: Job,
) -> None:
    """Turn melody (or picture, or sound) A into B, in steps along a path in latent space.

    Step 1 is what the model makes of A, the last step what it makes of B. Of longer pieces the
    first usable window is taken (of the model's length: two bars for mel-2bar); -v lists the
    others. One picture of a file with many is FILE#INDEX.

    With --grid the four corners A (top left), B (top right), C and D (bottom) turn into one
    another: all steps row by row in one file, or ROW-COLUMN.mid (.png) each in a folder.

    With --whole the result has the bars, the tempo and the metres of A: its first window meets the
    first of B, and so on; a shorter B begins again. Without --steps A needs two windows or more.
    Bars of A without a usable melody stay as they are.

    A sound (of a model that 'musae train timbre' made) turns into the other while it sounds, for as
    long as the longer one; the shorter goes round. With --steps or a folder it does so in sounds
    that stay as they are. The shape of the spectrum moves through latent space; finer detail, of
    which a code knows nothing, is faded over. The result is mono.
    """
    files = (a, b, *more)
    _check_count(files, grid)
    request = Request(
        files,
        steps,
        grid,
        for_each(bar, "--bar", len(files)),
        for_each(track, "--track", len(files)),
        roles[: len(files)],
        path,
        temperature,
        whole,
        keep_tracks,
        chords,
        key,
        accompany,
        plot,
        wav,
        transpose,
        exact_ends,
    )
    check_inputs(job, files, _ONLY)
    present(job, "interpolate", request)


def _check_count(files: tuple[str, ...], grid: int | None) -> None:
    """Refuse too many or too few files."""
    context = click.get_current_context()
    if grid is None and len(files) != 2:
        raise click.UsageError(
            f"a path goes from A to B; a grid has four files and --grid 5 (here are {len(files)})",
            context,
        )
    if grid is not None and len(files) != 4:
        raise click.UsageError(
            f"--grid {grid} has four corners A B C D; here are {len(files)} files", context
        )
    if (
        grid is not None
        and context.get_parameter_source("steps") is click.core.ParameterSource.COMMANDLINE
    ):
        raise click.UsageError(
            f"--steps is of a path; --grid {grid} has {grid} x {grid} steps", context
        )
