import pytest
import torch

from musicvae_lite.config import load_config
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.medium import build_model
from musicvae_lite.core.random import Noise
from musicvae_lite.music.chords import chord_class
from musicvae_lite.music.conditioning.chord_frame import ChordFrame
from tests.tiny import SETTINGS


def told(symbols: str, steps: int, rows: int = 1) -> torch.Tensor:
    """Return the control input of chords of equal length, [rows, steps, 49]."""
    names = symbols.split()
    classes = torch.tensor([chord_class(name) or 0 for name in names]).repeat_interleave(
        steps // len(names)
    )
    return torch.eye(49)[classes].expand(rows, -1, -1)


def melody(pitches: dict[int, int], steps: int = 32) -> torch.Tensor:
    tokens = torch.zeros(1, steps, dtype=torch.int64)
    for step, pitch in pitches.items():
        tokens[0, step] = pitch - 21 + 2
    return tokens


def model_of(preset: str, *changes: str):
    config = load_config(preset, list(changes))
    torch.manual_seed(0)
    return build_model(config, build_codec(config.codec.model_dump())).eval()


@pytest.fixture(scope="module")
def model():
    return model_of("mel-2bar-chords", *SETTINGS)


def test_pitches_are_counted_from_the_root() -> None:
    frame = ChordFrame([90], [(2, 88)])
    control = told("C F#m Gdim B N", 5)
    tokens = melody({0: 60, 1: 66, 2: 67, 3: 59, 4: 60}, 5)
    assert (frame.enter(tokens, control) - 2 + 21).tolist() == [[60, 60, 72, 60, 60]]
    still = torch.tensor([[0, 1, 0, 1, 0]])  # nothing, and a note off
    assert torch.equal(frame.enter(still, control), still)


def test_nothing_is_lost_even_at_the_ends_of_the_keyboard() -> None:
    frame = ChordFrame([90, 90, 512], [(2, 88), (2, 88), None])
    events = torch.stack(
        [torch.arange(90), torch.arange(90).flip(0), torch.arange(90) + 400], -1
    ).expand(12, -1, -1)
    control = torch.cat(
        [
            told(name, 90)
            for name in ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
        ]
    )
    moved = frame.enter(events, control)
    assert torch.equal(frame.leave(moved, control), events) and torch.equal(
        moved[..., 2], events[..., 2]
    )
    assert torch.equal(moved.sort(1).values, events.sort(1).values)


def test_outputs_come_back_in_the_order_of_the_notes_heard() -> None:
    frame = ChordFrame([90, 512], [(2, 88), None])
    control, logits = told("D N", 4), torch.randn(1, 4, 602)
    heard = torch.randint(90, (1, 4, 1)).expand(-1, -1, 2)
    seen = frame.enter(heard, control)
    there = frame.outputs(logits, control)
    for part in (slice(0, 90), slice(90, 602)):
        index = part.start // 90
        torch.testing.assert_close(
            there[..., part].gather(-1, heard[..., index, None]),
            logits[..., part].gather(-1, seen[..., index, None]),
        )


def test_a_melody_over_its_chords_is_the_same_in_every_key(model) -> None:
    pieces = [
        (melody({0: 60, 8: 64, 20: 67}), told("C G", 32)),
        (melody({0: 62, 8: 66, 20: 69}), told("D A", 32)),
    ]
    first, second = (Batch(tokens, tokens, condition=control) for tokens, control in pieces)
    # G lies 5 below C and A 3 below: the parts over C and D move alike, and so do those over G and
    # A
    z = model.encode(first).latent.mean
    inputs = [model._seen(batch.x, batch.condition) for batch in (first, second)]
    assert torch.equal(*inputs)
    assert model.logits(z, first).shape == (1, 32, 90)
    frame, model.frame = model.frame, None
    seen = Batch(inputs[0], inputs[0], condition=first.condition)
    expected = model.nll(z, seen)
    model.frame = frame
    torch.testing.assert_close(
        model.nll(z, first), expected
    )  # the likelihood is that of the notes as they are seen


def test_what_is_drawn_is_heard_over_the_chord(model) -> None:
    z = torch.randn(4, model.latent_size)
    control = told("D", 32, 4)
    drawn = model.decode(z, 32, 1.0, Noise(0), control)
    frame, model.frame = model.frame, None
    seen = model.decode(z, 32, 1.0, Noise(0), control)
    model.frame = frame
    assert torch.equal(drawn, frame.leave(seen, control)) and not torch.equal(drawn, seen)
    short = model.decode(z, 16, 0.0, condition=control)
    assert torch.equal(short, model.decode(z, 32, 0.0, condition=control)[:, :16])


def test_a_trio_keeps_its_drums() -> None:
    small = [
        "model.encoder.sizes=[8]",
        "model.encoder.readout_size=[4,4]",
        "model.decoder.sizes=[8]",
        "model.latent_size=8",
    ]
    trio = model_of("trio-16bar", *small, "control.chords=true", "model.relative_pitch=true")
    events = torch.stack([torch.randint(size, (1, 256)) for size in (90, 90, 512)], -1)
    batch = Batch(events, events, condition=told("E C", 256))
    assert torch.isfinite(trio.nll(trio.encode(batch).latent.mean, batch)).all()
    assert trio.decode(torch.zeros(1, 8), 256, condition=batch.condition).shape == (1, 256, 3)


def test_it_needs_chords_and_pitches() -> None:
    for preset, *changes in (
        ("mel-2bar",),
        ("mel-2bar", "control.key=true"),
        ("drums-2bar", "control.chords=true"),
    ):
        with pytest.raises(UsageError, match=r"model.relative_pitch needs control.chords"):
            load_config(preset, [*changes, "model.relative_pitch=true"])
