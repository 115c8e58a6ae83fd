"""``musae attribute``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from musae.job import Job, check_inputs, job_options, present
from musae.options import (
    FILE,
    examples,
    join_option,
    one_role_option,
    output_option,
    plot_option,
    track_option,
    wav_option,
)

_EPILOG = examples(
    "musae attribute song.mid density+1                       song.changed.mid, with more notes",
    "musae attribute song.mid register-2 density+0.5 -o x.mid",
    "musae attribute song.mid diatonic+1 --bar 5              bars 5 and 6 alone",
    "musae attribute --learn --data corpus -m run             vectors for a model of your own",
)
_MOVE = re.compile(r"([A-Za-z]\w*)([+-](?:\d+\.?\d*|\.\d+))")


def _moves(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, float]:
    """Parse ``NAME+0.5`` and ``NAME-0.5``."""
    strengths: dict[str, float] = {}
    for value in values:
        found = _MOVE.fullmatch(value)
        if found is None:
            raise click.BadParameter(f"{value!r} is not NAME+0.5 or NAME-0.5", ctx, parameter)
        name, strength = found[1], float(found[2])
        if name in strengths or abs(strength) > 100:
            raise click.BadParameter(
                f"{value!r}: each name once, from -100 to +100", ctx, parameter
            )
        strengths[name] = strength
    return strengths


@dataclass(frozen=True)
class Request:
    """What was asked for; None where nothing was said.

    Attributes:
        file: the piece to change; without it the attributes are listed.
        moves: how far along the vector of each attribute.
        bar: only the window that starts there.
        track: track to use.
        roles: tracks of the voices.
        keep_tracks: keep all else of the file.
        learn: learn the vectors from ``data``.
        data: prepared corpora.
        limit: windows to learn from.
    """

    file: str | None
    moves: dict[str, float]
    bar: int | None
    track: int | None
    roles: dict[str, int]
    keep_tracks: bool
    learn: bool
    data: tuple[str, ...]
    limit: int | None


@click.command(epilog=_EPILOG)
@click.argument("file", required=False, type=FILE, metavar="FILE.mid")
@click.argument("moves", nargs=-1, callback=_moves, metavar="NAME+0.5...")
@output_option("The file, or a folder (DIR/) for FILE.mid in it. [default: FILE.changed.mid here]")
@click.option(
    "--bar",
    type=click.IntRange(1),
    metavar="N",
    help="Only the window that starts there. [default: the whole melody]",
)
@track_option
@one_role_option
@click.option(
    "--keep-tracks",
    is_flag=True,
    help="Write the whole file: only notes of the track are replaced, in their bars.",
)
@click.option(
    "--learn",
    is_flag=True,
    help="Learn the vectors of --model from --data, and keep them in its folder.",
)
@click.option(
    "--data", multiple=True, type=FILE, metavar="CORPUS", help="With --learn: prepared corpora."
)
@click.option(
    "--limit",
    type=click.IntRange(8),
    metavar="N",
    help="With --learn: windows to learn from. [default: 10000]",
)
@join_option
@plot_option
@wav_option
@job_options()
def attribute(
    file: str | None,
    moves: dict[str, float],
    bar: int | None,
    track: int | None,
    roles: dict[str, int],
    keep_tracks: bool,
    learn: bool,
    data: tuple[str, ...],
    limit: int | None,
    job: Job,
) -> None:
    """Give a melody more or less of something: more notes, wider intervals, a higher register.

    \b
    melody: density, syncopation (sixteenths), syncopation8 (eighths), diatonic (C major),
            interval, register
    drums:  density, syncopation, syncopation8 (both of kick and snare), hihat, kick, snare
            (shares of the hits); of grooves also velocity and timing
    trio:   those of its melody, and density_all
    bands:  density of all instruments, register of those with pitch, instruments (how many)

    NAME+1 adds the vector of NAME once: about a standard deviation more of it, and as little of all
    else as can be. What that does to each attribute is in the model's card and attributes.png. A
    model that is told of chords
    keeps those of the file. Without FILE the verb lists the vectors of the model.
    """  # noqa: D301 (click looks for this very character)
    context = click.get_current_context()
    if file is not None and _MOVE.fullmatch(file) and not Path(file).exists():
        raise click.UsageError(f"no file to change: musae attribute FILE.mid {file}", context)
    check_inputs(job, () if file is None else (file,))
    if learn and (file is not None or job.output is not None):
        raise click.UsageError(
            "--learn takes --data CORPUS and --model, no file and no output", context
        )
    if not learn and (data or limit is not None):
        raise click.UsageError(f"{'--data' if data else '--limit'} goes with --learn", context)
    if keep_tracks and bar is not None:
        raise click.UsageError("--bar gives one window alone; it keeps no other tracks", context)
    request = Request(file, moves, bar, track, roles, keep_tracks, learn, data, limit)
    present(job, "attribute", request)
