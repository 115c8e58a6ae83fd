"""``musae inspect`` of sound files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musae.job import Job

if TYPE_CHECKING:
    from musae.verbs.inspect import Request
    from musicvae_lite.audio.denoise.session import DenoiseSession


def inspect(job: Job, request: Request) -> int:
    """Say what sound files hold, what is wrong with them, and what the model would do to them."""
    from musae.outputs import each
    from musicvae_lite.config import SoundCodecSettings

    config, model, console = job.handle.config, job.model, job.console
    assert isinstance(config.codec, SoundCodecSettings)
    heard_at = config.codec.rate if config.model.kind == "timbre" else None
    _check_plot(job, request)
    found: list[dict[str, Any]] = []
    sessions: list[DenoiseSession] = []  # loaded for the first file that is sound

    def look(name: str) -> None:
        report = _examine(name, heard_at)
        if heard_at is None and report["peak"]:
            report |= _diagnose(sessions, job, request, name)
        found.append(report)
        console.answer("\n".join(_lines(report, model)))
        if report["warning"]:
            console.warn(report["warning"])

    code = each(request.files, look, console.error, nothing="see above")
    console.document({"model": model, "files": found})
    return code


def _check_plot(job: Job, request: Request) -> None:
    from musae.outputs import check_files
    from musicvae_lite.core.errors import UsageError
    from musicvae_lite.plotting import check_picture

    if request.plot is None:
        return
    if len(request.files) > 1 or job.medium.name != "denoise":
        raise UsageError(f"{request.plot}: one sound and a denoiser are needed for a picture")
    check_picture(Path(request.plot))
    check_files([Path(request.plot)], job.overwrite, request.files)


def _diagnose(
    sessions: list[DenoiseSession], job: Job, request: Request, name: str
) -> dict[str, Any]:
    """Return what is wrong with a file, and draw it if that is wanted."""
    from musicvae_lite.audio.denoise.session import DenoiseSession

    if not sessions:
        sessions.append(job.load(DenoiseSession))
    session = sessions[0]
    if request.plot is None:
        found = session.diagnose(name)
    else:
        from musae.audio.denoise import recorder_of
        from musicvae_lite.audio.denoise.diagnosis import heard_of
        from musicvae_lite.audio.plots import plot_denoised
        from musicvae_lite.media.audio import open_audio

        with open_audio(name) as reader:
            header = reader.header
        recorder, watch = recorder_of(heard_of(header))
        found = session.diagnose(name, watch)
        title = f"{Path(name).name}: " + (", ".join(d.name for d in found.defects) or "clean")
        plot_denoised(recorder, Path(request.plot), title, job.overwrite)
    return {
        "heard_seconds": round(found.heard_seconds, 3),
        "defects": [
            {**defect._asdict(), "severity": round(defect.severity, 1)} for defect in found.defects
        ],
        "diagnosis": found.words,
        "plot": request.plot,
    }


def _lines(report: dict[str, Any], model: str) -> Iterator[str]:
    level = (
        f"level {report['level_dbfs']:.1f} dBFS, peak {report['peak']:.2f}"
        if report["peak"]
        else "silent"
    )
    kind = (
        f"{report['rate']:,} Hz, {_channels(report['channels'])}, {report['format']} "
        f"{report['subtype']}"
    )
    yield f"{report['file']}: {report['length']}, {kind}; {level}"
    yield f"  {model}: {report['use']}"
    yield from (f"  {line}" for line in report.get("diagnosis", "").splitlines())


def _examine(name: str, heard_at: int | None) -> dict[str, Any]:
    """Return what there is to say of one file.

    ``heard_at`` is the rate of a model that hears all sounds at its own, in mono.

    Raises:
        AudioError: if the file cannot be read.
        NothingUsableError: if it holds no samples.
    """
    from musicvae_lite.media.audio import open_audio
    from musicvae_lite.media.levels import ClipCounter, LevelMeter, clock

    with open_audio(name) as reader:
        header, meter, clipped, samples = (
            reader.header,
            LevelMeter(),
            ClipCounter(reader.header.channels),
            0,
        )
        for block in reader.blocks():  # what there is, whatever the header says
            meter.add(block)
            clipped.add(block)
            samples += block.shape[1]
    return {
        "file": name,
        "seconds": samples / header.rate,
        "length": clock(samples / header.rate),
        "rate": header.rate,
        "channels": header.channels,
        "format": header.format,
        "subtype": header.subtype,
        "level_dbfs": round(meter.dbfs, 2),
        "peak": round(meter.peak, 4),
        "warning": "; ".join(filter(None, (reader.warning, clipped.warning(name)))),
        "use": _use(header.rate, header.channels, meter.peak, heard_at),
    }


def _use(rate: int, channels: int, peak: float, heard_at: int | None) -> str:
    if not peak:
        return "leaves silence as it is" if heard_at is None else "has nothing to hear in silence"
    if heard_at is None:
        return "takes it as it is"
    changes = (["mixes it to mono"] if channels > 1 else []) + (
        [f"hears it at {heard_at:,} Hz"] if rate != heard_at else []
    )
    return " and ".join(changes) or "takes it as it is"


def _channels(count: int) -> str:
    return {1: "mono", 2: "stereo"}.get(count, f"{count} channels")
