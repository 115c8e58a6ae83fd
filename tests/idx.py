"""Small files in MNIST's format."""

import gzip
import struct
from pathlib import Path

import numpy as np


def idx_bytes(array: np.ndarray) -> bytes:
    """Return bytes [N, ...] as the content of an IDX file."""
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(np.uint8).tobytes()
    )


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write bytes as an IDX file, gzipped where the name says so."""
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def mnist_folder(folder: Path, images: np.ndarray, labels: np.ndarray, end: str = ".gz") -> Path:
    """Write MNIST's four files: the first three quarters for training, the rest for testing."""
    folder.mkdir(exist_ok=True)
    first = len(images) * 3 // 4
    for part, rows in (("train", slice(0, first)), ("t10k", slice(first, None))):
        write_idx(folder / f"{part}-images-idx3-ubyte{end}", images[rows])
        write_idx(folder / f"{part}-labels-idx1-ubyte{end}", labels[rows])
    return folder
