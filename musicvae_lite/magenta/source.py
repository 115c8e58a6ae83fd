"""What a file of foreign weights offers, and reading parts of files that may lie about
themselves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import reason

#: Numbers in one set of weights; Magenta's largest model has 251 million.
MAX_NUMBERS = 2**30

#: What an optimiser leaves in a checkpoint beside the model.
_OPTIMISER = re.compile(r"(^|/)(Adam|Adam_1|beta[12]_power|global_step)$")


class CheckpointError(MusaeError):
    """A file of weights that cannot be used."""


@dataclass(frozen=True)
class Weights:
    """Tensors of a model by their names in a foreign file.

    Attributes:
        where: the file, for messages.
        kind: its format, in words.
        shapes: of each tensor of the model; the optimiser's are left out.
        read: returns one of them as float32, checked.
        step: training steps behind it, or None where that is not known.
        files: names of the files read.
    """

    where: str
    kind: str
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], NDArray[np.float32]]
    step: int | None = None
    files: tuple[str, ...] = field(default=())


def of_model(name: str) -> bool:
    """Say whether a tensor is one of the model, not of its optimiser."""
    return not _OPTIMISER.search(name)


def check_numbers(where: str, shapes: Iterable[tuple[int, ...]]) -> None:
    """Refuse more numbers than any model of this kind has, before memory is taken.

    Raises:
        CheckpointError: naming how many there are.
    """
    total = sum(math.prod(shape) for shape in shapes)
    if total > MAX_NUMBERS:
        raise CheckpointError(
            f"{where}: asks for {total:,} numbers; models of this kind have up to {MAX_NUMBERS:,}"
        )


def base_name(path: str) -> str:
    """Return the last part of a path of either kind of system: never a way out of a folder."""
    return PurePosixPath(PureWindowsPath(path).as_posix()).name


@dataclass(frozen=True)
class Blob:
    """A range of bytes of a file: a whole file, or a member of a tar file.

    Attributes:
        path: the file.
        name: what messages call the range.
        start: offset of its first byte in the file.
        size: number of bytes.
    """

    path: Path
    name: str
    start: int
    size: int

    @classmethod
    def of(cls, path: Path) -> Blob:
        """Return a whole file.

        Raises:
            CheckpointError: if there is none or it may not be read.
        """
        try:
            if not path.is_file():
                raise CheckpointError(
                    f"{path}: no such file; a checkpoint is copied with all its files"
                )
            return cls(path, str(path), 0, path.stat().st_size)
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read: {reason(error)}") from error

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """Return ``size`` bytes (default: all) from ``offset`` on.

        Raises:
            CheckpointError: if the range does not lie inside, or the file cannot be read.
        """
        size = self.size - offset if size is None else size
        if offset < 0 or size < 0 or offset + size > self.size:
            asked = f"bytes {offset:,} to {offset + size:,}"
            raise CheckpointError(
                f"{self.name}: is damaged or truncated ({asked} are asked for, it has "
                f"{self.size:,})"
            )
        try:
            with self.path.open("rb") as file:
                file.seek(self.start + offset)
                data = file.read(size)
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot be read: {reason(error)}") from error
        if len(data) != size:
            raise CheckpointError(
                f"{self.name}: is truncated ({len(data):,} of {size:,} bytes are there)"
            )
        return data


def whole_number(value: Any, most: int = 2**48) -> bool:
    """Say whether a value of a JSON file is a whole number from 0 to ``most``."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
