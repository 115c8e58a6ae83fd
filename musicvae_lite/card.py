"""The model card: what a model folder's README.md says, written from the run itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musicvae_lite.config import RunConfig

_MEASURES = {
    "nll_nats": ("negative log-likelihood, nats a window (teacher-forced, z sampled)", "{:.2f}"),
    "kl_bits": ("KL divergence of the posterior to the prior, bits a window", "{:.1f}"),
    "accuracy": ("right steps, greedy decoding from the posterior mean", "{:.4f}"),
    "onset_accuracy": ("the same over the steps at which a note starts (pitch and time)", "{:.4f}"),
    "exact": ("windows right in every step", "{:.4f}"),
    "accuracy_sampled": ("right steps, z sampled, events at temperature 1", "{:.4f}"),
    "accuracy_forced": ("right steps when the true past is given", "{:.4f}"),
    "active_units": ("active latent units (variance of the mean above 0.01)", "{:.0f}"),
    "n": ("windows measured", "{:.0f}"),
}


def write_card(config: RunConfig, provenance: Mapping[str, Any], metrics: Mapping[str, Any], parameters: int) -> str:
    """Return the card as Markdown.

    Args:
        config: the run.
        provenance: ``data`` (a list of name, windows, rights), ``held_out``, ``command``, ``init_from``, ``examples``, ``steps``,
            ``musae``.
        metrics: measures on held-out songs, by the names of :class:`musicvae_lite.evaluation.Measures`.
        parameters: number of weights.
    """
    model = config.model
    parts = [
        f"# {config.name}",
        "",
        config.description or "A model trained with musae.",
        "",
        f"* {parameters:,} parameters; latent size {model.latent_size}; encoder BiLSTM {list(model.encoder.sizes)} "
        f"(readout: {model.encoder.readout}), decoder LSTM {list(model.decoder.sizes)}",
        f"* input: {_codec(config)}",
        f"* weights: `model.safetensors` ({config.training.stored}); settings: `config.json`",
        "",
        "## Use",
        "",
        "    musae interpolate a.mid b.mid --model FOLDER",
        "",
        "## Data",
        "",
        *_data(provenance),
        "",
        "## Training",
        "",
        f"    {provenance.get('command', '(not recorded)')}",
        "",
        *_start(provenance),
        f"{provenance.get('examples', 0):,} examples seen in {provenance.get('steps', 0):,} steps of "
        f"{config.training.batch_size}, musae {provenance.get('musae', '?')}.",
        "",
        "## Measured on " + ("held-out songs" if provenance.get("held_out", True) else "the training songs (none was held out)"),
        "",
        "| measure | value | meaning |",
        "|---|---|---|",
        *(f"| {key} | {form.format(metrics[key])} | {text} |" for key, (text, form) in _MEASURES.items() if key in metrics),
        "",
        "## Limits",
        "",
        *(f"* {limit}" for limit in _limits(config)),
    ]
    return "\n".join(parts) + "\n"


def _codec(config: RunConfig) -> str:
    codec = config.codec
    return (
        f"{codec.kind}, {codec.bars} bars of {codec.numerator}/{codec.denominator}, "
        f"{codec.steps_per_quarter} steps a quarter, MIDI pitches {codec.min_pitch} to {codec.max_pitch}"
    )


def _data(provenance: Mapping[str, Any]) -> list[str]:
    sources = provenance.get("data", [])
    if not sources:
        return ["Not recorded."]
    rows = [f"| {s['name']} | {s.get('windows', 0):,} | {s.get('rights') or 'not stated'} |" for s in sources]
    return ["| corpus | windows | rights |", "|---|---|---|", *rows]


def _start(provenance: Mapping[str, Any]) -> list[str]:
    origin = provenance.get("init_from")
    return [f"Started from the weights of {origin}.", ""] if origin else []


def _limits(config: RunConfig) -> list[str]:
    codec = config.codec
    return [
        f"It hears {codec.numerator}/{codec.denominator} only, and one note at a time: of notes that start together the highest.",
        "Velocities, tempo and instruments are not part of the model; timing is on the grid.",
    ]
