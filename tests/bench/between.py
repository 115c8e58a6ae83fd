"""A model whose weights lie between those of two others: of one that another was trained from, and
of that other.

    python tests/bench/between.py START RUN 0.6 MODEL

0 gives START, 1 gives RUN. Wortsman et al. 2022, Robust fine-tuning of zero-shot models (arXiv
2109.01903).
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from musicvae_lite.model_dir.bundle import load_bundle, save_bundle


def main() -> None:
    start, run, place, output = sys.argv[1:]
    before, bundle = load_bundle(start).model.state_dict(), load_bundle(run)
    after = bundle.model.state_dict()
    bundle.model.load_state_dict(
        {key: torch.lerp(before[key], after[key], float(place)) for key in after}
    )
    provenance = bundle.description.provenance | {"between": [start, run, float(place)]}
    save_bundle(Path(output), bundle.description.config, bundle.model, provenance, {})


if __name__ == "__main__":
    main()
