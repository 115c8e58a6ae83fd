import pytest
import torch

from musicvae_lite.audio.denoise import losses as spectrogram_losses
from musicvae_lite.audio.denoise import network as spectrogram
from musicvae_lite.audio.denoise.network import BANDS, FEATURES, REACH, MaskNetwork, Shape
from musicvae_lite.core.random import Noise
from musicvae_lite.media.spectrum import BLOCK, grid_of, istft, stft
from tests.sounds import mask_network

SMALL = Shape((4, 6, 8), (1, 1, 1), ((2, 2), (2, 2)), 5, (1, 2))


def network(shape: Shape = SMALL) -> MaskNetwork:
    return mask_network(shape)


def noise(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def tone(hz: float, samples: int, rate: int = 44100) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * torch.arange(samples) / rate)


@pytest.mark.parametrize("bins", [559, 1115, 3073, 3345, 13375])
def test_bands_hold_all_the_power_below_22_khz(bins: int) -> None:
    power = noise(2, bins, 3).square()
    bands = spectrogram.band_powers(power)
    assert bands.shape == (2, BANDS, 3)
    widths = spectrogram.widths(power.device)
    torch.testing.assert_close((bands * widths).sum(1), power[:, :3072].sum(1))


@pytest.mark.parametrize("bins", [559, 3073, 13375])
def test_every_bin_gets_the_gain_of_its_band(bins: int) -> None:
    gain = torch.arange(BANDS, dtype=torch.float32).view(1, -1, 1)
    spread = spectrogram.to_bins(gain, bins)[0, :, 0]
    assert spread.shape == (bins,)
    assert spread[:512].tolist() == list(range(512))
    assert (spread.diff() >= 0).all() and spread[-1] == (BANDS - 1 if bins > 3000 else spread[-1])


def test_the_floor_is_the_noise_and_not_the_notes() -> None:
    power = torch.ones(1, BANDS, 200)
    power[:, 100, ::50] = 1e6  # a note now and then
    stats = spectrogram.statistics(power)
    assert torch.equal(stats.low[0, :, 0], torch.ones(BANDS))
    assert stats.low.shape == stats.middle.shape == (1, BANDS, 200) and stats.level.shape == (
        1,
        1,
        200,
    )


def test_the_floor_looks_five_seconds_around_and_no_further() -> None:
    frames = 4 * REACH
    power = torch.ones(1, BANDS, frames)
    other = power.clone()
    other[..., : BLOCK * 10] = 100.0
    before, after = spectrogram.statistics(power), spectrogram.statistics(other)
    first = BLOCK * 10 + REACH
    for a, b in zip(before, after, strict=True):
        assert a.shape[-1] == frames
        assert torch.equal(a[..., first + BLOCK :], b[..., first + BLOCK :])
    assert not torch.equal(before.level[..., : BLOCK * 10], after.level[..., : BLOCK * 10])


def test_a_tone_is_steady_and_noise_is_not() -> None:
    grid = grid_of(44100)
    steady = spectrogram.steadiness(stft(torch.stack([tone(1000, 44100), noise(44100)]), grid))
    place = round(1000 / (44100 / 6144))
    assert steady[0, place, 5:-5].mean() > 0.99
    assert steady[1].mean() < 0.5 and steady.abs().max() <= 1.0001


def test_features_do_not_know_the_level() -> None:
    spectrum = stft(noise(1, 30_000), grid_of(44100))
    quiet, loud = spectrogram.features(spectrum * 1e-3), spectrogram.features(spectrum * 10)
    assert quiet.shape == (1, FEATURES, BANDS, spectrum.shape[-1])
    torch.testing.assert_close(quiet, loud, atol=1e-3, rtol=0)


@pytest.mark.parametrize("samples", [1, 100, 5000])
@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_silence_one_sample_and_every_rate_give_finite_gains(samples: int, rate: int) -> None:
    grid, net = grid_of(rate), network()
    for wave in (torch.zeros(1, samples), noise(1, samples)):
        spectrum = stft(wave, grid)
        gain = net(spectrogram.features(spectrum))
        assert gain.shape == (1, BANDS, spectrum.shape[-1]) and gain.isfinite().all()
        assert ((gain >= 0) & (gain <= 1)).all()
        cleaned = istft(spectrum * spectrogram.to_bins(gain, grid.bins), grid, samples)
        assert cleaned.shape == wave.shape and cleaned.isfinite().all()


def test_a_profile_takes_the_place_of_the_floor() -> None:
    spectrum = stft(noise(2, 30_000), grid_of(44100))
    profile = torch.full((2, BANDS), torch.nan)
    profile[0] = 4.0
    plain, told = spectrogram.features(spectrum), spectrogram.features(spectrum, profile=profile)
    assert torch.equal(plain[1], told[1])
    assert (told[0, 5] == 1).all() and (plain[0, 5] == 0).all()
    quiet = 1e-10 * spectrogram.statistics(spectrogram.band_powers(spectrum)).level
    wanted = 0.5 * ((spectrogram.band_powers(spectrum) + quiet) / 4.0).log10()
    torch.testing.assert_close(told[0, 1], wanted[0], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("frames", [1, 7, 8, 33])
@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("skips", [False, True])
def test_code_and_gains_have_their_shapes(frames: int, variational: bool, skips: bool) -> None:
    shape = Shape((4, 6, 8), (0, 1, 2), ((2, 2), (3, 2)), 5, (1,), variational, skips)
    net = network(shape)
    latent, passed = net.encode(noise(2, FEATURES, BANDS, frames))
    assert latent.mean.shape == (2, 5, -(-frames // 4))
    assert (latent.log_scale is not None) == variational
    logits = net.decode(latent.sample(Noise(0)), passed, frames)
    assert logits.shape == (2, BANDS, frames)
    other = net.decode(latent.mean, [torch.zeros_like(part) for part in passed], frames)
    assert torch.equal(other, net.decode(latent.mean, passed, frames)) != skips


def test_no_gain_looks_further_than_it_says() -> None:
    net = network()
    seen = noise(1, FEATURES, BANDS, 161)
    middle = 80
    seen.requires_grad_(True)
    net(seen)[..., middle].sum().backward()
    assert seen.grad is not None
    touched = seen.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert middle - net.reach < touched.min() < middle < touched.max() < middle + net.reach


@pytest.mark.parametrize(("start", "stop"), [(0, 48), (16, 17), (320, 400), (640, 700)])
def test_features_of_some_frames_are_those_of_all(start: int, stop: int) -> None:
    spectrum = torch.complex(noise(1, 3073, 700), noise(1, 3073, 700, seed=1))
    first = max(start // BLOCK * BLOCK - BLOCK - REACH, 0)
    part = spectrum[..., first : stop + BLOCK + REACH]
    seen = spectrogram.features_at(
        part, spectrogram.band_powers(part), slice(start - first, stop - first)
    )
    torch.testing.assert_close(
        seen, spectrogram.features(spectrum)[..., start:stop], atol=1e-5, rtol=0
    )


def test_the_snr_of_the_spectrum_is_that_of_the_waveform() -> None:
    grid = grid_of(44100)
    clean, dirt = tone(440, 40_000) * torch.hann_window(40_000), 0.1 * noise(40_000)
    dirt = dirt * torch.hann_window(40_000)  # silent ends: all samples lie under as many frames
    against = spectrogram_losses.agreement(
        stft((clean + dirt)[None], grid), stft(clean[None], grid)
    )
    loss = spectrogram_losses.snr_loss(torch.ones_like(against.clean), against, best_db=100)
    wanted = 10 * (dirt.square().sum() / clean.square().sum()).log10()
    assert float(loss) == pytest.approx(float(wanted), abs=0.1)


def test_losses_know_the_better_gain_and_survive_silence() -> None:
    grid = grid_of(44100)
    clean, dirt = tone(440, 30_000)[None], 0.3 * noise(1, 30_000)
    noisy, target = stft(clean + dirt, grid), stft(clean, grid)
    against = spectrogram_losses.agreement(noisy, target)
    best = (against.cross / against.noisy).clamp(0, 1)
    for loss in (spectrogram_losses.snr_loss, spectrogram_losses.magnitude_loss):
        assert loss(best, against).shape == (1,)
        assert loss(best, against) < loss(torch.ones_like(best), against)
    silent = spectrogram_losses.agreement(torch.zeros_like(noisy), torch.zeros_like(noisy))
    gain = torch.full_like(best, 0.5, requires_grad=True)
    losses = (
        spectrogram_losses.snr_loss,
        spectrogram_losses.magnitude_loss,
        spectrogram_losses.worse_loss,
    )
    torch.stack([loss(gain, silent) for loss in losses]).sum().backward()
    assert gain.grad is not None and gain.grad.isfinite().all()


def test_only_clips_that_come_out_worse_are_charged_for_that() -> None:
    grid = grid_of(44100)
    clean, dirt = tone(440, 30_000)[None], 0.3 * noise(1, 30_000)
    against = spectrogram_losses.agreement(stft(clean + dirt, grid), stft(clean, grid))
    untouched = torch.ones_like(against.clean)
    assert (
        float(spectrogram_losses.worse_loss((against.cross / against.noisy).clamp(0, 1), against))
        == 0
    )
    assert float(spectrogram_losses.worse_loss(untouched, against)) == pytest.approx(0.3)
    lost = spectrogram_losses.snr_loss(0.3 * untouched, against) - spectrogram_losses.snr_loss(
        untouched, against
    )
    assert float(spectrogram_losses.worse_loss(0.3 * untouched, against)) == pytest.approx(
        float(lost) + 0.3, abs=0.05
    )
    # What was cleaner than 30 dB is not charged for being 31 dB clean.
    pure = spectrogram_losses.agreement(stft(clean, grid), stft(clean, grid))
    assert float(
        spectrogram_losses.worse_loss((1 - 10 ** (-45 / 20)) * untouched, pure)
    ) == pytest.approx(0.3, abs=0.2)


def test_a_few_steps_learn() -> None:
    grid = grid_of(44100)
    clean = torch.stack([tone(hz, 22_050) for hz in (220.0, 880.0)])
    noisy = stft(clean + 0.5 * noise(2, 22_050), grid)
    seen, against = (
        spectrogram.features(noisy),
        spectrogram_losses.agreement(noisy, stft(clean, grid)),
    )
    net = network().train()
    optimiser = torch.optim.Adam(net.parameters(), 0.02)
    losses = []
    for _ in range(12):
        loss = spectrogram_losses.snr_loss(net(seen), against).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 3
    assert all(
        parameter.grad is None or parameter.grad.isfinite().all() for parameter in net.parameters()
    )


@pytest.mark.parametrize(("start", "stop"), [(0, 700), (0, 5), (16, 300), (37, 41), (650, 700)])
def test_the_surroundings_of_some_frames_are_those_of_all(start: int, stop: int) -> None:
    power = noise(2, BANDS, 700).square()
    for some, whole in zip(
        spectrogram.statistics(power, slice(start, stop)),
        spectrogram.statistics(power),
        strict=True,
    ):
        assert torch.equal(some, whole[..., start:stop])
    by_sorting = spectrogram.statistics(power.clone().requires_grad_())
    assert all(
        torch.equal(a, b) for a, b in zip(by_sorting, spectrogram.statistics(power), strict=True)
    )


@pytest.mark.parametrize(
    ("bins", "count"),
    [(1, 1), (373, 373), (512, 512), (514, 513), (1115, 710), (3073, BANDS), (9000, BANDS)],
)
def test_bands_that_a_rate_cuts_off_are_known(bins: int, count: int) -> None:
    assert spectrogram.whole_bands(bins) == count
