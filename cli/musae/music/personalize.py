"""``musae personalize``: the priors of a model learned further on a few songs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from musae.job import Job
from musae.music.reading import codec_of
from musicvae_lite.core.errors import NothingUsableError, UsageError

if TYPE_CHECKING:
    from musae.verbs.personalize import Request

_MOST = 200


def personalize(job: Job, request: Request) -> None:
    """Write a model folder that draws like some songs."""
    from musicvae_lite.media.sources import list_sources
    from musicvae_lite.model_dir.bundle import CONFIG

    codec, folder = codec_of(job.handle), Path(job.output or "")
    if folder.exists() and not (job.overwrite and (folder / CONFIG).exists()):
        what = "exists; --overwrite replaces a model folder" if folder.is_dir() else "is a file"
        raise UsageError(f"{folder}: {what}; choose another folder with -o")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"{folder.parent}: no such folder; create it first")
    files = [
        file for source in list_sources([Path(name) for name in request.sources])
        for file in source.files
    ]  # fmt: skip
    if not files:
        raise NothingUsableError(f"{', '.join(request.sources)}: no MIDI file in it")
    if len(files) > _MOST:
        raise UsageError(
            f"{len(files)} files are more than {_MOST}; a prior of so much is learned by 'musae "
            f"prepare' and 'musae prior {job.model} --data CORPUS'"
        )
    began = time.monotonic()
    from musicvae_lite.core.batched import one_thread
    from musicvae_lite.music.longform.personal import (
        FEW_BARS,
        check_model,
        read_songs,
    )
    from musicvae_lite.music.longform.personal import personalize as learn

    check_model(job.handle.description, job.model)
    songs = read_songs(files, codec, job.model, job.console.error)
    told = set[str]()

    def tell(what: str, done: float) -> None:
        if what not in told:
            told.add(what)
            job.console.note(f"learning {what} ...")

    with one_thread():
        learned = learn(
            job.handle.description, job.model, songs, folder, job.seed, tell, job.overwrite
        )
    of = "1 song" if learned.songs == 1 else f"{learned.songs} songs"
    seconds = time.monotonic() - began
    job.console.show(f"wrote {folder}: learned from {of}, {learned.bars} bars; {seconds:.0f} s")
    if learned.bars < FEW_BARS:
        job.console.warn(
            f"{learned.bars} bars are little: draws will be near to {job.model}'s, or to the songs"
        )
    job.console.show(f"try: musae sample -m {folder} --bars 16")
    document = {"output": str(folder), "seconds": seconds, **learned.as_dict()}
    job.console.document({"model": job.model, **document})
