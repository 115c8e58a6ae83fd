"""``musae encode`` and ``musae decode`` of music: the codes of windows as arrays, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musae.audio.render import sounds_asked
from musae.job import Job
from musae.latents import read_latents, save_latents
from musae.music.pictures import pictures_asked
from musae.music.reading import codec_of, conditions_of, remark
from musae.outputs import check_files, each, one_each, write_each
from musae.words import counted

if TYPE_CHECKING:
    from musae.verbs.latents import DecodeRequest, EncodeRequest
    from musicvae_lite.music.session import MusicSession
    from musicvae_lite.music.windows import Passage


def encode(job: Job, request: EncodeRequest) -> int:
    """Write the codes of the windows of all files, and return the exit code."""
    from musicvae_lite.music.windows import whole_melody

    path = Path(str(job.output))
    check_files([path], job.overwrite, request.files)
    codec = codec_of(job.handle)
    passages: list[Passage] = []

    def read(name: str) -> None:
        passages.append(
            whole_melody(name, codec, job.model, request.track, request.every_window, request.roles)
        )

    code = each(request.files, read, job.console.error)
    remark(job.console, codec, *passages)
    from musicvae_lite.music.session import MusicSession

    heard = sum(len(passage.windows) for passage in passages)
    session = job.load(MusicSession, heard)
    tables = [_table(passage, session) for passage in passages]
    count = len(save_latents(path, tables, job.model, job.overwrite)["mean"])
    job.console.show(
        f"wrote {path}: {counted(count, 'window')} of {counted(len(passages), 'file')}, "
        f"{session.latent_size} numbers each"
    )
    listed = [{"file": p.source, "track": p.track, "windows": len(p.windows)} for p in passages]
    size = {"windows": count, "latent_size": session.latent_size}
    job.console.document({"model": job.model, "files": listed, **size, "output": str(path)})
    return code


def _table(passage: Passage, session: MusicSession) -> dict[str, Any]:
    import numpy as np

    conditions = session.conditions
    told = conditions.of_passage(passage)
    mean, scale = session.encode_windows(passage.windows, condition=conditions.numbers(told))
    count = len(passage.windows)
    return {
        "mean": mean,
        "scale": scale,
        "source": np.full(count, passage.source),
        "track": np.full(count, passage.track),
        "bar": passage.bars,
        "qpm": passage.qpm,
        "program": np.full(count, passage.program),
        **({"told": told} if conditions.control else {}),
    }


def decode(job: Job, request: DecodeRequest) -> None:
    """Turn codes back into MIDI files, one for each source."""
    from musicvae_lite.media.midi import midi_bytes

    latents, chords, key, console = request.latents, request.chords, request.key, job.console
    table = read_latents(Path(latents))
    groups = table.groups()
    paths = one_each(job.output, [stem for stem, _ in groups], "decoded", job.overwrite, [latents])
    sounds = sounds_asked(job, paths, [latents])
    pictures = pictures_asked(job, paths, [latents])
    conditions = conditions_of(job.handle, chords, key)
    codec = conditions.codec
    told = table.told_to(conditions, latents)
    if conditions.control.chords and table.told is None and chords is None:
        console.note(
            f"{latents} says no chords and {job.model} hears none; name some, such as "
            '--chords "C Am F G"'
        )
    table.warn_of_other(job, latents)
    from musicvae_lite.music.session import MusicSession

    progression, number = conditions.progression(chords, key), conditions.key(key, chords)
    starts = {}
    for stem, rows in groups:
        bars = table.bars(rows)
        starts[stem] = np.arange(len(rows)) * codec.bars + 1 if bars is None else bars
        told[rows] = conditions.changed(told[rows], starts[stem], progression, number)
    windows = job.load(MusicSession, len(table.mean)).decode_windows(
        table.mean, request.temperature, conditions.numbers(told)
    )
    for path, (stem, rows) in zip(paths, groups, strict=True):
        program = int(table.program[rows[0]])
        qpm, bars, name = table.qpm[rows].tolist(), table.bars(rows), f"decode {stem}"
        score = conditions.played(windows[rows], told[rows], qpm, bars, program, name)
        write_each({path: midi_bytes(score), **sounds.of(path, score)}, job.overwrite)
        pictures.add(path, score)
        console.show(f"{path}: {counted(len(rows), 'window')}")
    drawn = pictures.write()
    outputs = [str(path) for path in paths]
    console.document(
        {
            "model": job.model,
            "input": latents,
            "windows": len(windows),
            "outputs": outputs,
            "seed": job.seed,
            **drawn,
        }
    )
