"""``musae attribute``: pieces moved along attribute vectors, and vectors learned."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from musae.audio.render import sounds_asked
from musae.job import Job
from musae.music.pictures import pictures_asked
from musae.music.reading import check_keep_tracks, codec_of, edited, remark, remark_register
from musae.options import Console
from musae.outputs import one_each, write_pieces, write_together
from musicvae_lite.core.errors import UsageError

if TYPE_CHECKING:
    from musae.verbs.attribute import Request
    from musicvae_lite.music.attribute_vectors import AttributeVectors
    from musicvae_lite.music.verbs.attribute import Changed
    from musicvae_lite.music.windows import Passage


def attribute(job: Job, request: Request) -> None:
    """Change a piece, list the vectors of a model, or learn them."""
    if request.learn:
        _learn(job, request)
        return
    vectors = _vectors(job)
    if request.file is None:
        _list(job, vectors)
        return
    if not request.moves:
        raise click.UsageError(
            f"say what to change, such as {vectors.names[0]}+1; {job.model} has "
            f"{', '.join(vectors.names)}",
            click.get_current_context(),
        )
    vectors.direction(request.moves)  # a name without a vector is refused now
    _change(job, request, request.file, vectors)


def _vectors(job: Job) -> AttributeVectors:
    from musicvae_lite.config import SequenceModel
    from musicvae_lite.music.attribute_vectors import load_vectors

    description = job.handle.description
    assert isinstance(description.config.model, SequenceModel)
    size = description.config.model.latent_size
    return load_vectors(description.folder, description.sha256, size, job.model)


def _learn(job: Job, request: Request) -> None:
    if not request.data:
        raise UsageError(
            "attribute vectors are learned from a prepared corpus; name it with --data ('musae "
            "prepare' makes one)"
        )
    from musicvae_lite.music.evaluate.attributes import WINDOWS
    from musicvae_lite.music.evaluate.scoring import learn_attributes

    limit = request.limit or WINDOWS
    _list(job, learn_attributes(job.model, request.data, limit, job.device, job.seed))


def _list(job: Job, vectors: AttributeVectors) -> None:
    """Show what each vector does to every attribute."""
    console, model = job.console, job.model
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


def _change(job: Job, request: Request, file: str, vectors: AttributeVectors) -> None:
    paths = one_each(job.output, [Path(file).stem], "changed", job.overwrite, [file])
    sounds, pictures = sounds_asked(job, paths, [file]), pictures_asked(job, paths, [file])
    passage = _read(job, request, file)
    from musicvae_lite.music.session import MusicSession
    from musicvae_lite.music.verbs.attribute import change

    moves = request.moves
    alone, keep_tracks = request.bar is not None, request.keep_tracks
    result = change(job.load(MusicSession), passage, moves, alone, keep_tracks)
    remark_register(job.console, result.passage)
    expected = vectors.expected(moves)
    units = dict(zip(vectors.names, vectors.units, strict=True))
    _report(result, moves, expected, units, job.console)
    if keep_tracks:
        data = edited(file, passage, result.score)
        write_together({paths[0]: data, **sounds.of(paths[0], data)}, job.overwrite)
        job.console.show(f"wrote {paths[0]}")
    else:
        write_pieces([result.score], paths, job.overwrite, job.console, sounds)
    pictures.add(paths[0], result.score)
    drawn = pictures.write()
    if not len(result.score.notes):
        job.console.warn(f"{paths[0]}: holds no note; add less")
    document = {"moves": moves, "expected": expected, "output": str(paths[0])} | sounds.made(
        paths[0]
    )
    job.console.document({"model": job.model, **result.as_dict(), **document, **drawn})


def _read(job: Job, request: Request, file: str) -> Passage:
    from musicvae_lite.music.windows import one_window, whole_melody

    codec, track, roles = codec_of(job.handle), request.track, request.roles
    check_keep_tracks(request.keep_tracks, codec, job.model)
    if request.bar is None:
        passage = whole_melody(file, codec, job.model, track, roles=roles, overlapping=True)
    else:
        passage = one_window(file, codec, job.model, track, request.bar, roles)
    remark(job.console, codec, passage)
    return passage


def _report(
    result: Changed,
    moves: dict[str, float],
    expected: dict[str, float],
    units: dict[str, str],
    console: Console,
) -> None:
    """Say for each attribute what the piece has, what the model makes of it, and what
    became of it.
    """

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
