"""Measure seams of whole pieces: ``python tests/bench/bench_seams.py CORPUS.zip ...

[--model mel-2bar] [--pieces 50]``.

Pieces of the validation side of each zip (with index.csv) go through ``MusicSession.reconstruct``
(windows that overlap), and through windows that abut, as one would join them by hand. Printed for
both: steps of a note that start right; steps at which the right pitch (or silence) sounds; notes
held over a bar line, or over a border of windows that abut, that are still one note; and notes that
are held where the piece holds none.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.media.midi import read_midi
from musicvae_lite.model_dir.handle import load_as
from musicvae_lite.music.codecs.melody import FIRST_NOTE, MelodyCodec
from musicvae_lite.music.data.prepare import is_valid
from musicvae_lite.music.overlap import weave
from musicvae_lite.music.session import MusicSession
from musicvae_lite.music.windows import Passage, is_silent, whole_melody

#: The number of the note that sounds at each step, 0 for none, and its token.
Heard = tuple[NDArray[np.int64], NDArray[np.int64]]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--model", default="mel-2bar")
    parser.add_argument("--pieces", type=int, default=50)
    options = parser.parse_args()
    session = load_as(MusicSession, options.model, "cpu")
    codec = session.codec
    if not isinstance(codec, MelodyCodec):
        raise SystemExit(f"{options.model}: is no model of melodies")
    sums = {"windows that abut": Counter[str](), "windows that overlap": Counter[str]()}
    for source in options.sources:
        for passage in passages(source, codec, -(-options.pieces // len(options.sources))):
            mean, _ = session.encode_windows(passage.windows)
            heard = session.decode_windows(mean)
            silent = is_silent(passage.windows, codec)
            heard[silent] = passage.windows[silent]
            given = weave(passage.windows, passage.bars, codec)
            for stretch, after in zip(given, weave(heard, passage.bars, codec), strict=True):
                size = len(stretch.tokens) // codec.steps_per_bar - codec.bars + 1
                rows = [stretch.row + row for row in range(0, size, codec.bars)]
                apart = [heard[row] for row in rows]
                apart += [
                    heard[stretch.row + size - 1][
                        codec.steps_per_bar * (codec.bars - (size - 1) % codec.bars) :
                    ]
                ]
                truth = sounding([stretch.tokens])
                compare(truth, sounding([after.tokens]), codec, sums["windows that overlap"])
                compare(truth, sounding(apart), codec, sums["windows that abut"])
    for name, count in sums.items():
        print(
            f"{name}: notes heard right {count['right'] / count['notes']:.4f}, steps that sound "
            "right "
            f"{count['same'] / count['steps']:.4f}; held notes that survive: {count['kept']} of "
            f"{count['held']} over bar lines, "
            f"{count['kept_border']} of {count['held_border']} over borders; held where none is: "
            f"{count['false']}"
        )


def passages(source: str, codec: MelodyCodec, count: int) -> Iterator[Passage]:
    """Yield melodies of validation songs, in an order that is always the same."""
    archive = zipfile.ZipFile(source)
    with archive.open("index.csv") as file:
        rows = [
            row
            for row in csv.DictReader(io.TextIOWrapper(file, "utf-8"))
            if is_valid(row["song_group"], 0.05)
        ]
    random.Random(1).shuffle(rows)
    found = 0
    for row in rows:
        if found == count:
            return
        try:
            yield whole_melody(
                read_midi(archive.read(row["file"])), codec, "the model", overlapping=True
            )
        except MusaeError:
            continue
        found += 1


def sounding(parts: Iterable[NDArray[np.int64]]) -> Heard:
    """Return what sounds in parts one after another; no note goes on from one to the next."""
    numbers, tokens, last = [], [], 0
    for part in parts:
        note = token = 0
        for event in part.tolist():
            if event >= FIRST_NOTE:
                last += 1
                note, token = last, event
            elif event:
                note = token = 0
            numbers.append(note)
            tokens.append(token)
    return np.array(numbers), np.array(tokens)


def compare(truth: Heard, heard: Heard, codec: MelodyCodec, sums: Counter[str]) -> None:
    """Add what was heard of one stretch to the sums."""
    starts = [np.diff(numbers, prepend=0) > 0 for numbers in (truth[0], heard[0])]
    right = starts[0] & starts[1] & (truth[1] == heard[1])
    lines = np.arange(codec.steps_per_bar, len(truth[0]), codec.steps_per_bar)
    held = [
        (numbers[lines] > 0) & (numbers[lines] == numbers[lines - 1])
        for numbers in (truth[0], heard[0])
    ]
    kept = held[0] & held[1] & (truth[1][lines] == heard[1][lines])
    border = lines % codec.steps == 0
    sums.update(
        right=int(right.sum()),
        notes=int(starts[0].sum()),
        same=int((truth[1] == heard[1]).sum()),
        steps=len(truth[0]),
        kept=int(kept.sum()),
        held=int(held[0].sum()),
        kept_border=int(kept[border].sum()),
        held_border=int(held[0][border].sum()),
        false=int((held[1] & ~held[0]).sum()),
    )


if __name__ == "__main__":
    main()
