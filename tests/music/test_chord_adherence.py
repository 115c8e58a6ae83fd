import numpy as np
import pytest
import torch

from musicvae_lite.music.chords import chord_pitches
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.conditioning.control import Control
from musicvae_lite.music.evaluate.chord_adherence import chord_following

CODEC = MelodyCodec()


class Player(torch.nn.Module):
    """Plays the root, third and fifth of the chord of each quarter, or of C major if it does not
    listen.
    """

    latent_size = 2

    def __init__(self, listens: bool, control: Control) -> None:
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.listens, self.control = listens, control

    def decode(self, z, length, temperature, noise, condition):
        assert condition.shape == (len(z), length, self.control.size)
        chords = (
            condition[..., :49].argmax(-1).numpy()
            if self.listens
            else np.ones((len(z), length), int)
        )
        tokens = np.zeros((len(z), length), np.int64)
        for row, step in np.ndindex(len(z), length // 4):
            pitches = 60 + np.flatnonzero(chord_pitches()[chords[row, 4 * step]])
            tokens[row, 4 * step] = 2 + pitches[step % 3] - CODEC.min_pitch
        return torch.from_numpy(tokens)


def measured(listens: bool, control: Control, told: int = 0) -> dict[str, float]:
    classes = np.full((3, 32, 1), told, np.uint8)
    classes[2, 16:] = 2  # not one chord throughout
    windows = np.zeros((3, 32), np.uint8)
    windows[:, 0], windows[:, 8] = 2 + 60 - CODEC.min_pitch, 2 + 62 - CODEC.min_pitch
    return chord_following(Player(listens, control), CODEC, control, windows, classes, samples=2)


@pytest.mark.parametrize("control", [Control(chords=True), Control(chords=True, key=True)])
def test_who_plays_the_chord_is_told_from_who_does_not_listen(control: Control) -> None:
    listening, deaf = measured(True, control), measured(False, control)
    assert listening == {"in_chord": 1.0, "in_other_chord": 0.0, "notes": 24 * 2 * 8}
    assert deaf["in_chord"] == pytest.approx(0.25, abs=0.03) and deaf[
        "in_other_chord"
    ] == pytest.approx(0.25, abs=0.03)


def test_the_music_itself_is_measured_where_one_chord_lasts() -> None:
    assert (
        measured(True, Control(chords=True), told=1)["in_chord_data"] == 0.5
    )  # C is in C major, D is not; two windows
