"""Verbs for a model of timbre: morphs, sounds from codes, new sounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musae.audio.denoise import KEPT
from musae.audio.reconstruct import note_change
from musae.job import Job
from musae.latents import read_latents
from musae.outputs import MAX_NAME, check_files, check_in_folder, is_folder, make_folder, shortened
from musae.words import counted
from musicvae_lite.core.errors import UsageError

if TYPE_CHECKING:
    from musae.verbs.interpolate import Request
    from musae.verbs.latents import DecodeRequest
    from musae.verbs.sample import Request as SampleRequest
    from musicvae_lite.media.audio import Audio, Header

_STEPS, _COUNT = 9, 4  # where a folder is asked for; samples


def interpolate(job: Job, request: Request) -> None:
    """Turn one sound into another: in one that moves all the time, or in steps, each a sound of its
    own.

    Raises:
        UsageError, NothingUsableError, MusaeError: an end or an output cannot be used.
    """
    from musicvae_lite.media.audio import open_audio

    if request.plot or request.grid:
        option = "--plot" if request.plot else "--grid"
        raise UsageError(f"{option} is for melodies and pictures, not for sounds")
    ends, steps, path = (request.files[0], request.files[1]), request.steps, request.plain_path
    folder = job.output is not None and is_folder(job.output)
    count = steps or (_STEPS if folder else None)
    paths = _numbered(job, count or 0, ends) if folder else [_one(job, _morph_name(ends), ends)]
    headers: list[Header] = []
    for name in ends:  # before torch is loaded
        with open_audio(name) as reader:
            headers.append(reader.header)
    from musicvae_lite.audio.timbre.session import TimbreSession

    session = job.load(TimbreSession)
    for name, header in zip(ends, headers, strict=True):
        note_change(name, header, session, job.console)
    route = path or "slerp"
    made = (
        [session.morph(*ends, route)] if count is None else session.interpolate(*ends, count, route)
    )
    if not folder:
        made = [_joined(made)]
    _write(job, made, paths)
    how = "moving all the way" if count is None else counted(count, "step")
    job.console.show(
        f"wrote {_shown(paths)}: {sum(audio.header.seconds for audio in made):.1f} s of sound, "
        f"{how}"
    )
    job.console.document(
        {
            "model": job.model,
            "inputs": list(ends),
            "steps": count,
            "path": route,
            "seed": job.seed,
            "outputs": [str(path) for path in paths],
        }
    )


def sample(job: Job, request: SampleRequest) -> None:
    """Draw new sounds from the prior.

    Raises:
        UsageError, MusaeError: an output cannot be written.
    """
    from musicvae_lite.audio.timbre.session import TimbreSession

    if request.like is not None:
        raise UsageError("--like is for melodies and pictures, not for sounds")
    count = request.count or _COUNT
    if job.output is None or is_folder(job.output):
        digits = max(2, len(str(count)))
        names = [f"sample-{number:0{digits}}.wav" for number in range(1, count + 1)]
        paths = check_in_folder(Path(job.output or "."), names, job.overwrite)
    else:
        paths = [_one(job, "", ())]
        if count > 1:
            raise UsageError(
                f"{job.output}: one file cannot hold {count} samples; add --count 1, or a slash "
                f"for a folder ({paths[0].stem}/)"
            )
    _write(job, job.load(TimbreSession).sample(count), paths)
    job.console.show(f"wrote {_shown(paths)}")
    outputs = [str(path) for path in paths]
    job.console.document({"model": job.model, "count": count, "seed": job.seed, "outputs": outputs})


def decode(job: Job, request: DecodeRequest) -> None:
    """Turn codes into sounds, one for each source.

    Raises:
        UsageError, MusaeError: the codes do not fit, or an output cannot be written.
    """
    latents = request.latents
    table = read_latents(Path(latents))
    groups = table.groups()
    if job.output is None:
        end = ".decoded.wav"
        names = [shortened(stem, MAX_NAME - len(end)) + end for stem, _ in groups]
        paths = check_in_folder(Path(), names, job.overwrite, [latents])
    elif is_folder(job.output) or not Path(job.output).suffix:
        paths = check_in_folder(
            Path(job.output), [f"{stem}.wav" for stem, _ in groups], job.overwrite, [latents]
        )
    elif len(groups) > 1:
        raise UsageError(
            f"{job.output}: one file cannot hold {len(groups)} results; name a folder "
            f"({Path(job.output).stem}/)"
        )
    else:
        paths = [_one(job, "", [latents])]
    table.warn_of_other(job, latents)
    from musicvae_lite.audio.timbre.session import TimbreSession

    session = job.load(TimbreSession)
    made = [session.decode(table.mean[rows], f"decode {stem}") for stem, rows in groups]
    _write(job, made, paths)
    for path, audio in zip(paths, made, strict=True):
        job.console.show(f"{path}: {audio.header.seconds:.1f} s of sound")
    outputs = [str(path) for path in paths]
    job.console.document(
        {
            "model": job.model,
            "input": latents,
            "windows": len(table.mean),
            "outputs": outputs,
            "seed": job.seed,
        }
    )


def _morph_name(ends: tuple[str, str]) -> str:
    size = (MAX_NAME - 6) // 2
    return "__".join(shortened(Path(name).stem, size) for name in ends) + ".wav"


def _one(job: Job, default: str, inputs: Sequence[str]) -> Path:
    """Return the one output, after checking that it can be written."""
    path = Path(job.output or default)
    if path.suffix.lower() not in KEPT:
        raise UsageError(
            f"{path}: names no format that can be written; end the name in {', '.join(KEPT)}"
        )
    check_files([path], job.overwrite, inputs)
    return path


def _numbered(job: Job, count: int, inputs: Sequence[str]) -> list[Path]:
    digits = max(2, len(str(count - 1)))
    return check_in_folder(
        Path(str(job.output)),
        [f"{step:0{digits}}.wav" for step in range(count)],
        job.overwrite,
        inputs,
    )


def _joined(parts: Sequence[Audio]) -> Audio:
    """Put sounds one after another."""
    from dataclasses import replace

    import numpy as np

    return replace(parts[0], samples=np.concatenate([part.samples for part in parts], 1))


def _write(job: Job, made: Sequence[Audio], paths: Sequence[Path]) -> None:
    """Write sounds, all or none."""
    from musicvae_lite.media.audio import write_sounds

    make_folder(paths[0].parent)
    write_sounds(dict(zip(paths, made, strict=True)), job.overwrite)


def _shown(paths: Sequence[Path]) -> str:
    return str(paths[0]) + (f" ... {paths[-1]}" if len(paths) > 1 else "")
