"""``musae sample``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from musae.options import (
    FILE,
    Console,
    Number,
    chords_options,
    console_options,
    examples,
    model_options,
    one_role_option,
    output_option,
    temperature_option,
)
from musicvae_lite.core.validation import FASTEST, SLOWEST

_EPILOG = examples(
    "musae sample                                 sample-01.mid to sample-04.mid",
    "musae sample --count 1 --seed 7 -o new.mid   one melody",
    "musae sample --length 8 -o new/              four melodies of 8 bars",
    "musae sample --like a.mid --similarity 0.6   four melodies near one",
    'musae sample -m RUN --chords "C Am F G" --length 8     a style each, two bars a chord',
    'musae sample -m RUN --chords "C Am F G" --style a.mid  in the style of a.mid',
    "musae sample -m mnist-vae -o grid.png        25 pictures on one sheet",
    "musae sample -m mnist-cvae --label 7 -o 7/   a file each",
)


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
    "--length",
    type=click.IntRange(1, 10_000),
    metavar="BARS",
    help="Bars of each, a multiple of the model's.",
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
    help="With --like: its track. [default: first usable]",
)
@one_role_option
@model_options()
@console_options
def sample(
    output: str | None,
    overwrite: bool,
    count: int | None,
    length: int | None,
    qpm: float | None,
    temperature: float,
    chords: tuple[str, ...],
    key: str | None,
    style: str | None,
    drift: bool | None,
    label: int | None,
    like: str | None,
    similarity: float,
    bar: int | None,
    track: int | None,
    roles: dict[str, int],
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    """Make up new melodies, pictures or sounds (a clip each): points drawn from the prior, decoded.

    With --like the points lie on the way from there to a window of a melody, or to a picture:
    --similarity says how far along the great circle.

    A model that is told of chords plays over the progression that --chords names, and writes it
    into the file as markers.
    Chords are understood by their triad: Am7 is Am, Bb/D is Bb, Bm7b5 is Bdim; Csus4 and C5 are C.
    """
    from musae.kinds import choose_kind

    if like is None:
        _need_like("similarity", "bar", "track", "roles")
    elif style is not None or drift is not None:
        option = "--style" if style is not None else "--drift" if drift else "--no-drift"
        raise click.UsageError(f"{option} does not go with --like", click.get_current_context())
    music = [
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
    ]
    inputs = [name for name in (like, style) if name is not None]
    kind = choose_kind(model, inputs, music=music, pictures=["label"])
    if kind == "sound":
        from musae.audio import timbre
        from musae.kinds import require_timbre
        from musicvae_lite.core.errors import UsageError

        require_timbre(model)
        if like is not None:
            raise UsageError("--like is for melodies and pictures, not for sounds")
        timbre.sample(timbre.Job(model, device, seed, output, overwrite, console), count or 4)
    elif kind == "pictures":
        from musae.images import verbs
        from musae.images.files import Job

        job = Job(model, device, seed, output, overwrite, console, label)
        verbs.sample(job, count or 25, like, similarity)
    elif like is None:
        told = _Told(chords, key, style, drift)
        _melodies(
            output,
            overwrite,
            count or 4,
            length,
            qpm or 120.0,
            temperature,
            told,
            model,
            device,
            seed,
            console,
        )
    else:
        from musae.music.similar import Wish, similar_melodies

        wish = Wish(
            like,
            similarity,
            count or 4,
            length,
            qpm,
            temperature,
            bar,
            track,
            roles,
            chords or None,
            key,
        )
        paths = _outputs(output, wish.count, overwrite, [like])
        similar_melodies(wish, paths, overwrite, model, device, seed, console)


def _need_like(*names: str) -> None:
    """Refuse options that go with ``--like`` alone."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = next(known.opts[0] for known in context.command.params if known.name == name)
            raise click.UsageError(f"{option} goes with --like FILE", context)


class _Told(NamedTuple):
    """What the melodies are to be like."""

    chords: tuple[str, ...]
    key: str | None
    style: str | None
    drift: bool | None


def _melodies(
    output: str | None,
    overwrite: bool,
    count: int,
    length: int | None,
    qpm: float,
    temperature: float,
    told: _Told,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    from musae.music.reading import conditions_of
    from musae.outputs import write_pieces
    from musicvae_lite.core.errors import UsageError
    from musicvae_lite.music.windows import whole_melody

    paths = _outputs(output, count, overwrite, [told.style] if told.style else [])
    if told.style and told.drift is not None:
        raise UsageError("--style gives every window its style; leave out --drift and --no-drift")
    conditions = conditions_of(model, told.chords or None, told.key)
    codec = conditions.codec
    size = codec.bars
    if length is not None and length % size:
        raise UsageError(
            f"--length {length}: {model} makes pieces of {size} bars and multiples of it"
        )
    style = whole_melody(told.style, codec, model) if told.style else None
    if conditions.control.chords and not told.chords:
        console.note(
            f'{model} is told of chords and hears none; name some, such as --chords "C Am F G"'
        )
    from musicvae_lite.model_dir.handle import load_as
    from musicvae_lite.music.session import MusicSession

    session = load_as(MusicSession, model, device, seed)
    scores = session.sample(
        count,
        temperature,
        length,
        qpm,
        chords=told.chords or None,
        key=told.key,
        style=style,
        drift=told.drift,
    )
    write_pieces(scores, paths, overwrite, console)
    names = [str(path) for path in paths]
    bars = length or conditions.bars(told.chords)
    settings = {"temperature": temperature, "bars": bars, "qpm": qpm, "seed": seed}
    given = {key: value for key, value in told._asdict().items() if value not in ((), None)}
    console.document({"model": model, "count": count, **settings, **given, "outputs": names})


def _outputs(
    output: str | None, count: int, overwrite: bool, inputs: Sequence[str] = ()
) -> list[Path]:
    from musae.outputs import check_files, check_in_folder, is_folder, midi_file
    from musicvae_lite.core.errors import UsageError

    if output is None or is_folder(output):
        digits = max(2, len(str(count)))
        names = [f"sample-{number:0{digits}}.mid" for number in range(1, count + 1)]
        return check_in_folder(Path(output or "."), names, overwrite, inputs)
    path = midi_file(output)
    if count > 1:
        raise UsageError(
            f"{output}: one file cannot hold {count} samples; add --count 1, or a slash for a "
            f"folder ({path.stem}/)"
        )
    check_files([path], overwrite, inputs)
    return [path]
