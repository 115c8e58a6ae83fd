"""``musae encode`` and ``musae decode``: latent vectors as plain arrays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musae.options import (
    FILE,
    Console,
    chords_options,
    console_options,
    examples,
    label_option,
    model_options,
    one_role_option,
    output_option,
    temperature_option,
)

if TYPE_CHECKING:
    from musicvae_lite.music.session import MusicSession
    from musicvae_lite.music.windows import Passage

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


@click.command(epilog=_ENCODE)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@output_option("The arrays (NumPy .npz).", required=True)
@click.option(
    "--track", type=click.IntRange(1), metavar="N", help="Track to use. [default: first usable]"
)
@one_role_option
@click.option(
    "--every-window",
    is_flag=True,
    help="Also windows that overlap: one from every bar on that the model can use.",
)
@label_option
@model_options()
@console_options
def encode(
    files: tuple[str, ...],
    output: str,
    overwrite: bool,
    track: int | None,
    roles: dict[str, int],
    every_window: bool,
    label: int | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> int:
    """Write what the model makes of each window of a melody, or of each picture.

    \b mean, scale [N, Z]   mean and standard deviation of the posterior; scale is 0 for a plain
    code source [N]           the file of each model                name of the model of melodies:
    track, bar [N]       track and first bar, both counted from 1 qpm, program [N]     tempo and
    General MIDI program there told [N, G, K]       chord (0 to 48) and key (0 to 11) of each step
    of time, for a model that is told of them of pictures: index [N]            place in the file,
    counted from 0 label [N]            class, where it is known (-1 where others' is)

    of sound: with a denoiser mean and scale are [N, Z, L], L steps of each clip
    clip [N]             place in the recording, counted from 0; of timbre every half a clip

    One picture of a file with many is FILE#INDEX.
    """  # noqa: D301 (click looks for this very charact"""
    from musae.kinds import choose_kind
    from musicvae_lite.core.errors import UsageError

    kind = choose_kind(model, files, music=["track", "roles", "every_window"], pictures=["label"])
    if Path(output).suffix.lower() != ".npz":
        raise UsageError(f"{output}: the arrays go to a file that ends in .npz")
    if kind == "pictures":
        from musae.images import verbs
        from musae.images.files import Job

        return verbs.encode(Job(model, device, seed, output, overwrite, console, label), files)
    if kind == "sound":
        from musae.audio import denoise

        return denoise.encode(files, Path(output), overwrite, model, device, console)
    return _encode_music(
        files, Path(output), overwrite, track, roles, every_window, model, device, seed, console
    )


def _encode_music(
    files: tuple[str, ...],
    path: Path,
    overwrite: bool,
    track: int | None,
    roles: dict[str, int],
    every_window: bool,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> int:
    from musae.music.latents import save_latents
    from musae.music.reading import codec_of, counted
    from musae.outputs import check_files, each
    from musicvae_lite.music.windows import whole_melody

    check_files([path], overwrite, files)
    codec = codec_of(model)
    passages: list[Passage] = []
    code = each(
        files,
        lambda name: passages.append(whole_melody(name, codec, model, track, every_window, roles)),
        console.error,
    )
    from musicvae_lite.model_dir.handle import load_as
    from musicvae_lite.music.session import MusicSession

    session = load_as(MusicSession, model, device, seed)
    tables = [_table(passage, session) for passage in passages]
    count = len(save_latents(path, tables, model, overwrite)["mean"])
    listed = [
        {"file": passage.source, "track": passage.track, "windows": len(passage.windows)}
        for passage in passages
    ]
    console.show(
        f"wrote {path}: {counted(count, 'window')} of {counted(len(passages), 'file')}, "
        f"{session.latent_size} numbers each"
    )
    console.document(
        {
            "model": model,
            "files": listed,
            "windows": count,
            "latent_size": session.latent_size,
            "output": str(path),
        }
    )
    return code


def _table(passage: Passage, session: MusicSession) -> dict[str, Any]:
    import numpy as np

    conditions = session.conditions
    told = conditions.of_passage(passage)
    mean, scale = session.encode_windows(passage.windows, condition=conditions.numbers(told))
    count = len(passage.windows)
    return {
        "mean": mean,
        "scale": scale,
        "source": np.full(count, passage.source),
        "track": np.full(count, passage.track),
        "bar": passage.bars,
        "qpm": passage.qpm,
        "program": np.full(count, passage.program),
        **({"told": told} if conditions.control else {}),
    }


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
@click.option(
    "--label",
    type=click.IntRange(0),
    metavar="N",
    help="Class of the pictures, for a conditional model. [default: label in Z.npz]",
)
@model_options()
@console_options
def decode(
    latents: str,
    output: str | None,
    overwrite: bool,
    temperature: float,
    chords: str | None,
    key: str | None,
    label: int | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    """Turn latent vectors back into MIDI files, pictures or sounds.

    Only mean [N, Z] has to be there.

    MIDI: one file a source, its windows at their bars. Without bar (or where bars do not rise) the
    windows follow one another.
    All is in the metre of the model: a change of metre in the source is not kept.

    Sounds: one file a source, its windows one after another; the phases are made up (by Griffin and
    Lim's method).

    Pictures: all on one sheet (X.png), SOURCE-INDEX.png each (DIR/), or as images [N, H, W] or [N,
    H, W, 3], float32 (X.npz).
    """
    from musae.kinds import choose_kind

    kind = choose_kind(model, music=["temperature", "chords", "key"], pictures=["label"])
    if kind == "sound":
        from musae.audio import timbre
        from musae.kinds import require_timbre

        require_timbre(model)
        timbre.decode(timbre.Job(model, device, seed, output, overwrite, console), latents)
        return
    if kind == "pictures":
        from musae.images import verbs
        from musae.images.files import Job

        verbs.decode(Job(model, device, seed, output, overwrite, console, label), latents)
    else:
        _decode_melodies(
            latents, output, overwrite, temperature, chords, key, model, device, seed, console
        )


def _decode_melodies(
    latents: str,
    output: str | None,
    overwrite: bool,
    temperature: float,
    chords: str | None,
    key: str | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    import numpy as np

    from musae.music.latents import read_latents
    from musae.music.reading import conditions_of, counted
    from musae.outputs import make_folder, one_each
    from musicvae_lite.media.midi import write_midi

    table = read_latents(Path(latents))
    groups = table.groups()
    paths = one_each(output, [stem for stem, _ in groups], "decoded", overwrite, [latents])
    conditions = conditions_of(model, chords, key)
    codec = conditions.codec
    told = table.told_to(conditions, latents)
    if conditions.control.chords and table.told is None and chords is None:
        console.note(
            f'{latents} says no chords and {model} hears none; name some, such as --chords "C Am F G"'
        )
    if table.model not in ("", model):
        console.warn(f"{latents} was encoded with model {table.model}, not with {model}")
    from musicvae_lite.model_dir.handle import load_as
    from musicvae_lite.music.session import MusicSession

    progression, number = conditions.progression(chords), conditions.key(key)
    starts = {}
    for stem, rows in groups:
        bars = table.bars(rows)
        starts[stem] = np.arange(len(rows)) * codec.bars + 1 if bars is None else bars
        told[rows] = conditions.changed(told[rows], starts[stem], progression, number)
    windows = load_as(MusicSession, model, device, seed).decode_windows(
        table.mean, temperature, conditions.numbers(told)
    )
    for path, (stem, rows) in zip(paths, groups, strict=True):
        program = int(table.program[rows[0]])
        qpm, bars, name = table.qpm[rows].tolist(), table.bars(rows), f"decode {stem}"
        score = conditions.played(windows[rows], told[rows], qpm, bars, program, name)
        make_folder(path.parent)
        write_midi(score, path, overwrite)
        console.show(f"{path}: {counted(len(rows), 'window')}")
    outputs = [str(path) for path in paths]
    console.document(
        {
            "model": model,
            "input": latents,
            "windows": len(windows),
            "outputs": outputs,
            "seed": seed,
        }
    )
