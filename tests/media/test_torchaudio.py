import subprocess
import sys

import pytest

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.media import torchaudio


def test_it_loads_beside_any_torch_and_only_when_asked() -> None:
    code = (
        "import sys, musicvae_lite.media.audio as audio;"
        "assert not {'torch', 'soundfile'} & set(sys.modules);"
        "import numpy; print(audio.resample(numpy.zeros((1, 480), 'f'), 48000, 16000).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(1, 160)"


def test_a_broken_extension_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    module = torchaudio._load_without_extension()
    assert module.functional.resample is not None
    monkeypatch.setattr(torchaudio.importlib, "import_module", lambda name: module)
    assert torchaudio.load_torchaudio() is module


def test_what_is_missing_or_does_not_fit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(torchaudio.importlib, "import_module", absent)
    with pytest.raises(MusaeError, match="pip install torchaudio"):
        torchaudio.load_torchaudio()

    def broken(name: str) -> None:
        raise OSError("libc10_cuda.so")

    monkeypatch.setattr(torchaudio.importlib, "import_module", broken)
    kept = {name: module for name, module in sys.modules.items() if name.startswith("torchaudio")}
    try:
        with pytest.raises(MusaeError, match="does not work with the installed torch"):
            torchaudio.load_torchaudio()
    finally:
        sys.modules.update(kept)
