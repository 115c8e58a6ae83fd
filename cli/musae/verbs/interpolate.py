"""``musae interpolate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from musae.options import (
    FILE,
    Console,
    chords_options,
    console_options,
    examples,
    for_each,
    label_option,
    model_options,
    numbers_each,
    output_option,
    role_option,
    temperature_option,
)

if TYPE_CHECKING:
    from musicvae_lite.music.codec import ScoreCodec
    from musicvae_lite.music.results import Interpolation
    from musicvae_lite.music.windows import Passage

_STEPS = 9
_SLOW_TO_DRAW = 50  # steps

_EPILOG = examples(
    "musae interpolate a.mid b.mid                    nine steps in a__b.mid",
    "musae interpolate a.mid b.mid -o steps/          steps/00.mid to steps/08.mid",
    "musae interpolate a.mid b.mid --bar 5,1          from bar 5 of a.mid to bar 1 of b.mid",
    "musae interpolate a.mid b.mid --plot path.png    with a picture of the steps",
    "musae interpolate a.mid b.mid c.mid d.mid --grid 5 --plot grid.png",
    (
        "musae interpolate a.mid b.mid --whole --keep-tracks    all of a.mid; its melody turns "
        "into "
        "that of b.mid"
    ),
    'musae interpolate a.mid b.mid -m RUN --chords "C | Am F"   over chords, for a model told of them',
    "musae interpolate 3.png 8.png -m mnist-vae       a strip of pictures, 3__8.png",
    "musae interpolate x.npz#3 x.npz#8 -m mnist-vae -o steps/",
    (
        "musae interpolate flute.wav bell.wav -m RUN      one sound that turns into another, "
        "flute__bell.wav"
    ),
    (
        "musae interpolate flute.wav bell.wav -m RUN --steps 5   five sounds on the way, one after "
        "another"
    ),
)


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        files: start and end, or the four corners of a grid.
        output: as the user wrote it, or None.
        steps: of a path.
        grid: rows and columns of a grid; None for a path.
        bars: bar of the window of each file, or None for the first usable one.
        tracks: track of each.
        roles: tracks of the voices of each.
        path: as the user chose, or None.
        chords: what the steps are played over, for a model that is told of them; None for those of
            the inputs.
        key: as the user named it, or None.
    """

    files: tuple[str, ...]
    output: str | None
    overwrite: bool
    steps: int
    grid: int | None
    bars: tuple[int | None, ...]
    tracks: tuple[int | None, ...]
    roles: tuple[dict[str, int], ...]
    path: Literal["slerp", "lerp"] | None
    temperature: float
    chords: str | None
    key: str | None
    plot: str | None
    wav: str | None
    model: str
    device: str
    seed: int
    console: Console

    @property
    def count(self) -> int:
        """Steps altogether."""
        return self.steps if self.grid is None else self.grid**2

    @property
    def extra(self) -> list[Path]:
        """Picture and sound file."""
        return [Path(name) for name in (self.plot, self.wav) if name]


@click.command(epilog=_EPILOG)
@click.argument("a", type=FILE, metavar="A.mid|A.png|A.wav")
@click.argument("b", type=FILE, metavar="B.mid|B.png|B.wav")
@click.argument("more", nargs=-1, type=FILE, metavar="[C.mid D.mid]")
@output_option(
    "File for all steps (of pictures a strip, or arrays in X.npz), or folder (DIR/) for one file "
    "a step. "
    "[default: A__B.mid, A__B.png, A__B.wav]"
)
@click.option(
    "--steps",
    type=click.IntRange(2, 10_000),
    metavar="INTEGER",
    help="Both ends included. [default: 9; of sounds one that moves all the way]",
)
@click.option(
    "--grid",
    type=click.IntRange(2, 100),
    metavar="N",
    help="Fill N x N steps between four corners A B (above) C D.",
)
@click.option(
    "--bar",
    callback=numbers_each,
    metavar="N[,M]",
    help="Bar where the window of A (and B) starts. [default: first usable]",
)
@click.option(
    "--track",
    callback=numbers_each,
    metavar="N[,M]",
    help="Track of A (and B). [default: first usable]",
)
@role_option
@click.option(
    "--path",
    type=click.Choice(["slerp", "lerp"]),
    help="Great circle or line. [default: slerp; lerp for a plain autoencoder]",
)
@temperature_option(0.0)
@click.option(
    "--whole",
    is_flag=True,
    help="Go through the whole songs: begin as A, end as B (with --steps, a song a step).",
)
@click.option(
    "--keep-tracks",
    is_flag=True,
    help="With --whole: keep the other tracks of A and all else of its file.",
)
@chords_options(
    "what the steps are played over, a bar each and repeated. [default: those of the nearest input]"
)
@click.option(
    "--plot",
    metavar="P.png",
    help="Draw the steps with labels, melodies as piano rolls (PNG, SVG or PDF; not with --whole).",
)
@click.option(
    "--wav", metavar="W.wav", help="Render the steps of a melody as sound (not with --whole)."
)
@label_option
@model_options()
@console_options
def interpolate(
    a: str,
    b: str,
    more: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    steps: int | None,
    grid: int | None,
    bar: tuple[int, ...] | None,
    track: tuple[int, ...] | None,
    roles: tuple[dict[str, int], ...],
    path: Literal["slerp", "lerp"] | None,
    temperature: float,
    whole: bool,
    keep_tracks: bool,
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
    """Turn melody (or picture, or sound) A into B, in steps along a path in latent space.

    Step 1 is what the model makes of A, the last step what it makes of B. Of longer pieces the
    first usable window is taken (of the model's length: two bars for mel-2bar); -v lists the
    others. One picture of a file with many is FILE#INDEX.

    With --grid the four corners A (top left), B (top right), C and D (bottom) turn into one
    another: all steps row by row in one file, or ROW-COLUMN.mid (.png) each in a folder.

    With --whole the result has the bars, the tempo and the metres of A: its first window meets the
    first of B, and so on; a shorter B begins again. Without --steps A needs two windows or more.
    Bars of A without a usable melody stay as they are.

    A sound (of a model that 'musae train timbre' made) turns into the other while it sounds, for as
    long as the longer one; the shorter goes round. With --steps or a folder it does so in sounds
    that stay as they are. The shape of the spectrum moves through latent space; finer detail, of
    which a code knows nothing, is faded over. The result is mono.
    """
    from musae.kinds import choose_kind

    files = (a, b, *more)
    _check_count(files, grid)
    bars, tracks = for_each(bar, "--bar", len(files)), for_each(track, "--track", len(files))
    only_music = [
        "bar",
        "track",
        "roles",
        "temperature",
        "wav",
        "whole",
        "keep_tracks",
        "chords",
        "key",
    ]
    kind = choose_kind(model, files, music=only_music, pictures=["label"])
    if kind == "sound":
        from musae.audio import timbre
        from musae.kinds import require_timbre
        from musicvae_lite.core.errors import UsageError

        require_timbre(model)
        if plot or grid:
            raise UsageError(
                f"{'--plot' if plot else '--grid'} is for melodies and pictures, not for sounds"
            )
        timbre.interpolate(
            timbre.Job(model, device, seed, output, overwrite, console), (a, b), steps, path
        )
        return
    steps = steps or _STEPS
    if kind == "pictures":
        from musae.images import verbs
        from musae.images.files import Job

        job = Job(model, device, seed, output, overwrite, console, label)
        verbs.interpolate(job, files, steps, grid, path, plot)
    elif whole or keep_tracks:
        from musae.music import songs

        wish = songs.Songs(
            files=(a, b),
            output=output,
            overwrite=overwrite,
            steps=songs.check_options(whole, steps),
            tracks=tracks,
            roles=roles[:2],
            path=path or "slerp",
            temperature=temperature,
            keep_tracks=keep_tracks,
            model=model,
            device=device,
            seed=seed,
            console=console,
        )
        songs.interpolate(wish)
    else:
        request = Request(
            files=files,
            output=output,
            overwrite=overwrite,
            steps=steps,
            grid=grid,
            bars=bars,
            tracks=tracks,
            roles=roles[: len(files)],
            path=path,
            temperature=temperature,
            chords=chords,
            key=key,
            plot=plot,
            wav=wav,
            model=model,
            device=device,
            seed=seed,
            console=console,
        )
        _melodies(request)


def _check_count(files: tuple[str, ...], grid: int | None) -> None:
    """Refuse too many or too few files."""
    context = click.get_current_context()
    if grid is None and len(files) != 2:
        raise click.UsageError(
            f"a path goes from A to B; a grid has four files and --grid 5 (here are {len(files)})",
            context,
        )
    if grid is not None and len(files) != 4:
        raise click.UsageError(
            f"--grid {grid} has four corners A B C D; here are {len(files)} files", context
        )
    if (
        grid is not None
        and context.get_parameter_source("steps") is click.core.ParameterSource.COMMANDLINE
    ):
        raise click.UsageError(
            f"--steps is of a path; --grid {grid} has {grid} x {grid} steps", context
        )


def _melodies(request: Request) -> None:
    from musae.music.reading import conditions_of
    from musicvae_lite.music.windows import one_window

    _check_extra(request)
    outputs = _outputs(request)
    conditions, console = conditions_of(request.model, request.chords, request.key), request.console
    codec = conditions.codec
    chosen = zip(request.files, request.tracks, request.bars, request.roles, strict=True)
    ends = [
        one_window(item, codec, request.model, track, bar, roles)
        for item, track, bar, roles in chosen
    ]
    for end in ends:
        console.detail(
            "\n".join(f"{end.source}: usable windows start in {line}" for line in end.candidates)
        )
    if request.wav:
        _check_sound(request.wav, codec, ends, request.count)
    from musicvae_lite.model_dir.handle import load_as
    from musicvae_lite.music.session import MusicSession

    session, path = (
        load_as(MusicSession, request.model, request.device, request.seed),
        request.path or "slerp",
    )
    chords, key = request.chords, request.key
    if request.grid is None:
        result = session.interpolate(
            ends[0], ends[1], request.steps, request.temperature, path, chords=chords, key=key
        )
    else:
        result = session.grid(ends, request.grid, request.temperature, path, chords=chords, key=key)
    _write(request, result, outputs)
    _report(request, result, codec.bars, outputs)
    names = [str(output) for output in outputs]
    made = {"outputs": names, "plot": request.plot, "wav": request.wav}
    console.document({"model": request.model, **result.as_dict(), **made})


def _outputs(request: Request) -> list[Path]:
    """Return the MIDI files to write, after checking that all outputs can be written."""
    from musae.outputs import (
        check_files,
        check_folder,
        check_in_folder,
        is_folder,
        joined_name,
        midi_file,
        step_names,
    )

    extra, overwrite, files = request.extra, request.overwrite, request.files
    if request.output is not None and is_folder(request.output):
        folder = Path(request.output)
        check_folder(folder)
        there = [
            path for path in extra if folder.is_dir() or path.parent.resolve() != folder.resolve()
        ]
        check_files(there, overwrite, files)
        names = [f"{name}.mid" for name in step_names(request.steps, request.grid)]
        return check_in_folder(folder, names, overwrite, files)
    default = joined_name([Path(name).stem for name in files], ".mid")
    path = midi_file(request.output) if request.output is not None else Path(default)
    check_files([path, *extra], overwrite, files)
    return [path]


def _check_extra(request: Request) -> None:
    """Refuse a picture or a sound file of another kind."""
    from musicvae_lite.core.errors import UsageError
    from musicvae_lite.plotting import check_picture

    if request.plot:
        check_picture(Path(request.plot), request.count)
    if request.wav and Path(request.wav).suffix.lower() != ".wav":
        raise UsageError(f"{request.wav}: a sound file ends in .wav")


def _check_sound(wav: str, codec: ScoreCodec, ends: list[Passage], steps: int) -> None:
    """Refuse more sound than can be rendered.

    The tempo moves evenly from one end (or side) to the other.
    """
    import numpy as np

    from musae.audio.render import check_sound

    window = codec.decode(ends[0].windows[0])
    metre = window.metres[0]
    quarters = 4 * codec.bars * int(metre["numerator"]) / int(metre["denominator"])
    # Of a grid the slowest path says enough.
    first, last = sorted(float(end.qpm[0]) for end in ends)[:2]
    minutes = float((quarters / np.linspace(first, last, steps)).sum())
    check_sound(wav, 60 * minutes, quarters * steps, window.ticks_per_quarter)


def _write(request: Request, result: Interpolation, outputs: list[Path]) -> None:
    """Write everything, or nothing."""
    from musae.outputs import write_together
    from musicvae_lite.media.midi import midi_bytes

    scores = result.scores if len(outputs) > 1 else (result.joined,)
    files = {path: midi_bytes(score) for path, score in zip(outputs, scores, strict=True)}
    how = ""
    if request.plot:
        from musicvae_lite.music.plots import picture

        path = Path(request.plot)
        if len(result) > _SLOW_TO_DRAW:
            request.console.note(
                f"{path}: drawing {len(result):,} steps; that takes up to half a minute"
            )
        files[path] = picture(result.scores, path, result.title, result.labels, result.columns)
    if request.wav:
        from musae.audio.render import wav_bytes

        files[Path(request.wav)], how = wav_bytes(result.joined)
    write_together(files, request.overwrite)
    if request.wav:
        request.console.note(f"{request.wav}: rendered with {how}")


def _report(request: Request, result: Interpolation, bars: int, outputs: list[Path]) -> None:
    from musae.music.reading import percent, place

    console = request.console
    words = (
        ("from", "to  ")
        if result.columns is None
        else [result.labels[step] for step in result.corners]
    )
    for passage, word, right in zip(result.inputs, words, result.onset_accuracy, strict=True):
        # Over other chords or in another key the ends are not to sound as they did.
        heard = "" if request.chords or request.key else f"; notes right: {percent(right)}"
        console.show(f"{word} {passage.source}: {place(passage, bars)}{heard}")
    steps = str(outputs[0]) if len(outputs) == 1 else f"{outputs[0]} ... {outputs[-1]}"
    console.show(f"wrote {', '.join([steps, *map(str, request.extra)])}")
    if result.silent:
        console.warn(
            f"steps without a note: {', '.join(result.silent)}; the model may need more training"
        )
