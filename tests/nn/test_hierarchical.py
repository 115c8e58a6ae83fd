"""Decoding segments together gives what decoding them one after another gives."""

import pytest
import torch

from musicvae_lite.config import load_config
from musicvae_lite.core.random import Noise
from musicvae_lite.model_dir.bundle import load_bundle
from musicvae_lite.nn.decoding import Stepper
from musicvae_lite.nn.hierarchical import (
    _MANY,
    HierarchicalDecoder,
    HierarchicalEncoder,
    SplitDecoder,
    SplitEncoder,
)
from musicvae_lite.nn.inputs import JointInput, RollInput, TokenInput
from musicvae_lite.nn.likelihood import Categorical, Joint, Nade
from musicvae_lite.nn.lstm import LstmDecoder
from tests.tiny import save_random

SEGMENTS, STEPS, CONTROL = 5, 4, 2


def core(events, likelihood):
    return LstmDecoder(
        events,
        likelihood,
        6,
        [7, 5],
        plan_size=2,
        position_size=1,
        length=STEPS,
        control_size=CONTROL,
    )


CORES = {
    "classes": lambda: core(TokenInput(9, None), Categorical(9)),
    "joint": lambda: core(JointInput([TokenInput(5, 3), TokenInput(4, None)]), Joint([5, 4])),
    "bits": lambda: core(RollInput(3), Nade(3, 4)),
    "split": lambda: SplitDecoder(
        [core(TokenInput(size, None), Categorical(size)) for size in (6, 4)]
    ),
}


@pytest.fixture(params=CORES)
def decoder(request):
    torch.manual_seed(2)
    made = HierarchicalDecoder(CORES[request.param](), 3, SEGMENTS, STEPS, [6], carry=True)
    with torch.no_grad():
        for parameter in made.parameters():  # so that a first event changes what comes after
            parameter.mul_(4)
    return made


def one_after_another(part, rows, none, draw, control):
    """Decode rows [B, S, H] of one core, a segment at a time.

    ``draw(s)`` is the noise of segment s.
    """
    parts = []
    for s in range(rows.shape[1]):
        first = parts[-1][:, -1] if parts else none.expand(len(rows), *none.shape)
        parts.append(
            part.sample(
                rows[:, s], STEPS, 1.0 if draw else 0.0, draw and draw(s), control[:, s], first
            )
        )
    return torch.cat(parts, 1)


@pytest.mark.parametrize("pieces", [1, 3, _MANY // SEGMENTS + 1])
@pytest.mark.parametrize("drawn", [False, True])
def test_segments_together_are_segments_one_after_another(decoder, pieces, drawn):
    z, control = torch.randn(pieces, 3), torch.rand(pieces, SEGMENTS * STEPS, CONTROL)
    noise = Noise(4) if drawn else None
    heard = decoder.sample(z, SEGMENTS * STEPS, 1.0 if drawn else 0.0, noise, control)
    rows, cut = decoder.conduct(z), control.view(pieces, SEGMENTS, STEPS, CONTROL)
    split = isinstance(decoder.core, SplitDecoder)
    parts, replayed = decoder.core._cores() if split else [decoder.core], Noise(4)
    total = pieces * SEGMENTS
    wanted = []
    for part in parts:
        begin = replayed.replay(torch.arange(total), total)
        draw = (
            (lambda s, begin=begin: begin.replay(torch.arange(s, total, SEGMENTS), total))
            if drawn
            else None
        )
        wanted.append(one_after_another(part, rows, part.tokens.none, draw, cut))
        if drawn:  # the next voice draws what comes after
            part.sample(rows.flatten(0, 1), STEPS, 1.0, replayed, cut.flatten(0, 1))
    assert torch.equal(heard, torch.stack(wanted, -1) if split else wanted[0])
    if drawn:
        assert torch.equal(
            noise.uniform((3,), torch.device("cpu")), replayed.uniform((3,), torch.device("cpu"))
        )
        again = decoder.sample(z, SEGMENTS * STEPS, 1.0, noise, control)
        assert not torch.equal(again, heard)
    assert len(heard.unique()) > 1


def test_a_part_of_the_segments_is_the_beginning_of_all(decoder):
    z, control = torch.randn(2, 3), torch.rand(2, SEGMENTS * STEPS, CONTROL)
    every = decoder.sample(z, SEGMENTS * STEPS, control=control)
    for length in (1, STEPS, STEPS + 1, 3 * STEPS - 1):
        assert torch.equal(decoder.sample(z, length, control=control), every[:, :length])


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 16, 17])
def test_a_stepper_does_what_the_layers_do(rows):
    torch.manual_seed(0)
    part = CORES["joint"]()
    x = torch.randn(rows, 3, part.stack.layers[0].input_size)
    x[:, :, 7:13] = x[:, :1, 7:13]  # the vector of an event has 7 numbers, z 6
    state = [(torch.randn(rows, size), torch.randn(rows, size)) for size in part.stack.sizes]
    wanted, _ = part.stack(x, state)
    with torch.no_grad():
        steps = Stepper(part.stack.weights(), state, x[:, 0, 7:13], x[:, :, 13:])
        got = torch.stack([steps.advance(x[:, t, :7], t) for t in range(3)], 1)
    torch.testing.assert_close(got, wanted)


def test_a_split_encoder_is_an_encoder_of_each_voice():
    torch.manual_seed(1)
    parts = [
        HierarchicalEncoder(
            TokenInput(size, 3), [4, 3], [5], "steps", [2, 6], skip=True, upper_sizes=upper
        )
        for size, upper in ((9, [4]), (7, None))
    ]
    assert [part.levels[1].sizes for part in parts] == [(4,), (5,)]
    encoder = SplitEncoder(parts)
    events = torch.stack([torch.randint(0, size, (2, 12)) for size in (9, 7)], -1)
    vectors = encoder(events)
    assert vectors.shape == (2, encoder.output_size) == (2, 2 * 3 * 6)
    torch.testing.assert_close(
        vectors, torch.cat([part(events[..., index]) for index, part in enumerate(parts)], -1)
    )
    changed = encoder(torch.stack([events[..., 0], 6 - events[..., 1]], -1))
    assert torch.equal(changed[:, :18], vectors[:, :18])
    assert not torch.equal(changed[:, 18:], vectors[:, 18:])


def test_a_decoder_of_segments_can_be_saved_whatever_its_likelihood(tmp_path):
    changes = [
        "model.encoder.sizes=[4]",
        "model.decoder={kind: hierarchical, levels: [2, 16], sizes: [4], conductor: [4]}",
    ]
    config = load_config("nade-drums_2bar_reduced", [*changes, "model.latent_size=3"])
    folder = save_random(tmp_path / "bits", config)
    names = load_bundle(folder).model.state_dict()
    assert any("likelihood" in name for name in names)
