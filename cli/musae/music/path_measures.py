"""``musae evaluate --paths``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from musae.options import Console
from musae.outputs import check_files, write_together
from musicvae_lite.core.errors import UsageError
from musicvae_lite.model_dir.bundle import describe
from musicvae_lite.plotting import check_picture

if TYPE_CHECKING:
    from musicvae_lite.core.evaluation import Split
    from musicvae_lite.music.evaluate.paths import PathMeasures


def evaluate_paths(
    model: str,
    data: tuple[str, ...],
    split: Split,
    limit: int | None,
    plot: str | None,
    device: str,
    seed: int,
    console: Console,
) -> None:
    """Measure paths, show them as a table, and draw them where that is wanted.

    Raises:
        UsageError: no model of music, no data, or a picture that cannot be written.
        NothingUsableError: fewer than two windows to go between.
    """
    name = describe(model).config.name
    if plot:
        check_picture(Path(plot))
        check_files([Path(plot)], overwrite=False, inputs=data)
    if not data:
        raise UsageError(f"{model} is measured on a prepared corpus; name it with --data")
    from musicvae_lite.music.evaluate import scoring
    from musicvae_lite.music.evaluate.paths import PAIRS, paths_picture

    chosen, measures = scoring.evaluate_paths(model, data, split, limit or PAIRS, device, seed)
    _table(measures, console)
    if plot:
        title = f"{name}: {measures.pairs:,} paths between windows"
        write_together(
            {Path(plot): paths_picture(measures, title, Path(plot).suffix)}, overwrite=False
        )
        console.show(f"wrote {plot}")
    facts = {"model": model, "data": list(data), "split": chosen, "seed": seed}
    console.document({**facts, **measures.as_dict(), "plot": plot})


def _table(measures: PathMeasures, console: Console) -> None:
    console.answer("       through latent space         blended step by step")
    console.answer("alpha  from start  from end   cost  from start  from end   cost")
    kinds = (measures.latent, measures.blended)
    for row, alpha in enumerate(measures.alpha.tolist()):
        columns = [
            f"{path.from_start[row]:10.3f}{path.from_end[row]:10.3f}{path.relative_cost[row]:7.3f}"
            for path in kinds
        ]
        console.answer(f"{alpha:5.2f}  {'  '.join(columns)}")
    for path, words in zip(kinds, ("through latent space", "blended step by step"), strict=True):
        sums = path.as_dict()
        costs = f"highest cost {sums['highest_cost']:.3f}, mean {sums['mean_cost']:.3f}"
        console.answer(
            f"{words}: {costs}; largest move {sums['largest_move']:.3f}, moves together "
            f"{sums['length']:.3f}"
        )
    apart = f"{measures.pairs:,} pairs, {measures.apart:.3f} of their steps unlike"
    console.answer(f"{apart}; cost 1 is that of the ends, {measures.ends_cost:.3f} nats a step")
