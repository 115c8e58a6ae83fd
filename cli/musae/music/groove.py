"""``musae groove``: what a groove model does with the drums of files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musae.audio.render import sounds_asked
from musae.job import Job, check_inputs
from musae.music.pictures import pictures_asked
from musae.music.reading import codec_of, edited_groove, remark
from musae.outputs import each, one_each, write_each
from musae.words import counted

if TYPE_CHECKING:
    from musae.verbs.groove import Request
    from musicvae_lite.music.verbs.groove import Grooved
    from musicvae_lite.music.windows import Passage


def groove(job: Job, request: Request) -> int:
    """Do something with the drums of every file, write the results, and return the exit code."""
    from musicvae_lite.media.midi import midi_bytes
    from musicvae_lite.music.codecs.groove import GrooveCodec
    from musicvae_lite.music.groove_windows import to_the_end

    files, inputs, console = request.files, (*request.others, *request.files), job.console
    check_inputs(job, inputs)
    stems = [Path(name).stem for name in files]
    paths = one_each(job.output, stems, request.kind, job.overwrite, inputs)
    places = dict(zip(files, paths, strict=True))
    sounds, pictures = sounds_asked(job, paths, inputs), pictures_asked(job, paths, inputs)
    request.ready()
    codec = to_the_end(codec_of(job.handle))
    usable: dict[str, Passage] = {}

    def read(name: str) -> None:
        usable[name] = _read(job, request, name)

    code = each(files, read, console.error, more=True)
    from musicvae_lite.music.session import MusicSession

    session = job.load(MusicSession)
    results: list[dict[str, Any]] = []

    def write(name: str) -> None:
        result, path = request.do(session, usable[name]), places[name]
        if request.keep_tracks:
            assert isinstance(codec, GrooveCodec)
            data = edited_groove(name, result, codec, request.taps)
        else:
            data = midi_bytes(result.score)
        made = data if request.keep_tracks else result.score
        sound = sounds.of(path, made)
        pictures.add(path, made)
        write_each({path: data, **sound}, job.overwrite)
        results.append({**result.as_dict(), "output": str(path), **sounds.made(path)})
        _report(job, result, path)

    code = max(code, each(list(usable), write, console.error, of=len(set(files))))
    settings = {"temperature": request.temperature, "seed": job.seed}
    drawn = pictures.write()
    console.document({"model": job.model, **settings, "files": results, **drawn})
    return code


def _read(job: Job, request: Request, name: str) -> Passage:
    """Read the drums of a file and say what of them is left out."""
    from musicvae_lite.music.groove_windows import left_out, taps_of, to_the_end
    from musicvae_lite.music.windows import whole_melody

    codec = to_the_end(codec_of(job.handle))
    reader = taps_of if request.taps else whole_melody
    passage = reader(name, codec, job.model, request.track)
    lost = left_out(passage, codec, request.track, request.taps or _all_hits_stay(request))
    for reason, count in lost.most_common():
        job.console.warn(f"{name}: {counted(count, 'note')} left out: {reason}")
    remark(job.console, codec, passage)
    return passage


def _all_hits_stay(request: Request) -> bool:
    """Say whether softer hits of a step stay, too: then none of them is left out."""
    return request.keep_tracks and request.kind != "beat"


def _report(job: Job, result: Grooved, path: Path) -> None:
    windows = counted(len(result.windows), "window")
    notes = counted(len(result.score.notes), "hit")
    job.console.show(f"{path}: {result.passage.place}, {windows}, {notes}{_added(result)}")
    if not len(result.score.notes):
        job.console.warn(f"{path}: holds no note: the model makes none of this input")


def _added(result: Grooved) -> str:
    """Say how many hits of a drum were added, and what they are in place of.

    "" where none was to be.
    """
    added = result.added
    if added is None:
        return ""
    place = f" in place of {added.replaced:,}" if added.replaced else ""
    why = (
        " (at the likeliest steps: by itself the model would play none)" if added.likeliest else ""
    )
    return f"; {added.drum}: {added.hits:,} added{place}{why}"
