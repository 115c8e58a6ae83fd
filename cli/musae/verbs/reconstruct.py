"""``musae reconstruct``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musae.options import FILE, Console, console_options, examples, model_options, output_option

_EPILOG = examples(
    "musae reconstruct song.mid                 song.reconstructed.mid",
    "musae reconstruct songs/*.mid -o heard/    heard/NAME.mid for each",
)


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@output_option("Folder for FILE.mid each. [default: FILE.reconstructed.mid here]")
@click.option("--track", type=click.IntRange(1), metavar="N", help="Track to use. [default: first usable]")
@model_options
@console_options
def reconstruct(
    files: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    track: int | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> int:
    """Write what the model hears in a melody, window by window, and how much of it is right.

    Of a model of sound: what it makes of recordings, FILE.reconstructed.wav.
    """
    from musae import denoising

    if denoising.is_of_sound(model):
        return denoising.reconstruct(files, output, overwrite, model, device, console)
    from musae.outputs import each, make_folder, one_each
    from musae.reading import codec_of, counted, percent
    from musicvae_lite.media.midi import write_midi
    from musicvae_lite.passages import Passage, whole_melody

    paths = one_each(output, [Path(name).stem for name in files], "reconstructed", overwrite, files)
    places = dict(zip(files, paths, strict=True))
    codec = codec_of(model)
    usable: dict[str, Passage] = {}

    def read(name: str) -> None:
        usable[name] = whole_melody(name, codec, model, track)

    code = each(files, read, console.error)
    from musicvae_lite.session import Session, load_as

    session = load_as(Session, model, device, seed)
    results: list[dict[str, Any]] = []

    def write(name: str) -> None:
        result = session.reconstruct(usable[name])
        make_folder(places[name].parent)
        write_midi(result.score, places[name], overwrite)
        results.append({**result.as_dict(), "output": str(places[name])})
        passage, (first, last) = result.passage, result.bars
        track = f"track {passage.track}" + (f" ({passage.track_name})" if passage.track_name else "")
        what = f"{track}, bars {first}-{last}, {counted(len(result.windows), 'window')}"
        console.show(f"{places[name]}: {what}; notes heard right: {percent(result.onset_accuracy)}")
        if not len(result.score.notes):
            console.warn(f"{places[name]}: holds no note; the model may need more training")

    code = max(code, each(list(usable), write, console.error))
    console.document({"model": model, "files": results})
    return code
