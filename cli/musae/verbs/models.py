"""``musae models``."""

from __future__ import annotations

from typing import Any

import click

from musae.options import Console, console_options, examples

_EPILOG = examples(
    "musae models                what is shipped",
    "musae models runs/*/        what is in your own folders",
)
_SHOWN = {
    "accuracy": "accuracy {:.3f}",
    "onset_accuracy": "of note starts {:.3f}",
    "bce_mean": "BCE {:.4f}",
    "psnr_db": "PSNR {:.2f} dB",
    "elbo_nats": "ELBO {:.2f} nats",
    "kl_bits": "{:.1f} bits",
}


@click.command(epilog=_EPILOG)
@click.argument("folders", nargs=-1, metavar="[FOLDER...]")
@click.option(
    "--model", "-m", "more", multiple=True, metavar="NAME|FOLDER", help="The same as FOLDER."
)
@console_options
def models(folders: tuple[str, ...], more: tuple[str, ...], console: Console) -> int:
    """List the shipped models, or those in the folders named: what they are, their size, how good
    they are.
    """
    from musae.outputs import each
    from musicvae_lite.model_dir.bundle import shipped_models

    names = [*folders, *more] or shipped_models()
    found: list[dict[str, Any]] = []

    def look(name: str) -> None:
        model = examine(name)
        found.append(model)
        large = model["bytes"] >= 100_000
        stored = f"{model['bytes'] / 1e6:.1f} MB" if large else f"{model['bytes'] / 1e3:.0f} kB"
        size = f"{model['parameters']:,} parameters, {stored}"
        lines = (
            f"{name}: {model['description'] or model['preset']}",
            f"{size}{_quality(model)}",
            model["folder"],
        )
        console.answer("\n  ".join(lines))

    code = each(names, look, console.error, nothing="see above") if names else 0
    if not names:
        console.note("no model is shipped here; 'musae train' makes one")
    console.document({"models": found})
    return code


def examine(name: str) -> dict[str, Any]:
    """Return what a model folder says of itself.

    Raises:
        UsageError: no such model.
        MusaeError: the folder is foreign or damaged.
    """
    from musicvae_lite.core.errors import MusaeError
    from musicvae_lite.core.files import reason
    from musicvae_lite.model_dir.bundle import WEIGHTS
    from musicvae_lite.model_dir.handle import open_model
    from musicvae_lite.model_dir.swap import current

    handle = open_model(name)
    model = handle.description
    path = current(model.folder, WEIGHTS)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    return {
        "name": name,
        "kind": handle.medium.words.content,
        "folder": str(model.folder),
        "preset": model.config.name,
        "description": model.config.description,
        "parameters": model.parameters,
        "bytes": size,
        "metrics": model.metrics,
        "provenance": model.provenance,
    }


def _quality(model: dict[str, Any]) -> str:
    metrics, parts = model["metrics"], []
    for key, text in _SHOWN.items():
        value = metrics.get(key)
        # A model of pictures without a posterior has no bits to count.
        if isinstance(value, int | float) and (key != "kl_bits" or value > 0):
            parts.append(text.format(value))
    gain = metrics.get("si_sdr_improvement_db")
    if isinstance(gain, int | float):
        seen = not model["provenance"].get("held_out", True)
        which = "what it learned from (none was held out)" if seen else "what it did not learn from"
        return f"; {metrics.get('n', 0):,} noisy clips of {which}: {gain:+.1f} dB SI-SDR"
    unit = {"music": "songs", "pictures": "pictures", "sound": "clips"}[model["kind"]]
    which = (
        f"held-out {unit}"
        if model["provenance"].get("held_out", True)
        else f"training {unit} (none was held out)"
    )
    return f"; {which}: " + ", ".join(parts) if parts else ""
