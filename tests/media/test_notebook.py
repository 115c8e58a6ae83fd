"""What a notebook shows of scores, paths and sounds: small, and of nothing from elsewhere."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.media import notebook
from musicvae_lite.media.audio import Audio
from musicvae_lite.media.notebook import MAX_BYTES, roll_svg, tiles_html
from tests.grooves import beat
from tests.tiny import melody, score

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = re.compile(r"""(?:src|href)=["'](?!data:)|url\(|<script|@import""")


def check(shown):
    assert len(shown.encode()) <= MAX_BYTES and not ELSEWHERE.search(shown)
    return shown


def test_a_score_is_a_roll_and_a_player():
    for piece in (melody(2), beat(2)):
        shown = check(piece._repr_html_())
        assert shown.count("<svg") == 1 and shown.count("<audio") == 1


def test_a_long_score_is_heard_from_its_beginning():
    shown = check(melody(200)._repr_html_())
    assert "the beginning is shown" in shown and "s of 480 can be heard" in shown


def test_an_empty_score_is_shown_without_a_player():
    assert "<audio" not in check(score([])._repr_html_())


def test_a_name_cannot_break_out():
    piece = type(melody(1))(
        480, melody(1).notes, melody(1).tracks, source='<script>alert("x")</script>'
    )
    assert "&lt;script&gt;" in check(piece._repr_html_())


def test_tiles_share_their_pitches():
    low, high = melody(2, first=48), melody(2, first=72)
    shown = check(tiles_html([low, high], low, "low to high", None))
    assert shown.count("<svg") == 2
    alone = roll_svg(high, 80, 50, (46, 90))
    assert alone.count('stroke="#8884"') == 0 and alone in roll_svg(high, 80, 50, (46, 90))


def test_a_sound_is_a_spectrogram_and_a_player():
    rate = 22_050
    wave = np.sin(np.arange(60 * rate) / rate * 2 * np.pi * 440)[None].astype(np.float32)
    shown = check(Audio(wave, rate, source="tone.wav")._repr_html_())
    assert "tone.wav" in shown and "<img" in shown and "<audio" in shown
    quiet = Audio(np.zeros((2, 100), np.float32), rate)
    assert "<img" in check(quiet._repr_html_())


def test_the_loudest_row_of_a_tone_is_at_its_pitch():
    rate = 16_000
    wave = np.sin(np.arange(2 * rate) / rate * 2 * np.pi * 1000).astype(np.float32)
    levels = notebook._levels(wave, rate)
    row = int(levels.astype(int).sum(1).argmax())
    edges = np.geomspace(40, rate / 2, 129)[::-1]
    assert edges[row + 1] * 0.9 < 1000 < edges[row] * 1.1


@pytest.fixture(scope="module")
def cells():
    tree = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in tree["cells"] if cell["cell_type"] == "code"]


def test_the_example_notebook_runs_and_shows_itself(cells, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = {}
    for cell in cells:
        *statements, last = ast.parse(cell).body
        exec(compile(ast.Module(statements, []), "cell", "exec"), names)
        assert isinstance(last, ast.Expr), cell
        shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        assert "<audio" in check(shown._repr_html_())
