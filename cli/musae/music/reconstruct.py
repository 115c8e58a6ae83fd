"""``musae reconstruct`` of music: what the model makes of whole pieces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musae.audio.render import sounds_asked
from musae.job import Job
from musae.music.reading import check_keep_tracks, conditions_of, edited, left_as_it_is
from musae.outputs import each, one_each, write_each
from musae.words import counted, percent

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
    codec = conditions_of(job.handle, chords, key).codec
    check_keep_tracks(keep_tracks, codec, job.model)
    sounds = sounds_asked(job, paths, files)
    usable: dict[str, Passage] = {}

    def read(name: str) -> None:
        usable[name] = whole_melody(
            name, codec, job.model, request.track, roles=request.roles, overlapping=True
        )

    code = each(files, read, console.error, more=True)
    from musicvae_lite.music.session import MusicSession

    session = job.load(MusicSession)
    results: list[dict[str, Any]] = []

    def write(name: str) -> None:
        result = session.reconstruct(usable[name], keep_tracks=keep_tracks, chords=chords, key=key)
        data = edited(name, usable[name], result.score) if keep_tracks else midi_bytes(result.score)
        path = places[name]
        sound = sounds.of(path, data if keep_tracks else result.score)
        write_each({path: data, **sound}, job.overwrite)
        results.append({**result.as_dict(), "output": str(path), **sounds.made(path)})
        _report(job, request, result, places[name])

    code = max(code, each(list(usable), write, console.error, of=len(set(files))))
    console.document({"model": job.model, "files": results})
    return code


def _report(job: Job, request: Request, result: Reconstruction, path: Path) -> None:
    passage, (first, last) = result.passage, result.bars
    what = f"{passage.place}, bars {first}-{last}, {counted(len(result.windows), 'window')}"
    # Over other chords or in another key the notes are not to be the same.
    other = request.chords or request.key
    right = "" if other else f"; notes right: {percent(result.onset_accuracy)}"
    job.console.show(f"{path}: {what}{right}")
    if request.keep_tracks and result.left:
        job.console.show(f"{path}: {left_as_it_is(result.left)}")
    if not len(result.score.notes):
        job.console.warn(f"{path}: holds no note; the model may need more training")
