"""Models of bars of several instruments: segments that end early."""

import numpy as np
import pytest
import torch

from musicvae_lite.config import load_config
from musicvae_lite.core.autoencoder import Batch, Teacher
from musicvae_lite.core.medium import build_model
from musicvae_lite.core.random import Noise
from musicvae_lite.music.codec import score_codec
from musicvae_lite.music.evaluate.sequences import evaluate_windows

EVENTS, TRACKS = 10, 3
SMALL = [
    f"codec.events={EVENTS}",
    f"codec.tracks={TRACKS}",
    f"model.encoder.levels=[{EVENTS},{TRACKS}]",
    f"model.decoder.levels=[{TRACKS},{EVENTS}]",
    "model.latent_size=8",
    "model.encoder.sizes=[24]",
    "model.decoder.sizes=[32]",
    "model.decoder.conductor=[16]",
]


@pytest.fixture(params=[False, True], ids=["apart", "carry"])
def parts(request):
    config = load_config(
        "multitrack-1bar", [*SMALL, f"model.decoder.carry={str(request.param).lower()}"]
    )
    codec = score_codec(config.codec.model_dump())
    torch.manual_seed(0)
    return config, codec, build_model(config, codec)


def bars(codec, count=6):
    """Return windows of tracks of many lengths, from the end alone to all events."""
    generator = np.random.default_rng(3)
    windows = generator.integers(0, codec.end, (count, TRACKS, EVENTS))
    for window in windows:
        for track in window:
            length = generator.choice([1, 4, EVENTS])
            track[length - 1] = codec.end
            track[length:] = codec.padding
    return torch.from_numpy(windows.reshape(count, -1))


def test_padding_is_not_read_not_charged_and_not_said(parts):
    _, codec, model = parts
    tokens = bars(codec)
    batch = Batch(tokens, tokens)
    z = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    valid = tokens != codec.padding
    assert torch.equal(model.predict(z, batch) == codec.padding, ~valid)
    logits = torch.log_softmax(model.logits(z, batch), -1)
    nats = -logits.gather(-1, tokens.clamp_max(codec.end).unsqueeze(-1))[..., 0]
    torch.testing.assert_close(model.nll(z, batch), (nats * valid).sum(1))
    alone = [
        model.encode(Batch(row[None], row[None])).latent.mean for row in tokens
    ]  # in a batch others' lengths do not matter
    torch.testing.assert_close(model.encode(batch).latent.mean, torch.cat(alone))
    sampled = model.nll(z, batch, Teacher(sampling=1.0), Noise(1))
    assert torch.isfinite(sampled).all() and (sampled < 10 * valid.sum(1)).all()


def test_nothing_is_said_after_the_end(parts):
    _, codec, model = parts
    with torch.no_grad():
        model.decoder.core.output.bias[codec.end] += 3.0
    z = torch.randn(20, 8, generator=torch.Generator().manual_seed(2))
    for temperature, noise in ((0.0, None), (1.0, Noise(4))):
        tracks = model.decode(z, codec.steps, temperature, noise).view(-1, EVENTS)
        ended = (tracks == codec.end).cumsum(1) - (tracks == codec.end).int() > 0
        assert torch.equal(tracks == codec.padding, ended)
        if noise is None:  # the same past, given as a whole
            heard = tracks.view(20, -1)
            assert torch.equal(model.predict(z, Batch(heard, heard)), heard)
    assert ended.any() and not ended.all()


def test_draws_do_not_depend_on_when_other_bars_end(parts):
    _, codec, model = parts
    with torch.no_grad():
        model.decoder.core.output.bias[codec.end] += 4.0
    z = torch.randn(8, 8, generator=torch.Generator().manual_seed(2))
    others = z.clone()
    others[1:] *= 50
    first, second = (model.decode(points, codec.steps, 1.0, Noise(4))[0] for points in (z, others))
    assert torch.equal(first, second)


def test_measures_leave_padding_out(parts):
    _, codec, model = parts
    tokens = bars(codec)
    measures = evaluate_windows(model, tokens.numpy().astype(np.uint16), codec=codec)
    with torch.no_grad():
        heard = model.decode(model.encode(Batch(tokens, tokens)).latent.mean, codec.steps)
    assert measures.accuracy == pytest.approx(
        (heard == tokens)[tokens != codec.padding].float().mean().item()
    )
    assert 0 <= measures.onset_accuracy <= 1 and measures.exact == 0


def test_a_few_bars_are_learned_and_told_apart_by_their_codes(parts):
    _, codec, model = parts
    tokens = bars(codec, 3)
    batch = Batch(tokens, tokens)
    torch.nn.init.normal_(
        model.head.mean.weight, std=0.1
    )  # it starts near 0, and would take its time
    optimiser = torch.optim.Adam(model.parameters(), 0.005)

    def nats(codes, number):
        return model.nll(codes, batch, Teacher(dropout=1.0), Noise(number)).mean()

    for number in range(40):
        optimiser.zero_grad()
        nats(model.encode(batch).latent.mean, number).backward()
        optimiser.step()
    z = model.encode(batch).latent.mean
    assert nats(z, 0) < 30 and nats(z, 0) < 0.6 * nats(z.roll(1, 0), 0)
