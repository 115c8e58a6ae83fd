"""The attributes of windows, by hand."""

import math

import numpy as np
import pytest

from musicvae_lite.core.codec import build_codec, codec_kinds
from musicvae_lite.music.attributes import UNITS
from musicvae_lite.music.codecs.drums import DrumsCodec
from musicvae_lite.music.codecs.groove import GrooveCodec
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.codecs.trio import TrioCodec


def melody(notes, steps=32):
    """A window with MIDI pitches at steps."""
    window = np.zeros((1, steps), np.uint8)
    for step, pitch in notes.items():
        window[0, step] = 2 + pitch - 21
    return window


def one(codec, window):
    return {name: float(value[0]) for name, value in codec.attributes(window).items()}


def test_melody():
    values = one(MelodyCodec(), melody({0: 60, 4: 64, 7: 61, 10: 67, 15: 72, 16: 72}))
    assert values["density"] == 3  # six notes in two bars
    # At odd sixteenths are 7 (nothing at 8: syncopated) and 15 (16 follows: not).
    assert values["syncopation"] == pytest.approx(1 / 6)
    # At odd eighths is 10, and nothing at 12.
    assert values["syncopation8"] == pytest.approx(1 / 6)
    assert values["diatonic"] == pytest.approx(5 / 6)
    assert values["interval"] == pytest.approx((4 + 3 + 6 + 5 + 0) / 5)
    assert values["register"] == pytest.approx(np.mean([60, 64, 61, 67, 72, 72]))


def test_what_follows_the_window_counts_as_empty():
    values = one(MelodyCodec(), melody({0: 60, 31: 60}))
    assert values["syncopation"] == 0.5 and values["syncopation8"] == 0


def test_nothing_to_measure_is_not_a_number():
    silent, single = one(MelodyCodec(), melody({})), one(MelodyCodec(), melody({3: 61}))
    assert silent["density"] == 0 and all(
        math.isnan(silent[name]) for name in ("diatonic", "interval", "register", "syncopation")
    )
    assert math.isnan(single["interval"]) and single["register"] == 61 and single["diatonic"] == 0


def test_a_triplet_grid_has_no_sixteenths():
    triplets = MelodyCodec(steps_per_quarter=6).attributes(melody({3: 60}, 48))
    assert "syncopation" not in triplets and triplets["syncopation8"][0] == 1
    assert "syncopation8" not in MelodyCodec(steps_per_quarter=3).attributes(melody({0: 60}, 24))


def test_positions_are_those_of_the_bar():
    codec = MelodyCodec(
        numerator=3, denominator=8
    )  # six sixteenths, three eighths: bar 2 begins at an odd eighth of the window
    assert one(codec, melody({6: 60}, 12))["syncopation8"] == 0
    assert one(codec, melody({2: 60}, 12))["syncopation8"] == 1


@pytest.mark.parametrize("form", ["tokens", "roll"])
def test_drums(form):
    codec = DrumsCodec(form=form)
    bits = np.zeros((32, 9), np.uint8)
    bits[::2, 2] = 1  # closed hi-hat: 16
    bits[[0, 16], 0] = 1  # kick
    bits[[8, 23], 1] = 1  # snare; 23 is an odd sixteenth, and only the hi-hat is at 24
    bits[30, 3] = 1  # open hi-hat
    window = (
        bits[None]
        if form == "roll"
        else (bits.astype(np.uint16) << np.arange(9, dtype=np.uint16)).sum(1, dtype=np.uint16)[None]
    )
    values = one(codec, window)
    assert values["density"] == pytest.approx(21 / 2) and values["hihat"] == pytest.approx(17 / 21)
    assert (
        values["kick"] == values["snare"] == pytest.approx(2 / 21) and values["syncopation"] == 0.25
    )


def test_single_drums_belong_to_their_kinds():
    codec = DrumsCodec(classes=61, form="roll")
    window = np.zeros((1, 32, 61), np.uint8)
    window[0, 0, :2] = 1  # both kicks
    assert one(codec, window)["kick"] == 1


def test_grooves_have_velocity_and_timing():
    window = np.zeros((1, 32, 27), np.float32)
    for step, drum, velocity, offset in ((0, 0, 1.0, 0.0), (5, 1, 0.5, -0.5), (8, 2, 0.25, 0.2)):
        window[0, step, [drum, 9 + drum, 18 + drum]] = 1, velocity, offset
    values = one(GrooveCodec(), window)
    assert values["velocity"] == pytest.approx(1.75 / 3) and values["timing"] == pytest.approx(
        -0.05
    )
    assert (
        values["density"] == 1.5
        and values["kick"] == pytest.approx(1 / 3)
        and values["syncopation"] == 0.5
    )


def test_trio_measures_its_melody():
    codec = TrioCodec(bars=2)
    window = np.zeros((1, 32, 3), np.uint16)
    window[0, :, 0] = melody({0: 60, 8: 62})[0]
    window[0, 0, 1], window[0, 16, 2] = 2 + 36 - 21, 0b101
    values = one(codec, window)
    assert (
        values["density"] == 1
        and values["density_all"] == pytest.approx(5 / 2)
        and values["register"] == 61
    )


def test_every_codec_of_music_names_units():
    for kind in codec_kinds():
        codec = build_codec({"kind": kind})
        if hasattr(codec, "attributes"):
            found = codec.attributes(np.zeros((2, *codec.shape), codec.dtype))
            assert (
                found
                and set(found) <= set(UNITS)
                and all(value.shape == (2,) for value in found.values())
            )
