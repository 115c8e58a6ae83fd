import numpy as np
import pytest

from musicvae_lite.media.midi import Score, Track
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.codecs.trio import TrioCodec
from musicvae_lite.music.tune import FACTS, WEIGHTS, name_weight, tune_facts, tune_scores
from musicvae_lite.music.windows import one_window, whole_melody
from tests.tiny import score

TUNE = [(q, q + 1, 67 + step, 1) for q, step in enumerate([0, 2, 4, 2, 5, 4, 2, 0] * 4)]
CHORDS = [(q, q + 4, pitch, 0) for q in range(0, 32, 4) for pitch in (48, 52, 55)]
BASS = [(q, q + 1, 36 + 7 * (q % 2), 2) for q in range(32)]
DRUMS = [(q, q + 1, 38, 3) for q in range(32)]


def band(names: tuple[str, str, str] = ("", "", ""), program: int = 0) -> Score:
    tracks = (Track(names[0]), Track(names[1], program), Track(names[2]), Track("", 0, True))
    return score(CHORDS + TUNE + BASS + DRUMS, tracks)


def test_a_tune_scores_above_chords_bass_and_drums() -> None:
    scores = tune_scores(band())
    assert scores.argmax() == 1 and scores[1] > 0.5
    assert scores[0] < 0.2 and scores[2] < 0.5 and scores[3] == 0


def test_facts_are_what_they_say() -> None:
    facts = dict(zip(FACTS, tune_facts(band())[:3].T, strict=True))
    assert len(FACTS) == len(WEIGHTS)
    each = {name.split(":")[0]: values for name, values in facts.items()}
    assert each["alone"] == pytest.approx([0, 1, 1])
    assert each["coverage"] == pytest.approx([1, 1, 1])
    assert each["place"] == pytest.approx([0.5, 1, 0])
    assert each["leaps"] == pytest.approx([0, 0, 0])
    assert each["variety"] == pytest.approx([1 / 8, 2 / 8, 1 / 8])
    assert each["steps"][1] == pytest.approx(24 / 31)  # no third, no repeated note
    assert np.isnan(tune_facts(band())[3]).all()


def test_names_say_more_than_notes() -> None:
    assert tune_scores(band(("Melody", "", ""))).argmax() == 0
    assert tune_scores(band(("Melody", "", "")), names=False).argmax() == 1
    assert name_weight("Lead Vocal") > 0 > name_weight("Bass guitar")
    assert name_weight("Piano") == name_weight("Lead Guitar") == 0


def test_verbs_choose_the_tune_whatever_its_place_and_program() -> None:
    codec = MelodyCodec()
    assert one_window(band(), codec, "m").track == 2
    assert whole_melody(band(), codec, "m").track == 2
    assert whole_melody(band(program=73), codec, "m").track == 2
    assert whole_melody(band(), codec, "m", track=1).track == 1


def test_a_trio_plays_the_tune() -> None:
    tracks = (Track(""), Track(""), Track("", 33), Track("", 0, True))
    shifted = [
        (start + 32 * turn, end + 32 * turn, pitch, track)
        for turn in range(2)
        for start, end, pitch, track in CHORDS + TUNE + BASS + DRUMS
    ]
    assert one_window(score(shifted, tracks), TrioCodec(), "m").parts["melody"] == 2


def test_a_score_without_notes_has_scores_of_0() -> None:
    empty = band()
    nothing = Score(480, empty.notes[:0], empty.tracks)
    assert tune_scores(nothing).tolist() == [0, 0, 0, 0]
