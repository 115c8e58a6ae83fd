"""``musae denoise``."""

from __future__ import annotations

import click

from musae.options import FILE, Console, Number, console_options, device_option, examples, output_option

_EPILOG = examples(
    "musae denoise noisy.wav                          noisy.denoised.wav",
    "musae denoise tapes/*.flac -o clean/             clean/NAME.flac for each",
    "musae denoise noisy.wav --profile 0:01-0:02      noise alone is heard from second 1 to 2",
    "musae denoise noisy.wav --plot before-after.png --residual noise.wav",
)


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@output_option("Folder (DIR/) for the same names, or the one file. [default: FILE.denoised.wav here]")
@click.option("--strength", type=Number(0, 1), default=1.0, show_default=True, metavar="FLOAT",
              help="0 leaves the input as it is, 1 takes the cleaned one; between them a blend.")  # fmt: skip
@click.option("--max-reduction-db", type=Number(0, 200), metavar="DB", help="Make nothing quieter by more. [default: no limit]")
@click.option("--profile", metavar="FROM-TO", help="A stretch of noise alone, such as 0:01-0:02.")
@click.option("--residual", metavar="R.wav", help="Write what was taken away.")
@click.option("--plot", metavar="P.png", help="Draw spectrograms before and after, and the mask (PNG, SVG or PDF).")
@click.option("--model", "-m", default="denoise", show_default=True, metavar="NAME|FOLDER",
              help="Shipped model or model folder ('musae models' lists them).")  # fmt: skip
@device_option
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
    model: str,
    device: str,
    console: Console,
) -> int:
    """Clean noisy recordings: WAV, FLAC, Ogg or AIFF of any length, rate and number of channels (MP3 is read, too).

    Rate, channels and length stay; so does what is hardly noisy.
    """
    from musae.denoising import Wishes, is_of_sound
    from musae.denoising import denoise as clean
    from musicvae_lite.errors import UsageError

    if not is_of_sound(model):
        raise UsageError(f"{model} is no denoiser of sound; 'musae train denoise-small --data CLEAN' makes one")
    return clean(files, output, overwrite, Wishes(strength, max_reduction_db, profile, residual, plot), model, device, console)
