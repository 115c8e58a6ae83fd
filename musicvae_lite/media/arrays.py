"""Reading NumPy archives, which may come from anywhere."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import reason

_MAX_BYTES = 2**32  # of all arrays unpacked: a small file can announce petabytes


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an ``.npz`` file; pickled objects are refused.

    Raises:
        MusaeError: absent, damaged or no archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MAX_BYTES:
            raise MusaeError(f"{path}: would unpack to {size / 2**30:.0f} GB")
        with np.load(path, allow_pickle=False) as arrays:
            found = {key: arrays[key] for key in arrays.files}
    except FileNotFoundError:
        raise MusaeError(f"{path}: no such file") from None
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    except zipfile.BadZipFile:
        raise MusaeError(f"{path}: is no .npz file, or a truncated one") from None
    except (
        ValueError,
        KeyError,
        EOFError,
        MemoryError,
        NotImplementedError,
        RuntimeError,
        zlib.error,
    ) as error:
        said = (
            "pickled objects are not read" if "pickle" in str(error) else str(error).split("\n")[0]
        )
        raise MusaeError(f"{path}: is damaged or no array file ({said})") from error
    for name, array in found.items():
        if not isinstance(array, np.ndarray):
            raise MusaeError(f"{path}: {name!r} is no array")
    return found
