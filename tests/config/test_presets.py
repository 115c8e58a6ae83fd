"""Contract of every preset: it builds, trains, is deterministic, saves and loads.

New presets are found by themselves.
"""

import pytest
import torch

from musicvae_lite.audio.codec import SoundCodec
from musicvae_lite.audio.denoise.network import BANDS
from musicvae_lite.audio.timbre.model import TimbreAutoencoder
from musicvae_lite.config import (
    ImageModel,
    RunConfig,
    SpectrogramModel,
    TimbreModel,
    load_config,
    preset_names,
)
from musicvae_lite.core.autoencoder import Batch, Teacher
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.medium import build_model
from musicvae_lite.core.random import Noise
from musicvae_lite.images.data.pictures import corrupted
from musicvae_lite.model_dir.bundle import load_bundle, save_bundle
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.codecs.groove import GrooveCodec
from musicvae_lite.training.optimiser import TrainStep

SEQUENCES = [name for name in preset_names() if load_config(name).model.kind == "sequence"]


def reduced(name: str) -> RunConfig:
    """The preset with layers of a few units, so that every one can be tried in a second."""
    full = load_config(name)
    if isinstance(full.model, ImageModel):
        return load_config(name, _fewer_pixels(full.model))
    if isinstance(full.model, SpectrogramModel):
        widths = [4 + i for i in range(len(full.model.channels))]
        return load_config(
            name, ["codec.seconds=0.5", "model.latent_size=6", f"model.channels={widths}"]
        )
    if isinstance(full.model, TimbreModel):
        widths = [4 + i for i in range(len(full.model.encoder.channels))]
        parts = [f"model.{side}.channels={widths}" for side in ("encoder", "decoder")]
        return load_config(
            name,
            [
                "codec.rate=8000",
                "codec.seconds=0.5",
                "model.latent_size=6",
                "model.rows=16",
                *parts,
            ],
        )
    changes = [
        "model.latent_size=8",
        f"model.encoder.sizes={[5 + i for i in range(len(full.model.encoder.sizes))]}",
        f"model.decoder.sizes={[7 + i for i in range(len(full.model.decoder.sizes))]}",
    ]
    if full.codec.kind == "multitrack":
        changes += [
            "codec.tracks=3",
            "codec.events=8",
            "model.encoder.levels=[8,3]",
            "model.decoder.levels=[3,8]",
        ]
    if full.model.decoder.kind == "hierarchical":
        changes.append(
            f"model.decoder.conductor={[8 + i for i in range(len(full.model.decoder.conductor))]}"
        )
    if full.model.likelihood.kind == "nade":
        changes.append("model.likelihood.size=4")
    return load_config(name, changes)


def _fewer_pixels(model: ImageModel) -> list[str]:
    changes = [] if model.latent_size is None else ["model.latent_size=6"]
    for side in ("encoder", "decoder"):
        part = getattr(model, side)
        key, count = (
            ("channels", len(part.channels)) if part.kind == "conv" else ("sizes", len(part.sizes))
        )
        changes.append(f"model.{side}.{key}={[4 + i for i in range(count)]}")
        if part.kind == "conv" and part.dense:
            changes.append(f"model.{side}.dense=[5]")
    if model.adversary is not None:
        changes.append("model.adversary.sizes=[8]")
    return changes


@pytest.fixture(params=preset_names())
def config(request):
    return reduced(request.param)


@pytest.fixture
def parts(config):
    codec = build_codec(config.codec.model_dump())
    torch.manual_seed(0)
    model = build_model(config, codec)
    generator = torch.Generator().manual_seed(1)
    if isinstance(codec, SoundCodec):
        clean = torch.sin(0.05 * torch.arange(codec.samples)).repeat(4, 1)
        return (
            codec,
            model,
            Batch(clean + 0.3 * torch.randn(clean.shape, generator=generator), clean),
        )
    if isinstance(codec, GrooveCodec):
        rows = grooves(codec, generator)
        return (
            codec,
            model,
            Batch(rows, rows, condition=rows[..., :9] if config.model.control_size else None),
        )
    if isinstance(codec, ScoreCodec):
        drawn = [
            torch.randint(0, size, (4, codec.steps), generator=generator) for size in codec.sizes
        ]
        tokens = torch.stack(drawn, -1).view(4, *codec.shape)
        size = config.model.control_size
        control = torch.rand((4, codec.grid_steps, size), generator=generator) if size else None
        return codec, model, Batch(tokens, tokens, condition=control)
    target = torch.rand((4, codec.channels, codec.height, codec.width), generator=generator)
    condition = torch.eye(config.model.classes)[:4] if config.model.classes else None
    return (
        codec,
        model,
        Batch(corrupted(target, config.data.corrupt, Noise(5)), target, condition=condition),
    )


def grooves(codec, generator):
    """Four windows in which a third of the drums is hit."""
    hits = torch.rand((4, codec.steps, 9), generator=generator) < 0.3
    rest = torch.rand((2, 4, codec.steps, 9), generator=generator) * hits
    return torch.cat([hits.float(), rest[0], 2 * rest[1] - hits.float()], -1)


def decode(codec, model, z, batch, *more):
    length = codec.steps if isinstance(codec, ScoreCodec) else 0
    return model.decode(z, length, *more, condition=batch.condition)


def test_shapes(parts):
    codec, model, batch = parts
    latent = model.encode(batch).latent
    assert latent.mean.shape[:2] == latent.scale.shape[:2] == (4, model.latent_size)
    assert latent.log_scale is None or (latent.scale > 0).all()
    assert model.nll(latent.mean, batch).shape == (4,)
    assert model.predict(latent.mean, batch).shape == batch.target.shape
    if isinstance(model, TimbreAutoencoder):  # levels: phases come from elsewhere
        assert model.decode(latent.mean, 9).shape == (4, 9, 16)
    elif isinstance(codec, SoundCodec):  # a mask: there is no sound without a noisy one
        assert model.decode(latent.mean, 9).shape == (4, 9, BANDS)
    else:
        assert decode(codec, model, latent.mean, batch).shape == batch.target.shape


def test_one_step_gives_finite_gradients_to_every_weight(parts, config):
    _, model, batch = parts
    terms = TrainStep(model, config)(batch, 2000, Noise(0))
    terms["loss"].backward()
    assert torch.isfinite(torch.stack(list(terms.values()))).all()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


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


class TestSequences:
    """What holds for models of sequences alone."""

    @pytest.fixture(params=SEQUENCES)
    def config(self, request):
        return reduced(request.param)

    @pytest.fixture
    def parts(self, parts):
        parts[1].eval()  # layers of dropout draw for themselves
        return parts

    def test_logits_have_one_number_a_class(self, parts, config):
        codec, model, batch = parts
        size = 4 + len(codec.sizes) if config.model.likelihood.kind == "nade" else codec.vocabulary
        if config.model.likelihood.kind == "piano":
            size = model.decoder.likelihood.size  # two bits a key, loudnesses, gates
        assert model.logits(model.encode(batch).latent.mean, batch).shape == (4, codec.steps, size)

    def test_draws_are_repeatable_and_temperature_zero_needs_none(self, parts):
        codec, model, batch = parts
        z = model.encode(batch).latent.mean
        drawn = [decode(codec, model, z, batch, 1.0, Noise(3)) for _ in range(2)]
        assert torch.equal(*drawn)
        assert not torch.equal(drawn[0], decode(codec, model, z, batch, 1.0, Noise(4)))
        assert torch.equal(decode(codec, model, z, batch), decode(codec, model, z, batch))
        with pytest.raises(ValueError, match="noise"):
            decode(codec, model, z, batch, 1.0)

    def test_decoding_step_by_step_sees_what_teacher_forcing_sees(self, parts):
        """The likeliest event of each step, fed back, is the likeliest one of the same past given
        as a whole.
        """
        codec, model, batch = parts
        z = model.encode(batch).latent.mean
        heard = decode(codec, model, z, batch)
        torch.testing.assert_close(
            model.predict(z, Batch(heard, heard, condition=batch.condition)), heard
        )

    def test_a_sequence_does_not_hear_what_comes_after_its_length(self, parts):
        codec, model, batch = parts
        length = torch.tensor([codec.steps, codec.steps // 2, 3, 1])
        past = (torch.arange(codec.steps) >= length.unsqueeze(1)).view(
            4, codec.steps, *[1] * (batch.x.dim() - 2)
        )
        changed = torch.where(past, 1, batch.target)
        whole = Batch(batch.x, batch.target, length, batch.condition)
        cut = Batch(changed, changed, length, batch.condition)
        torch.testing.assert_close(model.encode(whole).latent.mean, model.encode(cut).latent.mean)
        z = torch.zeros(4, 8)
        torch.testing.assert_close(model.nll(z, whole), model.nll(z, cut))

    def test_scheduled_sampling_is_repeatable(self, parts):
        _, model, batch = parts
        z = model.encode(batch).latent.mean
        for teacher in (Teacher(sampling=1.0), Teacher(sampling=0.5, dropout=0.3)):
            assert torch.equal(
                model.nll(z, batch, teacher, Noise(1)), model.nll(z, batch, teacher, Noise(1))
            )


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("cat-mel_2bar_small", "4.42 M"),  # musicvae.md, table C
        ("cat-mel_2bar_big", "134.6 M"),
        ("cat-mel_2bar_med_chords", "17.5 M"),
        ("cat-drums_2bar_small", "4.64 M"),
        ("cat-drums_2bar_big", "137.6 M"),
        ("nade-drums_2bar_reduced", "13.8 M"),
        ("nade-drums_2bar_full", "14.4 M"),
        ("flat-trio_16bar", "251.3 M"),
        ("hierdec-trio_16bar", "231.0 M"),
        ("hier-trio_16bar", "122.5 M"),
        ("flat-mel_16bar", "235.3 M"),
        ("hierdec-mel_16bar", "176.1 M"),
        ("hier-mel_16bar", "72.5 M"),
        ("hier-multiperf_vel_1bar_med", "55.6 M"),
        ("hier-multiperf_vel_1bar_big", "204.6 M"),
        ("hier-multiperf_vel_1bar_med_chords", "56.1 M"),
        ("hier-multiperf_vel_1bar_big_chords", "205.6 M"),
        ("groovae_4bar", "4.09 M"),
        ("groovae_2bar_humanize", "4.09 M"),
        ("groovae_2bar_tap_fixed_velocity", "4.09 M"),
        ("groovae_2bar_tap_fixed_velocity_note_dropout", "4.09 M"),
        ("groovae_2bar_add_closed_hh", "4.09 M"),
        ("groovae_2bar_hits_control_tfds", "4.13 M"),
        ("mnist-ae", "4385"),  # lesson.md, A1
        ("mnist-denoise", "4385"),
        ("mnist-superres", "3801"),
        ("mnist-vae", "807700"),
    ],
)
def test_presets_have_the_originals_parameter_counts(name, count):
    config = load_config(name)
    codec = build_codec(config.codec.model_dump())
    with torch.device("meta"):
        model = build_model(config, codec)
    found = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert count in (str(found), f"{found / 1e6:.2f} M", f"{found / 1e6:.1f} M")
