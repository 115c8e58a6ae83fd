"""``musae reconstruct``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from musae.job import Job, check_inputs, job_options, present
from musae.options import (
    FILE,
    Number,
    accompany_option,
    chords_options,
    examples,
    join_option,
    label_option,
    one_role_option,
    output_option,
    track_option,
    wav_option,
)

_EPILOG = examples(
    "musae reconstruct song.mid                 song.reconstructed.mid",
    "musae reconstruct songs/*.mid -o heard/    heard/NAME.mid for each",
    "musae reconstruct song.mid --keep-tracks    the whole song, its melody replaced",
    "musae reconstruct 3.png -m mnist-ae        3.reconstructed.png",
    "musae reconstruct x.npz -m mnist-ae --noise-sd 0.5 -o r.npz",
)


_ONLY = {
    "music": ("track", "roles", "keep_tracks", "chords", "key", "accompany", "plot", "wav"),
    "pictures": ("noise_sd", "label"),
}


@dataclass(frozen=True)
class Request:
    """What was asked for; None where nothing was said.

    Attributes:
        files: the inputs.
        track: track to use.
        roles: tracks of the voices.
        keep_tracks: keep all else of the files.
        chords: what to play over, in place of the file's own.
        key: as the user named it.
        accompany: how the chords are played, too.
        plot: picture to write.
        noise_sd: standard deviation of noise that is added to images first.
    """

    files: tuple[str, ...]
    track: int | None
    roles: dict[str, int]
    keep_tracks: bool
    chords: str | None
    key: str | None
    accompany: str | None
    plot: str | None
    noise_sd: float | None


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@output_option(
    "Folder (DIR/) for FILE.mid or FILE.png each, the one file, or R.npz. [default: "
    "FILE.reconstructed.* here]"
)
@track_option
@one_role_option
@click.option(
    "--keep-tracks",
    is_flag=True,
    help="Write the whole file: only notes of the track are replaced, in their bars.",
)
@chords_options("play the piece over these, a bar each and repeated, in place of its own.")
@accompany_option
@click.option(
    "--plot",
    metavar="P.png",
    help="Draw a piece above what is heard in it, as piano rolls (PNG, SVG or PDF; one file).",
)
@click.option(
    "--noise-sd",
    type=Number(0, 100),
    metavar="FLOAT",
    help=(
        "Add normal noise to pictures first, of the mean that the model was trained with (else "
        "0.5)."
    ),
)
@join_option
@wav_option
@label_option
@job_options()
def reconstruct(
    files: tuple[str, ...],
    track: int | None,
    roles: dict[str, int],
    keep_tracks: bool,
    chords: str | None,
    key: str | None,
    accompany: str | None,
    plot: str | None,
    noise_sd: float | None,
    job: Job,
) -> Any:
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
    """  # noqa: D301 (click looks for this very character)
    request = Request(files, track, roles, keep_tracks, chords, key, accompany, plot, noise_sd)
    check_inputs(job, files, _ONLY)
    return present(job, "reconstruct", request)
