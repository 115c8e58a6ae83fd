import importlib.util
from types import ModuleType

import pytest

from musicvae_lite.core.files import resource
from musicvae_lite.media.midi import midi_bytes, read_midi
from musicvae_lite.music.codecs.melody import MelodyCodec

FOLDER = resource("data", "midi")


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_tunes", FOLDER / "build_tunes.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names() -> list[str]:
    return [path.stem for path in sorted(FOLDER.glob("*.mid"))]


def test_every_tune_has_its_file() -> None:
    assert set(builder().load_tunes()) == set(names())


@pytest.mark.parametrize("name", names())
def test_the_files_are_what_the_tunes_give(name: str) -> None:
    module = builder()
    tune = module.load_tunes()[name]
    score = module.build(name, tune)
    path = FOLDER / f"{name}.mid"
    assert midi_bytes(score) == path.read_bytes()
    assert read_midi(path) == score
    assert score.end >= 8 * 4 * score.ticks_per_quarter * tune["metre"][0] // tune["metre"][1]
    windows = MelodyCodec(bars=2).encode(score).windows
    assert len(windows) >= 7 if tune["metre"] == [4, 4] else not len(windows)
