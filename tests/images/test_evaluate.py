"""Measures of pictures, each against the same thing counted another way."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

import musicvae_lite as mv
from musicvae_lite.config import load_config
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.medium import build_model
from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.images.data.pictures import open_pictures
from musicvae_lite.images.evaluate.codes import against_components, neighbour_accuracy
from musicvae_lite.images.evaluate.pictures import (
    cross_entropy,
    decibels,
    evaluate_pictures,
    mmd,
    ssim,
)
from musicvae_lite.model_dir.bundle import save_bundle
from tests.tiny import digits


def random_pictures(count=6, channels=1, size=28, seed=0):
    return torch.rand((count, channels, size, size), generator=torch.Generator().manual_seed(seed))


def model_of(name, *changes):
    config = load_config(name, changes)
    torch.manual_seed(0)
    return build_model(config, build_codec(config.codec.model_dump()))


@pytest.mark.parametrize("channels", [1, 3])
def test_structural_similarity_is_scikit_images(channels):
    a = random_pictures(channels=channels)
    b = (a + 0.2 * random_pictures(channels=channels, seed=1)).clamp(0, 1)
    settings = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 1.0,
    }
    for first, second, ours in zip(a.numpy(), b.numpy(), ssim(a, b).tolist(), strict=True):
        theirs = structural_similarity(first, second, channel_axis=0, **settings)
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert ssim(a, a).tolist() == pytest.approx([1.0] * 6)


def test_cross_entropy_is_finite_where_a_pixel_is_surely_wrong():
    one, zero = torch.ones(1, 1, 1, 2), torch.zeros(1, 1, 1, 2)
    assert cross_entropy(one, zero).item() == pytest.approx(-2 * math.log(1e-7), rel=1e-6)
    assert decibels(0.01) == pytest.approx(20)


def test_discrepancy_is_nothing_for_one_distribution_and_large_for_two():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1500, 8, generator=generator)
    assert abs(mmd(a, b)) < 0.01
    assert mmd(a, b + 1) > 0.5


def test_measures_of_a_variational_model_by_hand():
    model = model_of("mnist-vae")
    x = random_pictures(50)
    batch = Batch(x, x)
    found = evaluate_pictures(model, [batch])
    with torch.inference_mode():
        latent = model.encode(batch).latent
        expected = model.decode(latent.mean)
        squares = (expected - x).square().mean().item()
        kl = latent.kl().sum(1).mean().item()
        s, mean = latent.log_scale, latent.mean
        lesson_kl = (-0.5 * (1 + s - mean.square() - s.exp())).sum(1).mean().item()
    assert found.n == 50 and found.mse_mean == pytest.approx(squares, rel=1e-5)
    assert found.psnr_db == pytest.approx(10 * math.log10(1 / squares), rel=1e-5)
    assert found.kl_bits == pytest.approx(kl / math.log(2), rel=1e-5)
    assert found.elbo_nats == pytest.approx(-(found.nll_nats + kl), rel=1e-6)
    # At one draw: the squared error is the Gaussian's nats less their constant.
    drawn = found.nll_nats - 784 * 0.5 * math.log(math.pi)
    assert found.lesson_loss == pytest.approx(drawn + lesson_kl, rel=1e-4)
    assert found.baselines == {} and "discriminator_accuracy" not in found.as_dict()


def test_measures_do_not_depend_on_the_batches_but_for_draws():
    model, x = model_of("mnist-ae"), random_pictures(9)
    whole = evaluate_pictures(model, [Batch(x, x)]).as_dict()
    parts = evaluate_pictures(model, [Batch(part, part) for part in x.split(4)]).as_dict()
    assert whole == pytest.approx(parts, rel=1e-5)
    assert whole["lesson_loss"] == whole["bce_mean"]
    assert "kl_bits" not in whole and "elbo_nats" not in whole


def test_doing_nothing_is_measured_beside_a_denoiser_and_a_super_resolver():
    clean = random_pictures()
    noisy = (clean + 0.1).clamp(0, 1)
    denoiser = evaluate_pictures(model_of("mnist-denoise"), [Batch(noisy, clean)])
    assert denoiser.baselines["input"]["mse_mean"] == pytest.approx(
        (noisy - clean).square().mean().item(), rel=1e-5
    )
    assert denoiser.as_dict()["input_psnr_db"] == denoiser.baselines["input"]["psnr_db"]
    small = torch.nn.functional.avg_pool2d(clean, 2)
    resolver = evaluate_pictures(model_of("mnist-superres"), [Batch(small, clean)])
    assert set(resolver.baselines) == {"bilinear", "bicubic"}


def test_an_adversary_is_measured():
    found = evaluate_pictures(
        model_of("mnist-aae"), [Batch(random_pictures(40), random_pictures(40))]
    )
    assert 0 <= found.discriminator_accuracy <= 1 and found.prior_mmd is not None


def test_nothing_to_measure():
    with pytest.raises(ValueError, match="no picture"):
        evaluate_pictures(model_of("mnist-ae"), [])


def test_embeddings_beside_principal_components():
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    pictures = (np.eye(3)[labels] * 200).astype(np.uint8).repeat(3, 1).reshape(60, 3, 3)
    pictures += random.integers(0, 20, pictures.shape, dtype=np.uint8)
    found = against_components(2, pictures[:40], labels[:40], pictures[40:], labels[40:])
    assert found["pca_neighbour_accuracy"] == 1.0 and found["pca_mse_mean"] < 0.01
    codes = np.eye(3, dtype=np.float32)[labels]
    assert neighbour_accuracy(codes[:40], labels[:40], codes[40:], labels[40:]) == 1.0
    assert neighbour_accuracy(codes[:40], labels[:40], codes[40:], (labels[40:] + 1) % 3) == 0.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "digits"
    save_bundle(folder, load_config("digits-vae"), model_of("digits-vae"), {}, {})
    return folder


def test_evaluate_measures_codes_and_other_kinds(folder):
    result = mv.evaluate(folder, limit=50)
    assert result.split == "valid" and result.measures.n == 50
    assert set(result.codes) == {"neighbour_accuracy", "pca_mse_mean", "pca_neighbour_accuracy"}
    assert set(result.others) == {"inverted", "rotated", "letters"}
    assert result.others["letters"]["n"] == 130
    quick = mv.evaluate(folder, split="train", claims=False)
    assert quick.measures.n == 1437 and not quick.codes and not quick.others


def test_other_pictures_are_measured_whole_where_no_part_is_for_testing(folder, tmp_path):
    images, labels = digits(20)
    np.savez(tmp_path / "mine.npz", images=images, labels=labels)
    other = mv.evaluate(folder, tmp_path / "mine.npz")
    assert other.split == "all" and other.measures.n == 20
    few = mv.evaluate(folder, tmp_path / "mine.npz", split="valid")
    assert (
        few.measures.n == 2 and few.codes == other.codes
    )  # no picture is among its own neighbours
    np.savez(tmp_path / "parts.npz", x_train=images[:15], x_test=images[15:])
    assert mv.evaluate(folder, tmp_path / "parts.npz", claims=False).measures.n == 5
    config = load_config("digits-vae")
    known = open_pictures(tmp_path / "mine.npz", ImageCodec(8, 8)).fingerprint
    save_bundle(tmp_path / "trained", config, model_of("digits-vae"), {"corpora": [known]}, {})
    assert mv.evaluate(tmp_path / "trained", tmp_path / "mine.npz", claims=False).measures.n == 2


def test_of_one_picture_some_measures_are_not_known(folder, tmp_path):
    np.savez(tmp_path / "one.npz", images=digits(1)[0])
    found = mv.evaluate(folder, tmp_path / "one.npz", claims=False).measures
    assert (found.n, found.active_units, found.prior_mmd) == (1, None, None)
    assert (
        not {"active_units", "prior_mmd"} & found.as_dict().keys()
        and np.isfinite(list(found.as_dict().values())).all()
    )


def test_few_codes_have_few_neighbours():
    codes, labels = np.eye(3, dtype=np.float32), np.array([0, 0, 1])
    assert neighbour_accuracy(codes, labels, codes[:2], labels[:2]) == 1
