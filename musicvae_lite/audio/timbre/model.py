"""A variational autoencoder of the timbre of sound: about a second of a spectrogram as a picture of
levels, one code for it.

The picture has a row for each of some triangular filters, evenly spaced in mel from 0 to half the
rate, and a column for each frame; a value of 1 stands for a tone of full scale, 0 for what lies
``range_db`` below it. Phases are no part of it: they come from a sound where there is one, else
from :func:`musicvae_lite.audio.timbre.phase.griffin_lim`.

Letters in shapes: B batch, N samples, F frequency bins, R rows, T frames of a picture, Z latent
size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from musicvae_lite.core.autoencoder import FORCED, Autoencoder, Batch, Encoding, Teacher
from musicvae_lite.core.latent import Latent
from musicvae_lite.core.random import Noise
from musicvae_lite.media.spectrum import Grid, grid_of, istft, stft
from musicvae_lite.media.torchaudio import load_torchaudio
from musicvae_lite.nn.conv import ConvDecoder, ConvEncoder, start_weights
from musicvae_lite.nn.heads import PosteriorHead
from musicvae_lite.nn.likelihood import Gaussian

if TYPE_CHECKING:
    from musicvae_lite.config import TimbreModel

HOP_SECONDS = 1024 / 44100  # frames of 93 ms: a second of sound is a picture of some forty columns
_TINY = 1e-20


class Rows(nn.Module):
    """From the bins of a spectrum to the rows of a picture, and back.

    A row holds the mean power under its filter. The filters overlap so that at every frequency they
    add up to 1: on the way back the level of a bin lies on a line between those of the two rows
    around it.

    Args:
        grid: of the frames.
        rate: samples per second.
        rows: R.
        range_db: of the levels.
    """

    down: Tensor
    up: Tensor

    def __init__(self, grid: Grid, rate: int, rows: int, range_db: float) -> None:
        super().__init__()
        self.count, self.range_db = rows, range_db
        self.full = (
            grid.window / 4
        ) ** 2  # power of the bin of a tone of full scale under a Hann window
        filters = load_torchaudio().functional.melscale_fbanks(grid.bins, 0.0, rate / 2, rows, rate)
        filters[0, 0] = filters[-1, -1] = (
            1.0  # the outermost filters begin and end at 0, where there is no other
        )
        self.register_buffer("down", (filters / filters.sum(0)).T.contiguous(), persistent=False)
        self.register_buffer("up", filters / filters.sum(1, keepdim=True), persistent=False)

    def levels(self, spectrum: Tensor) -> Tensor:
        """Return the levels 0..1 [..., R, T] of a complex spectrum [..., F, T]."""
        power = self.down @ (spectrum.real.square() + spectrum.imag.square())
        decibels = 10 * (power / self.full + _TINY).log10()
        levels: Tensor = (1 + decibels / self.range_db).clamp(0, 1)
        return levels

    def magnitudes(self, levels: Tensor) -> Tensor:
        """Return magnitudes [..., F, T] for levels 0..1 [..., R, T]; a level of 0 is silence."""
        decibels = self.range_db * (self.up @ levels - 1)
        magnitudes: Tensor = 10 ** (decibels / 20) * self.full**0.5 * (decibels > -self.range_db)
        return magnitudes


class TimbreAutoencoder(Autoencoder):
    """Convolutions on pictures of levels, a normal posterior, and levels that are normally
    distributed about the decoded ones.

    Args:
        rows: the picture's.
        encoder: from pictures [B, 1, R, T].
        head: to the posterior.
        decoder: back to pictures.
        likelihood: of the levels.
        latent_size: Z.
        grid: of the frames.
    """

    def __init__(
        self,
        rows: Rows,
        encoder: ConvEncoder,
        head: PosteriorHead,
        decoder: ConvDecoder,
        likelihood: Gaussian,
        latent_size: int,
        grid: Grid,
    ) -> None:
        super().__init__()
        self.rows, self.encoder, self.head, self.decoder, self.likelihood = (
            rows,
            encoder,
            head,
            decoder,
            likelihood,
        )
        self.latent_size, self.grid, self.adversary = latent_size, grid, None
        self.frames = decoder.shape[2]
        for part in (encoder, decoder):
            part.apply(start_weights)

    @property
    def outside(self) -> int:
        """Frames of the spectrogram of a clip that lie half before its first sample, and are not
        part of its picture.
        """
        return self.grid.window // self.grid.hop // 2

    def levels(self, samples: Tensor) -> Tensor:
        """Return the levels of those frames of clips [B, N] that lie inside them, [B, R, T]."""
        with torch.no_grad(), torch.autocast(samples.device.type, enabled=False):
            return self.rows.levels(
                stft(samples.float(), self.grid)[..., self.outside : self.outside + self.frames]
            )

    def encode(self, batch: Batch) -> Encoding:
        """Return the posterior of each clip, mean [B, Z]."""
        return Encoding(self.encode_levels(self.levels(batch.x)))

    def encode_levels(self, levels: Tensor) -> Latent:
        """Return the posterior of pictures of levels [B, R, T], mean [B, Z]."""
        latent: Latent = self.head(self.encoder(levels.unsqueeze(1), None))
        return latent

    def losses(
        self,
        z: Tensor,
        batch: Batch,
        teacher: Teacher = FORCED,
        noise: Noise | None = None,
        skips: tuple[Tensor, ...] = (),
    ) -> dict[str, Tensor]:
        """Return ``nll_nats`` [B], summed over the picture of levels."""
        levels = self.levels(batch.target).unsqueeze(1)
        return {"nll_nats": self.likelihood.nll(self.decoder(z, None), levels)}

    def predict(self, z: Tensor, batch: Batch, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return clips [B, N] with the decoded levels and the phases of the input.

        The outermost levels go on to its ends.
        """
        spectrum = stft(batch.x.float(), self.grid)
        after = spectrum.shape[-1] - self.outside - self.frames
        levels = functional.pad(
            self.decode(z, self.frames).mT, (self.outside, after), mode="replicate"
        )
        return istft(
            torch.polar(self.rows.magnitudes(levels), spectrum.angle()),
            self.grid,
            batch.x.shape[-1],
        )

    def decode(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return the levels 0..1 that are expected for the first ``length`` frames, [B, length, R].

        None is drawn.

        Raises:
            ValueError: if a picture does not reach that far.
        """
        if length > self.frames:
            raise ValueError(f"a code gives {self.frames} frames, not {length}")
        pictures: Tensor = self.likelihood.mean(self.decoder(z, None))
        return pictures[:, 0, :, :length].mT


def build(config: TimbreModel, rate: int, samples: int) -> TimbreAutoencoder:
    """Build the model of a preset for clips of ``samples`` samples at ``rate``.

    Raises:
        UsageError: if the sizes do not go together.
    """
    from musicvae_lite.core.errors import UsageError

    grid = grid_of(rate, HOP_SECONDS)
    frames = (samples - grid.window) // grid.hop + 1
    if frames < 2:
        raise UsageError(
            f"codec.seconds: a clip of {samples / rate:g} s is shorter than two frames of the "
            "spectrogram"
        )
    shape = (1, config.rows, frames)
    encoder = ConvEncoder(shape, config.encoder.channels, dense=config.encoder.dense)
    head = PosteriorHead(encoder.output_size, config.latent_size, start=encoder.output_size**-0.5)
    try:
        decoder = ConvDecoder(
            shape,
            encoder.output_shape,
            config.decoder.channels,
            config.latent_size,
            dense=config.decoder.dense,
        )
    except ValueError as error:
        raise UsageError(f"model.decoder: {error}") from error
    rows = Rows(grid, rate, config.rows, config.range_db)
    return TimbreAutoencoder(
        rows, encoder, head, decoder, Gaussian(config.scale), config.latent_size, grid
    )
