"""``musae attribute``."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from musae.options import (
    FILE,
    Console,
    console_options,
    examples,
    model_options,
    one_role_option,
    output_option,
)

if TYPE_CHECKING:
    from musicvae_lite.music.attribute_vectors import AttributeVectors
    from musicvae_lite.music.verbs.attribute import Changed

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
@click.option(
    "--track", type=click.IntRange(1), metavar="N", help="Track to use. [default: first usable]"
)
@one_role_option
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
@model_options()
@console_options
def attribute(
    file: str | None,
    moves: dict[str, float],
    output: str | None,
    overwrite: bool,
    bar: int | None,
    track: int | None,
    roles: dict[str, int],
    learn: bool,
    data: tuple[str, ...],
    limit: int | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    """Give a melody more or less of something: more notes, wider intervals, a higher register.

    \b
    melody: density, syncopation (sixteenths), syncopation8 (eighths), diatonic (C major), interval, register
    drums:  density, syncopation, syncopation8 (both of kick and snare), hihat, kick, snare (shares of the hits);
            of grooves also velocity and timing
    trio:   those of its melody, and density_all
    bands:  density of all instruments, register of those with pitch, instruments (how many)

    NAME+1 adds the vector of NAME once: the mean code of the training windows that have most of it (a quarter) less that of
    those that have least. What that does to each attribute is in the model's card and attributes.png; other attributes may
    move, too. A model that is told of chords keeps those of the file. Without FILE the verb lists the vectors of the model.
    """  # noqa: D301 (click looks for this very character)
    from musae.kinds import choose_kind
    from musicvae_lite.core.errors import UsageError

    if file is not None and _MOVE.fullmatch(file) and not Path(file).exists():
        raise click.UsageError(
            f"no file to change: musae attribute FILE.mid {file}", click.get_current_context()
        )
    if choose_kind(model, () if file is None else (file,)) != "music":
        raise UsageError(
            f"{model} is no model of music; attributes are those of melodies, drums, trios and "
            "bands"
        )
    context = click.get_current_context()
    if learn:
        if file is not None or output is not None:
            raise click.UsageError(
                "--learn takes --data CORPUS and --model, no file and no output", context
            )
        _learn(model, data, limit, device, seed, console)
        return
    if data or limit is not None:
        raise click.UsageError(f"{'--data' if data else '--limit'} goes with --learn", context)
    vectors = _vectors(model)
    if file is None:
        _list(vectors, model, console)
        return
    if not moves:
        raise click.UsageError(
            (
                f"say what to change, such as {vectors.names[0]}+1; {model} has "
                f"{', '.join(vectors.names)}"
            ),
            context,
        )
    vectors.direction(moves)  # a name without a vector is told of now
    _change(
        file, moves, vectors, output, overwrite, bar, track, roles, model, device, seed, console
    )


def _vectors(model: str) -> AttributeVectors:
    from musicvae_lite.config import SequenceModel
    from musicvae_lite.model_dir.bundle import describe
    from musicvae_lite.music.attribute_vectors import load_vectors

    description = describe(model)
    assert isinstance(description.config.model, SequenceModel)
    return load_vectors(
        description.folder, description.sha256, description.config.model.latent_size, model
    )


def _learn(
    model: str, data: tuple[str, ...], limit: int | None, device: str, seed: int, console: Console
) -> None:
    from musicvae_lite.core.errors import UsageError

    if not data:
        raise UsageError(
            "attribute vectors are learned from a prepared corpus; name it with --data ('musae "
            "prepare' makes one)"
        )
    from musicvae_lite.music.evaluate.attributes import WINDOWS
    from musicvae_lite.music.evaluate.scoring import learn_attributes

    _list(learn_attributes(model, data, limit or WINDOWS, device, seed), model, console)


def _list(vectors: AttributeVectors, model: str, console: Console) -> None:
    """Show what each vector does to every attribute."""
    width = max(map(len, vectors.names)) + 2
    console.answer(f"{model}: what adding a vector once does to each attribute")
    console.answer(" " * width + "".join(f"{name:>{width}}" for name in vectors.names))
    for name, row in zip(vectors.names, vectors.effects.tolist(), strict=True):
        console.answer(f"{name:<{width}}" + "".join(f"{value:>+{width}.2g}" for value in row))
    columns = (vectors.units, vectors.contrast.tolist(), vectors.spread.tolist())
    facts = {
        name: {
            "unit": unit,
            "quartile_difference": contrast,
            "standard_deviation": spread,
            "effects": vectors.expected({name: 1}),
        }
        for name, unit, contrast, spread in zip(vectors.names, *columns, strict=True)
    }
    console.document({"model": model, "learned": dict(vectors.learned), "attributes": facts})


def _change(
    file: str,
    moves: dict[str, float],
    vectors: AttributeVectors,
    output: str | None,
    overwrite: bool,
    bar: int | None,
    track: int | None,
    roles: dict[str, int],
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    from musae.music.reading import codec_of
    from musae.outputs import one_each, write_pieces
    from musicvae_lite.music.windows import one_window, whole_melody

    paths = one_each(output, [Path(file).stem], "changed", overwrite, [file])
    codec = codec_of(model)
    if bar is None:
        passage = whole_melody(file, codec, model, track, roles=roles, overlapping=True)
    else:
        passage = one_window(file, codec, model, track, bar, roles)
    from musicvae_lite.model_dir.handle import load_as
    from musicvae_lite.music.session import MusicSession
    from musicvae_lite.music.verbs.attribute import change

    result = change(
        load_as(MusicSession, model, device, seed), passage, moves, alone=bar is not None
    )
    expected = vectors.expected(moves)
    _report(result, moves, expected, dict(zip(vectors.names, vectors.units, strict=True)), console)
    write_pieces([result.score], paths, overwrite, console)
    if not len(result.score.notes):
        console.warn(f"{paths[0]}: holds no note; add less")
    document = {"moves": moves, "expected": expected, "output": str(paths[0])}
    console.document({"model": model, **result.as_dict(), **document})


def _report(
    result: Changed,
    moves: dict[str, float],
    expected: dict[str, float],
    units: dict[str, str],
    console: Console,
) -> None:
    """Say for each attribute what the piece has, what the model makes of it, and what became of it."""

    def shown(value: float) -> str:
        return "-" if math.isnan(value) else f"{value:.2f}"

    width = max(map(len, result.given))
    bars = f"{len(result.windows):,} window" + ("" if len(result.windows) == 1 else "s")
    console.show(f"{result.passage.source}: {result.passage.place}, {bars}")
    console.show(f"{'':{width}}  {'file':>7} {'before':>7} {'after':>7}  expected change")
    for name, given in result.given.items():
        values = " ".join(
            f"{shown(value):>7}" for value in (given, result.before[name], result.after[name])
        )
        asked = f"  ({name}{moves[name]:+g})" if name in moves else ""
        change = f"{expected[name]:+.2g}" if name in expected else ""
        console.show(f"{name:{width}}  {values}  {change} {units.get(name, '')}{asked}")
