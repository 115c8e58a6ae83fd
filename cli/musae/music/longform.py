"""``musae sample --bars``, ``continue``, ``infill`` and ``vary``: long pieces of music."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from musae.audio.render import sounds_asked
from musae.job import Job
from musae.music.reading import codec_of, edited, remark
from musae.outputs import (
    check_files,
    check_in_folder,
    is_folder,
    midi_file,
    one_each,
    write_together,
)
from musae.words import counted
from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.model_dir.handle import open_model
from musicvae_lite.music.longform.file import models_with_longform, need_longform

if TYPE_CHECKING:
    from musae.verbs.continue_ import Request as ContinueRequest
    from musae.verbs.infill import Request as InfillRequest
    from musae.verbs.sample import Request as SampleRequest
    from musae.verbs.vary import Request as VaryRequest
    from musicvae_lite.media.midi import Score
    from musicvae_lite.music.longform.line import Line
    from musicvae_lite.music.longform.model import LongForm, Manner
    from musicvae_lite.music.longform.pieces import Made
    from musicvae_lite.music.windows import Passage


def sample_long(job: Job, request: SampleRequest, paths: Sequence[Path]) -> list[Score]:
    """Draw pieces with a form, in one key, and return them."""
    from musae.outputs import write_pieces
    from musicvae_lite.music.keys import key_name, key_number
    from musicvae_lite.music.longform.form import read_form
    from musicvae_lite.music.longform.limits import check_bars

    bars = check_bars(request.length or 0, "--bars")
    need_longform(job.handle.description, job.model, "--form")
    form = None if request.form is None else read_form(request.form, bars)
    key = None if request.key is None else key_number(request.key)
    from musicvae_lite.music.longform.model import Manner
    from musicvae_lite.music.longform.pieces import compose
    from musicvae_lite.music.prior_features import Wish

    model = _load(job)
    if key is not None and not any(model.codec.pitches):
        raise UsageError(f"--key {request.key}: {job.model} makes drums, which have no key")
    wish = Wish(key, request.register, request.density)
    model.features.check(wish, job.model)
    # The default is that of windows that are decoded.
    source = click.get_current_context().get_parameter_source("temperature")
    asked = source is click.core.ParameterSource.COMMANDLINE
    temperature = request.temperature if asked else 1.0
    manner = Manner(temperature, key, wish=wish)
    pieces = [compose(model, bars, number, job.seed, manner, form) for number in range(len(paths))]
    names = [
        f"{model.codec.track_name} {number + 1}"
        + ("" if piece.key is None else f" in {key_name(piece.key)}")
        for number, piece in enumerate(pieces)
    ]
    qpm, codec = request.qpm or 120.0, model.codec
    arrays = [piece.events.astype(codec.dtype) for piece in pieces]
    windows = [array[:, 0] if len(codec.shape) == 1 else array for array in arrays]
    scores = [
        codec.decode(window, qpm, name=name) for window, name in zip(windows, names, strict=True)
    ]
    sounds = sounds_asked(job, paths, [])
    write_pieces(scores, paths, job.overwrite, job.console, sounds)
    for path, piece in zip(paths, pieces, strict=True):
        told = "" if piece.key is None else f"{key_name(piece.key)}, "
        job.console.show(f"{path}: {told}form {piece.form}")
    facts = [
        {
            "output": str(path),
            "key": None if piece.key is None else key_name(piece.key),
            "form": piece.form,
            "nats_per_event": piece.cost,
        }
        for path, piece in zip(paths, pieces, strict=True)
    ]
    settings = {"temperature": temperature, "bars": bars, "qpm": qpm, "seed": job.seed}
    document = {"pieces": facts, "outputs": [str(path) for path in paths]}
    job.console.document({"model": job.model, "count": len(paths), **settings, **document})
    return scores


def continue_(job: Job, request: ContinueRequest) -> None:
    """Go on from where a piece ends."""
    from musicvae_lite.music.longform.limits import check_bars

    bars = check_bars(request.bars, "--bars")
    paths = _paths(job, request.file, "continued", request.attempts)
    passage, line = _read(job, request.file, request.track, request.roles, end=True)
    ends, piece = line.first_bar + line.heard_bars, passage.score.bars
    if 0 < line.heard_bars and ends < piece:
        job.console.warn(
            f"{passage.source}: {passage.place} ends in bar {ends}, other tracks in bar {piece}; "
            "what is new sounds with those (--track chooses another)"
        )
    from musicvae_lite.music.longform.pieces import going_on

    model = _load(job)
    made = going_on(model, line, bars, job.seed, request.attempts, _manner(request))
    _tell(job, passage, made, paths)


def infill(job: Job, request: InfillRequest) -> None:
    """Write bars of a piece anew, between those that stay."""
    from musicvae_lite.music.longform.spans import read_bars, read_beats, to_fill

    first, _ = read_bars(request.bars)[0]
    for text in request.keep:
        read_beats(text)
    paths = _paths(job, request.file, "filled", request.attempts)
    passage, line = _read(job, request.file, request.track, request.roles, first - 1)
    gone = to_fill(line, request.bars, request.keep, request.voice)
    from musicvae_lite.music.longform.pieces import fill_in

    model = _load(job)
    made = fill_in(model, line, gone, job.seed, request.attempts, _manner(request))
    _tell(job, passage, made, paths)


def vary(job: Job, request: VaryRequest) -> None:
    """Write a share of a piece anew."""
    paths = _paths(job, request.file, "varied", request.count)
    passage, line = _read(job, request.file, request.track, request.roles)
    from musicvae_lite.music.longform.pieces import vary as varied

    model = _load(job)
    made = varied(model, line, request.amount, job.seed, request.count, _manner(request))
    _tell(job, passage, made, paths)


def _manner(request: ContinueRequest | InfillRequest | VaryRequest) -> Manner:
    from musicvae_lite.music.keys import key_number
    from musicvae_lite.music.longform.model import Manner

    key = None if request.key is None else key_number(request.key)
    return Manner(request.temperature, key, outside=1.0 if key is None else 2.5)


def _load(job: Job) -> LongForm:
    from musicvae_lite.core.batched import one_thread
    from musicvae_lite.music.longform.model import load_longform

    with one_thread():
        return load_longform(job.handle.description, job.model)


def _read(
    job: Job,
    file: str,
    track: int | None,
    roles: dict[str, int],
    bar: int | None = None,
    end: bool = False,
) -> tuple[Passage, Line]:
    """Read the tracks of a piece that the model hears.

    Raises:
        UsageError: a model without long pieces; no such bar or track.
        NothingUsableError: nothing the model hears; the models that hear something are named.
    """
    from musicvae_lite.music.longform.line import line_of
    from musicvae_lite.music.windows import whole_melody

    need_longform(job.handle.description, job.model, "this")
    codec = codec_of(job.handle)
    try:
        passage = whole_melody(file, codec, job.model, track, roles=roles)
    except NothingUsableError as error:
        others = _hear(file, job.model) if track is None else []
        more = f"; {' and '.join(others)} can use it (-m {others[0]})" if others else ""
        raise NothingUsableError(f"{error}{more}") from error
    remark(job.console, codec, passage)
    where = int(passage.bars[-1]) - 1 if end else bar
    return passage, line_of(passage, codec, where)


def _hear(file: str, besides: str) -> list[str]:
    """Return the models of long pieces that hear something in a file."""
    from musicvae_lite.music.windows import whole_melody

    found = []
    for name in models_with_longform():
        if name != besides:
            try:
                whole_melody(file, codec_of(open_model(name)), name)
            except NothingUsableError:
                continue
            found.append(name)
    return found


def _paths(job: Job, file: str, kind: str, count: int) -> list[Path]:
    """Return the files to write, after checking that they can be."""
    stem = Path(file).stem
    if count == 1:
        return one_each(job.output, [stem], kind, job.overwrite, [file])
    if job.output is not None and not is_folder(job.output):
        path = midi_file(job.output)
        names = [f"{path.stem}-{number}.mid" for number in range(1, count + 1)]
        paths = [path.with_name(name) for name in names]
        check_files(paths, job.overwrite, [file])
        return paths
    names = [f"{stem}.{kind}-{number}.mid" for number in range(1, count + 1)]
    return check_in_folder(Path(job.output or "."), names, job.overwrite, [file])


def _tell(job: Job, passage: Passage, made: Made, paths: Sequence[Path]) -> None:
    """Write pieces into the file that they are of, and say what is new."""
    import numpy as np

    from musicvae_lite.music.keys import key_name
    from musicvae_lite.music.windows import spans

    files = {
        path: edited(passage.source, passage, score)
        for path, score in zip(paths, made.scores, strict=True)
    }
    write_together(files, job.overwrite)
    key = None if made.key is None else key_name(made.key)
    where = f"bar{'' if len(made.bars) == 1 else 's'} {spans(np.array(made.bars))}"
    told = "" if key is None else f", in {key}"
    job.console.show(f"{passage.source}: {passage.place}, new in {where}{told}")
    for path, cost, notes in zip(paths, made.costs, made.notes, strict=True):
        job.console.show(f"wrote {path}: {counted(notes, 'new note')}, {cost:.2f} nats an event")
        if not notes:
            job.console.warn(f"{path}: nothing but rests is new; another --seed gives others")
    attempts = [
        {"output": str(path), "new_notes": notes, "nats_per_event": cost}
        for path, cost, notes in zip(paths, made.costs, made.notes, strict=True)
    ]
    facts = {"file": passage.source, "track": passage.track, "key": key, "bars": list(made.bars)}
    document = {"attempts": attempts, "outputs": [str(path) for path in paths], "seed": job.seed}
    job.console.document({"model": job.model, **facts, **document})
