"""What the card of a model of music says."""

from __future__ import annotations

from musicvae_lite.config import (
    MultitrackCodecSettings,
    RunConfig,
    ScoreCodecSettings,
    SequenceModel,
)
from musicvae_lite.core.medium import CardText
from musicvae_lite.music.codecs.trio import ROLES

_MEASURES = {
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
    "in_chord": ("pitched notes of draws over one chord that are in its triad, share", "{:.3f}"),
    "in_other_chord": ("the same in the triad a semitone up, which was not told", "{:.3f}"),
    "in_chord_data": (
        "the same in the chord told, of held-out windows with one chord throughout",
        "{:.3f}",
    ),
}


def card_text(config: RunConfig) -> CardText:
    """Return what the card of a model of music says."""
    codec = config.codec
    assert isinstance(codec, ScoreCodecSettings)
    groove = codec.kind == "groove"
    verb = "musae groove humanize beat.mid" if groove else "musae interpolate a.mid b.mid"
    return CardText(
        model=_model(config),
        input=codec.words,
        use=f"{verb} --model FOLDER",
        drawn="teacher-forced, z sampled",
        held_out="held-out songs",
        seen="the training songs (none was held out)",
        limits=_limits(codec),
        measures=_MEASURES,
    )


def _model(config: RunConfig) -> str:
    model = config.model
    assert isinstance(model, SequenceModel)
    return (
        f"latent size {model.latent_size}; encoder {model.encoder.words}, decoder "
        f"{model.decoder.words}{_conditions(config)}"
    )


def _conditions(config: RunConfig) -> str:
    """Say what a model of music is told beside the music."""
    conditions = [
        name
        for name, on in (("the chord", config.control.chords), ("the key", config.control.key))
        if on
    ]
    relative = (
        ", pitches relative to its root"
        if isinstance(config.model, SequenceModel) and config.model.relative_pitch
        else ""
    )
    return f"; told {' and '.join(conditions)} of every step{relative}" if conditions else ""


def _limits(codec: ScoreCodecSettings) -> list[str]:
    leaves_out = codec.leaves_out
    if isinstance(codec, MultitrackCodecSettings):
        leaves_out = (
            f"Velocities are told in {codec.velocity_bins} bins, times on the grid; tempo is not "
            "part of the model."
        )
    return [f"It hears {codec.numerator}/{codec.denominator} only, and {codec.hears}.", leaves_out]
