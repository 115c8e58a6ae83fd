"""``musae prior``."""

from __future__ import annotations

import click

from musae.options import FILE, Console, console_options, examples, seed_option

_EPILOG = examples(
    "musae prior RUN --data corpus                    what draws of RUN are like",
    "musae prior RUN --data a --data b --steps 8000   learned for longer",
)


@click.command(epilog=_EPILOG)
@click.argument("model", metavar="NAME|FOLDER")
@click.option("--data", multiple=True, type=FILE, metavar="CORPUS", help="Prepared corpora.")
@click.option(
    "--steps",
    type=click.IntRange(1, 10_000_000),
    default=4000,
    show_default=True,
    metavar="N",
    help="Batches to learn from.",
)
@seed_option
@console_options
def prior(model: str, data: tuple[str, ...], steps: int, seed: int, console: Console) -> None:
    """Learn the prior of a model: where 'musae sample' draws from.

    The songs of the corpora that are held out are measured on and not learned from. The prior is
    kept in the folder of the model (prior.safetensors, prior.json); 'musae train' learns one at
    its end where the preset says so. 'musae sample --prior normal' draws without it.
    """
    from musicvae_lite.core.errors import UsageError
    from musicvae_lite.model_dir.bundle import describe

    describe(model)
    if not data:
        raise UsageError(
            "a prior is learned from a prepared corpus; name it with --data ('musae prepare' "
            "makes one)"
        )
    from musicvae_lite.music.prior_training import learn_prior_of

    def tell(done: int, total: int, cost: float) -> None:
        if done % 500 == 0 or done == total:
            console.note(f"step {done:,} of {total:,}: {cost:.2f} nats a window")

    measured = learn_prior_of(model, data, steps, seed, tell)
    of = "held-out windows" if measured["held_out"] else "windows that it has learned from"
    console.show(
        f"{model}: learned a prior; {measured['nll_nats']:.2f} nats a window on "
        f"{measured['n']:,} {of}"
    )
    console.document({"model": model, "steps": steps, "seed": seed, **measured})
