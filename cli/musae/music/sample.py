"""``musae sample`` of music: pieces drawn from the prior, over chords, or near a given one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musae.audio.render import sounds_asked
from musae.job import Job
from musae.music.reading import (
    check_accompany,
    codec_of,
    conditions_of,
    drawn_lightly,
    noticed,
    place,
    played_too,
    remark,
    remark_register,
)
from musae.outputs import (
    check_files,
    check_in_folder,
    is_folder,
    midi_file,
    write_pieces,
    write_together,
)
from musae.words import percent
from musicvae_lite.core.errors import UsageError
from musicvae_lite.model_dir.prior_file import has_prior
from musicvae_lite.music.longform.file import has_longform

if TYPE_CHECKING:
    from musae.verbs.sample import Request
    from musicvae_lite.media.midi import Score
    from musicvae_lite.music.conditioning.conditions import Conditions

_COUNT = 4


def sample(job: Job, request: Request) -> None:
    """Draw pieces from the prior, or near a window of a piece."""
    if _is_long(job, request):
        from musae.music.longform import sample_long

        paths = _outputs(job, request.count or _COUNT)
        _check_plot(job, request, len(paths))
        _plot(job, request, sample_long(job, request, paths), paths)
        return
    if request.like is not None:
        _sample_like(job, request, request.like)
        return
    from musicvae_lite.music.windows import whole_melody

    count, qpm = request.count or _COUNT, request.qpm or 120.0
    styles = [request.style] if request.style else []
    paths = _outputs(job, count, styles)
    _check_plot(job, request, count)
    sounds = sounds_asked(job, paths, styles)
    conditions = _check(job, request)
    style = whole_melody(request.style, conditions.codec, job.model) if request.style else None
    if style is not None:
        remark(job.console, conditions.codec, style)
    if conditions.control.chords and not request.chords:
        job.console.note(
            f'{job.model} is told of chords and hears none; name some, such as --chords "C Am F G"'
        )
    from musicvae_lite.music.session import MusicSession

    bars = request.length or conditions.bars(request.chords, request.key)
    drawn = drawn_lightly(job.handle, request.prior if style is None else "normal")
    windows = count * bars // conditions.codec.bars if drawn else None
    scores = job.load(MusicSession, windows).sample(
        count,
        request.temperature,
        request.length,
        qpm,
        chords=request.chords or None,
        key=request.key,
        style=style,
        drift=request.drift,
        prior=request.prior,
        register=request.register,
        density=request.density,
    )
    scores = [played_too(score, request.accompany) for score in scores]
    write_pieces(scores, paths, job.overwrite, job.console, sounds)
    _plot(job, request, scores, paths)
    settings = {"temperature": request.temperature, "bars": bars, "qpm": qpm, "seed": job.seed}
    wishes = (
        "chords",
        "key",
        "style",
        "drift",
        "prior",
        "register",
        "density",
        "accompany",
        "plot",
    )
    told = {key: getattr(request, key) for key in wishes}
    given = {key: value for key, value in told.items() if value not in ((), None)}
    names = [str(path) for path in paths]
    job.console.document(
        {"model": job.model, "count": count, **settings, **given, "outputs": names}
    )


def _is_long(job: Job, request: Request) -> bool:
    """Say whether the model of long pieces draws: of more bars than a window, and as the model
    likes.
    """
    if request.form is not None:
        return True
    asked = (request.like, request.style, request.chords, request.accompany)
    if any(asked) or request.drift is not None or request.prior == "normal":
        return False
    longer = request.length is not None and request.length > codec_of(job.handle).bars
    return longer and has_longform(job.handle.description.folder)


def _check(job: Job, request: Request) -> Conditions:
    """Return what the model is conditioned on, after refusing options that do not go together.

    Raises:
        UsageError: naming them.
    """
    from musicvae_lite.music.conditioning.conditions import names_degrees
    from musicvae_lite.music.prior_features import read_wish

    if request.style and request.drift is not None:
        raise UsageError("--style gives every window its style; leave out --drift and --no-drift")
    description = job.handle.description
    learned = request.prior == "learned"
    there = learned and has_prior(description.folder)
    key = request.key if not there or names_degrees(request.chords) else None
    conditions = conditions_of(job.handle, request.chords or None, key)
    read_wish(
        description,
        job.model,
        request.key if there else None,
        request.register,
        request.density,
        learned,
    )
    check_accompany(job, conditions, request.accompany)
    if request.accompany and not request.chords:
        raise UsageError("--accompany plays what --chords names; name some")
    size = conditions.codec.bars
    if request.length is not None and request.length % size:
        raise UsageError(
            f"--length {request.length}: {job.model} makes pieces of {size} bars and multiples "
            "of it"
        )
    return conditions


def _check_plot(job: Job, request: Request, count: int) -> None:
    """Refuse a picture that cannot be drawn or written, before anything is."""
    if request.plot:
        from musicvae_lite.music.score_plots import check_stacked

        check_stacked(Path(request.plot), count)
        check_files([Path(request.plot)], job.overwrite)


def _plot(job: Job, request: Request, scores: Sequence[Score], paths: Sequence[Path]) -> None:
    """Draw the pieces, if that was asked for."""
    if request.plot:
        from musicvae_lite.music.score_plots import stacked_rolls

        data = stacked_rolls(scores, Path(request.plot), [path.name for path in paths])
        write_together({Path(request.plot): data}, job.overwrite)
        job.console.show(f"wrote {request.plot}")


def _sample_like(job: Job, request: Request, like: str) -> None:
    """Draw pieces near a window of a file.

    Raises:
        UsageError: a length that is not the model's window, no such track or bar, chords that the
            model is not conditioned on.
        NothingUsableError: a file without a usable window.
    """
    from musicvae_lite.music.windows import one_window

    count, chords = request.count or _COUNT, request.chords or None
    paths = _outputs(job, count, [like])
    _check_plot(job, request, count)
    sounds = sounds_asked(job, paths, [like])
    conditions = conditions_of(job.handle, chords, request.key)
    check_accompany(job, conditions, request.accompany)
    conditions.progression(chords, request.key)
    bars = conditions.codec.bars
    if request.length not in (None, bars):
        raise UsageError(
            f"--length {request.length}: what --like makes has the {bars} bars of the window that "
            "it is like"
        )
    passage = one_window(
        like, conditions.codec, job.model, request.track, request.bar, request.roles
    )
    remark(job.console, conditions.codec, passage)
    noticed(job, passage)
    from musicvae_lite.music.session import MusicSession

    windows = count + 1 if drawn_lightly(job.handle, "learned") else None
    result = job.load(MusicSession, windows).similar(
        passage,
        request.similarity,
        count,
        request.temperature,
        request.qpm,
        chords=chords,
        key=request.key,
    )
    remark_register(job.console, result.passage)
    shared = percent(result.onset_accuracy)
    job.console.show(
        f"like {passage.source}: {place(passage, bars)}; notes that they share: {shared} on average"
    )
    scores = [played_too(score, request.accompany) for score in result.scores]
    write_pieces(scores, paths, job.overwrite, job.console, sounds)
    _plot(job, request, scores, paths)
    settings = {"temperature": request.temperature, "bars": bars, "seed": job.seed}
    outputs = [str(path) for path in paths]
    job.console.document(
        {"model": job.model, "count": count, **result.as_dict(), **settings, "outputs": outputs}
    )


def _outputs(job: Job, count: int, inputs: Sequence[str] = ()) -> list[Path]:
    """Return the files to write, after checking that they can be.

    Raises:
        UsageError: one file for several samples; see :func:`musae.outputs.check_files`.
    """
    output, overwrite = job.output, job.overwrite
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
