"""``musae inspect`` of sound files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from musae.job import Job


def inspect(job: Job, files: Sequence[str]) -> int:
    """Say what sound files hold and what the model would do to them."""
    from musae.outputs import each
    from musicvae_lite.config import SoundCodecSettings

    config, model, console = job.handle.config, job.model, job.console
    assert isinstance(config.codec, SoundCodecSettings)
    heard_at = config.codec.rate if config.model.kind == "timbre" else None
    found: list[dict[str, Any]] = []

    def look(name: str) -> None:
        report = _examine(name, heard_at)
        found.append(report)
        level = (
            f"level {report['level_dbfs']:.1f} dBFS, peak {report['peak']:.2f}"
            if report["peak"]
            else "silent"
        )
        kind = (
            f"{report['rate']:,} Hz, {_channels(report['channels'])}, {report['format']} "
            f"{report['subtype']}"
        )
        console.answer(f"{name}: {report['length']}, {kind}; {level}\n  {model}: {report['use']}")
        if report["warning"]:
            console.warn(report["warning"])

    code = each(files, look, console.error, nothing="see above")
    console.document({"model": model, "files": found})
    return code


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
        "warning": clipped.warning(name),
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
