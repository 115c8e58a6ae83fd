"""Damage 5,000 MIDI files, and read, edit and write each: ``python -m tests.bench.mutate_midi``.

Base files are the demo tunes and beats, and files of the corpora where they are at hand.
"""

import os
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

from tests.media.mutants import check, mutants

CORPORA = ("webmidi", "simutrans", "groove", "tegridy_kar", "midiarchives")
MOST_BYTES = 30_000


def wholes() -> list[bytes]:
    """Return the files to damage."""
    files = [path.read_bytes() for path in sorted(Path("data").glob("*/*.mid"))]
    root = Path(os.environ.get("MUSAE_DATA", "../shared/data")) / "midi"
    for corpus in CORPORA:
        if (root / corpus / "train.zip").exists():
            with zipfile.ZipFile(root / corpus / "train.zip") as archive:
                names = sorted(name for name in archive.namelist() if name.endswith(".mid"))
                found = (archive.read(name) for name in names[::97])
                files += [data for data in found if len(data) < MOST_BYTES][:8]
    return files


def main(count: int) -> None:
    """Print what became of the files; whatever is raised but a MidiError ends it."""
    begun, slowest, reasons = time.monotonic(), 0.0, Counter[str]()
    for data in mutants(wholes(), count, seed=0):
        started = time.monotonic()
        reasons[check(data)] += 1
        slowest = max(slowest, time.monotonic() - started)
    seconds = time.monotonic() - begun
    print(f"{count:,} files in {seconds:.0f} s, the slowest {slowest:.2f} s: {dict(reasons)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
