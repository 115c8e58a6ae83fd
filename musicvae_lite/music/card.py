"""What the card of a model of music says."""

from __future__ import annotations

from musicvae_lite.config import (
    DrumsCodecSettings,
    GrooveCodecSettings,
    MelodyCodecSettings,
    MultitrackCodecSettings,
    RunConfig,
    SequenceDecoder,
    SequenceEncoder,
    SequenceModel,
    TrioCodecSettings,
)
from musicvae_lite.core.medium import CardText
from musicvae_lite.music.codecs.trio import ROLES

MUSIC_CODECS = (
    DrumsCodecSettings,
    GrooveCodecSettings,
    MelodyCodecSettings,
    MultitrackCodecSettings,
    TrioCodecSettings,
)
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

_HEARS = {
    "melody": "one note at a time: of notes that start together the highest",
    "drums": "which drums are hit at each step of the grid, not how hard",
    "multitrack": "bars of a few instruments that play together, none of them too busy",
    "groove": "9 kinds of drums, of each the loudest hit at a step",
    "trio": "one note at a time in melody and bass: of notes that start together the highest",
}


def card_text(config: RunConfig) -> CardText:
    """Return what the card of a model of music says."""
    groove = config.codec.kind == "groove"
    verb = "musae groove humanize beat.mid" if groove else "musae interpolate a.mid b.mid"
    return CardText(
        model=_model(config),
        input=_input(config),
        use=f"{verb} --model FOLDER",
        drawn="teacher-forced, z sampled",
        held_out="held-out songs",
        seen="the training songs (none was held out)",
        limits=_limits(config),
        measures=_MEASURES,
    )


def _model(config: RunConfig) -> str:
    model = config.model
    assert isinstance(model, SequenceModel)
    return (
        f"latent size {model.latent_size}; encoder {_levels(model.encoder)}BiLSTM "
        f"{list(model.encoder.sizes)} "
        f"(readout: {model.encoder.readout}), decoder {_levels(model.decoder)}LSTM "
        f"{list(model.decoder.sizes)}"
        f"{_conditions(config)}"
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


def _levels(part: SequenceEncoder | SequenceDecoder) -> str:
    return f"in levels {list(part.levels)}, " if part.kind == "hierarchical" else ""


def _input(config: RunConfig) -> str:
    codec = config.codec
    assert isinstance(codec, MUSIC_CODECS)
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


def _limits(config: RunConfig) -> list[str]:
    codec = config.codec
    assert isinstance(codec, MUSIC_CODECS)
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
