"""A handle on a model folder: read once, its weights not yet; all that can be checked
before torch.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, overload, runtime_checkable

from musicvae_lite.config import RunConfig
from musicvae_lite.core.codec import Codec, build_codec
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.medium import Medium, medium_of
from musicvae_lite.model_dir.bundle import DEFAULT_MODEL, Description, describe, load_bundle

if TYPE_CHECKING:
    from musicvae_lite.audio.denoise.session import DenoiseSession
    from musicvae_lite.core.session import Session
    from musicvae_lite.images.session import ImageSession
    from musicvae_lite.music.session import MusicSession

S = TypeVar("S")

#: The shipped models of music and of images, by name.
MusicModel = Literal[
    "drums-2bar",
    "groove-2bar",
    "jig-2bar",
    "mel-16bar",
    "mel-2bar",
    "mel-2bar-chords",
    "trio-16bar",
    "waltz-2bar",
]
ImageModel = Literal["mnist-ae", "mnist-denoise", "mnist-superres", "mnist-vae"]


@runtime_checkable
class LightMedium(Protocol):
    """A medium whose models can be computed without torch."""

    def sooner(self, description: Description, codec: Codec, windows: int) -> bool:
        """Say whether so many windows are likely computed before torch is loaded."""
        ...

    def light(self, description: Description, codec: Codec, name: str, seed: int) -> Session:
        """Return a session that needs no torch."""
        ...


@dataclass(frozen=True)
class Handle:
    """A model folder whose description was read.

    Attributes:
        name: what the user calls the model: a shipped name or a folder.
        description: what the folder says of itself.
    """

    name: str
    description: Description

    @property
    def config(self) -> RunConfig:
        """The run that made the model."""
        return self.description.config

    @cached_property
    def medium(self) -> Medium:
        """What the model is of."""
        return medium_of(self.config)

    @cached_property
    def codec(self) -> Codec:
        """What its arrays mean."""
        return build_codec(self.config.codec.model_dump())

    def load(self, device: str = "auto", seed: int = 0, windows: int | None = None) -> Session:
        """Load the weights; see :func:`load`.

        Args:
            device: where the model runs.
            seed: of every draw for which no other seed is given.
            windows: how many windows will be computed, where torch itself is not needed: where it
                is not loaded yet and would take longer than they do, it stays so. Where torch is
                not installed, it never is loaded.
        """
        if self._lightly(device, windows):
            from musicvae_lite.core.validation import seed_of

            assert isinstance(self.medium, LightMedium)
            return self.medium.light(self.description, self.codec, self.name, seed_of(seed))
        from musicvae_lite.core.batched import one_thread
        from musicvae_lite.core.devices import resolve_device
        from musicvae_lite.core.validation import seed_of

        place, seed = resolve_device(device), seed_of(seed)
        with one_thread():
            bundle = load_bundle(self.description, place, self.codec)
            return self.medium.session(bundle, self.name, seed)

    def _lightly(self, device: str, windows: int | None) -> bool:
        """Say whether the model is to be computed without torch.

        Raises:
            UsageError: it cannot be, and there is no torch.
        """
        able = isinstance(self.medium, LightMedium) and device in ("auto", "cpu")
        if not _torch_installed():
            if not able:
                what = f"models of {self.medium.words.content}" if device == "auto" else device
                raise UsageError(f"{self.name}: {what} need torch; pip install torch")
            return True
        if windows is None or not able or "torch" in sys.modules:
            return False
        assert isinstance(self.medium, LightMedium)
        return self.medium.sooner(self.description, self.codec, windows)

    def load_as(
        self, kind: type[S], device: str = "auto", seed: int = 0, windows: int | None = None
    ) -> S:
        """Load the weights of a model that must be of one medium; see :meth:`load`."""
        session = self.load(device, seed, windows)
        if not isinstance(session, kind):
            wanted = getattr(kind, "unit", kind.__name__)
            raise UsageError(f"{self.name} is a model of {session.unit}, not of {wanted}")
        return session


def _torch_installed() -> bool:
    try:
        return find_spec("torch") is not None
    except ValueError:  # somebody keeps it from being imported
        return False


def open_model(name: str | Path = DEFAULT_MODEL) -> Handle:
    """Read what a model folder says of itself, without its weights and without torch.

    Args:
        name: name of a shipped model, or a model folder.

    Raises:
        UsageError: no such model.
        MusaeError: the folder is no model folder, of another version, or damaged.
    """
    return Handle(str(name), describe(name))


@overload
def load(model: MusicModel = "mel-2bar", device: str = "auto", seed: int = 0) -> MusicSession: ...
@overload
def load(model: ImageModel, device: str = "auto", seed: int = 0) -> ImageSession: ...
@overload
def load(model: Literal["denoise"], device: str = "auto", seed: int = 0) -> DenoiseSession: ...
@overload
def load(model: str | Path, device: str = "auto", seed: int = 0) -> Session: ...
def load(model: str | Path = DEFAULT_MODEL, device: str = "auto", seed: int = 0) -> Session:
    """Load a model for use.

    Args:
        model: name of a shipped model, or a model folder.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        seed: of every draw for which no other seed is given.

    Returns:
        A session of the model's medium. The type checker knows it of shipped models by their names;
        see :func:`load_as` for others.

    Raises:
        UsageError: no such model or device.
        MusaeError: the folder is foreign, truncated or damaged.
    """
    return open_model(model).load(device, seed)


def load_as(
    kind: type[S], model: str | Path = DEFAULT_MODEL, device: str = "auto", seed: int = 0
) -> S:
    """Load a model that must be of one medium, for its own methods and types; see :func:`load`.

    Args:
        kind: ``MusicSession``, ``ImageSession``, ``DenoiseSession`` or ``TimbreSession``.
        model: name of a shipped model, or a model folder.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        seed: of every draw for which no other seed is given.

    Raises:
        UsageError: no such model or device, or it is of another medium.
        MusaeError: the folder is foreign, truncated or damaged.
    """
    return open_model(model).load_as(kind, device, seed)
