"""``musae evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from musae.options import FILE, Console, console_options, device_option, examples, seed_option

if TYPE_CHECKING:
    from musicvae_lite.scoring import Split

_EPILOG = examples(
    "musae evaluate mel-2bar --data corpus",
    "musae evaluate run --data corpus --split all --limit 1000 --json",
)


@click.command(epilog=_EPILOG)
@click.argument("model", metavar="NAME|FOLDER")
@click.option("--data", required=True, multiple=True, type=FILE, metavar="CORPUS", help="Prepared corpus; may be repeated.")
@click.option("--split", type=click.Choice(["auto", "valid", "train", "all"]), default="auto", show_default=True,
              help="Which songs. auto: the held-out ones of a corpus the model was trained on, all of another.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Measure on N windows, spread evenly. [default: all]")
@device_option
@seed_option
@console_options
def evaluate(
    model: str, data: tuple[str, ...], split: Split, limit: int | None, device: str, seed: int, console: Console
) -> None:
    """Measure how well a model gives windows back, and how many bits it spends."""
    from musicvae_lite.bundle import describe

    describe(model)
    from musicvae_lite.scoring import evaluate as score

    result = score(model, data, split, limit, device, seed)
    measures = result.measures.as_dict()
    width = max(map(len, measures))
    console.answer(f"{'split':{width}}  {result.split}")
    for key, value in measures.items():
        console.answer(f"{key:{width}}  {value:,}" if isinstance(value, int) else f"{key:{width}}  {value:.4f}")
    console.document({"model": model, "data": list(data), "split": result.split, "seed": seed, **measures})
