"""What the card of a denoiser says."""

from __future__ import annotations

from musicvae_lite.config import RunConfig, SoundCodecSettings, SpectrogramModel
from musicvae_lite.core.medium import CardText

_MEASURES = {
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
}
_LIMITS = (
    "The phase of the noisy sound stays: what noise covers altogether does not come back.",
    "Voices in the background, and noises that sound like notes, stay in part.",
    "Bass that stands still, and sound that is like noise in itself (wind, a crash, screams), may "
    "be taken for noise.",
    "Sound that is hardly noisy passes almost unchanged.",
)


def card_text(config: RunConfig) -> CardText:
    """Return what the card of a denoiser says."""
    model, codec = config.model, config.codec
    assert isinstance(model, SpectrogramModel) and isinstance(codec, SoundCodecSettings)
    form = "variational" if model.variational else "deterministic"
    skips = "with" if model.skips else "without"
    return CardText(
        model=f"{form}; convolutions {list(model.channels)} on the spectrogram, "
        f"{model.latent_size} numbers a step of the code, {skips} connections from encoder to "
        "decoder; a gain for each band and frame",
        input=f"sound of any length; trained on clips of {codec.seconds:g} s at {codec.rate:,} "
        "Hz, used at any rate",
        use="musae denoise NOISY.wav --model FOLDER",
        drawn="z sampled",
        held_out="held-out clips",
        seen="the training sounds in other mixtures (none was held out)",
        limits=_LIMITS,
        measures=_MEASURES,
    )
