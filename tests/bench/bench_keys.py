"""Keys against key signatures: ``python -m tests.bench.bench_keys``; see docs/keys.md."""

import os
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.media.midi import read_midi
from musicvae_lite.media.midi_events import read_file
from musicvae_lite.music.key_of_piece import find_key

CORPORA = ("fiddle_abc", "mutopia", "nottingham", "open_hymnal", "piano_midi_de")
FILES, _KEY = 200, 0x59


def signature(data: bytes) -> tuple[int, bool] | None:
    """Return tonic and "is minor" of the only key signature of a file; None where there is none."""
    found = {body[:2] for *_, body in read_file(data, "x").metas((_KEY,)) if len(body) >= 2}
    if len(found) != 1:
        return None
    sharps, minor = next(iter(found))
    sharps = sharps - 256 if sharps > 127 else sharps
    if abs(sharps) > 7 or minor > 1:
        return None
    return (7 * sharps + 9 * minor) % 12, bool(minor)


def main() -> None:
    """Print the share of keys that are right, by corpus."""
    root = Path(os.environ.get("MUSAE_DATA", "../shared/data")) / "midi"
    right: dict[str, list[bool]] = defaultdict(list)
    for corpus in CORPORA:
        with zipfile.ZipFile(root / corpus / "train.zip") as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".mid"))
            for name in names[:: max(1, len(names) // FILES)]:
                data = archive.read(name)
                try:
                    score, wanted = read_midi(data), signature(data)
                except MusaeError:
                    continue
                if wanted is None or len(score.notes) < 20:
                    continue
                key = find_key(score)
                major = (key.tonic + 3 * (key.mode == "minor")) % 12
                if corpus == "piano_midi_de":  # its signatures do not say which mode
                    right[corpus].append(major == wanted[0])
                else:
                    right[corpus].append((key.tonic, key.mode == "minor") == wanted)
        print(f"{corpus}: {np.mean(right[corpus]):.3f} of {len(right[corpus])}")
    every = [hit for hits in right.values() for hit in hits]
    print(f"all: {np.mean(every):.3f} of {len(every)}")


if __name__ == "__main__":
    main()
