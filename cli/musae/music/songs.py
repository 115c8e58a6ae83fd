"""``musae interpolate --whole``: one song turned into another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from musae.options import Console


@dataclass(frozen=True)
class Songs:
    """What was asked for: two files, where the result goes, and how it is made.

    ``steps`` None for one song.
    """

    files: tuple[str, str]
    output: str | None
    overwrite: bool
    steps: int | None
    tracks: tuple[int | None, ...]
    roles: tuple[dict[str, int], ...]
    path: Literal["slerp", "lerp"]
    temperature: float
    keep_tracks: bool
    model: str
    device: str
    seed: int
    console: Console


def check_options(whole: bool, steps: int) -> int | None:
    """Refuse what does not go with whole songs, and return the number of steps if one was given.

    Raises:
        click.UsageError: naming the option.
    """
    context = click.get_current_context()
    if not whole:
        raise click.UsageError("--keep-tracks goes with --whole", context)
    for name in ("grid", "bar", "plot", "wav", "chords", "key"):
        if context.params.get(name) is not None:
            raise click.UsageError(f"--{name} does not go with --whole", context)
    return (
        steps
        if context.get_parameter_source("steps") is click.core.ParameterSource.COMMANDLINE
        else None
    )


def interpolate(request: Songs) -> None:
    """Write one song that begins as A and ends as B, or a song for each step."""
    from musae.music.reading import check_keep_tracks, codec_of, counted, edited, left_as_it_is
    from musae.outputs import write_together
    from musicvae_lite.media.midi import midi_bytes
    from musicvae_lite.music.splice import check_way
    from musicvae_lite.music.windows import whole_melody

    outputs, console = _outputs(request), request.console
    codec = codec_of(request.model)
    check_keep_tracks(request.keep_tracks, codec, request.model)
    chosen = zip(request.files, request.tracks, request.roles, strict=False)
    start, end = (
        whole_melody(item, codec, request.model, track, roles=own, overlapping=True)
        for item, track, own in chosen
    )
    check_way(start, request.steps, request.model)
    from musicvae_lite.model_dir.handle import load_as
    from musicvae_lite.music.session import MusicSession
    from musicvae_lite.music.verbs.morph import morph

    session = load_as(MusicSession, request.model, request.device, request.seed)
    result = morph(
        session,
        start,
        end,
        request.steps,
        request.temperature,
        request.path,
        keep_tracks=request.keep_tracks,
    )
    name = request.files[0]
    data = [
        edited(name, start, score) if request.keep_tracks else midi_bytes(score)
        for score in result.scores
    ]
    write_together(dict(zip(outputs, data, strict=True)), request.overwrite)
    for passage, word in ((start, "from"), (end, "to  ")):
        console.show(
            f"{word} {passage.source}: {passage.place}, {counted(len(passage.windows), 'window')}"
        )
    if result.left:
        console.show(f"{start.source}: {left_as_it_is(result.left)}")
    console.show(
        f"wrote {outputs[0]}" if len(outputs) == 1 else f"wrote {outputs[0]} ... {outputs[-1]}"
    )
    names = [str(path) for path in outputs]
    console.document(
        {
            "model": request.model,
            **result.as_dict(),
            "keep_tracks": request.keep_tracks,
            "outputs": names,
        }
    )


def _outputs(request: Songs) -> list[Path]:
    """Return the files to write, after checking that they can be.

    Raises:
        UsageError: several songs and no folder for them; see :func:`musae.outputs.check_files`.
    """
    from musae.outputs import check_in_folder, is_folder, one_each
    from musicvae_lite.core.errors import UsageError

    stem = f"{Path(request.files[0]).stem}__{Path(request.files[1]).stem}"
    if request.steps is None:
        return one_each(request.output, [stem], "whole", request.overwrite, request.files)
    if request.output is None or not is_folder(request.output):
        raise UsageError(
            f"--whole with --steps writes a song for each step; name a folder for them (-o {stem}/)"
        )
    digits = max(2, len(str(request.steps - 1)))
    names = [f"{step:0{digits}}.mid" for step in range(request.steps)]
    return check_in_folder(Path(request.output), names, request.overwrite, request.files)
