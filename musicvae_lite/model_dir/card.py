"""The model card: what a model folder's README.md says, written from the run itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from musicvae_lite.config import (
    ImageCodecSettings,
    ImagePart,
    RunConfig,
    SequenceDecoder,
    SequenceEncoder,
    SequenceModel,
    SoundCodecSettings,
    SpectrogramModel,
    TimbreModel,
)
from musicvae_lite.music.codecs.trio import ROLES

_MEASURES = {
    "nll_nats": ("negative log-likelihood, nats {one} ({drawn})", "{:.2f}"),
    "kl_bits": ("KL divergence of the posterior to the prior, bits {one}", "{:.1f}"),
    "elbo_nats": ("lower bound on the log-likelihood, nats {one}", "{:.2f}"),
    "accuracy": ("right steps, greedy decoding from the posterior mean", "{:.4f}"),
    "onset_accuracy": ("the same over the steps at which a note starts (pitch and time)", "{:.4f}"),
    **{f"accuracy_{voice}": (f"right steps of the {voice}", "{:.4f}") for voice in ROLES},
    **{
        f"onset_accuracy_{voice}": (f"right steps where something starts: {voice}", "{:.4f}")
        for voice in ROLES
    },
    "exact": ("windows right in every step", "{:.4f}"),
    "accuracy_sampled": ("right steps, z sampled, events at temperature 1", "{:.4f}"),
    "accuracy_forced": ("right steps when the true past is given", "{:.4f}"),
    "bce_mean": (
        "binary cross-entropy of the reconstruction, nats, mean over pixels and pictures",
        "{:.4f}",
    ),
    "mse_mean": ("squared error of the reconstruction, mean over pixels and pictures", "{:.5f}"),
    "psnr_db": ("10 log10(1 / mse_mean)", "{:.2f}"),
    "ssim": ("structural similarity, mean over pictures", "{:.4f}"),
    "lesson_loss": ("the loss as the lesson on autoencoders counts it", "{:.4f}"),
    "input_bce_mean": ("cross-entropy of the noisy input itself", "{:.4f}"),
    "input_psnr_db": ("PSNR of the noisy input itself", "{:.2f}"),
    "bilinear_psnr_db": ("PSNR of bilinear interpolation", "{:.2f}"),
    "bilinear_ssim": ("structural similarity of bilinear interpolation", "{:.4f}"),
    "bicubic_psnr_db": ("PSNR of bicubic interpolation", "{:.2f}"),
    "bicubic_ssim": ("structural similarity of bicubic interpolation", "{:.4f}"),
    "discriminator_accuracy": (
        "codes and draws from the prior told apart; 0.5 is chance",
        "{:.3f}",
    ),
    "prior_mmd": ("maximum mean discrepancy between codes and prior, squared", "{:.4f}"),
    "si_sdr_improvement_db": (
        "SI-SDR of the cleaned clip less that of the noisy one, dB, mean",
        "{:.2f}",
    ),
    "si_sdr_db": ("scale-invariant signal-to-distortion ratio of the cleaned clip, dB", "{:.2f}"),
    "sdr_db": ("signal-to-distortion ratio of the cleaned clip, dB", "{:.2f}"),
    "lsd_db": ("log-spectral distance of the result, dB", "{:.2f}"),
    "silent_lsd_db": ("log-spectral distance of silence, dB", "{:.2f}"),
    "input_lsd_db": ("log-spectral distance of the noisy clip, dB", "{:.2f}"),
    "worst_db": ("smallest SI-SDR improvement of a clip, dB", "{:.2f}"),
    "worse_share": ("share of clips that came out worse than they went in", "{:.3f}"),
    "clean_si_sdr_db": ("SI-SDR of clean clips that went through, dB, mean", "{:.1f}"),
    "clean_worst_db": ("the same of the worst clean clip, dB", "{:.1f}"),
    "real_time_factor": ("seconds of sound a second of computing", "{:.0f}"),
    "in_chord": ("pitched notes of draws over one chord that are in its triad, share", "{:.3f}"),
    "in_other_chord": ("the same in the triad a semitone up, which was not told", "{:.3f}"),
    "in_chord_data": (
        "the same in the chord told, of held-out windows with one chord throughout",
        "{:.3f}",
    ),
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
    kind = _TIMBRE if isinstance(config.model, TimbreModel) else _KINDS[config.codec.kind]
    parts = [
        f"# {config.name}",
        "",
        config.description or "A model trained with musae.",
        "",
        f"* {parameters:,} parameters; {_model(config)}",
        f"* input: {_codec(config)}",
        f"* weights: `model.safetensors` ({config.training.stored}); settings: `config.json`",
        "",
        "## Use",
        "",
        f"    {kind.use}",
        "",
        "## Data",
        "",
        *_data(provenance, kind.unit),
        "",
        "## Training",
        "",
        *_training(config, provenance),
        "",
        "## Measured on " + (kind.held_out if provenance.get("held_out", True) else kind.seen),
        "",
        *([] if metrics else ["Not measured here ('musae evaluate').", ""]),
        "| measure | value | meaning |",
        "|---|---|---|",
        *(
            f"| {key} | {form.format(metrics[key])} | "
            f"{text.format(one=kind.one, drawn=kind.drawn, unit=kind.unit)} |"
            for key, (text, form) in _MEASURES.items()
            if key in metrics
        ),
        "",
        *_groups(metrics),
        "## Limits",
        "",
        *(f"* {limit}" for limit in _limits(config)),
    ]
    return "\n".join(parts) + "\n"


def _groups(metrics: Mapping[str, Any]) -> list[str]:
    """Return tables of the improvement by kind of noise and by its level."""
    lines: list[str] = []
    for key, head in (("by_noise", "noise"), ("by_snr", "SNR in dB")):
        if key in metrics:
            rows = (f"| {name} | {value:.2f} |" for name, value in metrics[key].items())
            lines += [f"| {head} | SI-SDR improvement, dB |", "|---|---|", *rows, ""]
    return lines


@dataclass(frozen=True)
class _Kind:
    """How the card speaks of one kind of item."""

    unit: str
    one: str
    drawn: str
    use: str
    held_out: str
    seen: str


_MUSIC = _Kind(
    "windows",
    "a window",
    "teacher-forced, z sampled",
    "musae interpolate a.mid b.mid --model FOLDER",
    "held-out songs",
    "the training songs (none was held out)",
)
_KINDS = {
    "melody": _MUSIC,
    "drums": _MUSIC,
    "trio": _MUSIC,
    "multitrack": _MUSIC,
    "groove": replace(_MUSIC, use="musae groove humanize beat.mid --model FOLDER"),
    "image": _Kind(
        "pictures",
        "a picture",
        "z sampled",
        "musae reconstruct PICTURE.png --model FOLDER",
        "held-out pictures",
        "the training pictures (none was held out)",
    ),
    "sound": _Kind(
        "clips",
        "a clip",
        "z sampled",
        "musae denoise NOISY.wav --model FOLDER",
        "held-out clips",
        "the training sounds in other mixtures (none was held out)",
    ),
}


_TIMBRE = _Kind(
    "clips",
    "a clip",
    "z sampled",
    "musae interpolate a.wav b.wav --model FOLDER",
    "held-out clips",
    "the training sounds (none was held out)",
)


def _model(config: RunConfig) -> str:
    model = config.model
    if isinstance(model, SequenceModel):
        return (
            f"latent size {model.latent_size}; encoder {_levels(model.encoder)}BiLSTM "
            f"{list(model.encoder.sizes)} "
            f"(readout: {model.encoder.readout}), decoder {_levels(model.decoder)}LSTM "
            f"{list(model.decoder.sizes)}"
            f"{_told(config)}"
        )
    if isinstance(model, SpectrogramModel):
        form = "variational" if model.variational else "deterministic"
        skips = "with" if model.skips else "without"
        return (
            f"{form}; convolutions {list(model.channels)} on the spectrogram, {model.latent_size} "
            "numbers a step of the code, "
            f"{skips} connections from encoder to decoder; a gain for each band and frame"
        )
    if isinstance(model, TimbreModel):
        return (
            f"variational; latent size {model.latent_size} for each clip; pictures of "
            f"{model.rows} levels a frame, "
            f"{model.range_db:g} dB; encoder {_part(model.encoder)}, decoder "
            f"{_part(model.decoder)}; gaussian likelihood"
        )
    size = (
        "the feature map is the code"
        if model.latent_size is None
        else f"latent size {model.latent_size}"
    )
    form = (
        "variational"
        if model.variational
        else "adversarial"
        if model.adversary
        else "deterministic"
    )
    told = f", told one of {model.classes} classes" if model.classes else ""
    return (
        f"{form}{told}; {size}; encoder {_part(model.encoder)}, decoder "
        f"{_part(model.decoder)}; {model.likelihood} likelihood"
    )


def _told(config: RunConfig) -> str:
    """Say what a model of music is told beside the music."""
    things = [
        name
        for name, on in (("the chord", config.control.chords), ("the key", config.control.key))
        if on
    ]
    relative = (
        ", pitches relative to its root"
        if isinstance(config.model, SequenceModel) and config.model.relative_pitch
        else ""
    )
    return f"; told {' and '.join(things)} of every step{relative}" if things else ""


def _levels(part: SequenceEncoder | SequenceDecoder) -> str:
    return f"in levels {list(part.levels)}, " if part.kind == "hierarchical" else ""


def _part(part: ImagePart) -> str:
    return (
        f"convolutions {list(part.channels)}"
        if part.kind == "conv"
        else f"dense {list(part.sizes)}"
    )


def _codec(config: RunConfig) -> str:
    codec = config.codec
    if isinstance(config.model, TimbreModel):
        assert isinstance(codec, SoundCodecSettings)
        return (
            f"sound as clips of {codec.seconds:g} s at {codec.rate:,} Hz, mixed to mono; other "
            "rates are resampled"
        )
    if isinstance(codec, SoundCodecSettings):
        return (
            f"sound of any length; trained on clips of {codec.seconds:g} s at {codec.rate:,} "
            "Hz, used at any rate"
        )
    if isinstance(codec, ImageCodecSettings):
        size = (
            f"{'grey' if codec.channels == 1 else 'colour'} pictures of {codec.width} x "
            f"{codec.height} pixels"
        )
        corrupt = config.data.corrupt
        if corrupt is None:
            return size
        if corrupt.kind == "shrink":
            return f"{size}, shrunk by {corrupt.factor}"
        return (
            f"{size}, with noise of mean {corrupt.mean:g} and standard deviation "
            f"{corrupt.sd:g}, cut to 0..1"
        )
    metre = f"{codec.numerator}/{codec.denominator}, {codec.steps_per_quarter} steps a quarter"
    if codec.kind == "multitrack":
        return (
            f"multitrack, one bar of {metre}, up to {codec.tracks} tracks of {codec.events} events"
        )
    grid = f"{codec.bars} bars of {metre}"
    if codec.kind == "drums":
        return f"drums, {grid}, {codec.classes} classes of drums"
    if codec.kind == "groove":
        return f"drum grooves, {grid}: hits, velocities and timing of 9 drums ({codec.kit} pitches)"
    return f"{codec.kind}, {grid}, MIDI pitches {codec.min_pitch} to {codec.max_pitch}"


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


_HEARS = {
    "melody": "one note at a time: of notes that start together the highest",
    "drums": "which drums are hit at each step of the grid, not how hard",
    "multitrack": "bars of a few instruments that play together, none of them too busy",
    "groove": "9 kinds of drums, of each the loudest hit at a step",
    "trio": "one note at a time in melody and bass: of notes that start together the highest",
}


def _limits(config: RunConfig) -> list[str]:
    codec = config.codec
    if isinstance(config.model, TimbreModel):
        return [
            "It knows the kind of sound that it was trained on; others come out duller.",
            (
                "Neighbouring harmonics, attacks and words blur: a code has room for the shape of "
                "the "
                "spectrum, not for all of it."
            ),
            "Results are mono, at the model's rate.",
        ]
    if isinstance(codec, SoundCodecSettings):
        return [
            "The phase of the noisy sound stays: what noise covers altogether does not come back.",
            "Voices in the background, and noises that sound like notes, stay in part.",
            (
                "Bass that stands still, and sound that is like noise in itself (wind, a crash, "
                "screams), may be taken for noise."
            ),
            "Sound that is hardly noisy passes almost unchanged.",
        ]
    if isinstance(codec, ImageCodecSettings):
        return [
            "It knows the kind of picture that it was trained on; others come out wrong.",
            "What the code has no room for is lost: fine detail first.",
        ]
    if codec.kind == "multitrack":
        kept = (
            f"Velocities are told in {codec.velocity_bins} bins, times on the grid; tempo is "
            "not part of the model."
        )
    elif codec.kind == "groove":
        kept = (
            "Tempo and the sounds of the kit are not part of the model; a hit is nearest to "
            "one step of the grid."
        )
    else:
        kept = "Velocities, tempo and instruments are not part of the model; timing is on the grid."
    return [
        f"It hears {codec.numerator}/{codec.denominator} only, and {_HEARS[codec.kind]}.",
        kept,
    ]
