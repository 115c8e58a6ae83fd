"""``musae denoise``."""

from __future__ import annotations

import click

from musae.options import (
    FILE,
    Console,
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
    "musae denoise noisy.wav --plot before-after.png --residual noise.wav",
    "musae denoise 3.png                              3.denoised.png",
    (
        "musae denoise noisy.npz --strength 0.7           noisy.denoised.npz, three tenths of the "
        "input left in"
    ),
)


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
    help="A stretch of a sound that is noise alone, such as 0:01-0:02.",
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
def denoise(
    files: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    strength: float,
    max_reduction_db: float | None,
    profile: str | None,
    residual: str | None,
    plot: str | None,
    label: int | None,
    model: str | None,
    device: str,
    seed: int,
    console: Console,
) -> int:
    """Clean noisy recordings or pictures with a model that was trained for it.

    \b .wav, .flac, .ogg, .aif    the same, of any length, rate and number of channels (.mp3 becomes
    .wav) .png, .jpg ...             .png, of the size that the model was made for folder of
    pictures         .png each, in a folder .npz, IDX (also .gz)       .npz with images [N, H, W] or
    [N, H, W, 3], float32 in 0..1 FILE#7                     picture 7 of a file, counted from 0

    Of sounds, rate, channels and length stay; so does what is hardly noisy.
    """  # noqa: D301 (click looks for this very charact"""
    from musae.kinds import choose_kind, kind_of_files
    from musicvae_lite.core.errors import UsageError

    notes = next((file for file in files if kind_of_files([file]) == "music"), None)
    if notes is not None:
        raise UsageError(
            f"{notes}: holds notes, not a recording; there is no noise in it to take away"
        )
    name = model or ("mnist-denoise" if kind_of_files(files) == "pictures" else "denoise")
    sound_only = ["max_reduction_db", "profile", "residual", "plot"]
    kind = choose_kind(name, files, pictures=["label"], sound=sound_only)
    if kind == "pictures":
        from musae.images import restore
        from musae.images.files import Job

        return restore.denoise(
            Job(name, device, seed, output, overwrite, console, label), files, strength
        )
    if kind == "sound":
        from musae.audio.denoise import Wishes
        from musae.audio.denoise import denoise as clean

        wishes = Wishes(strength, max_reduction_db, profile, residual, plot)
        return clean(files, output, overwrite, wishes, name, device, console)
    raise UsageError(
        f"{name} is a model of music, which has no noise to remove; use a denoiser of sound or "
        "pictures"
    )
