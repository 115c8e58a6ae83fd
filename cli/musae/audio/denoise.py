"""Cleaning sound files: where results go, progress, pictures, and what is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from musae.options import Console

if TYPE_CHECKING:
    from musicvae_lite.audio.denoise.denoiser import View
    from musicvae_lite.audio.denoise.session import DenoiseSession
    from musicvae_lite.audio.plots import SpectrogramRecorder
    from musicvae_lite.audio.timbre.session import TimbreSession
    from musicvae_lite.media.audio import Header

# Sounds are read in more formats (MP3) than they are written in; those become WAV files.
KEPT = (".wav", ".flac", ".ogg", ".oga", ".aif", ".aiff", ".w64", ".caf")


class Wishes(NamedTuple):
    """How the user wants it: see ``musae denoise --help``."""

    strength: float = 1.0
    max_reduction_db: float | None = None
    profile: str | None = None
    residual: str | None = None
    plot: str | None = None


def denoise(
    files: Sequence[str],
    output: str | None,
    overwrite: bool,
    wishes: Wishes,
    model: str,
    device: str,
    console: Console,
) -> int:
    """Clean every file and return the exit code.

    Raises:
        UsageError: outputs or options do not fit; before any work.
        MusaeError: where there is but one file, what is wrong with it.
    """
    from musae.outputs import each

    places = dict(zip(files, _places(files, output, overwrite, wishes), strict=True))
    from musicvae_lite.media.audio import open_audio

    headers: dict[str, Header] = {}

    def look(name: str) -> None:  # before torch is loaded
        with open_audio(name) as reader:
            headers[name] = reader.header

    code = each(files, look, console.error, more=True)
    from musicvae_lite.audio.denoise.session import DenoiseSession
    from musicvae_lite.model_dir.handle import load_as

    session = load_as(DenoiseSession, model, device)
    results: list[dict[str, Any]] = []

    def clean(name: str) -> None:
        results.append(
            _clean(name, headers[name], places[name], overwrite, wishes, session, console)
        )

    code = max(code, each(list(headers), clean, console.error, of=len(set(files))))
    console.document({"model": model, "files": results})
    return code


def _places(
    files: Sequence[str],
    output: str | None,
    overwrite: bool,
    wishes: Wishes,
    kind: str = "denoised",
) -> list[Path]:
    """Return where results go, after checking that all outputs can be written."""
    from musae.outputs import MAX_NAME, check_files, check_in_folder, is_folder, shortened
    from musicvae_lite.core.errors import UsageError

    extra = [Path(name) for name in (wishes.residual, wishes.plot) if name]
    if extra and len(files) > 1:
        raise UsageError(
            f"{extra[0]}: one file cannot show {len(files)} results; give the sounds one at a time"
        )
    if wishes.plot:
        from musicvae_lite.plotting import check_picture

        check_picture(Path(wishes.plot))
    if wishes.profile is not None:
        from musicvae_lite.media.levels import parse_stretch

        parse_stretch(wishes.profile)
    if output is None:
        kept = [Path(_kept_name(Path(name))) for name in files]
        ends = [f".{kind}{path.suffix}" for path in kept]
        names = [
            shortened(path.stem, MAX_NAME - len(end)) + end
            for path, end in zip(kept, ends, strict=True)
        ]
        paths = check_in_folder(Path(), names, overwrite, files)
    elif is_folder(output) or not Path(output).suffix:
        paths = check_in_folder(
            Path(output), [_kept_name(Path(name)) for name in files], overwrite, files
        )
    elif len(files) > 1:
        raise UsageError(
            f"{output}: one file cannot hold {len(files)} results; name a folder "
            f"({Path(output).stem}/)"
        )
    else:
        paths = [Path(output)]
        check_files(paths, overwrite, files)
    for path in [*paths, *([Path(wishes.residual)] if wishes.residual else [])]:
        if path.suffix.lower() not in KEPT:
            raise UsageError(
                f"{path}: names no format that can be written; end the name in {', '.join(KEPT)}"
            )
    if {path.resolve() for path in extra} & {path.resolve() for path in paths} or len(
        set(extra)
    ) < len(extra):
        raise UsageError(f"{extra[0]}: two results would have this name; choose another")
    check_files(extra, overwrite, files)
    return paths


def _kept_name(path: Path) -> str:
    return path.name if path.suffix.lower() in KEPT else f"{path.stem}.wav"


def _clean(
    name: str,
    header: Header,
    place: Path,
    overwrite: bool,
    wishes: Wishes,
    session: DenoiseSession,
    console: Console,
) -> dict[str, Any]:
    """Clean one file, tell what happened and return that."""
    from musae.outputs import make_folder

    made = not place.parent.is_dir()
    make_folder(place.parent)
    recorder, watch = _recorder(header) if wishes.plot else (None, None)
    try:
        with _progress(console, name, header.seconds) as progress:
            told = session.denoise_file(
                name,
                place,
                wishes.strength,
                wishes.max_reduction_db,
                wishes.profile,
                wishes.residual,
                overwrite,
                watch,
                progress,
            )
    except BaseException:
        if made:
            with suppress(OSError):
                place.parent.rmdir()  # empty: the file was not written
        raise
    if told.warning:
        console.warn(told.warning)
    if recorder is not None and wishes.plot:
        from musicvae_lite.audio.plots import plot_denoised

        plot_denoised(recorder, Path(wishes.plot), Path(name).name, overwrite)
    from musicvae_lite.media.levels import clock

    console.show(
        f"{place}: {clock(told.seconds)} of sound, noise at {told.noise_dbfs:.1f} dBFS, level "
        f"{told.level_change_db:+.1f} dB, {told.real_time_factor:.0f} times real time"
    )
    return {**asdict(told), "output": str(place), "residual": wishes.residual, "plot": wishes.plot}


def _recorder(header: Header) -> tuple[SpectrogramRecorder, Callable[[View], None]]:
    from musicvae_lite.audio.plots import SpectrogramRecorder
    from musicvae_lite.media.spectrum import grid_of

    recorder = SpectrogramRecorder(header.samples, grid_of(header.rate), header.rate)

    def watch(view: View) -> None:
        recorder.add(
            view.first, *(part.abs().square().numpy() for part in (view.before, view.after))
        )

    return recorder, watch


@contextmanager
def _progress(
    console: Console, name: str, seconds: float
) -> Iterator[Callable[[float], None] | None]:
    """Show the seconds of sound that are done, on a terminal."""
    if not console.draws:
        yield None
        return
    from rich.console import Console as Terminal
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as bar:
        task = bar.add_task(Path(name).name, total=seconds)
        yield lambda done: bar.update(task, completed=done)


def _session(model: str, device: str) -> DenoiseSession | TimbreSession:
    """Load a model of sound of either kind; both encode and reconstruct."""
    from musae.kinds import is_timbre
    from musicvae_lite.audio.denoise.session import DenoiseSession
    from musicvae_lite.audio.timbre.session import TimbreSession
    from musicvae_lite.model_dir.handle import load_as

    return (
        load_as(TimbreSession, model, device)
        if is_timbre(model)
        else load_as(DenoiseSession, model, device)
    )


def note_change(
    name: str, header: Header, session: DenoiseSession | TimbreSession, console: Console
) -> None:
    """Say how a sound is brought to the form that a model of timbre hears and makes.

    A denoiser takes any.
    """
    from musicvae_lite.audio.timbre.session import TimbreSession

    if isinstance(session, TimbreSession) and (header.rate, header.channels) != (session.rate, 1):
        console.note(
            f"{name}: {header.rate:,} Hz with {header.channels} channel(s), heard as mono at "
            f"{session.rate:,} Hz"
        )


def reconstruct(
    files: Sequence[str],
    output: str | None,
    overwrite: bool,
    model: str,
    device: str,
    console: Console,
) -> int:
    """Write what a model of sound makes of every file by itself, ``NAME.reconstructed.*``, and
    return the exit code.

    Raises:
        UsageError, MusaeError: see :func:`denoise`.
    """
    from musae.outputs import each, make_folder
    from musicvae_lite.media.audio import open_audio, write_audio

    places = dict(
        zip(files, _places(files, output, overwrite, Wishes(), "reconstructed"), strict=True)
    )
    session = _session(model, device)
    results: list[dict[str, Any]] = []

    def write(name: str) -> None:
        with open_audio(name) as reader:
            note_change(name, reader.header, session, console)
        audio = session.reconstruct(name)
        make_folder(places[name].parent)
        write_audio(audio, places[name], overwrite)
        results.append({"file": name, "seconds": audio.header.seconds, "output": str(places[name])})
        console.show(f"{places[name]}: {audio.header.seconds:.1f} s of sound")

    code = each(files, write, console.error)
    console.document({"model": model, "files": results})
    return code


def encode(
    files: Sequence[str], output: Path, overwrite: bool, model: str, device: str, console: Console
) -> int:
    """Write the codes of the files to one ``.npz`` and return the exit code.

    It holds mean, scale [W, Z, L] (of timbre [W, Z]), source [W] and clip [W].

    Raises:
        UsageError, MusaeError: see :func:`denoise`.
    """
    import numpy as np

    from musae.music.latents import save_latents
    from musae.music.reading import counted
    from musae.outputs import check_files, each

    check_files([output], overwrite, files)
    session = _session(model, device)
    tables: list[dict[str, Any]] = []

    def read(name: str) -> None:
        latent = session.encode(name)
        count = len(latent.mean)
        arrays = {"mean": latent.mean.numpy(), "scale": latent.scale.numpy()}
        tables.append({**arrays, "source": np.full(count, name), "clip": np.arange(count)})

    code = each(files, read, console.error)
    mean = save_latents(output, tables, model, overwrite)["mean"]
    clips, shape = len(mean), mean.shape[1:]
    console.show(
        f"wrote {output}: {counted(clips, 'clip')} of {counted(len(tables), 'file')}, "
        f"{' x '.join(map(str, shape))} numbers each"
    )
    console.document(
        {"model": model, "clips": clips, "latent_size": session.latent_size, "output": str(output)}
    )
    return code
