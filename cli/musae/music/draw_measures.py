"""``musae evaluate --draws``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from musae.options import Console
from musicvae_lite.core.errors import UsageError

if TYPE_CHECKING:
    from musicvae_lite.core.evaluation import Split
    from musicvae_lite.music.evaluate.draws import DrawMeasures


def evaluate_draws(
    model: str,
    data: tuple[str, ...],
    split: Split,
    limit: int | None,
    prior: Literal["learned", "normal"],
    device: str,
    seed: int,
    console: Console,
) -> None:
    """Compare draws with held-out music and show that as a table.

    Raises:
        UsageError: no model of music, or no data.
        NothingUsableError: next to nothing to compare with.
    """
    if not data:
        raise UsageError(f"{model} is measured on a prepared corpus; name it with --data")
    from musicvae_lite.music.evaluate import scoring
    from musicvae_lite.music.evaluate.draws import COUNT

    chosen, measures = scoring.evaluate_draws(
        model, data, split, limit or COUNT, prior, device=device, seed=seed
    )
    _table(measures, console)
    facts = {"model": model, "data": list(data), "split": chosen, "prior": prior, "seed": seed}
    console.document({**facts, **measures.as_dict()})


def _table(measures: DrawMeasures, console: Console) -> None:
    rows = {"cost, nats a step": measures.cost, "copies": measures.copies, **measures.features}
    width = max(map(len, rows))
    console.answer(f"{'':{width}}      real     drawn")
    for name, (real, drawn) in rows.items():
        console.answer(f"{name:{width}}  {real:8.3f}  {drawn:8.3f}  {_change(real, drawn)}")
    for name, (real, drawn, apart) in measures.together.items():
        console.answer(f"{name:{width}}  {real:8.3f}  {drawn:8.3f}  voices shuffled {apart:.3f}")
    console.answer(f"{'told apart, AUC':{width}}  {0.5:8.3f}  {measures.auc:8.3f}")
    console.answer(f"{measures.drawn:,} draws beside {measures.real:,} real windows")


def _change(real: float, drawn: float) -> str:
    """Write how much more or less the drawn ones have."""
    return f"{100 * (drawn / real - 1):+.0f} %" if real else ""
