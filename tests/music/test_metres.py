"""Bars joined and halved, and the shipped model that can use a file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.core.errors import NothingUsableError
from musicvae_lite.media.midi import METRE, NOTE, Score, Track, write_midi
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.metres import in_metre, model_for, takers
from musicvae_lite.music.remarks import remarks
from musicvae_lite.music.splice import in_piece
from musicvae_lite.music.windows import joining, rebuild, whole_melody

FOUR, THREE, SIX = MelodyCodec(), MelodyCodec(numerator=3), MelodyCodec(numerator=6, denominator=8)


def piece(numerator: int, denominator: int, quarters: int = 24, drums: bool = False) -> Score:
    pitches = (36, 42, 38, 42) if drums else (60, 64, 67, 65)
    rows = [(240 * n, 240 * n + 240, pitches[n % 4], 80, 0) for n in range(2 * quarters)]
    metre = np.array([(0, numerator, denominator)], METRE)
    tracks = (Track("Tune", 0, drums),)
    return Score(480, np.array(rows, NOTE), tracks, metres=metre, source="piece")


@pytest.mark.parametrize(
    "metre, codec, fits",
    [
        ((2, 4), FOUR, True),
        ((4, 8), FOUR, True),
        ((4, 2), FOUR, True),
        ((6, 4), THREE, True),
        ((12, 8), SIX, True),
        ((3, 2), THREE, False),
        ((3, 8), SIX, False),
        ((6, 8), FOUR, False),
        ((12, 8), FOUR, False),
        ((4, 4), FOUR, False),
        ((5, 4), FOUR, False),
    ],
)
def test_which_metres_are_joined(metre: tuple[int, int], codec: MelodyCodec, fits: bool) -> None:
    joined = in_metre(piece(*metre), codec)
    assert (joined is not None) == fits
    if joined is not None:
        assert joined.metres == (f"{metre[0]}/{metre[1]}",)
        assert len(codec.encode(joined.score).windows) > 0


def test_two_bars_of_two_four_are_one_and_come_back_as_two() -> None:
    march = piece(2, 4)
    passage = whole_melody(march, FOUR, "tiny", overlapping=True)
    assert passage.bars.tolist()[0] == 1 and passage.score.bars == 6 and passage.piece is march
    assert passage.as_dict()["metres_joined"] == ["2/4"]
    assert any("2/4 is heard as 4/4" in line for line in remarks(passage, FOUR))
    made = rebuild(passage, passage.windows, FOUR, "x")
    assert made.metres.tolist() == [(0, 2, 4)]
    whole = in_piece(passage, made, FOUR)
    assert whole.metres.tolist() == [(0, 2, 4)] and np.array_equal(whole.notes, march.notes)
    with joining(False), pytest.raises(NothingUsableError, match="metre 2/4"):
        whole_melody(march, FOUR, "tiny")


def test_other_parts_of_a_piece_stay_in_their_metre() -> None:
    mixed = replace(piece(4, 4), metres=np.array([(0, 4, 4), (3840, 2, 4), (7680, 3, 4)], METRE))
    joined = in_metre(mixed, FOUR)
    assert joined is not None and joined.score.metres["numerator"].tolist() == [4, 4, 3]


@pytest.mark.parametrize(
    "metre, drums, model",
    [
        ((4, 4), False, "mel-2bar"),
        ((2, 4), False, "mel-2bar"),
        ((3, 4), False, "waltz-2bar"),
        ((6, 8), False, "jig-2bar"),
        ((12, 8), False, "jig-2bar"),
        ((4, 4), True, "drums-2bar"),
        ((5, 4), False, "mel-2bar"),
    ],
)
def test_the_model_that_can_use_a_file(
    metre: tuple[int, int], drums: bool, model: str, tmp_path: Path
) -> None:
    score = piece(*metre, drums=drums)
    write_midi(score, tmp_path / "x.mid")
    found, why = model_for([str(tmp_path / "x.mid")])
    assert found == model and (why == "") == (model == "mel-2bar")
    if model != "mel-2bar":
        assert model in takers(score, but="mel-2bar")


def test_a_file_that_cannot_be_read_is_left_to_the_verb(tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(b"no MIDI")
    assert model_for([str(tmp_path / "x.mid"), str(tmp_path / "none.mid")]) == ("mel-2bar", "")
