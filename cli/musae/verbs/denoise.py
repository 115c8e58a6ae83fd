"""``musae denoise``."""

from __future__ import annotations

import click

from musae.options import FILE, Console, Number, console_options, examples, label_option, model_options, output_option

_EPILOG = examples(
    "musae denoise 3.png                        3.denoised.png",
    "musae denoise scans/ -o clean/             clean/NAME.png for each picture",
    "musae denoise noisy.npz --strength 0.7     noisy.denoised.npz, three tenths of the input left in",
)


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@output_option("Folder (DIR/) for FILE.png each, the one file, or R.npz. [default: FILE.denoised.* here]")
@click.option("--strength", type=Number(0, 1), default=1.0, show_default=True, metavar="FLOAT",
              help="0 leaves the input as it is, 1 takes the cleaned one; between them a blend.")  # fmt: skip
@label_option
@model_options("mnist-denoise")
@console_options
def denoise(
    files: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    strength: float,
    label: int | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> int:
    """Clean noisy pictures with a model that was trained for it.

    \b
    .png, .jpg ...             .png
    folder of pictures         .png each, in a folder
    .npz, IDX (also .gz)       .npz with images [N, H, W] or [N, H, W, 3], float32 in 0..1
    FILE#7                     picture 7 of a file, counted from 0

    The result has the size that the model was made for.
    """  # noqa: D301 (click looks for this very character)
    from musae.kinds import choose_kind
    from musicvae_lite.errors import UsageError

    if choose_kind(model, files) != "pictures":
        raise UsageError(f"{model} is a model of music, which has no noise to remove; use a denoiser of pictures")
    from musae import picture_restore
    from musae.pictures import Job

    return picture_restore.denoise(Job(model, device, seed, output, overwrite, console, label), files, strength)
