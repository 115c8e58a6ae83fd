"""What the card of a model of timbre says."""

from __future__ import annotations

from musicvae_lite.config import RunConfig, SoundCodecSettings, TimbreModel
from musicvae_lite.core.medium import CardText

_MEASURES = {
    "lsd_db": ("log-spectral distance of the result, dB", "{:.2f}"),
    "silent_lsd_db": ("log-spectral distance of silence, dB", "{:.2f}"),
}
_LIMITS = (
    "It knows the kind of sound that it was trained on; others come out duller.",
    "Neighbouring harmonics, attacks and words blur: a code has room for the shape of the "
    "spectrum, not for all of it.",
    "Results are mono, at the model's rate.",
)


def card_text(config: RunConfig) -> CardText:
    """Return what the card of a model of timbre says."""
    model, codec = config.model, config.codec
    assert isinstance(model, TimbreModel) and isinstance(codec, SoundCodecSettings)
    return CardText(
        model=f"variational; latent size {model.latent_size} for each clip; pictures of "
        f"{model.rows} levels a frame, {model.range_db:g} dB; encoder {model.encoder.words}, "
        f"decoder {model.decoder.words}; gaussian likelihood",
        input=f"sound as clips of {codec.seconds:g} s at {codec.rate:,} Hz, mixed to mono; other "
        "rates are resampled",
        use="musae interpolate a.wav b.wav --model FOLDER",
        drawn="z sampled",
        held_out="held-out clips",
        seen="the training sounds (none was held out)",
        limits=_LIMITS,
        measures=_MEASURES,
    )
