"""Cleaning sound files: where results go, progress, pictures, and what is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musae.job import Job
from musae.options import Console
from musicvae_lite.core.text import one_line

if TYPE_CHECKING:
    from musae.verbs.denoise import Request
    from musicvae_lite.audio.denoise.profile import NoiseProfile
    from musicvae_lite.audio.denoise.session import Cleaned, DenoiseSession
    from musicvae_lite.audio.denoise.view import View
    from musicvae_lite.audio.plots import SpectrogramRecorder
    from musicvae_lite.media.audio import Header

# Sounds are read in more formats (MP3) than they are written in; those become WAV files.
KEPT = (".wav", ".flac", ".ogg", ".oga", ".aif", ".aiff", ".w64", ".caf")


def denoise(job: Job, request: Request) -> int:
    """Clean every file and return the exit code.

    Raises:
        UsageError: outputs or options do not fit; before any work.
        MusaeError: where there is but one file, what is wrong with it.
    """
    from musae.outputs import each

    files, console = request.files, job.console
    if request.learn is not None:
        return _learn(job, request, request.learn)
    _check(request)
    places = dict(zip(files, output_places(job, files, request, _kind(request)), strict=True))
    from musicvae_lite.media.audio import open_audio

    headers: dict[str, Header] = {}

    def look(name: str) -> None:  # before torch is loaded
        with open_audio(name) as reader:
            headers[name] = reader.header

    code = each(files, look, console.error, more=True)
    from musae.audio import many

    profile, results = _profile(request), list[dict[str, Any]]()
    count = many.workers(job, request, headers)
    with ExitStack() as stack:
        work: Callable[[str], dict[str, Any]]
        if count > 1:
            sounds = {name: places[name] for name in headers}
            _make_folders(sounds.values())
            wait = stack.enter_context(many.in_parallel(job, request, sounds, profile, count))
            work = lambda name: _tell(job, request, wait(name), places[name])  # noqa: E731
        else:
            work = _one_by_one(job, request, headers, places, profile)
        rest = list(headers)
        code = max(
            code,
            each(rest, lambda name: results.append(work(name)), console.error, of=len(set(files))),
        )
    if len(results) > 2 and request.preview is None:
        console.show(many.table(results))
    console.document({"model": job.model, "files": results})
    return code


def _one_by_one(
    job: Job,
    request: Request,
    headers: Mapping[str, Header],
    places: Mapping[str, Path],
    profile: str | NoiseProfile | None,
) -> Callable[[str], dict[str, Any]]:
    """Return what cleans a file, or writes its preview, in this process."""
    from musicvae_lite.audio.denoise.session import DenoiseSession

    session = job.load(DenoiseSession)

    def work(name: str) -> dict[str, Any]:
        if request.preview is not None:
            return _preview(job, request, name, places[name], session, profile)
        return _clean(job, request, name, headers[name], places[name], session, profile)

    return work


def _make_folders(places: Iterable[Path]) -> None:
    from musae.outputs import make_folder

    for folder in {place.parent for place in places}:
        make_folder(folder)


def output_places(
    job: Job, files: Sequence[str], request: Request | None = None, kind: str = "denoised"
) -> list[Path]:
    """Return where results go, after checking that all outputs can be written."""
    from musae.outputs import MAX_NAME, check_files, check_in_folder, is_folder, shortened
    from musicvae_lite.core.errors import UsageError

    output, overwrite = job.output, job.overwrite
    residual, plot = (request.residual, request.plot) if request else (None, None)
    extra = [Path(name) for name in (residual, plot) if name]
    if extra and len(files) > 1:
        raise UsageError(
            f"{extra[0]}: one file cannot show {len(files)} results; give the sounds one at a time"
        )
    if plot:
        from musicvae_lite.plotting import check_picture

        check_picture(Path(plot))
    if request is not None and request.profile not in (None, "auto"):
        from musicvae_lite.media.levels import parse_stretch

        parse_stretch(str(request.profile))
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
    for path in [*paths, *([Path(residual)] if residual else [])]:
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
    job: Job,
    request: Request,
    name: str,
    header: Header,
    place: Path,
    session: DenoiseSession,
    profile: str | NoiseProfile | None,
) -> dict[str, Any]:
    """Clean one file, tell what happened and return that."""
    from musae.outputs import make_folder

    made = not place.parent.is_dir()
    make_folder(place.parent)
    recorder, watch = recorder_of(header) if request.plot else (None, None)
    try:
        with _progress(job.console, name, header.seconds) as progress:
            told = session.denoise_file(
                name,
                place,
                request.strength,
                request.max_reduction_db,
                profile,
                request.residual,
                job.overwrite,
                watch,
                progress,
                request.insist,
                request.stages,
            )
    except BaseException:
        if made:
            with suppress(OSError):
                place.parent.rmdir()  # empty: the file was not written
        raise
    if recorder is not None and request.plot:
        from musicvae_lite.audio.plots import plot_denoised

        plot_denoised(recorder, Path(request.plot), Path(name).name, job.overwrite)
    return _tell(job, request, told, place)


def _tell(job: Job, request: Request, told: Cleaned, place: Path) -> dict[str, Any]:
    """Tell what happened to a file and return that."""
    if told.warning:
        job.console.warn(told.warning)
    from musicvae_lite.media.levels import SILENCE_DBFS, clock

    job.console.show(
        f"{place}: {clock(told.seconds)} of sound, "
        + (f"noise at {told.noise_dbfs:.1f} dBFS, " if told.noise_dbfs > SILENCE_DBFS else "")
        + (f"{told.clicks:,} clicks replaced, " if told.clicks else "")
        + f"level {told.level_change_db:+.1f} dB, {told.real_time_factor:.0f} times real time"
    )
    return {
        **asdict(told),
        "output": str(place),
        "residual": request.residual,
        "plot": request.plot,
    }


def _kind(request: Request) -> str:
    return "denoised" if request.preview is None else "preview"


def _check(request: Request) -> None:
    """Refuse options that do not fit, before torch is loaded.

    Raises:
        UsageError: naming the first.
    """
    from musicvae_lite.audio.denoise.stages import check_stages
    from musicvae_lite.core.errors import UsageError
    from musicvae_lite.media.levels import parse_time

    check_stages(request.stages)
    if request.noise is not None and request.profile is not None:
        raise UsageError("--noise and --profile both say what the noise is; give one of them")
    if request.preview is not None:
        parse_time(request.preview)
        if request.residual is not None:
            raise UsageError("--preview writes before and after; --residual is for a whole file")


def _profile(request: Request) -> str | NoiseProfile | None:
    """Return what the noise is known by.

    Raises:
        MusaeError: the file of a profile cannot be read.
    """
    if request.noise is None:
        return request.profile
    from musicvae_lite.audio.denoise.profile import NoiseProfile

    return NoiseProfile.load(request.noise)


def _learn(job: Job, request: Request, place: str) -> int:
    """Keep the noise of a file and return the exit code.

    Raises:
        UsageError: options do not fit; before any work.
        MusaeError: the file cannot be used.
    """
    from musae.outputs import check_files
    from musicvae_lite.core.errors import UsageError
    from musicvae_lite.media.audio import open_audio
    from musicvae_lite.media.levels import parse_stretch

    if len(request.files) > 1 or request.noise or request.preview or job.output:
        raise UsageError("--learn takes one sound and writes the profile alone; leave the rest out")
    (name,) = request.files
    profile = request.profile or "auto"
    if profile != "auto":
        parse_stretch(profile)
    check_files([Path(place)], job.overwrite, [name])
    with open_audio(name):
        pass
    from musicvae_lite.audio.denoise.session import DenoiseSession

    job.load(DenoiseSession).learn_noise(name, profile).save(place, job.overwrite)
    where = "its quietest stretches" if profile == "auto" else profile
    job.console.show(f"{place}: the noise of {name} ({where}); use it with --noise {place}")
    job.console.document({"model": job.model, "learned": place, "from": name, "profile": profile})
    return 0


def _preview(
    job: Job,
    request: Request,
    name: str,
    place: Path,
    session: DenoiseSession,
    profile: str | NoiseProfile | None,
) -> dict[str, Any]:
    """Write ten seconds of a file before and after, tell so and return that."""
    from musae.outputs import make_folder
    from musicvae_lite.audio.denoise.denoiser import Wish
    from musicvae_lite.media.audio import open_audio, write_audio
    from musicvae_lite.media.levels import clock, parse_time

    start = parse_time(request.preview or "0")
    wish = Wish(request.strength, request.max_reduction_db, only=request.stages)
    recorder = watch = None
    if request.plot:
        from musicvae_lite.audio.denoise.preview import PREVIEW_SECONDS

        with open_audio(name) as reader:
            header = reader.header
        left = max(header.samples - round(start * header.rate), 1)
        samples = min(round(PREVIEW_SECONDS * header.rate), left)
        recorder, watch = recorder_of(header._replace(samples=samples))
    audio = session.preview(name, start, wish, profile, watch)
    make_folder(place.parent)
    write_audio(audio, place, job.overwrite)
    if recorder is not None and request.plot:
        from musicvae_lite.audio.plots import plot_denoised

        plot_denoised(recorder, Path(request.plot), Path(name).name, job.overwrite)
    job.console.show(f"{place}: from {clock(start)} on, before, a beep, and after")
    return {"source": name, "output": str(place), "start": start, "plot": request.plot}


def recorder_of(header: Header) -> tuple[SpectrogramRecorder, Callable[[View], None]]:
    """Return what gathers a picture of a sound, and what it is to be told with."""
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
        task = bar.add_task(one_line(Path(name).name), total=seconds)
        yield lambda done: bar.update(task, completed=done)
