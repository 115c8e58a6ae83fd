"""Cleaning many sounds at once: one process a core, and a table of what each had."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musae.job import Job

if TYPE_CHECKING:
    from musae.verbs.denoise import Request
    from musicvae_lite.audio.denoise.profile import NoiseProfile
    from musicvae_lite.audio.denoise.session import Cleaned, DenoiseSession
    from musicvae_lite.media.audio import Header

_WORTH_SECONDS = 120.0  # of sound: loading a network in each process takes some seconds

Clean = Callable[[str], "Cleaned"]

_session: DenoiseSession | None = None  # of a process of the pool


def workers(job: Job, request: Request, headers: Mapping[str, Header]) -> int:
    """Return how many processes are worth it; 1: this one."""
    long = sum(header.seconds for header in headers.values()) >= _WORTH_SECONDS
    alone = request.preview is not None or request.plot or request.residual
    if alone or not long or job.device not in ("auto", "cpu") or _has_gpu(job):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(min(len(headers), cores or 1), 1)


def _has_gpu(job: Job) -> bool:
    import torch

    return job.device == "auto" and torch.cuda.is_available()


@contextmanager
def in_parallel(
    job: Job,
    request: Request,
    places: Mapping[str, Path],
    profile: str | NoiseProfile | None,
    count: int,
) -> Iterator[Clean]:
    """Clean files in ``count`` processes; yields what waits for the result of one.

    What it raises is what cleaning that file raised.
    """
    pool = ProcessPoolExecutor(count, get_context("spawn"), _start, (job.model, job.seed))
    try:
        futures = {
            name: pool.submit(_clean, name, place, request, profile, job.overwrite)
            for name, place in places.items()
        }
        yield lambda name: futures[name].result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start(model: str, seed: int) -> None:
    """Load the model in a process of the pool, which has one core."""
    global _session
    import torch

    from musicvae_lite.audio.denoise.session import DenoiseSession
    from musicvae_lite.model_dir.handle import open_model

    torch.set_num_threads(1)
    _session = open_model(model).load_as(DenoiseSession, "cpu", seed)


def _clean(
    name: str,
    place: Path,
    request: Request,
    profile: str | NoiseProfile | None,
    overwrite: bool,
) -> Cleaned:
    assert _session is not None
    return _session.denoise_file(
        name,
        place,
        request.strength,
        request.max_reduction_db,
        profile,
        overwrite=overwrite,
        insist=request.insist,
        only=request.stages,
    )


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return what each file had and what was done, a line each."""
    head = ("file", "length", "noise dBFS", "clicks", "level dB")
    rows = [head, *(_row(result) for result in results)]
    sizes = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(size) if column == 0 else cell.rjust(size)
            for column, (cell, size) in enumerate(zip(row, sizes, strict=True))
        )
        for row in rows
    )


def _row(result: Mapping[str, Any]) -> tuple[str, ...]:
    from musicvae_lite.media.levels import SILENCE_DBFS, clock

    noise = result["noise_dbfs"]
    return (
        str(result["source"]),
        clock(round(result["seconds"])),
        f"{noise:.1f}" if noise > SILENCE_DBFS else "-",
        f"{result['clicks']:,}",
        f"{result['level_change_db']:+.1f}",
    )
