"""Tunes against the names of tracks: ``python -m tests.bench.bench_tune``; names are not seen."""

import os
import zipfile
from pathlib import Path

import numpy as np

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.media.midi import read_midi
from musicvae_lite.music.tune import NAMED, name_weight, tune_scores

CORPORA = ("webmidi", "midiarchives")


def main() -> None:
    """Print how often the track that is most like a tune is one that is named so."""
    root = Path(os.environ.get("MUSAE_DATA", "../shared/data")) / "midi"
    for corpus in CORPORA:
        right = []
        for path in sorted((root / corpus).glob("*.zip")):
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    try:
                        score = read_midi(archive.read(name), source=name)
                    except MusaeError:
                        continue
                    likeness = tune_scores(score, names=False)
                    named = np.array([name_weight(track.name) == NAMED for track in score.tracks])
                    named &= likeness > 0
                    if named.any() and not named[likeness > 0].all():
                        right.append(bool(named[likeness.argmax()]))
        print(f"{corpus:14} {np.mean(right):6.1%} of {len(right)}", flush=True)


if __name__ == "__main__":
    main()
