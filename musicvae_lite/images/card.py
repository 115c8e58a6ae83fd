"""What the card of a model of images says."""

from __future__ import annotations

from musicvae_lite.config import ImageCodecSettings, ImageModel, RunConfig
from musicvae_lite.core.medium import CardText

_MEASURES = {
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
}


def card_text(config: RunConfig) -> CardText:
    """Return what the card of a model of images says."""
    return CardText(
        model=_model(config),
        input=_input(config),
        use="musae reconstruct PICTURE.png --model FOLDER",
        drawn="z sampled",
        held_out="held-out pictures",
        seen="the training pictures (none was held out)",
        limits=(
            "It knows the kind of picture that it was trained on; others come out wrong.",
            "What the code has no room for is lost: fine detail first.",
        ),
        measures=_MEASURES,
    )


def _model(config: RunConfig) -> str:
    model = config.model
    assert isinstance(model, ImageModel)
    size = f"latent size {model.latent_size}"
    if model.latent_size is None:
        size = "the feature map is the code"
    form = "adversarial" if model.adversary else "deterministic"
    if model.variational:
        form = "variational"
    classes = f", told one of {model.classes} classes" if model.classes else ""
    return (
        f"{form}{classes}; {size}; encoder {model.encoder.words}, decoder "
        f"{model.decoder.words}; {model.likelihood} likelihood"
    )


def _input(config: RunConfig) -> str:
    codec, corrupt = config.codec, config.data.corrupt
    assert isinstance(codec, ImageCodecSettings)
    colours = "grey" if codec.channels == 1 else "colour"
    size = f"{colours} pictures of {codec.width} x {codec.height} pixels"
    if corrupt is None:
        return size
    if corrupt.kind == "shrink":
        return f"{size}, shrunk by {corrupt.factor}"
    return (
        f"{size}, with noise of mean {corrupt.mean:g} and standard deviation "
        f"{corrupt.sd:g}, cut to 0..1"
    )
