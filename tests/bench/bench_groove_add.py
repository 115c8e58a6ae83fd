"""Drums added where a groove model by itself would play none, against the performance.

The table of docs/groove-2bar.md.

    python tests/bench/bench_groove_add.py CORPUS [--model groove-2bar] [--windows 300]

CORPUS is a folder that ``musae prepare ... --preset groove-2bar`` made. From held-out windows that
have a drum it is taken out,
and put in again: at the steps that are likelier than not, or, where there are none, at the
likeliest, as ``musae groove add`` does. Beside it, as many hits at the steps at which the drum is
hit most often in the training windows, and at random.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from musicvae_lite.model_dir.handle import load_as
from musicvae_lite.music.codecs.groove import DRUMS
from musicvae_lite.music.data.corpus import Corpus
from musicvae_lite.music.data.groove_inputs import all_but_given, without_drum
from musicvae_lite.music.session import MusicSession
from musicvae_lite.music.verbs.groove import likeliest_hits


def _f1(made: Any, true: Any) -> float:
    found = float((made & true).sum())
    return 2 * found / max(1.0, float(made.sum() + true.sum()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--model", default="groove-2bar")
    parser.add_argument("--windows", type=int, default=300)
    asked = parser.parse_args()
    session = load_as(MusicSession, asked.model, "cpu")
    corpus = Corpus.open(asked.corpus)
    train, valid = (corpus.split(name).windows for name in ("train", "valid"))
    print(
        "| drum | windows | none by itself | F1 there | most usual steps | at random "
        "|\n|---|---|---|---|---|---|"
    )
    for drum, name in enumerate(DRUMS):
        windows = valid[(valid[..., drum] > 0.5).any(1)][: asked.windows]
        true = windows[..., drum] > 0.5
        z, _ = session.encode_windows(without_drum(windows, drum, unknown=True))
        none = ~(
            session.decode_windows(z, given=all_but_given(windows, drum))[..., drum] > 0.5
        ).any(1)
        made = likeliest_hits(session, windows, z, drum)
        usual = np.zeros_like(true)
        usual[:, np.argsort(-(train[..., drum] > 0.5).mean(0))[: made[0].sum()]] = True
        chance = np.random.default_rng(0).permuted(usual, axis=1)
        rows = " | ".join(f"{_f1(way[none], true[none]):.2f}" for way in (made, usual, chance))
        print(f"| {name} | {len(windows)} | {int(none.sum())} | {rows} |")


if __name__ == "__main__":
    main()
