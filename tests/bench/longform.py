"""Long pieces of a model against held-out tunes; and bars that are filled in.

    python tests/bench/longform.py MODEL --data CORPUS [--data CORPUS] [--count 100]

CORPUS: melodies prepared in windows of 16 bars (preset mel-16bar). Of the first track of every
held-out song; windows of one song are 8 bars apart. Filling in: bars 4 and 5 of the first 8; the
cost is that of interpolated Witten-Bell 5-grams of the training windows, nats a step. Run by hand.
"""

import argparse
import runpy
import time

import numpy as np

from musicvae_lite.core.random import Noise
from musicvae_lite.model_dir.bundle import describe
from musicvae_lite.music.data.corpus import Corpus
from musicvae_lite.music.longform.model import Manner, key_of, load_longform
from musicvae_lite.music.longform.pieces import compose, middling

MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])


def measures(windows):
    """Means over windows of melody [N, T] of what a piece is like."""
    rows = []
    for tokens in np.asarray(windows).astype(int):
        pitch = tokens[tokens >= 2] + 19
        if len(pitch) < 4:
            continue
        classes = np.bincount(pitch % 12, minlength=12)
        scale = max(classes[(MAJOR + key) % 12].sum() for key in range(12)) / len(pitch)
        rhythms = [bar.tobytes() for bar in (tokens >= 2).reshape(-1, 16)]
        bars = [bar.tobytes() for bar in tokens.reshape(-1, 16)]
        follows = np.mean([b == a for a, b in zip(rhythms, rhythms[1:], strict=False)])
        again = np.mean([bar in rhythms[:at] for at, bar in enumerate(rhythms)])
        copied = np.mean([bar in bars[:at] for at, bar in enumerate(bars)])
        interval, reach = np.abs(np.diff(pitch)).mean(), np.ptp(pitch)
        starts = len(pitch) / len(bars)
        rows.append((scale >= 0.95, scale, interval, reach, follows, again, copied, starts))
    names = ["95 % in one scale", "share in scale", "interval", "range", "rhythm of the bar before",
             "rhythm of an earlier bar", "an earlier bar", "starts a bar"]  # fmt: skip
    return dict(zip(names, np.array(rows, float).mean(0).round(3).tolist(), strict=True))


def held_out(corpus):
    """Windows of the first track of held-out songs, 8 bars apart."""
    corpus = corpus.take((corpus.track == 0) & corpus.valid)
    first = {}
    rows = [
        row
        for row in range(len(corpus))
        if (corpus.bar[row] - first.setdefault(corpus.source[row], corpus.bar[row])) % 8 == 0
    ]
    return corpus.windows[rows]


def filled(model, windows, attempts=1):
    """Bars 4 and 5 of windows of 8 bars written anew, the likeliest of some attempts."""
    made = windows.astype(np.int64)
    for number, row in enumerate(made):
        given = row[:, None].copy()
        given[48:80] = -1
        pitch = given[given >= 2] + 19
        manner = Manner(key=key_of(np.bincount(pitch % 12, minlength=12)), outside=1.0)
        tries, costs = middling(model, given, Noise(0, number), attempts, manner)
        made[number] = tries[costs.argmin(), :, 0]
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--measures", default="../shared/eval/music.py", help="has NGrams")
    options = parser.parse_args()
    model, corpus = load_longform(describe(options.model), options.model), Corpus.open(options.data)
    real = held_out(corpus)
    real = real[np.random.default_rng(0).permutation(len(real))]
    for bars in (16, 8):
        print(f"{bars} bars, real ", measures(real[:400, : bars * 16]))
        pieces = [compose(model, bars, at, 1).events[:, 0] for at in range(options.count)]
        print(f"{bars} bars, drawn", measures(pieces))
    train = corpus.take((corpus.track == 0) & ~corpus.valid & (corpus.bar % 8 == 0)).windows
    grams = runpy.run_path(options.measures)["NGrams"](
        train[np.random.default_rng(0).permutation(len(train))[:4000]]
    )
    eight = np.unique(real[:, :128], axis=0)
    sounding = [(part >= 2).sum(1) > 2 for part in (eight[:, :48], eight[:, 48:80], eight[:, 80:])]
    eight = eight[np.logical_and.reduce(sounding)]
    eight = eight[np.random.default_rng(1).permutation(len(eight))[: options.count]]
    copied = eight.copy()
    copied[:, 48:80] = eight[:, 16:48]
    began = time.process_time()
    rows = {"real": eight, "bars 2 and 3 copied": copied, "filled in": filled(model, eight)}
    seconds = (time.process_time() - began) / (2 * len(eight))
    rows["filled in, best of 4"] = filled(model, eight, 4)
    for name, windows in rows.items():
        costs = [grams.cost(windows[:, a:b]).mean() for a, b in ((48, 80), (32, 96), (0, 128))]
        print(f"{name:22} cost of bars 4-5, 3-6, 1-8: " + " ".join(f"{cost:.3f}" for cost in costs))
    print(f"{seconds:.3f} s of one core for a bar")


if __name__ == "__main__":
    main()
