"""Codecs: from what a user has (scores, images, recordings) to arrays that a model reads, and back.

A codec is a class with a ``kind``, found by that name in :mod:`musicvae_lite.core.registry`.
Nothing here imports torch.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np

from musicvae_lite.core import registry
from musicvae_lite.core.errors import UsageError, suggest


class Codec(ABC):
    """What a model's arrays mean.

    A window is the array of one example: steps (or events) of music, an image, a clip of sound.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one window: (T,) or (T, K) for music, (H, W) or (H, W, 3) for images."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers in a window."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return plain data from which :func:`build_codec` builds an equal codec."""


@cache
def codec_kinds() -> dict[str, type[Codec]]:
    """Return every codec that is installed by its ``kind``."""
    return registry.load_all("codecs")


def build_codec(config: Mapping[str, Any]) -> Codec:
    """Build the codec that ``config`` describes: its ``kind`` and the arguments of its constructor.

    Raises:
        UsageError: if kind, an argument or a value is not known.
    """
    arguments = dict(config)
    kind = str(arguments.pop("kind", None))
    cls: type[Codec] = registry.load("codecs", kind)
    valid = inspect.signature(cls).parameters
    for name in arguments:
        if name not in valid:
            raise UsageError(f"codec {kind!r} has no setting {name!r}; {suggest(name, valid)}")
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(f"codec {kind!r}: {error}") from error
