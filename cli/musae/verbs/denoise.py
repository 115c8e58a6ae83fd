"""``musae denoise``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import click

from musae.job import Job, check_inputs, present, with_job
from musae.options import (
    FILE,
    Number,
    console_options,
    device_option,
    examples,
    label_option,
    output_option,
    seed_option,
)

_EPILOG = examples(
    "musae denoise noisy.wav                          noisy.denoised.wav",
    "musae denoise tapes/*.flac -o clean/             clean/NAME.flac for each",
    "musae denoise noisy.wav --profile 0:01-0:02      noise alone is heard from second 1 to 2",
    "musae denoise noisy.wav --preview 0:30           ten seconds to hear, before and after",
    "musae denoise tape.wav --learn tape.noise.json --profile 0:01-0:03",
    "musae denoise side-b.wav --noise tape.noise.json",
    "musae denoise noisy.wav --only hum,crackle       noise stays",
    "musae denoise noisy.wav --plot before-after.png --residual noise.wav",
    "musae denoise 3.png                              3.denoised.png",
    (
        "musae denoise noisy.npz --strength 0.7           noisy.denoised.npz, three tenths of the "
        "input left in"
    ),
)


_ONLY = {
    "pictures": ("label",),
    "sound": (
        "max_reduction_db",
        "profile",
        "residual",
        "plot",
        "only",
        "insist",
        "preview",
        "learn",
        "noise",
    ),
}


@dataclass(frozen=True)
class Request:
    """What was asked for; None where nothing was said.

    Attributes:
        files: the inputs.
        strength: 0 leaves the input as it is, 1 takes the cleaned one.
        max_reduction_db: most that any band is turned down.
        profile: stretch of the recording that is noise alone, as the user wrote it.
        residual: file for what was taken away.
        plot: picture of before and after.
        only: what is mended, as the user wrote it.
        insist: clean also what would be taken for noise as a whole.
        preview: where ten seconds to hear before and after begin, as the user wrote it.
        learn: file for a noise profile; nothing is cleaned then.
        noise: file with a noise profile.
    """

    files: tuple[str, ...]
    strength: float
    max_reduction_db: float | None
    profile: str | None
    residual: str | None
    plot: str | None
    only: str | None = None
    insist: bool = False
    preview: str | None = None
    learn: str | None = None
    noise: str | None = None

    @property
    def stages(self) -> frozenset[str] | None:
        """What is mended; None: all."""
        if self.only is None:
            return None
        return frozenset(part.strip() for part in self.only.split(",") if part.strip())


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@output_option(
    "Folder (DIR/) for the same names, the one file, or R.npz for pictures. [default: "
    "FILE.denoised.* here]"
)
@click.option(
    "--strength",
    type=Number(0, 1),
    default=1.0,
    show_default=True,
    metavar="FLOAT",
    help="0 leaves the input as it is, 1 takes the cleaned one; between them a blend.",
)
@click.option(
    "--max-reduction-db",
    type=Number(0, 200),
    metavar="DB",
    help="Make nothing in a sound quieter by more. [default: no limit]",
)
@click.option(
    "--profile",
    metavar="FROM-TO",
    help="A stretch of a sound that is noise alone, such as 0:01-0:02; auto: the quietest ones.",
)
@click.option("--learn", metavar="N.json", help="Keep that noise (or the quietest); clean nothing.")
@click.option("--noise", metavar="N.json", help="Noise that --learn kept, of this or another file.")
@click.option("--only", metavar="LIST", help="Mend but crackle, hum or noise, or two: hum,crackle.")
@click.option(
    "--preview",
    metavar="TIME",
    help="Ten seconds from there (0:30): before, a beep and after, in FILE.preview.*.",
)
@click.option(
    "--insist", is_flag=True, help="Clean also a sound that would be taken for noise as a whole."
)
@click.option("--residual", metavar="R.wav", help="Write what was taken away from a sound.")
@click.option(
    "--plot",
    metavar="P.png",
    help="Draw spectrograms before and after, and the mask (PNG, SVG or PDF).",
)
@label_option
@click.option(
    "--model",
    "-m",
    metavar="NAME|FOLDER",
    help="Shipped model or model folder. [default: denoise; for pictures mnist-denoise]",
)
@device_option
@seed_option
@console_options
@with_job
def denoise(
    files: tuple[str, ...],
    strength: float,
    max_reduction_db: float | None,
    profile: str | None,
    learn: str | None,
    noise: str | None,
    only: str | None,
    preview: str | None,
    insist: bool,
    residual: str | None,
    plot: str | None,
    job: Job,
) -> Any:
    """Clean noisy recordings or pictures with a model that was trained for it.

    \b
    .wav, .flac, .ogg, .aif    the same, of any length, rate and number of channels (.mp3: to .wav)
    .png, .jpg ...             .png, of the size that the model was made for
    folder of sounds           each of them; several at a time where there are cores
    folder of pictures         .png each, in a folder
    .npz, IDX (also .gz)       .npz with images [N, H, W] or [N, H, W, 3], float32 in 0..1
    FILE#7                     picture 7 of a file, counted from 0

    Of sounds, rate, channels and length stay; so does what is hardly noisy.
    """  # noqa: D301 (click looks for this very character)
    from musae.kinds import kind_of_files, sounds_in
    from musicvae_lite.core.errors import UsageError

    files = tuple(name for file in files for name in sounds_in(file))
    notes = next((file for file in files if kind_of_files([file]) == "music"), None)
    if notes is not None:
        raise UsageError(
            f"{notes}: holds notes, not a recording; there is no noise in it to take away"
        )
    if not job.model:
        pictures = kind_of_files(files) == "pictures"
        job = replace(job, model="mnist-denoise" if pictures else "denoise")
    check_inputs(job, files, _ONLY)
    request = Request(
        files,
        strength,
        max_reduction_db,
        profile,
        residual,
        plot,
        only,
        insist,
        preview,
        learn,
        noise,
    )
    return present(job, "denoise", request)
