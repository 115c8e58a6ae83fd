"""``musae encode`` and ``musae decode``: latent vectors as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from musae.job import Job, check_inputs, job_options, present
from musae.options import (
    FILE,
    chords_options,
    examples,
    join_option,
    label_option,
    one_role_option,
    output_option,
    plot_option,
    temperature_option,
    track_option,
    wav_option,
)

_ENCODE = examples(
    "musae encode song.mid -o z.npz",
    "musae encode songs/*.mid -o z.npz --every-window",
    "musae encode t10k-images-idx3-ubyte.gz -m mnist-vae -o z.npz",
    "python -c \"import numpy; print(numpy.load('z.npz')['mean'].shape)\"",
)
_DECODE = examples(
    "musae decode z.npz -o decoded/              one .mid for each source in z.npz",
    "musae decode z.npz -m mnist-vae             the pictures on one sheet, z.decoded.png",
    "musae decode z.npz -m mnist-vae -o r.npz    as arrays",
)


@dataclass(frozen=True)
class EncodeRequest:
    """What was asked of ``musae encode``.

    Attributes:
        files: the inputs.
        track: track to use, or None.
        roles: tracks of the voices.
        every_window: windows at every bar, not one after another.
    """

    files: tuple[str, ...]
    track: int | None
    roles: dict[str, int]
    every_window: bool


@dataclass(frozen=True)
class DecodeRequest:
    """What was asked of ``musae decode``.

    Attributes:
        latents: file of the codes.
        temperature: of events that are drawn.
        chords: what is played over, or None for those of the file.
        key: as the user named it, or None.
    """

    latents: str
    temperature: float
    chords: str | None
    key: str | None


@click.command(epilog=_ENCODE)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@output_option("The arrays (NumPy .npz).", required=True)
@track_option
@one_role_option
@click.option(
    "--every-window",
    is_flag=True,
    help="Also windows that overlap: one from every bar on that the model can use.",
)
@label_option
@join_option
@job_options()
def encode(
    files: tuple[str, ...],
    track: int | None,
    roles: dict[str, int],
    every_window: bool,
    job: Job,
) -> Any:
    """Write what the model makes of each window of a melody, or of each picture.

    \b
    mean, scale [N, Z]   mean and standard deviation of the posterior; scale is 0 for a plain code
    source [N]           the file of each
    model                name of the model
    of melodies:
    track, bar [N]       track and first bar, both counted from 1
    qpm, program [N]     tempo and General MIDI program there
    told [N, G, K]       chord (0 to 48) and key (0 to 11) of each step of time, for a model
                         that is told of them
    of pictures:
    index [N]            place in the file, counted from 0
    label [N]            class, where it is known (-1 where others' is)

    of sound: with a denoiser mean and scale are [N, Z, L], L steps of each clip
    clip [N]             place in the recording, counted from 0; of timbre every half a clip

    One picture of a file with many is FILE#INDEX.
    """  # noqa: D301 (click looks for this very character)
    from musicvae_lite.core.errors import UsageError

    check_inputs(job, files, {"music": ("track", "roles", "every_window"), "pictures": ("label",)})
    if not str(job.output).lower().endswith(".npz"):
        raise UsageError(f"{job.output}: the arrays go to a file that ends in .npz")
    return present(job, "encode", EncodeRequest(files, track, roles, every_window))


@click.command(epilog=_DECODE)
@click.argument("latents", type=FILE, metavar="Z.npz")
@output_option(
    "Folder (DIR/) for SOURCE.mid (.wav) each; of pictures also X.png (a sheet) or X.npz. "
    "[default: SOURCE.decoded.mid or .wav, Z.decoded.png]"
)
@temperature_option(0.0)
@chords_options(
    "what each source is played over, a bar each and repeated. [default: those in Z.npz]"
)
@plot_option
@wav_option
@click.option(
    "--label",
    type=click.IntRange(0),
    metavar="N",
    help="Class of the pictures, for a conditional model. [default: label in Z.npz]",
)
@job_options()
def decode(
    latents: str,
    temperature: float,
    chords: str | None,
    key: str | None,
    job: Job,
) -> None:
    """Turn latent vectors back into MIDI files, pictures or sounds. Only mean [N, Z] is needed.

    MIDI: one file a source, its windows at their bars. Without bar (or where bars do not rise) the
    windows follow one another.
    All is in the metre of the model: a change of metre in the source is not kept.

    Sounds: one file a source, its windows one after another; the phases are made up (by Griffin and
    Lim's method).

    Pictures: all on one sheet (X.png), SOURCE-INDEX.png each (DIR/), or as images [N, H, W] or [N,
    H, W, 3], float32 (X.npz).
    """
    check_inputs(
        job, (), {"music": ("temperature", "chords", "key", "wav"), "pictures": ("label",)}
    )
    present(job, "decode", DecodeRequest(latents, temperature, chords, key))
