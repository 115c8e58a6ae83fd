"""Fetching MNIST once, with its authors' checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import atomic_output, cache_folder, reason

#: The four files and their MD5 sums as published with them.
MNIST = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_TIMEOUT_SECONDS = 20
_LARGEST = 50_000_000  # bytes; the largest of the four has 9.9 million


def fetch_mnist(folder: Path | None = None, mirrors: Sequence[str] = MIRRORS) -> Path:
    """Return a folder with MNIST's four files; those that are missing or damaged are fetched.

    Raises:
        MusaeError: no mirror answers with the right files; says how to go on without a network.
    """
    folder = folder or cache_folder() / "mnist"
    missing = [name for name in MNIST if not _right(folder / name)]
    if not missing:
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MusaeError(f"{folder}: cannot be made: {reason(error)}") from error
    for name in missing:
        _fetch(name, folder, mirrors)
    return folder


def _right(path: Path) -> bool:
    try:
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == MNIST[path.name]
    except OSError:
        return False


def _fetch(name: str, folder: Path, mirrors: Sequence[str]) -> None:
    from urllib.request import urlopen

    why = "no mirror is known"
    for mirror in mirrors:
        try:
            with urlopen(mirror + name, timeout=_TIMEOUT_SECONDS) as answer:
                data = answer.read(_LARGEST)
        except (OSError, ValueError) as error:  # URLError is an OSError
            why = f"{mirror}: {getattr(error, 'reason', None) or error}"
            continue
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != MNIST[name]:
            why = f"{mirror}{name}: has the wrong checksum"
            continue
        with atomic_output(folder / name, overwrite=True) as part:
            part.write_bytes(data)
        return
    raise MusaeError(
        f"MNIST cannot be fetched ({why}); put its four .gz files into a folder and name it with "
        f"--data, or into {folder}"
    )
