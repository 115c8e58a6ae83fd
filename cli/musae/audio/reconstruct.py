"""``musae reconstruct`` and ``musae encode`` of sound, by a denoiser or a model of timbre."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musae.audio.denoise import output_places
from musae.job import Job
from musae.latents import save_latents
from musae.options import Console
from musae.outputs import check_files, each, make_folder
from musae.words import counted

if TYPE_CHECKING:
    from musae.verbs.latents import EncodeRequest
    from musae.verbs.reconstruct import Request
    from musicvae_lite.audio.denoise.session import DenoiseSession
    from musicvae_lite.audio.timbre.session import TimbreSession
    from musicvae_lite.media.audio import Header


def _load(job: Job) -> DenoiseSession | TimbreSession:
    """Load a model of sound of either kind; both encode and reconstruct."""
    from musicvae_lite.audio.denoise.session import DenoiseSession
    from musicvae_lite.audio.timbre.session import TimbreSession

    if job.medium.name == "timbre":
        return job.load(TimbreSession)
    return job.load(DenoiseSession)


def note_change(
    name: str, header: Header, session: DenoiseSession | TimbreSession, console: Console
) -> None:
    """Say how a sound is brought to the form that a model of timbre hears and makes.

    A denoiser takes any.
    """
    from musicvae_lite.audio.timbre.session import TimbreSession

    if isinstance(session, TimbreSession) and (header.rate, header.channels) != (session.rate, 1):
        console.note(
            f"{name}: {header.rate:,} Hz with {header.channels} channel(s), heard as mono at "
            f"{session.rate:,} Hz"
        )


def reconstruct(job: Job, request: Request) -> int:
    """Write what a model of sound makes of every file by itself, ``NAME.reconstructed.*``, and
    return the exit code.

    Raises:
        UsageError, MusaeError: see :func:`denoise`.
    """
    from musicvae_lite.media.audio import open_audio, write_audio

    files, console = request.files, job.console
    paths = output_places(job, files, kind="reconstructed")
    places = dict(zip(files, paths, strict=True))
    session = _load(job)
    results: list[dict[str, Any]] = []

    def write(name: str) -> None:
        with open_audio(name) as reader:
            note_change(name, reader.header, session, console)
        audio = session.reconstruct(name)
        make_folder(places[name].parent)
        write_audio(audio, places[name], job.overwrite)
        results.append({"file": name, "seconds": audio.header.seconds, "output": str(places[name])})
        console.show(f"{places[name]}: {audio.header.seconds:.1f} s of sound")

    code = each(files, write, console.error)
    console.document({"model": job.model, "files": results})
    return code


def encode(job: Job, request: EncodeRequest) -> int:
    """Write the codes of the files to one ``.npz`` and return the exit code.

    It holds mean, scale [W, Z, L] (of timbre [W, Z]), source [W] and clip [W].

    Raises:
        UsageError, MusaeError: see :func:`denoise`.
    """
    import numpy as np

    files, console, output = request.files, job.console, Path(str(job.output))
    check_files([output], job.overwrite, files)
    session = _load(job)
    tables: list[dict[str, Any]] = []

    def read(name: str) -> None:
        latent = session.encode(name)
        count = len(latent.mean)
        arrays = {"mean": latent.mean.numpy(), "scale": latent.scale.numpy()}
        tables.append({**arrays, "source": np.full(count, name), "clip": np.arange(count)})

    code = each(files, read, console.error)
    mean = save_latents(output, tables, job.model, job.overwrite)["mean"]
    clips, shape = len(mean), mean.shape[1:]
    console.show(
        f"wrote {output}: {counted(clips, 'clip')} of {counted(len(tables), 'file')}, "
        f"{' x '.join(map(str, shape))} numbers each"
    )
    console.document(
        {
            "model": job.model,
            "clips": clips,
            "latent_size": session.latent_size,
            "output": str(output),
        }
    )
    return code
