"""``musae reconstruct`` of music: what the model makes of whole pieces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musae.audio.render import sounds_asked
from musae.job import Job
from musae.music.reading import (
    check_accompany,
    check_keep_tracks,
    codec_of,
    conditions_of,
    edited,
    left_as_it_is,
    noticed,
    played_too,
    remark,
    remark_register,
)
from musae.outputs import check_files, each, one_each, write_each, write_together
from musae.words import counted, percent
from musicvae_lite.core.errors import UsageError

if TYPE_CHECKING:
    from musae.verbs.reconstruct import Request
    from musicvae_lite.music.results import Reconstruction
    from musicvae_lite.music.windows import Passage


def reconstruct(job: Job, request: Request) -> int:
    """Write what the model makes of every file, and return the exit code."""
    from musicvae_lite.media.midi import midi_bytes
    from musicvae_lite.music.windows import whole_melody

    files, console, keep_tracks = request.files, job.console, request.keep_tracks
    chords, key = request.chords, request.key
    stems = [Path(name).stem for name in files]
    paths = one_each(job.output, stems, "reconstructed", job.overwrite, files)
    places = dict(zip(files, paths, strict=True))
    conditions = conditions_of(job.handle, chords, key)
    codec = conditions.codec
    check_accompany(job, conditions, request.accompany)
    if keep_tracks and request.accompany:
        raise UsageError("--keep-tracks keeps the tracks of the file; leave out --accompany")
    check_keep_tracks(keep_tracks, codec, job.model)
    _check_plot(job, request)
    sounds = sounds_asked(job, paths, files)
    usable: dict[str, Passage] = {}

    def read(name: str) -> None:
        usable[name] = whole_melody(
            name, codec, job.model, request.track, roles=request.roles, overlapping=True
        )
        remark(console, codec, usable[name])

    code = each(files, read, console.error, more=True)
    from musicvae_lite.music.session import MusicSession

    heard = sum(len(passage.windows) for passage in usable.values())
    session = job.load(MusicSession, 2 * heard)
    results: list[dict[str, Any]] = []

    def write(name: str) -> None:
        result = session.reconstruct(usable[name], keep_tracks=keep_tracks, chords=chords, key=key)
        if keep_tracks:
            data = edited(name, usable[name], result.score)
        else:
            data = midi_bytes(played_too(result.score, request.accompany))
        path = places[name]
        sound = sounds.of(path, data)
        write_each({path: data, **sound}, job.overwrite)
        if request.plot:
            _plot(job, result, Path(request.plot))
        results.append({**result.as_dict(), "output": str(path), **sounds.made(path)})
        _report(job, request, result, places[name])

    code = max(code, each(list(usable), write, console.error, of=len(set(files))))
    console.document({"model": job.model, "files": results})
    return code


def _check_plot(job: Job, request: Request) -> None:
    """Refuse a picture that cannot be drawn or written, before anything is."""
    if request.plot:
        from musicvae_lite.music.score_plots import check_stacked

        if len(set(request.files)) > 1:
            raise UsageError(f"--plot draws one piece; here are {len(set(request.files))}")
        check_stacked(Path(request.plot), 2)
        check_files([Path(request.plot)], job.overwrite, request.files)


def _plot(job: Job, result: Reconstruction, path: Path) -> None:
    """Draw what the codec reads of the piece above what the model makes of it."""
    from musicvae_lite.music.score_plots import stacked_rolls
    from musicvae_lite.music.windows import rebuild

    passage, codec = result.passage, codec_of(job.handle)
    rows = (passage.windows, result.windows)
    scores = [rebuild(passage, windows, codec, passage.stem) for windows in rows]
    data = stacked_rolls(scores, path, [passage.source, f"heard by {job.model}"])
    write_together({path: data}, job.overwrite)
    job.console.show(f"wrote {path}")


def _report(job: Job, request: Request, result: Reconstruction, path: Path) -> None:
    passage, (first, last) = result.passage, result.bars
    what = f"{passage.place}, bars {first}-{last}, {counted(len(result.windows), 'window')}"
    # Over other chords or in another key the notes are not to be the same.
    other = request.chords or request.key
    right = "" if other else f"; notes right: {percent(result.onset_accuracy)}"
    if result.changes and not other:
        right += f" ({result.changes})"
    noticed(job, passage)
    job.console.show(f"{path}: {what}{right}")
    remark_register(job.console, passage)
    if request.keep_tracks and result.left:
        job.console.show(f"{path}: {left_as_it_is(result.left)}")
    if not len(result.score.notes):
        job.console.warn(f"{path}: holds no note: the model makes none of this input")
