"""Ctrl-C as a question that is answered between two steps."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# A finger that presses twice does not mean to lose the run; somebody who presses again after a while does.
_IMPATIENT_SECONDS = 2.0


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C (SIGTERM, the end of a terminal) into a flag that is looked at between steps; a second Ctrl-C stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}

    first = 0.0

    def ask(number: int, frame: object) -> None:
        nonlocal first
        if not asked.is_set():
            first = time.monotonic()
        elif number == signal.SIGINT and time.monotonic() - first > _IMPATIENT_SECONDS:
            raise KeyboardInterrupt
        asked.set()

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
