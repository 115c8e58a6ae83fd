"""``musae sample``."""

from __future__ import annotations

from pathlib import Path

import click

from musae.options import Console, Number, console_options, examples, model_options, output_option, temperature_option

_EPILOG = examples(
    "musae sample                                 sample-01.mid to sample-04.mid",
    "musae sample --count 1 --seed 7 -o new.mid   one melody",
    "musae sample --length 8 -o new/              four melodies of 8 bars",
    "musae sample -m mnist-vae -o grid.png        25 pictures on one sheet",
    "musae sample -m mnist-cvae --label 7 -o 7/   a file each",
)


@click.command(epilog=_EPILOG)
@output_option(
    "Folder (DIR/) for sample-01 and so on, the file for one melody, X.png for a sheet of pictures, or X.npz. "
    "[default: sample-01.mid ... here; samples.png]"
)
@click.option("--count", type=click.IntRange(1, 100_000), metavar="INTEGER", help="How many. [default: 4 melodies, 25 pictures]")
@click.option("--length", type=click.IntRange(1, 10_000), metavar="BARS", help="Bars of each, a multiple of the model's.")
@click.option("--qpm", type=Number(4, 1000), default=120.0, show_default=True, metavar="FLOAT", help="Tempo of melodies.")
@temperature_option(0.5)
@click.option("--label", type=click.IntRange(0), metavar="N",
              help="Class to draw, for a conditional model of pictures. [default: each in turn]")  # fmt: skip
@model_options()
@console_options
def sample(
    output: str | None,
    overwrite: bool,
    count: int | None,
    length: int | None,
    qpm: float,
    temperature: float,
    label: int | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    """Make up new melodies or pictures: points drawn from the prior, decoded."""
    from musae.kinds import choose_kind

    if choose_kind(model, music=["length", "qpm", "temperature"], pictures=["label"]) == "pictures":
        from musae import picture_verbs
        from musae.pictures import Job

        picture_verbs.sample(Job(model, device, seed, output, overwrite, console, label), count or 25)
    else:
        _melodies(output, overwrite, count or 4, length, qpm, temperature, model, device, seed, console)


def _melodies(
    output: str | None,
    overwrite: bool,
    count: int,
    length: int | None,
    qpm: float,
    temperature: float,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    from musae.outputs import make_folder
    from musae.reading import codec_of
    from musicvae_lite.errors import UsageError
    from musicvae_lite.media.midi import write_midi

    paths = _outputs(output, count, overwrite)
    codec = codec_of(model)
    size = codec.bars
    if length is not None and length % size:
        raise UsageError(f"--length {length}: {model} makes pieces of {size} bars and multiples of it")
    from musicvae_lite.session import Session, load_as

    scores = load_as(Session, model, device, seed).sample(count, temperature, length, qpm)
    make_folder(paths[0].parent)
    for score, path in zip(scores, paths, strict=True):
        write_midi(score, path, overwrite)
    console.show("wrote " + (f"{paths[0]}" if count == 1 else f"{paths[0]} ... {paths[-1]}"))
    names = [str(path) for path in paths]
    settings = {"temperature": temperature, "bars": length or size, "qpm": qpm, "seed": seed}
    console.document({"model": model, "count": count, **settings, "outputs": names})


def _outputs(output: str | None, count: int, overwrite: bool) -> list[Path]:
    from musae.outputs import check_files, check_in_folder, is_folder, midi_file
    from musicvae_lite.errors import UsageError

    if output is None or is_folder(output):
        digits = max(2, len(str(count)))
        names = [f"sample-{number:0{digits}}.mid" for number in range(1, count + 1)]
        return check_in_folder(Path(output or "."), names, overwrite)
    path = midi_file(output)
    if count > 1:
        raise UsageError(f"{output}: one file cannot hold {count} samples; add --count 1, or a slash for a folder ({path.stem}/)")
    check_files([path], overwrite)
    return [path]
