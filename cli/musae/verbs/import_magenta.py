"""``musae import-magenta``."""

from __future__ import annotations

import click

from musae.options import FILE, Console, console_options, examples

_EPILOG = examples(
    (
        "musae import-magenta run/train --preset hierdec-mel_16bar -o model/    the newest "
        "checkpoint "
        "of a run"
    ),
    "musae import-magenta cat-mel_2bar_big.tar --preset cat-mel_2bar_big -o model/",
    "musae import-magenta mel_2bar_small/ --preset cat-mel_2bar_small -o model/",
)


@click.command(name="import-magenta", epilog=_EPILOG)
@click.argument("checkpoint", type=FILE, metavar="CHECKPOINT")
@click.option(
    "--preset",
    "-p",
    required=True,
    metavar="NAME|FILE.yaml",
    help="The configuration that it was trained with.",
)
@click.option("--output", "-o", required=True, metavar="MODEL", help="Model folder to make.")
@click.option("--overwrite", is_flag=True, help="Replace a model that is there.")
@console_options
def import_magenta(
    checkpoint: str, preset: str, output: str, overwrite: bool, console: Console
) -> None:
    """Turn a checkpoint of Magenta's MusicVAE into a model folder; TensorFlow is not needed.

    CHECKPOINT is a TensorFlow checkpoint (its folder, its prefix such as model.ckpt-5000, or a .tar
    file), or a folder with the weights of magenta-js (weights_manifest.json). Sizes are read from
    it; the preset says how the model is built.
    """
    from musicvae_lite.magenta import import_magenta as run

    result = run(checkpoint, preset, output, overwrite)
    console.show(f"{result.folder}: {result.parameters:,} parameters from {result.source}")
    model = result.config.model
    console.document(
        {
            "model": output,
            "preset": result.config.name,
            "checkpoint": checkpoint,
            "parameters": result.parameters,
            "step": result.step,
            "settings": model.model_dump(mode="json"),
        }
    )
