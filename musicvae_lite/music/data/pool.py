"""Worker processes that may crash: a unit of work whose worker dies is tried again item by item, to
find the one that does it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from musicvae_lite.core.errors import MusaeError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: A unit that takes longer is treated as crashed. Ordinary units take a tenth of a second.
SECONDS_PER_UNIT = 60.0


@dataclass(frozen=True)
class Crash(Generic[Item]):
    """An item that killed its worker, or kept it busy for too long."""

    item: Item
    reason: str


@dataclass(frozen=True)
class _Job(Generic[Item]):
    unit: int
    position: int
    items: Sequence[Item]


@dataclass
class _Worker(Generic[Item]):
    process: Any
    connection: Connection
    job: _Job[Item] | None = None
    started: float = 0.0
    ready: bool = False


def run_units(
    units: Sequence[Sequence[Item]],
    work: Callable[[Sequence[Item]], Result],
    workers: int,
    seconds: float = SECONDS_PER_UNIT,
) -> Iterator[tuple[int, list[Result | Crash[Item]]]]:
    """Run ``work`` on every unit in worker processes.

    Args:
        units: lists of items; the unit is what travels to a worker at a time.
        work: a module-level function.
        workers: number of processes.
        seconds: time that one unit may take.

    Yields:
        The number of the unit and its results as they are ready: one result, or one per item if a
            worker died over the unit.
    """
    jobs = deque(_Job(number, 0, items) for number, items in enumerate(units))
    missing = {number: 1 for number in range(len(units))}
    results: dict[int, dict[int, Result | Crash[Item]]] = {number: {} for number in missing}
    crew = [_hire(work) for _ in range(min(workers, len(units)))]
    try:
        while missing:
            for index, worker in enumerate(crew):
                if worker.job is None and jobs and not _give(worker, jobs):
                    crew[index] = _hire(work)
            for index, answer in _listen(crew, seconds):
                job = crew[index].job
                assert job is not None
                crew[index].job = None
                if isinstance(answer, _Death):
                    _dismiss(crew[index])
                    crew[index] = _hire(work)
                    if len(job.items) > 1:
                        missing[job.unit] = len(job.items)
                        jobs.extendleft(
                            _Job(job.unit, n, [item])
                            for n, item in reversed(list(enumerate(job.items)))
                        )
                        continue
                    answer = Crash(job.items[0], answer.reason)
                done = results[job.unit]
                done[job.position] = answer
                if len(done) == missing[job.unit]:
                    del missing[job.unit]
                    yield job.unit, [done[position] for position in sorted(results.pop(job.unit))]
    finally:
        for worker in crew:
            _dismiss(worker)


@dataclass(frozen=True)
class _Death:
    reason: str


def _start_method() -> str:
    """Fork where that is sound: it starts in milliseconds and scripts need no ``__main__`` guard.

    As in torch's DataLoader it may happen beside threads of torch or pyarrow: the workers use
    neither.
    """
    return "fork" if sys.platform == "linux" else "spawn"


def _hire(work: Callable[[Sequence[Any]], Any]) -> _Worker[Any]:
    context: Any = multiprocessing.get_context(_start_method())
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, os.getpid()), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Python 3.12 on: forking beside threads, see _start_method
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _dismiss(worker: _Worker[Any]) -> None:
    worker.process.kill()
    worker.process.join()
    worker.connection.close()


def _give(worker: _Worker[Item], jobs: deque[_Job[Item]]) -> bool:
    """Send the next job; False if the worker is gone."""
    try:
        worker.connection.send(jobs[0].items)
    except OSError:
        if not worker.ready and not _said_ready(worker):
            raise MusaeError(_CANNOT_START) from None
        _dismiss(worker)
        return False
    worker.job, worker.started = jobs.popleft(), time.monotonic()
    return True


def _said_ready(worker: _Worker[Any]) -> bool:
    """Say whether a worker that is gone had started; nobody listens to one without a job."""
    try:
        return worker.connection.poll() and isinstance(worker.connection.recv(), _Ready)
    except (EOFError, OSError):
        return False


def _listen(crew: list[_Worker[Any]], seconds: float) -> list[tuple[int, Any]]:
    """Wait for answers; a worker that died or takes too long answers with a :class:`_Death`."""
    busy = {worker.connection: index for index, worker in enumerate(crew) if worker.job is not None}
    if not busy:
        return []
    now = time.monotonic()
    patience = min(worker.started for worker in crew if worker.job is not None) + seconds - now
    answers: list[tuple[int, Any]] = []
    for connection in wait(list(busy), max(patience, 0.0)):
        assert isinstance(connection, Connection)
        worker = crew[busy[connection]]
        try:
            answer = connection.recv()
        except (EOFError, OSError):
            if not worker.ready:  # it never came to read a file
                raise MusaeError(_CANNOT_START) from None
            answer = _Death("crashed the MIDI reader")
        if isinstance(answer, _Failure):
            raise RuntimeError(f"a worker process failed: {answer.said}") from _WorkerTraceError(
                answer.trace
            )
        if isinstance(answer, _Ready):
            worker.ready, worker.started = True, time.monotonic()
        else:
            answers.append((busy[connection], answer))
    if not answers:
        now = time.monotonic()
        late = [index for index in busy.values() if now - crew[index].started >= seconds]
        answers = [(index, _Death(f"took longer than {seconds:.0f} seconds")) for index in late]
    return answers


_CANNOT_START = (
    "worker processes cannot start; a script that prepares a corpus needs `if "
    "__name__ == '__main__':` around its calls"
)


class _Ready:
    """A worker's first word."""


@dataclass(frozen=True)
class _Failure:
    said: str
    trace: str


class _WorkerTraceError(Exception):
    """Where in a worker an error came from: shown with the traceback, not in the message."""


def _serve(connection: Connection, work: Callable[[Sequence[Any]], Any], parent: int) -> None:
    """Answer jobs until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    connection.send(_Ready())
    while True:
        while not connection.poll(2.0):
            if os.getppid() != parent:
                return
        try:
            items = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = work(items)
        except Exception as error:
            import traceback

            answer = _Failure(f"{type(error).__name__}: {error}", traceback.format_exc())
        connection.send(answer)
