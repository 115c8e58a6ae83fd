"""Sessions of music without torch: when, and how. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musicvae_lite.core.errors import UsageError
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.engine import Light

if TYPE_CHECKING:
    from musicvae_lite.core.codec import Codec
    from musicvae_lite.model_dir.bundle import Description
    from musicvae_lite.music.session import MusicSession

# Weights times steps, up to which NumPy is done before torch is loaded: it needs about as long for
# a window as torch does, and torch's loading some 1.3 s. That is 400 windows of two bars, or 11 of
# a trio of 16.
_WORK = 3e10
_PARAMETERS = 3e7  # larger models are bound by memory: a product of matrices reads weights once


def sooner(description: Description, codec: Codec, windows: int) -> bool:
    """Say whether NumPy is likely to compute so many windows before torch is loaded."""
    if not isinstance(codec, ScoreCodec) or not _known(description, codec):
        return False
    size = description.parameters
    return size <= _PARAMETERS and windows * codec.steps * size <= _WORK


def _known(description: Description, codec: ScoreCodec) -> bool:
    """Say whether all parts of a model can be computed by NumPy."""
    from musicvae_lite.music.portable.model import decoding_of

    try:
        decoding_of(description.config, codec)
    except UsageError:
        return False
    return True


def open_light(description: Description, codec: Codec, name: str, seed: int) -> MusicSession:
    """Return a session whose model NumPy computes.

    Raises:
        UsageError: it is no model of music, or has parts that only torch computes.
        MusaeError: the weights are missing or damaged.
    """
    from musicvae_lite.music.portable.engine import NumpyEngine
    from musicvae_lite.music.session import MusicSession

    if not isinstance(codec, ScoreCodec):
        raise UsageError(f"{name} is no model of music")
    if not _known(description, codec):
        raise UsageError(f"{name} has parts that need torch; pip install torch")
    return MusicSession(Light(description, codec), name, seed, NumpyEngine(description, codec))
