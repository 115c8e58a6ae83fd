"""Chords inferred from notes against POP909's annotations (by another program), beside music21.

The table of docs/chords.md.

    python tests/bench/bench_chords.py ALIGNED ORIGINAL [--songs 40] [--skip 40] [--music21 PYTHON]

ALIGNED and ORIGINAL are the unpacked corpora pop909_aligned (with its annotations) and pop909. The
annotations are in seconds of the original files; index.csv of the aligned ones says by how many
beats each was moved. ``--music21`` names a Python that has music21; it is no dependency of the
project.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score, read_midi
from musicvae_lite.music.chords import NO_CHORD, chord_class
from musicvae_lite.music.harmony import harmony

GRID = 8  # points of comparison a quarter note

# What the other Python runs: each half bar as one chord of all its pitches.
_MUSIC21 = r"""
import json, sys, time
from music21 import chord, converter, note
known = {}
def symbol(pitches):
    if not pitches: return "N"
    # Each pitch class once, above the lowest: what the chord is does not change.
    low = min(pitches)
    key = tuple(sorted({low % 12 + 48 + (p - low) % 12 for p in pitches}))
    if key not in known: known[key] = named(chord.Chord(key))
    return known[key]
def named(c):
    q = {"major": "", "minor": "m", "augmented": "aug", "diminished": "dim"}.get(c.quality)
    if q is None:
        third, fifth = c.semitonesFromChordStep(3), c.semitonesFromChordStep(5)
        q = {(3, 6): "dim", (4, 8): "aug"}.get((third, fifth), "m" if third == 3 else "")
    return c.root().name.replace("-", "b") + q
for path in sys.argv[1:]:
    begun = time.process_time()
    score = converter.parse(path)
    notes = [(float(n.offset), float(n.offset + n.quarterLength), [p.midi for p in n.pitches])
             for part in score.parts for n in part.flatten().notes
             if not isinstance(n, note.Unpitched)]
    end = max(e for _, e, _ in notes)
    halves = [[at, symbol([p for s, e, ps in notes if s < at + 2 and e > at for p in ps])]
              for at in range(0, int(end) + 1, 2)]
    print(json.dumps({"chords": halves, "seconds": time.process_time() - begun}), flush=True)
"""


def _quarters(score: Score, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert seconds to quarter notes by the tempos of a score."""
    tempos = [(0, 120.0), *((int(t), float(q)) for t, q in score.tempos.tolist())]
    ticks = np.array([row[0] for row in tempos]) / score.ticks_per_quarter
    pace = np.array([row[1] for row in tempos]) / 60
    at = np.concatenate([[0.0], np.cumsum(np.diff(ticks) / pace[:-1])])
    row = np.searchsorted(at, seconds, side="right") - 1
    return ticks[row] + (seconds - at[row]) * pace[row]


def annotation(
    aligned: Path, original: Path, name: str, beats: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return points in quarter notes of the aligned file, and the class of the annotated chord at
    each.
    """
    rows = [
        line.split()
        for line in (aligned / "pop909_annotations" / name / "chord_midi.txt")
        .read_text()
        .splitlines()
    ]
    times = np.array([[float(row[0]), float(row[1])] for row in rows])
    classes = [chord_class(row[2]) for row in rows]
    assert None not in classes, (name, rows)
    score = read_midi(original / "pop909" / f"{name}.mid")
    edges = _quarters(score, times.ravel()).reshape(-1, 2) + beats
    points = np.arange(max(0.0, edges[0, 0]), edges[-1, 1], 1 / GRID)
    place = np.clip(np.searchsorted(edges[:, 0], points, side="right") - 1, 0, len(rows) - 1)
    return points, np.array(classes, np.int64)[place]


def at_points(rows: list[list[Any]], points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the classes of (quarter, symbol) rows at some points."""
    starts = np.array([row[0] for row in rows])
    classes = np.array([chord_class(row[1]) or NO_CHORD for row in rows])
    place = np.searchsorted(starts, points + 1e-6, side="right") - 1
    return np.where(place < 0, NO_CHORD, classes[np.maximum(place, 0)])


def agreement(found: NDArray[Any], wanted: NDArray[Any]) -> dict[str, float]:
    """Return per cent of time with the same root and triad, the same root.

    Over annotated chords, then over all time.
    """
    some = wanted != NO_CHORD
    same = found == wanted
    root = (found != NO_CHORD) & ((found - 1) % 12 == (wanted - 1) % 12)
    return {
        "triad": 100 * same[some].mean(),
        "root": 100 * root[some].mean(),
        "all": 100 * same.mean(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("aligned", type=Path)
    parser.add_argument("original", type=Path)
    parser.add_argument("--songs", type=int, default=40)
    parser.add_argument(
        "--skip",
        type=int,
        default=40,
        help="songs at the start of the list, which the weights were chosen on",
    )
    parser.add_argument("--music21", metavar="PYTHON")
    given = parser.parse_args()
    index = list(csv.DictReader((given.aligned / "index.csv").open()))
    names = [
        (Path(row["file"]).stem, float(re.findall(r"shifted by (-?[\d.]+)", row["source_path"])[0]))
        for row in index
    ]
    names = [(n, s) for n, s in names if (given.original / "pop909" / f"{n}.mid").exists()][
        given.skip :
    ][: given.songs]
    tables: dict[str, list[dict[str, float]]] = {}
    seconds = []
    wanted, points = {}, {}
    for name, beats in names:
        points[name], wanted[name] = annotation(given.aligned, given.original, name, beats)
        score = read_midi(given.aligned / "pop909_aligned" / f"{name}.mid")
        begun = time.process_time()
        found = harmony(score)
        seconds.append(time.process_time() - begun)
        chords, _ = found.at(np.round(points[name] * score.ticks_per_quarter).astype(np.int64))
        tables.setdefault("musae", []).append(agreement(chords, wanted[name]))
    print(f"{len(names)} songs, {np.mean(seconds) * 1000:.0f} ms of processor time a song")
    if given.music21:
        files = [str(given.aligned / "pop909_aligned" / f"{name}.mid") for name, _ in names]
        command = [given.music21, "-W", "ignore", "-c", _MUSIC21, *files]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        results = [json.loads(line) for line in output.splitlines()]
        for (name, _), result in zip(names, results, strict=True):
            chords = at_points(result["chords"], points[name])
            tables.setdefault("music21, half bars", []).append(agreement(chords, wanted[name]))
        print(
            f"music21: {np.mean([result['seconds'] for result in results]):.1f} s of processor "
            "time a song"
        )
    print(
        "| method | root and triad | root | root and triad, N.C. included | worst and best song "
        "|\n|---|---|---|---|---|"
    )
    for method, rows in tables.items():
        mean = {key: np.mean([row[key] for row in rows]) for key in rows[0]}
        triads = [row["triad"] for row in rows]
        figures = " | ".join(f"{mean[key]:.1f} %" for key in ("triad", "root", "all"))
        print(f"| {method} | {figures} | {min(triads):.0f} %, {max(triads):.0f} % |")


if __name__ == "__main__":
    sys.exit(main())
