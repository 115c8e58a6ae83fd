"""The one place that imports torchaudio: late, and so that it works beside a torch without CUDA."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from musicvae_lite.core.errors import MusaeError

_PACKAGE = "torchaudio"
_EXTENSION = "torchaudio._extension"


def load_torchaudio() -> Any:
    """Return the module torchaudio.

    Its wheels link to CUDA's libraries, which a CPU-only torch does not bring; the transforms that
    are used here need none of that compiled extension, so a stand-in that has nothing takes its
    place and the import is tried once more.

    Raises:
        MusaeError: if it is not installed or does not work with the installed torch.
    """
    try:
        return importlib.import_module(_PACKAGE)
    except ModuleNotFoundError as error:
        raise MusaeError(
            "torchaudio is not installed; install it with: pip install torchaudio"
        ) from error
    except (OSError, ImportError):
        return _load_without_extension()


def _load_without_extension() -> Any:
    for name in [name for name in sys.modules if name.split(".")[0] == _PACKAGE]:
        del sys.modules[name]
    sys.modules[_EXTENSION] = _stand_in()
    try:
        return importlib.import_module(_PACKAGE)
    except Exception as error:  # whatever a torchaudio of another age needs of its extension
        del sys.modules[_EXTENSION]
        raise MusaeError(
            f"torchaudio does not work with the installed torch ({error}); install the two in one "
            "go"
        ) from error


def _stand_in() -> ModuleType:
    """Return what torchaudio's own modules look for in the extension, saying that it is not
    there.
    """
    module = ModuleType(_EXTENSION)

    def fail_if_no_align(function: Any) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise RuntimeError("this function needs torchaudio's compiled extension")

        return refuse

    module.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=fail_if_no_align,
    )
    return module
