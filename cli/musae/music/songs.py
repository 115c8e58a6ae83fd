"""``musae interpolate --whole``: one song turned into another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from musae.job import Job
from musae.words import counted

if TYPE_CHECKING:
    from musae.verbs.interpolate import Request


def _check_options(request: Request) -> None:
    """Refuse what does not go with whole songs.

    Raises:
        click.UsageError: naming the option.
    """
    context = click.get_current_context()
    if not request.whole:
        raise click.UsageError("--keep-tracks goes with --whole", context)
    for name in ("grid", "bar", "chords", "key", "exact_ends"):
        if context.params.get(name) not in (None, False):
            raise click.UsageError(f"--{name.replace('_', '-')} does not go with --whole", context)


def interpolate_songs(job: Job, request: Request) -> None:
    """Write one song that begins as A and ends as B, or a song for each step."""
    from musae.audio.render import sounds_asked
    from musae.music.pictures import pictures_asked
    from musae.music.reading import (
        check_keep_tracks,
        codec_of,
        edited,
        left_as_it_is,
        remark,
        remark_register,
    )
    from musae.outputs import write_each
    from musicvae_lite.media.midi import midi_bytes
    from musicvae_lite.music.splice import check_way
    from musicvae_lite.music.windows import whole_melody

    _check_options(request)
    outputs, console = _outputs(job, request), job.console
    click.get_current_context().meta["musae.wav"] = request.wav
    sounds = sounds_asked(job, outputs, request.files)
    pictures = pictures_asked(job, outputs, request.files)
    codec = codec_of(job.handle)
    check_keep_tracks(request.keep_tracks, codec, job.model)
    chosen = zip(request.files, request.tracks, request.roles, strict=False)
    start, end = (
        whole_melody(item, codec, job.model, track, roles=own, overlapping=True)
        for item, track, own in chosen
    )
    check_way(start, request.steps, job.model)
    remark(console, codec, start, end)
    from musicvae_lite.music.session import MusicSession
    from musicvae_lite.music.verbs.morph import morph

    session = job.load(MusicSession)
    result = morph(
        session,
        start,
        end,
        request.steps,
        request.temperature,
        request.path or "music",
        keep_tracks=request.keep_tracks,
        transpose=request.transpose,
    )
    remark_register(console, result.start, result.end)
    name = request.files[0]
    data = [
        edited(name, start, score) if request.keep_tracks else midi_bytes(score)
        for score in result.scores
    ]
    files = dict(zip(outputs, data, strict=True))
    for output, song in zip(outputs, data, strict=True):
        files |= sounds.of(output, song)
    write_each(files, job.overwrite)
    for output, score in zip(outputs, result.scores, strict=True):
        pictures.add(output, score)
    drawn = pictures.write()
    for passage, word in ((start, "from"), (end, "to  ")):
        console.show(
            f"{word} {passage.source}: {passage.place}, {counted(len(passage.windows), 'window')}"
        )
    if result.transposed:
        size = counted(abs(result.transposed), "semitone")
        moved = f"{size} {'up' if result.transposed > 0 else 'down'}"
        console.show(f"{end.source}: moved {moved}, into the key of {start.source}")
    if result.left:
        console.show(f"{start.source}: {left_as_it_is(result.left)}")
    console.show(
        f"wrote {outputs[0]}" if len(outputs) == 1 else f"wrote {outputs[0]} ... {outputs[-1]}"
    )
    names = [str(path) for path in outputs]
    console.document(
        {
            "model": job.model,
            **result.as_dict(),
            "keep_tracks": request.keep_tracks,
            "outputs": names,
            **drawn,
        }
    )


def _outputs(job: Job, request: Request) -> list[Path]:
    """Return the files to write, after checking that they can be.

    Raises:
        UsageError: several songs and no folder for them; see :func:`musae.outputs.check_files`.
    """
    from musae.outputs import check_in_folder, is_folder, one_each
    from musicvae_lite.core.errors import UsageError

    stem = f"{Path(request.files[0]).stem}__{Path(request.files[1]).stem}"
    if request.steps is None:
        return one_each(job.output, [stem], "whole", job.overwrite, request.files)
    if job.output is None or not is_folder(job.output):
        raise UsageError(
            f"--whole with --steps writes a song for each step; name a folder for them (-o {stem}/)"
        )
    digits = max(2, len(str(request.steps - 1)))
    names = [f"{step:0{digits}}.mid" for step in range(request.steps)]
    return check_in_folder(Path(job.output), names, job.overwrite, request.files)
