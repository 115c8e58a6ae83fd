"""Ctrl-C as a question that is answered between two steps."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

# A finger that presses twice does not mean to lose the run; somebody who presses again after a
# while does.
_IMPATIENT_SECONDS = 2.0


class Stop:
    """Whether somebody asked for the end: a question that is answered between two steps."""

    def __init__(self) -> None:
        self._asked, self._raises = threading.Event(), False
        self._first = 0.0

    def __call__(self) -> bool:
        """Return whether somebody asked."""
        return self._asked.is_set()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let whoever asks end the block where it is.

        Raises:
            KeyboardInterrupt: somebody asks, or has asked before.
        """
        self._raises = True
        try:
            if self():
                raise KeyboardInterrupt
            yield
        finally:
            self._raises = False

    def ask(self, number: int, frame: object) -> None:
        """Take note of a signal; a handler for :func:`signal.signal`."""
        if self._raises:
            self._asked.set()
            raise KeyboardInterrupt
        if not self():
            self._first = time.monotonic()
        elif number == signal.SIGINT and time.monotonic() - self._first > _IMPATIENT_SECONDS:
            raise KeyboardInterrupt
        self._asked.set()


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Turn Ctrl-C (SIGTERM, the end of a terminal) into a flag that is looked at between steps.

    A second Ctrl-C stops at once.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = [
        getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
    ]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in before:
        signal.signal(number, stop.ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
