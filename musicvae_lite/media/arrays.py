"""Reading NumPy archives, which may come from anywhere."""

from __future__ import annotations

import math
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import reason
from musicvae_lite.core.limits import check_unpacked
from musicvae_lite.media.archives import check_zip

_KINDS = "biufcSU"  # of NumPy's types


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an ``.npz`` file; pickled objects are refused.

    Every array must have the size that its header states, and all of them together the size that
    may be unpacked, before one is.

    Raises:
        MusaeError: absent, damaged, too large or no archive.
    """
    try:
        check_zip(path)
        with zipfile.ZipFile(path) as archive:
            check_unpacked(path, sum(member.file_size for member in archive.infolist()))
            for member in archive.infolist():
                _check_header(archive, member)
        with np.load(path, allow_pickle=False) as arrays:
            found = {key: arrays[key] for key in arrays.files}
    except MusaeError:
        raise
    except FileNotFoundError:
        raise MusaeError(f"{path}: no such file") from None
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    except zipfile.BadZipFile:
        raise MusaeError(f"{path}: is no .npz file, or a truncated one") from None
    except Exception as error:  # of a damaged one NumPy and zlib raise nearly all that there are
        pickled = "pickle" in str(error) or "Object arrays" in str(error)
        said = "pickled objects are not read" if pickled else str(error).split("\n")[0]
        raise MusaeError(f"{path}: is damaged or no array file ({said})") from error
    for name, array in found.items():
        if not isinstance(array, np.ndarray):
            raise MusaeError(f"{path}: {name!r} is no array")
        if (
            array.dtype.kind == "U"
            and np.ascontiguousarray(array).view(np.uint32).max(initial=0) > sys.maxunicode
        ):
            raise MusaeError(f"{path}: is damaged ({name!r} holds text that is none)")
    return found


def _check_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse a member of an archive that states more or fewer numbers than it has.

    NumPy takes the memory that a header asks for before it reads the numbers.

    Raises:
        ValueError: the sizes do not fit; also for pickled objects.
    """
    if not member.filename.endswith(".npy"):
        return
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{member.filename}: version {version} of arrays is not known")
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
        if dtype.hasobject:
            raise ValueError("pickled objects")
        if dtype.kind not in _KINDS:
            raise ValueError(f"{member.filename} holds {dtype}, neither numbers nor text")
        stated = math.prod(shape) * dtype.itemsize
        if min(shape, default=1) < 0 or file.tell() + stated != member.file_size:
            raise ValueError(f"{member.filename} has not the bytes of an array {list(shape)}")
