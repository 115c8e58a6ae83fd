"""What events are told that stand at different times."""

import numpy as np
import pytest
import torch

from musicvae_lite.config import load_config
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.medium import build_model
from musicvae_lite.music.codec import score_codec
from musicvae_lite.nn.event_time import Clock, Running
from tests.music.codecs.test_multitrack import CODEC, score
from tests.music.codecs.test_multitrack import band as some_band
from tests.music.test_multitrack_model import EVENTS, SMALL, TRACKS


def by_time(*chords, key=None):
    """Control numbers [1, 96, C] of chords that share a bar evenly."""
    classes = np.repeat(chords, 96 // len(chords))
    numbers = np.eye(49, dtype=np.float32)[classes]
    return torch.from_numpy(
        numbers if key is None else np.concatenate([numbers, np.eye(12)[[key] * 96]], -1)
    ).float()[None]


def test_every_event_is_told_the_chord_of_its_time():
    windows = torch.from_numpy(CODEC.encode(score(some_band(1))).windows.astype(np.int64))
    told = Clock(CODEC.shifts, CODEC.events, 49).tell(
        windows, by_time(5, 9)
    )  # another chord from the third beat on
    assert told.shape == (1, 512, 49) and (told.sum(-1) == 1).all()
    tracks = told.argmax(-1).view(8, 64)
    assert tracks[0, :6].tolist() == [
        0,
        5,
        5,
        5,
        9,
        9,
    ]  # program; velocity, note, shift; note off, end
    assert (tracks[:, 0] == 0).all()


def test_the_key_is_told_from_the_first_event_on():
    windows = torch.from_numpy(CODEC.encode(score(some_band(1))).windows.astype(np.int64))
    told = Clock(CODEC.shifts, CODEC.events, 49).tell(windows, by_time(5, 9, key=2))
    assert (
        told.shape[2] == 61
        and (told[..., 49:].argmax(-1) == 2).all()
        and (told[:, ::64, 0] == 1).all()
    )
    key = by_time(0, key=2)[..., 49:]
    assert torch.equal(
        Clock(CODEC.shifts, CODEC.events, 0).tell(windows, key), key[:, :1].expand(-1, 512, -1)
    )


def test_event_by_event_as_all_at_once():
    clock = Clock(CODEC.shifts, CODEC.events, 49)
    events = torch.from_numpy(
        np.random.default_rng(0).choice([0, 130, 256, 260, 290, 355, 400, 490], (3, 64))
    )
    numbers = torch.rand(3, 96, 49, generator=torch.Generator().manual_seed(0))
    running, told = Running(clock, numbers), []
    for event in events.unbind(1):
        told.append(running.told)
        running.hear(event)
    assert torch.equal(torch.stack(told, 1), clock.tell(events, numbers))
    assert torch.equal(told[-1], numbers[:, -1])  # beyond the bar line its last step counts


@pytest.fixture(params=[False, True], ids=["apart", "carry"])
def parts(request):
    carry = f"model.decoder.carry={str(request.param).lower()}"
    config = load_config("multitrack-1bar-chords", [*SMALL, carry, "control.key=true"])
    codec = score_codec(config.codec.model_dump())
    torch.manual_seed(0)
    return codec, build_model(config, codec)


def test_a_decoder_hears_the_chord_that_it_has_come_to(parts):
    codec, model = parts
    with torch.no_grad():  # it says shifts by about a quarter of a bar
        model.decoder.core.output.bias[codec.tokens.shift + 20 : codec.tokens.shift + 30] += 6.0
    z = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    one, two = (by_time(*chords, key=0).expand(5, -1, -1) for chords in ((1, 1), (1, 30)))
    heard = model.decode(z, codec.steps, condition=two)
    assert torch.equal(model.predict(z, Batch(heard, heard, condition=two)), heard)
    same = model.decode(z, codec.steps, condition=one) == heard
    tracks = same.view(-1, TRACKS, EVENTS)
    now = codec.tokens.now(heard.view(-1, TRACKS, EVENTS).numpy())
    before = torch.from_numpy(now < 48)
    assert tracks[:, 0][before[:, 0]].all()  # up to the change nothing differs
    assert not tracks.all() and not before.all()
    logits = [model.logits(z, Batch(heard, heard, condition=told)) for told in (one, two)]
    differ = (logits[0] != logits[1]).any(-1).view(-1, TRACKS, EVENTS)
    assert torch.equal(differ[..., 1:].any(), torch.tensor(True)) and not differ[before].any()


def test_a_model_without_control_settings_is_told_event_by_event():
    config = load_config("multitrack-1bar", [*SMALL, "model.control_size=49"])
    codec = score_codec(config.codec.model_dump())
    model = build_model(config, codec)
    assert model.clock is None
    z, told = torch.zeros(1, 8), torch.rand(1, codec.steps, 49)
    heard = model.decode(z, codec.steps, condition=told)
    assert torch.equal(model.predict(z, Batch(heard, heard, condition=told)), heard)
