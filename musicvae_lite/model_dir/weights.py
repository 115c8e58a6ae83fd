"""Weights in safetensors files, checked before memory is taken: by the file's header, whose sizes
the file must have, and while the model is built, which may not have more than the file.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import reason
from musicvae_lite.core.limits import check_regular, read_regular
from musicvae_lite.core.text import one_line

if TYPE_CHECKING:
    import torch
    from torch import nn

Shapes = dict[str, tuple[int, ...]]

_HEADER_BYTES = 2**24  # 100,000 tensors
_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL"), 1),
}


def read_shapes(path: Path) -> Shapes:
    """Return the shape of each tensor of a file, from its header alone.

    Raises:
        MusaeError: absent, no safetensors file, or one that has not the sizes that it states; a
            tensor without numbers.
    """
    try:
        size = check_regular(path)
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_HEADER_BYTES, size - 8):
                raise ValueError("its header is longer than the file or than any header")
            header = json.loads(file.read(length))
        shapes, ends = _read_header(header)
        if max(ends, default=0) != size - 8 - length:
            raise ValueError(
                f"its header states {max(ends, default=0):,} bytes of numbers, "
                f"{size - 8 - length:,} are there"
            )
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MusaeError(
            f"{path}: is damaged or truncated ({error}); copy the folder again"
        ) from error
    return shapes


def _read_header(header: Any) -> tuple[Shapes, list[int]]:
    """Return the shapes of tensors and where each ends.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: what is stated cannot be.
    """
    shapes: Shapes = {}
    ends = []
    for name, facts in header.items():
        if name == "__metadata__":
            continue
        shape, (start, end) = tuple(facts["shape"]), facts["data_offsets"]
        if not all(type(number) is int and number >= 0 for number in (*shape, start, end)):
            raise ValueError(f"the sizes of {one_line(name)} are no whole numbers")
        count = math.prod(shape)
        if not count:
            raise ValueError(f"{one_line(name)} holds no numbers, its shape is {list(shape)}")
        if end - start != count * _BYTES[facts["dtype"]]:
            raise ValueError(f"{one_line(name)} has not the bytes that its shape needs")
        shapes[name] = shape
        ends.append(end)
    return shapes, ends


@contextmanager
def no_larger_than(shapes: Shapes, path: Path) -> Iterator[None]:
    """Refuse, for the block, to build a model of more tensors or numbers than a file has.

    Each parameter is counted when it is registered with its module, before it is filled: until then
    its memory is an address and no page. So a model that asks for a thousand times the memory of
    the machine ends with its first layer. Three times as many are allowed, for some parts are made
    of layers that are dropped again; :func:`check_shapes` then compares exactly.

    Raises:
        MusaeError: the settings ask for more than ``path`` holds.
    """
    numbers = sum(math.prod(shape) for shape in shapes.values())
    with at_most(1000 + 10 * len(shapes), 3 * numbers):
        try:
            yield
        except TooLarge:
            raise MusaeError(
                f"{path}: does not fit the settings (they ask for more than its {len(shapes):,} "
                f"tensors of {numbers:,} numbers)"
            ) from None
        except (RuntimeError, MemoryError, OverflowError, ValueError) as error:
            raise MusaeError(
                f"{path}: does not fit the settings, which make no model ({error})"
            ) from error


#: Bytes of a number while it is trained on a CPU: the weight, its gradient, Adam's two moments and
#: the average.
_TRAINED_BYTES = 20
_MOST_TENSORS = 100_000


@contextmanager
def no_larger_than_memory(name: str) -> Iterator[None]:
    """Refuse, for the block, to build a model that could not be trained in the memory there is.

    Raises:
        UsageError: the settings of the run ``name`` ask for more.
    """
    most = memory_bytes() // _TRAINED_BYTES
    with at_most(_MOST_TENSORS, most):
        try:
            yield
        except TooLarge:
            raise UsageError(
                f"{name}: its model takes more memory than there is here, to train more than "
                f"{most:,} weights; choose smaller sizes (--set model...)"
            ) from None


def memory_bytes() -> int:
    """Return the memory that this process may take: the machine's, or its container's where that is
    less.
    """
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # a system that does not say
        return 2**40
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return int(physical)
    return min(int(limit), int(physical)) if limit.isdecimal() else int(physical)


class TooLarge(Exception):
    """A model has more weights than it may have."""


@contextmanager
def at_most(tensors: int, numbers: int) -> Iterator[None]:
    """Raise :class:`TooLarge` in the block where modules of this thread register more parameters
    than so many tensors or numbers.
    """
    from torch.nn.modules.module import register_module_parameter_registration_hook

    mine, found = threading.get_ident(), [0, 0]

    def count(module: nn.Module, name: str, parameter: Any) -> None:
        if parameter is None or threading.get_ident() != mine:
            return
        found[0] += 1
        found[1] += parameter.numel()
        if found[0] > tensors or found[1] > numbers:
            raise TooLarge

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def check_shapes(path: Path, expected: Mapping[str, torch.Tensor], found: Shapes) -> None:
    """Refuse weights that are not those of a model.

    Args:
        path: of the weights.
        expected: the model's tensors.
        found: what the file has.

    Raises:
        MusaeError: naming the first tensor that does not fit.
    """
    wanted = {key: tuple(value.shape) for key, value in expected.items()}
    if wanted == found:
        return
    wrong = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k))
    first = wrong[0]
    detail = (
        f"{one_line(first)} is {found.get(first, 'missing')}, the settings ask for "
        f"{wanted.get(first, 'none')}"
    )
    raise MusaeError(f"{path}: does not fit the settings in {len(wrong)} tensors ({detail})")


def read_tensors(
    path: Path, sha256: object, named_in: str = "config.json"
) -> dict[str, torch.Tensor]:
    """Read the tensors of a file, whose header was checked by :func:`read_shapes`.

    Args:
        path: of the file.
        sha256: its checksum.
        named_in: the file beside it that names that.

    Raises:
        MusaeError: the file cannot be read, or is not the one of that checksum.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        data = read_regular(path, check_regular(path))
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedError(
            f"{path}: is damaged or truncated (its checksum is not the one in {named_in}); "
            "copy the folder again"
        )
    try:
        return load(data)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise MusaeError(f"{path}: is not a safetensors file ({error})") from error


class DamagedError(MusaeError):
    """Weights that do not have the checksum that their folder names."""


def check_finite(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse weights that are no numbers.

    A sum is finite where all its terms are, and a fiftieth of the time that the checksum takes.

    Raises:
        MusaeError: naming the first tensor with NaN or infinity.
    """
    import torch

    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or math.isfinite(float(tensor.sum())):
            continue
        if not bool(torch.isfinite(tensor).all()):  # a sum may also be infinite where no term is
            raise MusaeError(
                f"{path}: {one_line(name)} holds numbers that are not finite (NaN or infinity): "
                "the training went wrong or the file is damaged, and the model cannot be used"
            )
