"""``musae reconstruct``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musae.options import (
    FILE,
    Console,
    Number,
    chords_options,
    console_options,
    examples,
    label_option,
    model_options,
    one_role_option,
    output_option,
)

_EPILOG = examples(
    "musae reconstruct song.mid                 song.reconstructed.mid",
    "musae reconstruct songs/*.mid -o heard/    heard/NAME.mid for each",
    "musae reconstruct song.mid --keep-tracks    the whole song, its melody replaced",
    "musae reconstruct 3.png -m mnist-ae        3.reconstructed.png",
    "musae reconstruct x.npz -m mnist-ae --noise-sd 0.5 -o r.npz",
)


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@output_option(
    "Folder (DIR/) for FILE.mid or FILE.png each, the one file, or R.npz. [default: "
    "FILE.reconstructed.* here]"
)
@click.option(
    "--track", type=click.IntRange(1), metavar="N", help="Track to use. [default: first usable]"
)
@one_role_option
@click.option(
    "--keep-tracks",
    is_flag=True,
    help="Write the whole file: only notes of the track are replaced, in their bars.",
)
@chords_options("play the piece over these, a bar each and repeated, in place of its own.")
@click.option(
    "--noise-sd",
    type=Number(0, 100),
    metavar="FLOAT",
    help=(
        "Add normal noise to pictures first, of the mean that the model was trained with (else "
        "0.5)."
    ),
)
@label_option
@model_options()
@console_options
def reconstruct(
    files: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    track: int | None,
    roles: dict[str, int],
    keep_tracks: bool,
    chords: str | None,
    key: str | None,
    noise_sd: float | None,
    label: int | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> int:
    """Write what the model makes of melodies, pictures or sounds, and how much of it is right.

    \b
    .mid                       .mid, window by window; a note held from one to the next is one note
    .png, .jpg ...             .png
    .wav, .flac ...            the same; by a model of timbre mono, with the phases of the input
    folder of pictures         .png each, in a folder
    .npz, IDX (also .gz)       .npz with images [N, H, W] or [N, H, W, 3], float32 in 0..1,
                               labels where known, and noisy with --noise-sd
    FILE#7                     picture 7 of a file, counted from 0

    With --keep-tracks all else of a MIDI file stays, to the tick: other tracks, tempos,
    controllers, bends, lyrics; also the bars of the track that no window covers, and the notes in
    it that the model does not hear (under the highest of a chord). Drums are replaced in all drum
    tracks, unless one is named.

    "Notes right" counts the notes of the input and those of the result: the part of both that the
    other has, too. A note that was invented counts like one that is missing; lengths do not count.

    With -o R.npz the pictures of all inputs go there. A super-resolver's result is compared with
    the original, that with --noise-sd with the picture before the noise, any other with the input.
    """  # noqa: D301 (click looks for this very charact"""
    from musae.kinds import choose_kind

    only_music = ["track", "roles", "keep_tracks", "chords", "key"]
    kind = choose_kind(model, files, music=only_music, pictures=["noise_sd", "label"])
    if kind == "sound":
        from musae.audio import denoise

        return denoise.reconstruct(files, output, overwrite, model, device, console)
    if kind == "pictures":
        from musae.images import restore
        from musae.images.files import Job

        job = Job(model, device, seed, output, overwrite, console, label)
        return restore.reconstruct(job, files, noise_sd)
    return _melodies(
        files,
        output,
        overwrite,
        track,
        roles,
        keep_tracks,
        chords,
        key,
        model,
        device,
        seed,
        console,
    )


def _melodies(
    files: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    track: int | None,
    roles: dict[str, int],
    keep_tracks: bool,
    chords: str | None,
    key: str | None,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> int:
    from musae.music.reading import (
        check_keep_tracks,
        conditions_of,
        counted,
        edited,
        left_as_it_is,
        percent,
    )
    from musae.outputs import each, one_each, write_together
    from musicvae_lite.media.midi import midi_bytes
    from musicvae_lite.music.windows import Passage, whole_melody

    paths = one_each(output, [Path(name).stem for name in files], "reconstructed", overwrite, files)
    places = dict(zip(files, paths, strict=True))
    codec = conditions_of(model, chords, key).codec
    check_keep_tracks(keep_tracks, codec, model)
    usable: dict[str, Passage] = {}

    def read(name: str) -> None:
        usable[name] = whole_melody(name, codec, model, track, roles=roles, overlapping=True)

    code = each(files, read, console.error, more=True)
    from musicvae_lite.model_dir.handle import load_as
    from musicvae_lite.music.session import MusicSession

    session = load_as(MusicSession, model, device, seed)
    results: list[dict[str, Any]] = []

    def write(name: str) -> None:
        result = session.reconstruct(usable[name], keep_tracks=keep_tracks, chords=chords, key=key)
        data = edited(name, usable[name], result.score) if keep_tracks else midi_bytes(result.score)
        write_together({places[name]: data}, overwrite)
        results.append({**result.as_dict(), "output": str(places[name])})
        passage, (first, last) = result.passage, result.bars
        what = f"{passage.place}, bars {first}-{last}, {counted(len(result.windows), 'window')}"
        heard = (
            "" if chords or key else f"; notes right: {percent(result.onset_accuracy)}"
        )  # other chords, other notes
        console.show(f"{places[name]}: {what}{heard}")
        if keep_tracks and result.left:
            console.show(f"{places[name]}: {left_as_it_is(result.left)}")
        if not len(result.score.notes):
            console.warn(f"{places[name]}: holds no note; the model may need more training")

    code = max(code, each(list(usable), write, console.error, of=len(set(files))))
    console.document({"model": model, "files": results})
    return code
