"""``musae interpolate``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from musae.options import (
    FILE,
    Console,
    chords_options,
    console_options,
    examples,
    label_option,
    model_options,
    one_or_two,
    output_option,
    role_option,
    temperature_option,
)

if TYPE_CHECKING:
    from musicvae_lite.codecs import ScoreCodec
    from musicvae_lite.passages import Passage
    from musicvae_lite.results import Interpolation

_EPILOG = examples(
    "musae interpolate a.mid b.mid                    nine steps in a__b.mid",
    "musae interpolate a.mid b.mid -o steps/          steps/00.mid to steps/08.mid",
    "musae interpolate a.mid b.mid --bar 5,1          from bar 5 of a.mid to bar 1 of b.mid",
    "musae interpolate a.mid b.mid --plot path.png    with a picture of the steps",
    'musae interpolate a.mid b.mid -m RUN --chords "C | Am F"   over chords, for a model told of them',
    "musae interpolate 3.png 8.png -m mnist-vae       a strip of pictures, 3__8.png",
    "musae interpolate x.npz#3 x.npz#8 -m mnist-vae -o steps/",
)


@click.command(epilog=_EPILOG)
@click.argument("a", type=FILE, metavar="A.mid|A.png")
@click.argument("b", type=FILE, metavar="B.mid|B.png")
@output_option(
    "File for all steps (of pictures a strip, or arrays in X.npz), or folder (DIR/) for one file a step. "
    "[default: A__B.mid, A__B.png]"
)
@click.option("--steps", type=click.IntRange(2, 10_000), default=9, show_default=True, help="Both ends included.")
@click.option(
    "--bar", callback=one_or_two, metavar="N[,M]", help="Bar where the window of A (and B) starts. [default: first usable]"
)
@click.option("--track", callback=one_or_two, metavar="N[,M]", help="Track of A (and B). [default: first usable]")
@role_option
@click.option("--path", type=click.Choice(["slerp", "lerp"]),
              help="Great circle or line. [default: slerp; lerp for a plain autoencoder]")  # fmt: skip
@temperature_option(0.0)
@chords_options("what the steps are played over, a bar each and repeated. [default: those of the nearer end]")
@click.option("--plot", metavar="P.png", help="Draw the steps with labels, melodies as piano rolls (PNG, SVG or PDF).")
@click.option("--wav", metavar="W.wav", help="Render the steps of a melody as sound.")
@label_option
@model_options()
@console_options
def interpolate(
    a: str,
    b: str,
    output: str | None,
    overwrite: bool,
    steps: int,
    bar: tuple[int, int] | None,
    track: tuple[int, int] | None,
    roles: tuple[dict[str, int], dict[str, int]],
    path: Literal["slerp", "lerp"] | None,
    temperature: float,
    chords: str | None,
    key: str | None,
    plot: str | None,
    wav: str | None,
    label: int | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    """Turn melody (or picture) A into B, in steps along a path in latent space.

    Step 1 is what the model makes of A, the last step what it makes of B. Of longer pieces the first usable window is taken
    (of the model's length: two bars for mel-2bar); -v lists the others. One picture of a file with many is FILE#INDEX.
    """
    from musae.kinds import choose_kind

    music = ["bar", "track", "roles", "temperature", "wav", "chords", "key"]
    if choose_kind(model, (a, b), music=music, pictures=["label"]) == "pictures":
        from musae import picture_verbs
        from musae.pictures import Job

        job = Job(model, device, seed, output, overwrite, console, label)
        picture_verbs.interpolate(job, (a, b), steps, path, plot)
    else:
        _melodies(
            a,
            b,
            output,
            overwrite,
            steps,
            bar,
            track,
            roles,
            path or "slerp",
            temperature,
            chords,
            key,
            plot,
            wav,
            model,
            device,
            seed,
            console,
        )


def _melodies(
    a: str,
    b: str,
    output: str | None,
    overwrite: bool,
    steps: int,
    bar: tuple[int, int] | None,
    track: tuple[int, int] | None,
    roles: tuple[dict[str, int], dict[str, int]],
    path: Literal["slerp", "lerp"],
    temperature: float,
    chords: str | None,
    key: str | None,
    plot: str | None,
    wav: str | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    from musae.reading import conditions_of
    from musicvae_lite.passages import one_window

    extra = _extra(plot, wav, steps)
    outputs = _outputs(a, b, output, steps, extra, overwrite)
    codec = conditions_of(model, [chords] if chords is not None else [], key).codec
    bars, tracks = bar or (None, None), track or (None, None)
    ends = [one_window(item, codec, model, t, n, r) for item, t, n, r in zip((a, b), tracks, bars, roles, strict=True)]
    for end in ends:
        console.detail("\n".join(f"{end.source}: usable windows start in {line}" for line in end.candidates))
    if wav:
        _check_sound(wav, codec, ends, steps)
    from musicvae_lite.session import Session, load_as

    result = load_as(Session, model, device, seed).interpolate(ends[0], ends[1], steps, temperature, path, chords=chords, key=key)
    document = {"model": model, **result.as_dict(), "outputs": [str(p) for p in outputs], "plot": plot, "wav": wav}
    _write(console, result, outputs, plot, wav, overwrite)
    _report(console, result, codec.steps // codec.steps_per_bar, outputs, extra)
    console.document(document)


def _outputs(a: str, b: str, output: str | None, steps: int, extra: list[Path], overwrite: bool) -> list[Path]:
    """Return the MIDI files to write, after checking that all outputs can be written."""
    from musae.outputs import MAX_NAME, check_files, check_folder, check_in_folder, is_folder, midi_file, shortened

    if output is not None and is_folder(output):
        digits = max(2, len(str(steps - 1)))
        names = [f"{step:0{digits}}.mid" for step in range(steps)]
        folder = Path(output)
        check_folder(folder)
        there = [path for path in extra if folder.is_dir() or path.parent.resolve() != folder.resolve()]
        check_files(there, overwrite, (a, b))
        return check_in_folder(folder, names, overwrite, (a, b))
    stems = Path(a).stem, Path(b).stem
    if len(os.fsencode(f"{stems[0]}__{stems[1]}.mid")) > MAX_NAME:
        stems = shortened(stems[0], (MAX_NAME - 6) // 2), shortened(stems[1], (MAX_NAME - 6) // 2)
    path = midi_file(output) if output is not None else Path(f"{stems[0]}__{stems[1]}.mid")
    check_files([path, *extra], overwrite, (a, b))
    return [path]


def _extra(plot: str | None, wav: str | None, steps: int) -> list[Path]:
    """Return picture and sound file, after checking their kinds."""
    from musicvae_lite.errors import UsageError
    from musicvae_lite.view import check_picture

    if plot:
        check_picture(Path(plot), steps)
    if wav and Path(wav).suffix.lower() != ".wav":
        raise UsageError(f"{wav}: a sound file ends in .wav")
    return [Path(name) for name in (plot, wav) if name]


def _check_sound(wav: str, codec: ScoreCodec, ends: list[Passage], steps: int) -> None:
    """Refuse more sound than can be rendered; the tempo moves evenly from one end to the other."""
    import numpy as np

    from musae.sound import check_sound

    window = codec.decode(ends[0].windows[0])
    metre = window.metres[0]
    quarters = 4 * codec.steps / codec.steps_per_bar * int(metre["numerator"]) / int(metre["denominator"])
    minutes = float((quarters / np.linspace(ends[0].qpm[0], ends[1].qpm[0], steps)).sum())
    check_sound(wav, 60 * minutes, quarters * steps, window.ticks_per_quarter)


def _write(
    console: Console, result: Interpolation, outputs: list[Path], plot: str | None, wav: str | None, overwrite: bool
) -> None:
    """Write everything, or nothing."""
    from musae.outputs import write_together
    from musicvae_lite.media.midi import midi_bytes

    scores = result.scores if len(outputs) > 1 else (result.joined,)
    files = {path: midi_bytes(score) for path, score in zip(outputs, scores, strict=True)}
    how = ""
    if plot:
        from musicvae_lite.view import picture

        files[Path(plot)] = picture(result.scores, Path(plot), f"{result.start.stem} to {result.end.stem}")
    if wav:
        from musae.sound import wav_bytes

        files[Path(wav)], how = wav_bytes(result.joined)
    write_together(files, overwrite)
    if wav:
        console.note(f"{wav}: rendered with {how}")


def _report(console: Console, result: Interpolation, bars: int, outputs: list[Path], extra: list[Path]) -> None:
    from musae.reading import percent, place

    ends = ((result.start, "from"), (result.end, "to  "))
    for (passage, word), right in zip(ends, result.onset_accuracy, strict=True):
        console.show(f"{word} {passage.source}: {place(passage, bars)}; notes heard right: {percent(right)}")
    steps = str(outputs[0]) if len(outputs) == 1 else f"{outputs[0]} ... {outputs[-1]}"
    console.show(f"wrote {', '.join([steps, *map(str, extra)])}")
    if result.silent:
        console.warn(f"steps without a note: {', '.join(map(str, result.silent))}; the model may need more training")
