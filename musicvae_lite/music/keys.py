"""The key that notes are in, by how often each pitch class occurs (Krumhansl & Kessler 1982).

Keys are numbers: 0 to 11 the major keys from C upwards, 12 to 23 the minor ones.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.music.chords import key_class
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.data.corpus import Corpus

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_ROOT = re.compile(r"\s*[A-Ga-g][#b♯♭]*")

Floats = NDArray[np.float64]

_SCALE = np.isin(np.arange(12), (0, 2, 4, 5, 7, 9, 11))
#: Which pitch classes are in the scale of each key [24, 12]; a minor one has that of its relative.
KEYS_OF_SCALE = np.array(
    [np.roll(_SCALE, tonic + 3 * minor) for minor in (0, 1) for tonic in range(12)]
)


def key_number(text: str) -> int:
    """Return the key 0 to 23 of a name (``C``, ``F# minor``, ``Bbm``, ``Eb major``).

    Raises:
        UsageError: it is no key.
    """
    relative = key_class(text)
    root = _ROOT.match(text)
    tonic = key_class(root[0]) if root else relative
    return tonic if tonic == relative else 12 + tonic


def key_name(key: int) -> str:
    """Return the name of a key 0 to 23: ``C major``, ``A minor``."""
    names = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    minor = {1: "C#", 6: "F#", 8: "G#"}
    tonic = key % 12
    return f"{names[tonic]} major" if key < 12 else f"{minor.get(tonic, names[tonic])} minor"


def profiles() -> Floats:
    """Return how often each pitch class is expected in each key, standardised [24, 12]."""
    rows = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    table = np.array(rows)
    scaled: Floats = (table - table.mean(1, keepdims=True)) / table.std(1, keepdims=True)
    return scaled


def best_keys(counts: NDArray[np.number]) -> NDArray[np.int64]:
    """Return the key whose profile correlates best with each row of counts [N, 12]; -1 where all
    counts are equal.
    """
    centred = counts - counts.mean(1, keepdims=True)
    keys = (centred @ profiles().T).argmax(1)
    return np.where(np.abs(centred).max(1, initial=0) > 0, keys, -1)


def class_counts(codec: ScoreCodec, windows: NDArray[Any]) -> NDArray[np.int64]:
    """Return how many notes of each pitch class windows [N, T] or [N, T, K] have [N, 12]."""
    voices = windows[..., None] if windows.ndim == 2 else windows
    counts = np.zeros((len(windows), 12), np.int64)
    least = int(codec.config().get("min_pitch", 0))
    for voice, pitches in enumerate(codec.pitches):
        if pitches is None:
            continue
        first, number = pitches
        line = voices[..., voice].astype(np.int64)
        window, step = np.nonzero((line >= first) & (line < first + number))
        np.add.at(counts, (window, (line[window, step] - first + least) % 12), 1)
    return counts


def keys_of_tracks(corpus: Corpus) -> NDArray[np.int64]:
    """Return the key of the track that each window of a corpus is of [N]; -1 for none."""
    if not any(corpus.codec.pitches):
        return np.full(len(corpus), -1)
    track = corpus.source.astype(np.int64) * (int(corpus.track.max(initial=0)) + 1) + corpus.track
    _, place = np.unique(track, return_inverse=True)
    counts = np.zeros((place.max(initial=-1) + 1, 12), np.int64)
    np.add.at(counts, place, class_counts(corpus.codec, corpus.windows))
    return best_keys(counts)[place]
