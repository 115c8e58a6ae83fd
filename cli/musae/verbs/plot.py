"""``musae plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from musae.options import (
    FILE,
    Console,
    console_options,
    device_option,
    examples,
    output_option,
    seed_option,
)

if TYPE_CHECKING:
    from musicvae_lite.images.data.pictures import Split
    from musicvae_lite.images.session import ImageSession
    from musicvae_lite.model_dir.bundle import Description

PLOTS = (  # gallery.NAMES, which would import numpy; a test compares them
    "reconstructions",
    "latent-scatter",
    "latent-grid",
    "samples",
    "interpolations",
    "perturbations",
    "feature-maps",
    "classes",
    "loss",
)
_EPILOG = examples(
    "musae plot mnist-vae -o pictures/",
    "musae plot runs/digits-vae -o pictures/ --format svg",
    "musae plot mnist-ae --data FOLDER --only reconstructions --only feature-maps -o pictures/",
)


@click.command(epilog=_EPILOG)
@click.argument("model", metavar="NAME|FOLDER")
@click.option(
    "--data",
    type=FILE,
    metavar="DATA",
    help=(
        "Pictures: a folder, .npz or IDX file, or MNIST's folder. [default: what the preset names]"
    ),
)
@output_option("Folder for NAME.png each. [default: MODEL.plots/ here]")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(PLOTS),
    help="Draw this one; may be repeated. [default: all that apply]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["png", "svg", "pdf"]),
    default="png",
    show_default=True,
    help="Kind of the files.",
)
@device_option
@seed_option
@console_options
def plot(
    model: str,
    data: str | None,
    output: str | None,
    overwrite: bool,
    only: tuple[str, ...],
    format_: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    """Draw what a model of pictures has learned, on pictures that it has not seen.

    \b
    reconstructions   what goes in, what comes out, what should
    latent-scatter    codes of 10,000 pictures, coloured by class (more than two numbers: by PCA)
    latent-grid       pictures over the plane of a two-number code, by the prior's quantiles
    samples           draws from the prior
    interpolations    paths from picture to picture
    perturbations     codes with noise of growing size
    feature-maps      the code of a convolutional model without latent size
    classes           a conditional model, one row a class
    loss              the curves of a run, where the model is a run's folder

    The held-out part of the data is shown: the official test pictures, or one in ten.
    """  # noqa: D301 (click looks for this very character)
    from musae.outputs import check_in_folder, write_together
    from musicvae_lite.images.figures import loss_curves
    from musicvae_lite.model_dir.bundle import describe

    description = describe(model)
    names = _names(description, model, only)
    folder = Path(output) if output else Path(f"{Path(model).name}.plots")
    paths = check_in_folder(folder, [f"{name}.{format_}" for name in names], overwrite)
    files = dict.fromkeys(paths, b"")
    title = description.config.name
    if names != ["loss"]:
        from musicvae_lite.images.figures import Gallery
        from musicvae_lite.images.session import ImageSession
        from musicvae_lite.model_dir.handle import load_as

        session = load_as(ImageSession, model, device, seed)
        split, source = _held_out(description, data, session, console)
        gallery = Gallery(session, split, title, source, f".{format_}", seed)
    for path, name in zip(paths, names, strict=True):
        files[path] = (
            loss_curves(description.folder, title, path.suffix)
            if name == "loss"
            else gallery.draw(name)
        )
        console.detail(f"{name}: drawn")
    write_together(files, overwrite)
    console.show("wrote " + ", ".join(map(str, paths)))
    console.document(
        {
            "model": model,
            "data": data,
            "seed": seed,
            "outputs": dict(zip(names, map(str, paths), strict=True)),
        }
    )


def _names(description: Description, model: str, only: tuple[str, ...]) -> list[str]:
    """Return what is to be drawn, of what can be.

    Raises:
        UsageError: nothing can be, or not what is asked for; says why.
    """
    from musicvae_lite.core.errors import UsageError
    from musicvae_lite.images.figures import reasons_against

    against = reasons_against(description)
    for name in only:
        if against[name]:
            raise UsageError(f"--only {name}: cannot be drawn of {model}: {against[name]}")
    names = [name for name in PLOTS if not against[name] and (not only or name in only)]
    if not names:
        raise UsageError(
            f"{model}: nothing can be drawn; it is no model of pictures and no folder of a run"
        )
    return names


def _held_out(
    description: Description, data: str | None, session: ImageSession, console: Console
) -> tuple[Split, str]:
    """Return pictures that the model has not learned from, and where they are from."""
    from musicvae_lite.core.errors import UsageError
    from musicvae_lite.images.data.pictures import open_pictures

    source = data or description.config.data.source
    if source is None:
        raise UsageError(
            f"{session.name} needs pictures to draw: a folder, an .npz or IDX file, with --data"
        )
    corpus = open_pictures(source, session.codec, description.config.data.pieces)
    if corpus.resized:
        console.note(f"{source}: resized to {session.codec.width} x {session.codec.height}")
    return (corpus.test if len(corpus.test) else corpus.train), corpus.name
