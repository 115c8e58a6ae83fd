"""``musae groove`` and its verbs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from musae.options import (
    FILE,
    Console,
    console_options,
    examples,
    for_each,
    model_options,
    numbers_each,
    output_option,
    temperature_option,
)

if TYPE_CHECKING:
    from musicvae_lite.config import RunConfig
    from musicvae_lite.music.session import MusicSession
    from musicvae_lite.music.verbs.groove import Grooved
    from musicvae_lite.music.windows import Passage

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULT = "groove-2bar"
_EPILOG = examples(
    "musae groove humanize beat.mid                       beat.humanized.mid",
    "musae groove humanize song.mid --keep-tracks         with the other instruments",
    (
        "musae groove tap taps.mid                            taps.beat.mid: a whole kit to a "
        "tapped "
        "rhythm"
    ),
    "musae groove add beat.mid                            beat.added.mid: with a closed hi-hat",
    "musae groove add beat.mid --drum ride",
    (
        "musae groove transfer funk.mid beat.mid              beat.grooved.mid: beat.mid played as "
        "funk.mid is"
    ),
)


@click.group(epilog=_EPILOG, subcommand_metavar="VERB ...")
def groove() -> None:
    """Give drums velocities and timing, or more drums.

    The drum tracks (channel 10) of a file are read over its whole length, on the grid of the model:
    of a drum the loudest hit at each step. One track of drums comes out, with the tempos of the
    file.
    """


def _options(function: F) -> F:
    """Add what all verbs here have but inputs, output and track."""
    keep = click.option(
        "--keep-tracks",
        is_flag=True,
        help="Change only the drums in the file, and keep everything else.",
    )
    return keep(temperature_option(0.0)(model_options(_DEFAULT)(console_options(function))))


def _files(kind: str) -> Callable[[F], F]:
    """Add inputs, output and track of a verb that writes FILE.KIND.mid for each file."""

    def decorate(function: F) -> F:
        track = click.option(
            "--track",
            type=click.IntRange(1),
            metavar="N",
            help="Track of the drums, of any channel. [default: all drum tracks]",
        )
        output = output_option(
            f"Folder (DIR/) for FILE.mid each, or the one file. [default: FILE.{kind}.mid here]"
        )
        return click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")(
            output(track(function))
        )

    return decorate


@groove.command()
@_files("humanized")
@_options
def humanize(files: tuple[str, ...], track: int | None, **values: Any) -> int:
    """Play drums as a drummer would: new velocities and timing.

    What is hit where stays as it is, but that of several hits of a drum within one step (a roll)
    the loudest alone is played; what is lost is counted. Velocities and timing that the file has
    are not heard.
    """
    from musicvae_lite.music.data.groove_inputs import HUMANIZE
    from musicvae_lite.music.groove_windows import check_task

    def do(session: MusicSession, passage: Passage) -> Grooved:
        from musicvae_lite.music.verbs.groove import humanize

        return humanize(session, passage, track, values["temperature"])

    return _each(
        files,
        track,
        "humanized",
        lambda config, name: check_task(config, name, HUMANIZE),
        do,
        **values,
    )


@groove.command()
@_files("beat")
@_options
def tap(files: tuple[str, ...], track: int | None, **values: Any) -> int:
    """Make a beat of a tapped rhythm.

    When it was tapped counts, not on what: all notes of the drum tracks, or of the track that is
    named.
    """
    from musicvae_lite.music.data.groove_inputs import TAP
    from musicvae_lite.music.groove_windows import check_task

    def do(session: MusicSession, passage: Passage) -> Grooved:
        from musicvae_lite.music.verbs.groove import tap

        return tap(session, passage, track, values["temperature"])

    return _each(
        files,
        track,
        "beat",
        lambda config, name: check_task(config, name, TAP),
        do,
        taps=True,
        **values,
    )


@groove.command()
@_files("added")
@click.option(
    "--drum",
    default="closed-hi-hat",
    show_default=True,
    metavar="NAME",
    help=(
        "Drum to add: kick, snare, closed-hi-hat, open-hi-hat, low-tom, mid-tom, high-tom, "
        "crash, ride."
    ),
)
@_options
def add(files: tuple[str, ...], track: int | None, drum: str, **values: Any) -> int:
    """Add a drum that goes with the others, which stay as they are.

    What the file has of that drum is left out; how much is said. Of several hits of another drum
    within one step (a roll) the loudest stays; what is lost is counted. Where the model by itself
    would not play the drum at all, it is played as often as the model usually plays it, at the
    likeliest steps.
    """
    from musicvae_lite.music.groove_windows import drum_named, shown_as_unknown

    number = drum_named(drum)

    def do(session: MusicSession, passage: Passage) -> Grooved:
        from musicvae_lite.music.verbs.groove import add

        return add(session, passage, number, track, values["temperature"])

    return _each(
        files,
        track,
        "added",
        lambda config, name: shown_as_unknown(config, name, number),
        do,
        **values,
    )


@groove.command()
@click.argument("a", type=FILE, metavar="A.mid")
@click.argument("b", type=FILE, metavar="B.mid")
@output_option("The file to write. [default: B.grooved.mid here]")
@click.option(
    "--track",
    callback=numbers_each,
    metavar="N[,M]",
    help="Track of the drums of A (and B). [default: all drum tracks]",
)
@_options
def transfer(a: str, b: str, track: tuple[int, ...] | None, **values: Any) -> int:
    """Play the hits of B with the groove of A: its velocities and timing.

    The windows of A serve those of B one after the other, over and over where B is longer.
    """
    from musae.music.reading import codec_of
    from musicvae_lite.music.data.groove_inputs import WHOLE
    from musicvae_lite.music.groove_windows import check_task, to_the_end
    from musicvae_lite.music.windows import whole_melody

    first, second = for_each(track, "--track", 2)
    read: list[Passage] = []

    def ready(config: RunConfig, name: str) -> None:
        check_task(config, name, WHOLE)
        read.append(whole_melody(a, to_the_end(codec_of(name)), name, first))

    def do(session: MusicSession, passage: Passage) -> Grooved:
        from musicvae_lite.music.verbs.groove import transfer

        return transfer(session, read[0], passage, (first, second), values["temperature"])

    return _each((b,), second, "grooved", ready, do, others=(a,), **values)


def _added(result: Grooved) -> str:
    """Say how many hits of a drum were added, and what they are in place of.

    "" where none was to be.
    """
    added = result.added
    if added is None:
        return ""
    place = f" in place of {added.replaced:,}" if added.replaced else ""
    why = (
        " (at the likeliest steps: by itself the model would play none)" if added.likeliest else ""
    )
    return f"; {added.drum}: {added.hits:,} added{place}{why}"


def _each(
    files: tuple[str, ...],
    track: int | None,
    kind: str,
    ready: Callable[[RunConfig, str], object],
    do: Callable[[MusicSession, Passage], Grooved],
    *,
    output: str | None,
    overwrite: bool,
    keep_tracks: bool,
    temperature: float,
    model: str,
    device: str,
    seed: int,
    console: Console,
    taps: bool = False,
    others: tuple[str, ...] = (),
) -> int:
    """Do something with every file and write the results.

    ``ready`` checks that the model can, before torch is loaded.
    """
    from musae.kinds import choose_kind
    from musae.music.reading import codec_of, counted, edited_groove
    from musae.outputs import each, make_folder, one_each
    from musicvae_lite.core.files import write_files
    from musicvae_lite.media.midi import midi_bytes
    from musicvae_lite.model_dir.bundle import describe
    from musicvae_lite.music.groove_windows import left_out, taps_of, to_the_end
    from musicvae_lite.music.windows import whole_melody

    choose_kind(model, (*others, *files))
    paths = one_each(
        output, [Path(name).stem for name in files], kind, overwrite, (*others, *files)
    )
    places = dict(zip(files, paths, strict=True))
    ready(describe(model).config, model)
    codec = to_the_end(codec_of(model))
    usable: dict[str, Passage] = {}

    def read(name: str) -> None:
        passage = (taps_of if taps else whole_melody)(name, codec, model, track)
        for reason, count in left_out(passage, codec, track, taps).most_common():
            console.warn(f"{name}: {counted(count, 'note')} left out: {reason}")
        usable[name] = passage

    code = each(files, read, console.error, more=True)
    from musicvae_lite.model_dir.handle import load_as
    from musicvae_lite.music.session import MusicSession

    session = load_as(MusicSession, model, device, seed)
    results: list[dict[str, Any]] = []

    def write(name: str) -> None:
        result = do(session, usable[name])
        make_folder(places[name].parent)
        data = edited_groove(name, result, codec, taps) if keep_tracks else midi_bytes(result.score)
        write_files({places[name]: data}, overwrite)
        results.append({**result.as_dict(), "output": str(places[name])})
        windows, notes = (
            counted(len(result.windows), "window"),
            counted(len(result.score.notes), "hit"),
        )
        added = _added(result)
        console.show(f"{places[name]}: {result.passage.place}, {windows}, {notes}{added}")
        if not len(result.score.notes):
            console.warn(f"{places[name]}: holds no note; the model may need more training")

    code = max(code, each(list(usable), write, console.error, of=len(set(files))))
    console.document({"model": model, "temperature": temperature, "seed": seed, "files": results})
    return code
