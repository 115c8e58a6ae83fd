"""The model card: what a model folder's README.md says, written from the run itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musicvae_lite.config import RunConfig
from musicvae_lite.core.medium import CardText, Words, medium_of
from musicvae_lite.core.text import shown

_FIRST = {
    "nll_nats": ("negative log-likelihood, nats {one} ({drawn})", "{:.2f}"),
    "kl_bits": ("KL divergence of the posterior to the prior, bits {one}", "{:.1f}"),
    "elbo_nats": ("lower bound on the log-likelihood, nats {one}", "{:.2f}"),
}
_LAST = {
    "active_units": ("active latent units (variance of the mean above 0.01)", "{:.0f}"),
    "n": ("{unit} measured", "{:.0f}"),
}


def write_card(
    config: RunConfig, provenance: Mapping[str, Any], metrics: Mapping[str, Any], parameters: int
) -> str:
    """Return the card as Markdown.

    Args:
        config: the run.
        provenance: ``data`` (a list of name, windows, rights), ``held_out``, ``command``,
            ``init_from``, ``examples``, ``steps``, ``musae``.
        metrics: measures on held-out examples, by the names of the classes in
            :mod:`musicvae_lite.evaluation`.
        parameters: number of weights.
    """
    medium = medium_of(config)
    text, words = medium.card(config), medium.words
    parts = [
        f"# {config.name}",
        "",
        config.description or "A model trained with musae.",
        "",
        f"* {parameters:,} parameters; {text.model}",
        f"* input: {text.input}",
        f"* weights: `model.safetensors` ({config.training.stored}); settings: `config.json`",
        "",
        "## Use",
        "",
        f"    {text.use}",
        "",
        "## Data",
        "",
        *_data(provenance, words.unit),
        "",
        "## Training",
        "",
        *_training(config, provenance),
        "",
        "## Measured on " + (text.held_out if provenance.get("held_out", True) else text.seen),
        "",
        *([] if metrics else ["Not measured here ('musae evaluate').", ""]),
        "| measure | value | meaning |",
        "|---|---|---|",
        *_measures(metrics, text, words),
        "",
        *_groups(metrics),
        "## Limits",
        "",
        *(f"* {limit}" for limit in text.limits),
    ]
    return shown("\n".join(parts) + "\n")


def _measures(metrics: Mapping[str, Any], text: CardText, words: Words) -> list[str]:
    known = {**_FIRST, **text.measures, **_LAST}
    return [
        f"| {key} | {form.format(metrics[key])} | "
        f"{meaning.format(one=words.item, drawn=text.drawn, unit=words.unit)} |"
        for key, (meaning, form) in known.items()
        if key in metrics
    ]


def _groups(metrics: Mapping[str, Any]) -> list[str]:
    """Return tables of the improvement by kind of noise and by its level."""
    lines: list[str] = []
    for key, head in (("by_noise", "noise"), ("by_snr", "SNR in dB")):
        if key in metrics:
            rows = (f"| {name} | {value:.2f} |" for name, value in metrics[key].items())
            lines += [f"| {head} | SI-SDR improvement, dB |", "|---|---|", *rows, ""]
    return lines


def _data(provenance: Mapping[str, Any], unit: str) -> list[str]:
    sources = provenance.get("data", [])
    if not sources:
        return ["Not recorded."]
    rows = [
        f"| {s['name']} | {s.get('windows', 0):,} | {s.get('rights') or 'not stated'} |"
        for s in sources
    ]
    return [f"| corpus | {unit} | rights |", "|---|---|---|", *rows]


def _training(config: RunConfig, provenance: Mapping[str, Any]) -> list[str]:
    program = provenance.get("musae", "?")
    if provenance.get("imported"):
        return [
            f"Imported from {provenance['imported']} with musae {program}; how it was trained is "
            "not recorded here."
        ]
    return [
        f"    {provenance.get('command', '(not recorded)')}",
        "",
        *_start(provenance),
        f"{provenance.get('examples', 0):,} examples seen in {provenance.get('steps', 0):,} steps "
        "of "
        f"{config.training.batch_size}, musae {program}.",
    ]


def _start(provenance: Mapping[str, Any]) -> list[str]:
    origin = provenance.get("init_from")
    return [f"Started from the weights of {origin}.", ""] if origin else []
