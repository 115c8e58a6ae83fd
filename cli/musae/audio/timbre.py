"""What the verbs do where the model is one of timbre: morphs, sounds from codes, new sounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from musae.audio.denoise import KEPT, note_change
from musae.music.reading import counted
from musae.options import Console
from musae.outputs import MAX_NAME, check_files, check_in_folder, is_folder, make_folder, shortened
from musicvae_lite.core.errors import UsageError

if TYPE_CHECKING:
    from musicvae_lite.audio.timbre.session import TimbreSession
    from musicvae_lite.media.audio import Audio, Header

_STEPS = 9  # where a folder is asked for


class Job(NamedTuple):
    """What every verb was asked; see :class:`musae.pictures.Job`."""

    model: str
    device: str
    seed: int
    output: str | None
    overwrite: bool
    console: Console

    def session(self) -> TimbreSession:
        """Load the model."""
        from musicvae_lite.audio.timbre.session import TimbreSession
        from musicvae_lite.model_dir.handle import load_as

        return load_as(TimbreSession, self.model, self.device, self.seed)


def interpolate(
    job: Job, ends: tuple[str, str], steps: int | None, path: Literal["slerp", "lerp"] | None
) -> None:
    """Turn one sound into another: in one that moves all the time, or in steps, each a sound of its
    own.

    Raises:
        UsageError, NothingUsableError, MusaeError: an end or an output cannot be used.
    """
    from musicvae_lite.media.audio import open_audio

    folder = job.output is not None and is_folder(job.output)
    count = steps or (_STEPS if folder else None)
    paths = _numbered(job, count or 0, ends) if folder else [_one(job, _morph_name(ends), ends)]
    headers: list[Header] = []
    for name in ends:  # before torch is loaded
        with open_audio(name) as reader:
            headers.append(reader.header)
    session = job.session()
    for name, header in zip(ends, headers, strict=True):
        note_change(name, header, session, job.console)
    route = path or "slerp"
    made = [session.morph(*ends, route)] if count is None else session.steps(*ends, count, route)
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


def sample(job: Job, count: int) -> None:
    """Draw new sounds from the prior.

    Raises:
        UsageError, MusaeError: an output cannot be written.
    """
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
    _write(job, job.session().sample(count), paths)
    job.console.show(f"wrote {_shown(paths)}")
    outputs = [str(path) for path in paths]
    job.console.document({"model": job.model, "count": count, "seed": job.seed, "outputs": outputs})


def decode(job: Job, latents: str) -> None:
    """Turn codes into sounds, one for each source.

    Raises:
        UsageError, MusaeError: the codes do not fit, or an output cannot be written.
    """
    from musae.music.latents import read_latents

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
    if table.model not in ("", job.model):
        job.console.warn(f"{latents} was encoded with model {table.model}, not with {job.model}")
    session = job.session()
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
