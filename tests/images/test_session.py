"""A trained model of pictures, from Python."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import musicvae_lite as mv
from musicvae_lite.config import load_config
from musicvae_lite.core.batched import BLOCK
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.medium import build_model
from musicvae_lite.images.codec import as_bytes
from musicvae_lite.images.session import ImageSession
from musicvae_lite.model_dir.bundle import save_bundle
from musicvae_lite.model_dir.handle import load_as
from musicvae_lite.music.session import MusicSession
from tests.tiny import PICTURE_MODELS, digits, save_picture_model, save_tiny_model


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        name: mv.load(save_picture_model(folder / name, name), device="cpu")
        for name in PICTURE_MODELS
    }


def condition(session, count, label=3):
    return np.full(count, label) if session.model.classes else None


@pytest.mark.parametrize("name", PICTURE_MODELS)
def test_pictures_in_pictures_out(sessions, name):
    session = sessions[name]
    images, _ = digits(BLOCK + 3)
    made = session.reconstruct(images, condition(session, len(images)))
    assert isinstance(session, ImageSession) and made.dtype == np.float32
    assert made.shape == (len(images), *session.codec.shape) and 0 <= made.min() and made.max() <= 1
    few = session.reconstruct(images[:5], condition(session, 5))
    assert np.array_equal(few, made[:5])  # does not depend on how many are asked for
    latent = session.encode(images, condition(session, len(images)))
    assert latent.mean.shape == (len(images), session.latent_size)
    assert (latent.log_scale is not None) == session.has_prior


@pytest.mark.parametrize("name", ["vae", "ae", "conditional", "colour"])
def test_decoding_a_code_gives_the_reconstruction(sessions, name):
    session = sessions[name]
    images, _ = digits(4)
    mean, scale = session.encode_windows(session.prepare(images), condition=condition(session, 4))
    assert (scale > 0).all() if session.has_prior else not scale.any()
    decoded = session.decode(mean, condition(session, 4))
    assert np.allclose(decoded, session.reconstruct(images, condition(session, 4)), atol=1e-6)


def test_bytes_floats_and_whole_numbers_are_one(sessions):
    images, _ = digits(3)
    session = sessions["vae"]
    expected = session.prepare(images)
    assert expected.dtype == np.float32 and expected.max() == 1
    assert np.array_equal(session.prepare(images / 255), expected)
    assert np.array_equal(session.prepare(images.astype(int)), expected)


def test_sizes_and_colours_are_brought_to_the_models(sessions):
    images, _ = digits(2)
    large = images.repeat(5, axis=1).repeat(4, axis=2)
    assert sessions["vae"].prepare(large).shape == (2, 8, 8)
    assert sessions["vae"].prepare(np.stack([large] * 3, -1)).shape == (2, 8, 8)
    assert sessions["colour"].prepare(images).shape == (2, 8, 8, 3)
    assert sessions["vae"].prepare(large.astype(int)).max() > 0.9  # once read as if all were white


def test_an_enlarger_sees_small_pictures_or_shrinks_large_ones(sessions):
    session = sessions["enlarger"]
    images, _ = digits(2)
    seen, target = session.pair(images)
    means = (images / 255).reshape(2, 4, 2, 4, 2).mean((2, 4))
    assert np.allclose(seen, means, atol=1e-6) and np.array_equal(
        target, (images / 255).astype(np.float32)
    )
    small, unknown = session.pair(images[:, ::2, ::2])
    assert small.shape == (2, 4, 4) and unknown is None
    seen, target = session.pair(images.repeat(3, axis=1).repeat(3, axis=2))
    assert seen.shape == (2, 4, 4) and target.shape == (2, 8, 8)
    assert np.allclose(seen, target.reshape(2, 4, 2, 4, 2).mean((2, 4)), atol=1e-6)
    assert session.reconstruct(images).shape == (2, 8, 8)


def test_codes_of_a_model_that_adds_to_its_input_make_no_picture(sessions):
    session = sessions["residual"]
    with pytest.raises(UsageError, match="adds to the picture"):
        session.decode(np.zeros((1, session.latent_size)))


def test_noise_is_each_pictures_own(sessions):
    session = sessions["denoiser"]
    images = session.prepare(digits(6)[0])
    noisy = session.add_noise(images, 0.3, seed=4)
    assert (
        noisy.shape == images.shape
        and 0 <= noisy.min()
        and noisy.max() <= 1
        and not np.array_equal(noisy, images)
    )
    assert np.array_equal(session.add_noise(images[:2], 0.3, seed=4), noisy[:2])
    assert not np.array_equal(session.add_noise(images, 0.3, seed=5), noisy)
    assert session.add_noise(images[:0], 0.3).shape == (0, 8, 8)
    assert session.add_noise(np.zeros((1, 8, 8), np.float32), 0.0).mean() == pytest.approx(
        0.5
    )  # the mean in its training
    assert session.add_noise(
        np.zeros((1, 8, 8), np.float32), 0.0, mean=0.1
    ).mean() == pytest.approx(0.1)


def test_interpolation_starts_at_a_and_ends_at_b(sessions):
    images, _ = digits(2)
    for name in ("vae", "ae"):
        session = sessions[name]
        points, pictures = session.interpolate(images[0], images[1], steps=5)
        mean, _ = session.encode_windows(session.prepare(images))
        assert np.array_equal(points[[0, -1]], mean) and pictures.shape == (5, 8, 8)
        assert np.allclose(pictures[[0, -1]], session.reconstruct(images), atol=1e-6)
        straight = np.allclose(points[2], (points[0] + points[-1]) / 2, atol=1e-5)
        assert straight == (session.path == "lerp")
    with pytest.raises(UsageError, match="at least 2"):
        sessions["vae"].interpolate(images[0], images[1], steps=1)
    _, pictures = sessions["conditional"].interpolate(images[0], images[1], steps=3, condition=4)
    assert pictures.shape == (3, 8, 8)


def test_draws_from_the_prior(sessions):
    session = sessions["vae"]
    assert np.array_equal(session.sample(2, seed=3), session.sample(5, seed=3)[:2])
    assert not np.array_equal(session.sample(2, seed=3), session.sample(2, seed=4))
    drawn = sessions["conditional"].sample(3, condition=np.array([0, 1, 9]))
    assert drawn.shape == (3, 8, 8)
    for call, words in [
        (lambda: sessions["ae"].sample(), "plain autoencoder"),
        (lambda: session.sample(0), "count is 0"),
        (lambda: sessions["conditional"].sample(2), "wants the class"),
        (lambda: sessions["conditional"].sample(1, condition=np.array([10])), "from 0 to 9"),
        (lambda: session.sample(1, condition=np.array([1])), "not conditional"),
    ]:
        with pytest.raises(UsageError, match=words):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.prepare(np.zeros((8, 8))),
        lambda s: s.prepare(np.zeros((2, 8, 8, 4))),
        lambda s: s.prepare(np.full((1, 8, 8), np.nan)),
        lambda s: s.prepare(np.full((1, 9, 9), 7.5)),
        lambda s: s.prepare(np.full((1, 8, 8), -1)),
        lambda s: s.prepare(np.full((1, 8, 8), "a")),
        lambda s: s.encode_windows(np.zeros((1, 9, 9), np.uint8)),
        lambda s: s.encode_windows(np.full((1, 8, 8), 2.0)),
        lambda s: s.decode_windows(np.zeros((1, 3))),
        lambda s: s.decode_windows(np.full((1, 2), np.inf)),
    ],
)
def test_arrays_that_do_not_fit_are_told_in_one_line(sessions, call):
    with pytest.raises(MusaeError) as told:
        call(sessions["vae"])
    assert "\n" not in str(told.value)


def test_a_model_of_another_kind(tmp_path, sessions):
    with pytest.raises(UsageError, match="is a model of music, not of pictures"):
        load_as(ImageSession, save_tiny_model(tmp_path / "music"), "cpu")
    with pytest.raises(UsageError, match="is a model of pictures, not of music"):
        load_as(MusicSession, save_picture_model(tmp_path / "pictures"), "cpu")
    assert "8 x 8" in repr(sessions["vae"])


def test_a_super_resolver_of_pieces_takes_a_whole_photo(tmp_path):
    """An untrained residual model enlarges by interpolation; pieces must leave no seam."""
    config = load_config("superres-2x")
    model = build_model(config, build_codec(config.codec.model_dump()))
    save_bundle(tmp_path / "model", config, model, {}, {})
    session = mv.load(tmp_path / "model", device="cpu")
    photo = np.linspace(0, 1, 45 * 70 * 3, dtype=np.float32).reshape(1, 45, 70, 3)
    large = session.reconstruct(photo)
    assert large.shape == (1, 90, 140, 3)
    planes = torch.from_numpy(as_bytes(photo).astype(np.float32) / 255).permute(0, 3, 1, 2)
    whole = (
        F.interpolate(planes, scale_factor=2, mode="bicubic", align_corners=False)
        .permute(0, 2, 3, 1)
        .numpy()
    )
    np.testing.assert_allclose(large, whole.clip(0, 1), atol=1e-3)


def test_grid_and_similar(sessions):
    session, (images, _) = sessions["vae"], digits(4)
    z, made = session.grid(images, 3)
    mean, _ = session.encode_windows(session.prepare(images))
    assert np.array_equal(z[[0, 2, 6, 8]], mean) and np.array_equal(made, session.decode_windows(z))
    assert np.array_equal(session.similar(images[0], 1, 2)[1], session.decode_windows(mean[:1])[0])
    assert np.array_equal(session.similar(images[0], 0, 3, seed=2), session.sample(3, seed=2))
    assert session.similar(images[0], 0.5, 2, condition=None).shape == (2, 8, 8)
    assert sessions["conditional"].similar(images[0], 0.5, 2, condition=7).shape == (2, 8, 8)
    with pytest.raises(UsageError, match="no prior"):
        sessions["ae"].similar(images[0], 0.5)
    with pytest.raises(UsageError, match="4 corners"):
        session.grid(images[:2], 3)
