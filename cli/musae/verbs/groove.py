"""``musae groove`` and its verbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from musae.job import Job, job_options, present
from musae.options import (
    FILE,
    Number,
    examples,
    for_each,
    join_option,
    numbers_each,
    output_option,
    plot_option,
    temperature_option,
    wav_option,
)

if TYPE_CHECKING:
    from musicvae_lite.music.session import MusicSession
    from musicvae_lite.music.verbs.groove import Grooved
    from musicvae_lite.music.windows import Passage

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULT = "groove-2bar"
_EPILOG = examples(
    "musae groove humanize beat.mid                       beat.humanized.mid",
    "musae groove humanize song.mid --keep-tracks         with the other instruments",
    (
        "musae groove tap taps.mid                            taps.beat.mid: a whole kit to a "
        "tapped "
        "rhythm"
    ),
    "musae groove add beat.mid                            beat.added.mid: with a closed hi-hat",
    "musae groove add beat.mid --drum ride",
    (
        "musae groove transfer funk.mid beat.mid              beat.grooved.mid: beat.mid played as "
        "funk.mid is"
    ),
)


@dataclass(frozen=True)
class Request:
    """What is to be done with drums.

    Attributes:
        files: the inputs.
        track: of the drums, or None for all drum tracks.
        kind: what goes into the names of the outputs.
        ready: checks before torch is loaded that the model can.
        do: what is done with a piece.
        keep_tracks: keep all else of the files.
        temperature: of what is drawn.
        taps: all notes are heard, whatever their pitch.
        others: further inputs.
    """

    files: tuple[str, ...]
    track: int | None
    kind: str
    ready: Callable[[], object]
    do: Callable[[MusicSession, Passage], Grooved]
    keep_tracks: bool
    temperature: float
    taps: bool = False
    others: tuple[str, ...] = ()


@click.group(epilog=_EPILOG, subcommand_metavar="VERB ...")
def groove() -> None:
    """Give drums velocities and timing, or more drums.

    The drum tracks (channel 10) of a file are read over its whole length, on the grid of the model:
    of a drum the loudest hit at each step. One track of drums comes out, with the tempos of the
    file.
    """


def _options(function: F) -> F:
    """Add what all verbs here have but inputs, output and track."""
    keep = click.option(
        "--keep-tracks",
        is_flag=True,
        help="Change only the drums in the file, and keep everything else.",
    )
    return keep(
        temperature_option(0.0)(
            plot_option(wav_option(join_option(job_options(_DEFAULT)(function))))
        )
    )


def _files(kind: str) -> Callable[[F], F]:
    """Add inputs, output and track of a verb that writes FILE.KIND.mid for each file."""

    def decorate(function: F) -> F:
        track = click.option(
            "--track",
            type=click.IntRange(1),
            metavar="N",
            help="Track of the drums, of any channel. [default: all drum tracks]",
        )
        output = output_option(
            f"Folder (DIR/) for FILE.mid each, or the one file. [default: FILE.{kind}.mid here]"
        )
        return click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")(
            output(track(function))
        )

    return decorate


@groove.command()
@_files("humanized")
@click.option(
    "--amount",
    type=Number(0, 2),
    default=1.0,
    show_default=True,
    metavar="FLOAT",
    help="How far from the file (0) to the drummer (1) timing and accents go.",
)
@click.option("--timing-only", is_flag=True, help="Leave the velocities as they are.")
@click.option("--velocity-only", is_flag=True, help="Leave the timing as it is.")
@_options
def humanize(
    files: tuple[str, ...],
    track: int | None,
    amount: float,
    timing_only: bool,
    velocity_only: bool,
    keep_tracks: bool,
    temperature: float,
    job: Job,
) -> Any:
    """Play drums as a drummer would: new accents and timing.

    What is hit where stays as it is, and so does how loud each drum is on average; the new timing
    is on the grid on average. With --keep-tracks every hit stays in its track, and is moved and
    scaled there; without, of several hits of a drum within one step (a roll) the loudest alone is
    played, and what is lost is counted.
    """
    from musicvae_lite.music.data.groove_inputs import HUMANIZE
    from musicvae_lite.music.groove_windows import check_task

    if timing_only and velocity_only:
        context = click.get_current_context()
        raise click.UsageError("--timing-only and --velocity-only leave nothing to do", context)

    def do(session: MusicSession, passage: Passage) -> Grooved:
        from musicvae_lite.music.verbs.groove import humanize
        from musicvae_lite.music.verbs.groove_hits import Feel

        feel = Feel(amount, timing=not velocity_only, velocity=not timing_only)
        return humanize(session, passage, track, temperature, feel)

    def ready() -> None:
        check_task(job.handle.config, job.model, HUMANIZE)

    request = Request(files, track, "humanized", ready, do, keep_tracks, temperature)
    return present(job, "groove", request)


@groove.command()
@_files("beat")
@_options
def tap(
    files: tuple[str, ...], track: int | None, keep_tracks: bool, temperature: float, job: Job
) -> Any:
    """Make a beat of a tapped rhythm.

    When it was tapped counts, not on what: all notes of the drum tracks, or of the track that is
    named.
    """
    from musicvae_lite.music.data.groove_inputs import TAP
    from musicvae_lite.music.groove_windows import check_task

    def do(session: MusicSession, passage: Passage) -> Grooved:
        from musicvae_lite.music.verbs.groove import tap

        return tap(session, passage, track, temperature)

    def ready() -> None:
        check_task(job.handle.config, job.model, TAP)

    request = Request(files, track, "beat", ready, do, keep_tracks, temperature, taps=True)
    return present(job, "groove", request)


@groove.command()
@_files("added")
@click.option(
    "--drum",
    default="closed-hi-hat",
    show_default=True,
    metavar="NAME",
    help=(
        "Drum to add: kick, snare, closed-hi-hat, open-hi-hat, low-tom, mid-tom, high-tom, "
        "crash, ride."
    ),
)
@_options
def add(
    files: tuple[str, ...],
    track: int | None,
    drum: str,
    keep_tracks: bool,
    temperature: float,
    job: Job,
) -> Any:
    """Add a drum that goes with the others, which stay as they are.

    What the file has of that drum is left out; how much is said. Of several hits of another drum
    within one step (a roll) the loudest stays; what is lost is counted. Where the model by itself
    would not play the drum at all, it is played as often as the model usually plays it, at the
    likeliest steps.
    """
    from musicvae_lite.music.groove_windows import drum_named, shown_as_unknown

    number = drum_named(drum)

    def do(session: MusicSession, passage: Passage) -> Grooved:
        from musicvae_lite.music.verbs.groove import add

        return add(session, passage, number, track, temperature)

    def ready() -> None:
        shown_as_unknown(job.handle.config, job.model, number)

    request = Request(files, track, "added", ready, do, keep_tracks, temperature)
    return present(job, "groove", request)


@groove.command()
@click.argument("a", type=FILE, metavar="A.mid")
@click.argument("b", type=FILE, metavar="B.mid")
@output_option("The file to write. [default: B.grooved.mid here]")
@click.option(
    "--track",
    callback=numbers_each,
    metavar="N[,M]",
    help="Track of the drums of A (and B). [default: all drum tracks]",
)
@_options
def transfer(
    a: str,
    b: str,
    track: tuple[int, ...] | None,
    keep_tracks: bool,
    temperature: float,
    job: Job,
) -> Any:
    """Play the hits of B with the groove of A: its velocities and timing.

    The windows of A serve those of B one after the other, over and over where B is longer.
    """
    from musae.music.reading import codec_of
    from musicvae_lite.music.data.groove_inputs import WHOLE
    from musicvae_lite.music.groove_windows import check_task, to_the_end
    from musicvae_lite.music.windows import whole_melody

    first, second = for_each(track, "--track", 2)
    read: list[Passage] = []

    def ready() -> None:
        check_task(job.handle.config, job.model, WHOLE)
        read.append(whole_melody(a, to_the_end(codec_of(job.handle)), job.model, first))

    def do(session: MusicSession, passage: Passage) -> Grooved:
        from musicvae_lite.music.verbs.groove import transfer

        return transfer(session, read[0], passage, (first, second), temperature)

    request = Request((b,), second, "grooved", ready, do, keep_tracks, temperature, others=(a,))
    return present(job, "groove", request)
