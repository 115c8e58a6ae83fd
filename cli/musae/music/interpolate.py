"""``musae interpolate`` of music: a path or a grid between windows of pieces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from musae.job import Job
from musae.music.reading import (
    check_accompany,
    conditions_of,
    noticed,
    place,
    played_too,
    remark,
    remark_register,
)
from musae.words import percent
from musicvae_lite.core.errors import UsageError

if TYPE_CHECKING:
    from musae.verbs.interpolate import Request
    from musicvae_lite.music.codec import ScoreCodec
    from musicvae_lite.music.results import Interpolation
    from musicvae_lite.music.windows import Passage

_SLOW_TO_DRAW = 50  # steps


def interpolate(job: Job, request: Request) -> None:
    """Turn one piece into another, in steps along a path in latent space, or four in a grid."""
    if request.whole or request.keep_tracks:
        if request.accompany:
            raise UsageError("--accompany does not go with --whole")
        from musae.music.songs import interpolate_songs

        interpolate_songs(job, request)
        return
    from musicvae_lite.music.windows import one_window

    _check_extra(request)
    outputs = _outputs(job, request)
    conditions, console = conditions_of(job.handle, request.chords, request.key), job.console
    codec = conditions.codec
    check_accompany(job, conditions, request.accompany)
    chosen = zip(request.files, request.tracks, request.bars, request.roles, strict=True)
    ends = [
        one_window(item, codec, job.model, track, bar, roles) for item, track, bar, roles in chosen
    ]
    remark(console, codec, *ends)
    for end in ends:
        noticed(job, end)
        console.detail(
            "\n".join(f"{end.source}: usable windows start in {line}" for line in end.candidates)
        )
    if request.wav:
        _check_sound(request.wav, codec, ends, request.count)
    result = _path_between(job, request, ends)
    if request.accompany:
        result = replace(
            result,
            scores=tuple(played_too(score, request.accompany) for score in result.scores),
            joined=played_too(result.joined, request.accompany),
        )
    remark_register(console, *result.inputs)
    _write(job, request, result, outputs)
    _report(job, request, result, codec.bars, outputs)
    names = [str(output) for output in outputs]
    made = {"outputs": names, "plot": request.plot, "wav": request.wav}
    console.document({"model": job.model, **result.as_dict(), **made})


def _path_between(job: Job, request: Request, ends: list[Passage]) -> Interpolation:
    from musicvae_lite.music.paths import CANDIDATES
    from musicvae_lite.music.session import MusicSession

    path = request.path or "music"
    tried = CANDIDATES if path == "music" else 1
    session = job.load(MusicSession, request.count * tried + len(ends))
    temperature, chords, key = request.temperature, request.chords, request.key
    transpose, exact_ends = bool(request.transpose), request.exact_ends
    if request.grid is None:
        return session.interpolate(
            ends[0],
            ends[1],
            request.length,
            temperature,
            path,
            chords=chords,
            key=key,
            transpose=transpose,
            exact_ends=exact_ends,
        )
    return session.grid(
        ends,
        request.grid,
        temperature,
        path,
        chords=chords,
        key=key,
        transpose=transpose,
        exact_ends=exact_ends,
    )


def _outputs(job: Job, request: Request) -> list[Path]:
    """Return the MIDI files to write, after checking that all outputs can be written."""
    from musae.outputs import (
        check_files,
        check_folder,
        check_in_folder,
        is_folder,
        joined_name,
        midi_file,
        step_names,
    )

    extra, overwrite, files = request.extra, job.overwrite, request.files
    if job.output is not None and is_folder(job.output):
        folder = Path(job.output)
        check_folder(folder)
        there = [
            path for path in extra if folder.is_dir() or path.parent.resolve() != folder.resolve()
        ]
        check_files(there, overwrite, files)
        names = [f"{name}.mid" for name in step_names(request.length, request.grid)]
        return check_in_folder(folder, names, overwrite, files)
    default = joined_name([Path(name).stem for name in files], ".mid")
    path = midi_file(job.output) if job.output is not None else Path(default)
    check_files([path, *extra], overwrite, files)
    return [path]


def _check_extra(request: Request) -> None:
    """Refuse a picture or a sound file of another kind."""
    from musicvae_lite.plotting import check_picture

    if request.plot:
        check_picture(Path(request.plot), request.count)
    if request.wav and Path(request.wav).suffix.lower() != ".wav":
        raise UsageError(f"{request.wav}: a sound file ends in .wav")


def _check_sound(wav: str, codec: ScoreCodec, ends: list[Passage], steps: int) -> None:
    """Refuse more sound than can be rendered.

    The tempo moves evenly from one end (or side) to the other.
    """
    import numpy as np

    from musae.audio.render import check_sound

    window = codec.decode(ends[0].windows[0])
    metre = window.metres[0]
    quarters = 4 * codec.bars * int(metre["numerator"]) / int(metre["denominator"])
    # Of a grid the slowest path says enough.
    first, last = sorted(float(end.qpm[0]) for end in ends)[:2]
    minutes = float((quarters / np.linspace(first, last, steps)).sum())
    check_sound(wav, 60 * minutes)


def _write(job: Job, request: Request, result: Interpolation, outputs: list[Path]) -> None:
    """Write everything, or nothing."""
    from musae.outputs import write_together
    from musicvae_lite.media.midi import midi_bytes

    scores = result.scores if len(outputs) > 1 else (result.joined,)
    files = {path: midi_bytes(score) for path, score in zip(outputs, scores, strict=True)}
    how = ""
    if request.plot:
        from musicvae_lite.music.plots import picture

        path = Path(request.plot)
        if len(result) > _SLOW_TO_DRAW:
            job.console.note(
                f"{path}: drawing {len(result):,} steps; that takes up to half a minute"
            )
        files[path] = picture(result.scores, path, result.title, result.labels, result.columns)
    if request.wav:
        from musae.audio.render import wav_bytes

        files[Path(request.wav)], how = wav_bytes(result.joined)
    write_together(files, job.overwrite)
    if request.wav:
        job.console.note(f"{request.wav}: rendered with {how}")


def _report(
    job: Job, request: Request, result: Interpolation, bars: int, outputs: list[Path]
) -> None:
    console = job.console
    words = (
        ("from", "to  ")
        if result.columns is None
        else [result.labels[step] for step in result.corners]
    )
    for passage, word, right in zip(result.inputs, words, result.onset_accuracy, strict=True):
        # Over other chords or in another key the ends are not to sound as they did.
        heard = "" if request.chords or request.key else f"; notes right: {percent(right)}"
        console.show(f"{word} {passage.source}: {place(passage, bars)}{heard}")
    steps = str(outputs[0]) if len(outputs) == 1 else f"{outputs[0]} ... {outputs[-1]}"
    console.show(f"wrote {', '.join([steps, *map(str, request.extra)])}")
    if result.silent:
        console.warn(
            f"steps without a note: {', '.join(result.silent)}: the model makes none there"
        )
