"""``musae sample``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import click

from musae.job import Job, check_inputs, job_options, present
from musae.options import (
    FILE,
    Number,
    accompany_option,
    chords_options,
    examples,
    join_option,
    one_role_option,
    output_option,
    temperature_option,
    wav_option,
)
from musicvae_lite.core.validation import FASTEST, SLOWEST

_EPILOG = examples(
    "musae sample                                 sample-01.mid to sample-04.mid",
    "musae sample --count 1 --seed 7 -o new.mid   one melody",
    "musae sample --length 8 -o new/              four melodies of 8 bars",
    "musae sample --count 8 --bars 16 --key Am    eight tunes with a form, in A minor",
    "musae sample --key Am --register 67          in A minor, around G4",
    "musae sample --like a.mid --similarity 0.6   four melodies near one",
    'musae sample -m RUN --chords "C Am F G" --length 8     a style each, two bars a chord',
    'musae sample -m RUN --chords "C Am F G" --style a.mid  in the style of a.mid',
    'musae sample -m RUN --chords "I V vi IV" --key D --accompany arpeggio',
    "musae sample -m mnist-vae -o grid.png        25 pictures on one sheet",
    "musae sample -m mnist-cvae --label 7 -o 7/   a file each",
)


_ONLY = {
    "music": (
        "length",
        "qpm",
        "temperature",
        "bar",
        "track",
        "roles",
        "chords",
        "key",
        "style",
        "drift",
        "prior",
        "register",
        "density",
        "accompany",
        "plot",
        "wav",
        "form",
    ),
    "pictures": ("label",),
}


@dataclass(frozen=True)
class Request:
    """What was asked for; None where nothing was said.

    Attributes:
        count: how many.
        length: bars of each.
        qpm: tempo of melodies.
        temperature: of events that are drawn.
        chords: progressions, taken in turn.
        key: as the user named it.
        style: a piece that gives the style.
        drift: go from one draw to another over a piece.
        accompany: how the chords are played, too.
        plot: picture to write.
        like: file that the samples are to be like.
        similarity: 0 to 1.
        bar: of the window of ``like``.
        track: of ``like``.
        roles: tracks of its voices.
        prior: ``learned`` or ``normal``.
        register: mean MIDI pitch of melodies.
        density: note starts a bar.
        form: a letter a section.
    """

    count: int | None
    length: int | None
    qpm: float | None
    temperature: float
    chords: tuple[str, ...]
    key: str | None
    style: str | None
    drift: bool | None
    accompany: str | None
    plot: str | None
    like: str | None
    similarity: float
    bar: int | None
    track: int | None
    roles: dict[str, int]
    prior: Literal["learned", "normal"] = "learned"
    register: float | None = None
    density: float | None = None
    form: str | None = None


@click.command(epilog=_EPILOG)
@output_option(
    "Folder (DIR/) for sample-01 and so on, the file for one melody, X.png for a sheet of "
    "pictures, or X.npz. "
    "[default: sample-01.mid ... here; samples.png]"
)
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    metavar="INTEGER",
    help="How many. [default: 4 melodies or sounds, 25 pictures]",
)
@click.option(
    "--form",
    metavar="AABA",
    help="Of long pieces, a letter a section. [default: drawn for each]",
)
@click.option(
    "--length",
    "--bars",
    type=click.IntRange(1, 10_000),
    metavar="BARS",
    help="Bars of each; where a model has none of long pieces, a multiple of its own.",
)
@click.option(
    "--qpm",
    type=Number(SLOWEST, FASTEST),
    metavar="FLOAT",
    help="Tempo of melodies. [default: 120; with --like its own]",
)
@temperature_option(0.5)
@chords_options(
    "spread over --length; without it, between bar lines (C | Am F) or with bars (C:2 Am) a bar "
    "each, repeated. "
    "Several are taken in turn.",
    multiple=True,
)
@accompany_option
@click.option("--plot", metavar="P.png", help="Draw the pieces as piano rolls (PNG, SVG or PDF).")
@click.option(
    "--style",
    type=FILE,
    metavar="FILE.mid",
    help="Take the style from a piece, window by window, not from the prior.",
)
@click.option(
    "--drift/--no-drift",
    default=None,
    help=(
        "Go from one random style to another over a piece, or keep one. [default: keep one over "
        "chords]"
    ),
)
@click.option(
    "--label",
    type=click.IntRange(0),
    metavar="N",
    help="Class to draw, for a conditional model of pictures. [default: each in turn]",
)
@click.option(
    "--like", type=FILE, metavar="FILE", help="Draw what is similar to a melody or picture."
)
@click.option(
    "--similarity",
    type=Number(0, 1),
    default=0.5,
    show_default=True,
    metavar="FLOAT",
    help="With --like: 0 has nothing to do with it, 1 is what the model makes of it.",
)
@click.option(
    "--bar", type=click.IntRange(1), metavar="N", help="With --like: bar where its window starts."
)
@click.option(
    "--track",
    type=click.IntRange(1),
    metavar="N",
    help="With --like: its track. [default: most like a tune]",
)
@one_role_option
@click.option(
    "--prior",
    type=click.Choice(["learned", "normal"]),
    default="learned",
    show_default=True,
    help="Where music is drawn from: what the model learned of its data, or N(0, I).",
)
@click.option(
    "--register",
    type=Number(0, 127),
    metavar="PITCH",
    help="Mean MIDI pitch of the draws, where the prior is told of it (60 is middle C).",
)
@click.option(
    "--density",
    type=Number(0, 100),
    metavar="FLOAT",
    help="Note starts a bar of the draws, where the prior is told of it.",
)
@join_option
@wav_option
@job_options()
def sample(
    count: int | None,
    length: int | None,
    qpm: float | None,
    temperature: float,
    chords: tuple[str, ...],
    key: str | None,
    style: str | None,
    drift: bool | None,
    accompany: str | None,
    plot: str | None,
    like: str | None,
    similarity: float,
    bar: int | None,
    track: int | None,
    roles: dict[str, int],
    prior: Literal["learned", "normal"],
    register: float | None,
    density: float | None,
    form: str | None,
    job: Job,
) -> None:
    """Make up new melodies, pictures or sounds (a clip each): points drawn from the prior, decoded.

    With --like the points lie on the way from there to a window of a melody, or to a picture:
    --similarity says how far along the great circle.

    A model that is told of chords plays over the progression that --chords names, and writes it
    into the file as markers.
    Chords are understood by their triad: Am7 is Am, Bb/D is Bb, Bm7b5 is Bdim; Csus4 and C5 are C.
    """
    if like is None:
        _need_like("similarity", "bar", "track", "roles")
    elif style is not None or drift is not None:
        option = "--style" if style is not None else "--drift" if drift else "--no-drift"
        raise click.UsageError(f"{option} does not go with --like", click.get_current_context())
    else:
        _refuse_with_like("prior", "register", "density")
    if form is not None:
        _check_form(length)
    request = Request(
        count,
        length,
        qpm,
        temperature,
        chords,
        key,
        style,
        drift,
        accompany,
        plot,
        like,
        similarity,
        bar,
        track,
        roles,
        prior,
        register,
        density,
        form,
    )
    check_inputs(job, [name for name in (like, style) if name is not None], _ONLY)
    present(job, "sample", request)


def _check_form(length: int | None) -> None:
    """Refuse a form without a length, and options of single windows beside it."""
    context = click.get_current_context()
    if length is None:
        raise click.UsageError("--form goes with --bars N", context)
    for name in ("like", "style", "drift", "chords", "prior", "accompany"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--form does not go with --{name}", context)


def _need_like(*names: str) -> None:
    """Refuse options that go with ``--like`` alone."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = next(known.opts[0] for known in context.command.params if known.name == name)
            raise click.UsageError(f"{option} goes with --like FILE", context)


def _refuse_with_like(*names: str) -> None:
    """Refuse options that do not go with ``--like``."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} does not go with --like", context)
