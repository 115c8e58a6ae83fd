"""Pictures of levels and back."""

import numpy as np
import pytest
import torch

from musicvae_lite.audio.denoise.evaluate import log_spectral_distance_db
from musicvae_lite.audio.timbre.model import Rows
from musicvae_lite.config import load_config
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.medium import build_model
from musicvae_lite.media.spectrum import grid_of, istft, stft
from tests.sounds import RATE, TIMBRE, noise, tone


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("count", [24, 160])
def test_rows_cover_every_bin_and_undo_a_flat_spectrum(rate: int, count: int) -> None:
    grid = grid_of(rate)
    rows = Rows(grid, rate, count, 100.0)
    torch.testing.assert_close(rows.down.sum(1), torch.ones(count))
    torch.testing.assert_close(rows.up.sum(1), torch.ones(grid.bins))
    flat = torch.full((grid.bins, 3), 0.05 * grid.window, dtype=torch.complex64)
    torch.testing.assert_close(rows.magnitudes(rows.levels(flat)), flat.real, rtol=1e-3, atol=0)


def test_a_tone_of_full_scale_is_the_top_of_the_range_at_every_rate() -> None:
    for rate in (8000, 44100):
        grid = grid_of(rate)
        wave = torch.sin(2 * torch.pi * 1000 * torch.arange(rate) / rate)
        level = Rows(grid, rate, 160, 100.0).levels(stft(wave, grid)).max()
        assert 0.9 < level <= 1.0


def test_silence_stays_silence() -> None:
    rows = Rows(grid_of(RATE), RATE, 24, 100.0)
    levels = rows.levels(torch.zeros(grid_of(RATE).bins, 2, dtype=torch.complex64))
    assert not levels.any() and not rows.magnitudes(levels).any()


def test_rows_and_the_phases_of_the_sound_come_near_to_it() -> None:
    rate, found = 44100, []
    grid = grid_of(rate)
    wave = torch.from_numpy(tone(330, 1, rate) + noise(1, rate, 0.01)[0])
    spectrum = stft(wave, grid)
    for count in (16, 160):
        rows = Rows(grid, rate, count, 100.0)
        made = istft(
            torch.polar(rows.magnitudes(rows.levels(spectrum)), spectrum.angle()), grid, len(wave)
        )
        found.append(log_spectral_distance_db(made.numpy(), wave.numpy()))
    assert found[1] < found[0] and found[1] < 5


def test_the_model_learns_a_sound_by_heart() -> None:
    config = load_config("timbre", TIMBRE)
    torch.manual_seed(0)
    model = build_model(config, build_codec(config.codec.model_dump()))
    clips = torch.from_numpy(np.stack([tone(hz, 0.5) for hz in (200.0, 900.0)]))
    batch = Batch(clips, clips)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(200):
        optimiser.zero_grad()
        loss = model.nll(model.encode(batch).latent.mean, batch).mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 4
    with torch.no_grad():
        made = model.predict(model.encode(batch).latent.mean, batch)
        other = model.predict(model.encode(batch).latent.mean.flip(0), batch)
    for index in range(2):
        want = clips[index].numpy()
        assert log_spectral_distance_db(made[index].numpy(), want) < log_spectral_distance_db(
            other[index].numpy(), want
        )


def test_sizes_that_do_not_go_together_are_told() -> None:
    for change, said in (
        ("codec.seconds=0.1", "shorter than two frames"),
        ("model.decoder.channels=[4]", "model.decoder"),
    ):
        config = load_config("timbre", [*TIMBRE, change])
        with pytest.raises(UsageError, match=said):
            build_model(config, build_codec(config.codec.model_dump()))


def test_a_code_reaches_no_further_than_its_clip() -> None:
    config = load_config("timbre", TIMBRE)
    model = build_model(config, build_codec(config.codec.model_dump()))
    with pytest.raises(ValueError, match="18 frames"):
        model.decode(torch.zeros(1, 4), 19)
