"""Sound in containers that libsndfile does not read (M4A, AAC, WMA, WebM): named, and decoded by
FFmpeg where that is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WMA = bytes.fromhex("3026b2758e66cf11")
_MATROSKA = bytes.fromhex("1a45dfa3")


def container_of(path: Path) -> str | None:
    """Return the name of such a container by the first bytes of a file, None for all others."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[4:8] == b"ftyp":
        return "M4A (AAC or ALAC)" if head[8:11] in (b"M4A", b"M4B") else "MP4 (M4A, AAC)"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # layer 0: AAC, not MP3
        return "AAC"
    if head[:8] == _WMA:
        return "WMA"
    return "WebM or Matroska" if head[:4] == _MATROSKA else None


def advice(path: Path) -> str:
    """Say how a user makes a WAV file of such a file."""
    return f"convert it first: ffmpeg -i {path.name} {path.stem}.wav"


@contextmanager
def decoded(path: Path) -> Iterator[Path | str]:
    """Decode a file by FFmpeg into a WAV file of floats that lives as long as the block.

    Yields:
        The file; or, where that cannot be, why, in some words.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        yield "no decoder for it is installed"
        return
    with tempfile.TemporaryDirectory(prefix="musae-") as folder:
        place = Path(folder) / "decoded.wav"
        command = [program, "-nostdin", "-v", "error", "-i", str(path.resolve()), "-vn"]
        done = subprocess.run(
            [*command, "-c:a", "pcm_f32le", "-rf64", "auto", str(place)],
            capture_output=True,
            check=False,
        )
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = f"ffmpeg: {told[-1][:200]}" if told else "ffmpeg could not decode it"
        yield place if not done.returncode and place.is_file() else why
