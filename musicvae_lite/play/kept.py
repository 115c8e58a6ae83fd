"""The folder in which what was heard is kept: a MIDI file each, under names that count up."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import atomic_output, reason

_NAME_CHARACTERS = 60


class Kept:
    """A folder for results; it is made when the first is written.

    Args:
        folder: where; its parent exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._next = 1

    def write(self, title: str, suffix: str, data: bytes) -> Path:
        """Write a result under a name of its own, ``0007 TITLE.mid``, and return its path.

        Raises:
            MusaeError: if the file system refuses.
        """
        with self._lock:
            return self._write(title, suffix, data)

    def _write(self, title: str, suffix: str, data: bytes) -> Path:
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise MusaeError(f"{self.folder}: cannot be made: {reason(error)}") from error
        while True:
            path = self.folder / f"{self._next:04} {plain(title)}{suffix}"
            self._next += 1
            if any(self.folder.glob(f"{self._next - 1:04} *")):
                continue
            try:
                with atomic_output(path) as part:
                    part.write_bytes(data)
            except UsageError:  # another process took the name
                continue
            return path


def plain(title: str) -> str:
    """Return a title as a file name of any system: letters, digits, spaces and ``- + ,``."""
    words = re.sub(r"[^\w+,-]+", " ", title).strip(" .")
    return words[:_NAME_CHARACTERS].strip() or "untitled"
