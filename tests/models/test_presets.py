"""Contract of every preset: it builds, trains, is deterministic, saves and loads. New presets are found by themselves."""

import pytest
import torch

from musicvae_lite.bundle import load_bundle, save_bundle
from musicvae_lite.codecs import build_codec
from musicvae_lite.config import RunConfig, load_config, preset_names
from musicvae_lite.models import Batch, Teacher, build_model
from musicvae_lite.noise import Noise
from musicvae_lite.optimisation import TrainStep


def reduced(name: str) -> RunConfig:
    """The preset with layers of a few units, so that every one can be tried in a second."""
    full = load_config(name)
    changes = [
        "model.latent_size=6",
        f"model.encoder.sizes={[5 + i for i in range(len(full.model.encoder.sizes))]}",
        f"model.decoder.sizes={[7 + i for i in range(len(full.model.decoder.sizes))]}",
    ]
    return load_config(name, changes)


@pytest.fixture(params=preset_names())
def config(request):
    return reduced(request.param)


@pytest.fixture
def parts(config):
    codec = build_codec(config.codec.model_dump())
    torch.manual_seed(0)
    model = build_model(config.model, codec.vocabulary, codec.steps)
    tokens = torch.randint(0, codec.vocabulary, (4, codec.steps), generator=torch.Generator().manual_seed(1))
    return codec, model, Batch(tokens, tokens)


def test_shapes(parts):
    codec, model, batch = parts
    latent = model.encode(batch)
    assert latent.mean.shape == latent.scale.shape == (4, 6)
    assert (latent.scale > 0).all()
    assert model.nll(latent.mean, batch).shape == (4,)
    assert model.logits(latent.mean, batch).shape == (4, codec.steps, codec.vocabulary)
    assert model.predict(latent.mean, batch).shape == batch.target.shape
    assert model.decode(latent.mean, codec.steps).shape == batch.target.shape


def test_one_step_gives_finite_gradients_to_every_weight(parts, config):
    _, model, batch = parts
    total, nll, kl = TrainStep(model, config)(batch, 10, Noise(0))
    total.backward()
    assert torch.isfinite(torch.stack([total, nll, kl])).all()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


def test_draws_are_repeatable_and_temperature_zero_needs_none(parts):
    codec, model, batch = parts
    z = model.encode(batch).mean
    drawn = [model.decode(z, codec.steps, 1.0, Noise(3)) for _ in range(2)]
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0], model.decode(z, codec.steps, 1.0, Noise(4)))
    assert torch.equal(model.decode(z, codec.steps), model.decode(z, codec.steps))
    with pytest.raises(ValueError, match="noise"):
        model.decode(z, codec.steps, 1.0)


def test_decoding_step_by_step_sees_what_teacher_forcing_sees(parts):
    """The likeliest event of each step, fed back, is the likeliest one of the same past given as a whole."""
    codec, model, batch = parts
    z = model.encode(batch).mean
    heard = model.decode(z, codec.steps)
    assert torch.equal(model.predict(z, Batch(heard, heard)), heard)


def test_a_sequence_does_not_hear_what_comes_after_its_length(parts):
    codec, model, batch = parts
    length = torch.tensor([codec.steps, codec.steps // 2, 3, 1])
    past = torch.arange(codec.steps) >= length.unsqueeze(1)
    changed = torch.where(past, 5, batch.target)
    torch.testing.assert_close(
        model.encode(Batch(batch.x, batch.target, length)).mean, model.encode(Batch(changed, changed, length)).mean
    )
    z = torch.zeros(4, 6)
    torch.testing.assert_close(model.nll(z, Batch(batch.x, batch.target, length)), model.nll(z, Batch(changed, changed, length)))


def test_scheduled_sampling_is_repeatable(parts):
    _, model, batch = parts
    z = model.encode(batch).mean
    for teacher in (Teacher(sampling=1.0), Teacher(sampling=0.5, dropout=0.3)):
        assert torch.equal(model.nll(z, batch, teacher, Noise(1)), model.nll(z, batch, teacher, Noise(1)))


@pytest.mark.parametrize("stored", ["float32", "float16"])
def test_save_and_load_give_the_same_model(parts, config, tmp_path, stored):
    codec, model, batch = parts
    training = config.training.model_copy(update={"stored": stored})
    config = config.model_copy(update={"training": training})
    save_bundle(tmp_path / "model", config, model, {}, {})
    loaded = load_bundle(tmp_path / "model")
    assert loaded.codec.config() == codec.config()
    tolerance = {"atol": 0, "rtol": 0} if stored == "float32" else {"atol": 5e-3, "rtol": 1e-2}
    for key, value in model.state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[key], value, **tolerance)


@pytest.mark.parametrize(
    ("name", "millions"), [("cat-mel_2bar_small", 4.42), ("cat-mel_2bar_big", 134.6)]
)  # musicvae.md, table C
def test_magenta_presets_have_magentas_parameter_counts(name, millions):
    config = load_config(name)
    codec = build_codec(config.codec.model_dump())
    with torch.device("meta"):
        model = build_model(config.model, codec.vocabulary, codec.steps)
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert round(count / 1e6, 2 if millions < 10 else 1) == millions
