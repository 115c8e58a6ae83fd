"""A handle on a model folder: read once, its weights not yet; all that can be checked before torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, overload

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

    def load(self, device: str = "auto", seed: int = 0) -> Session:
        """Load the weights; see :func:`load`."""
        from musicvae_lite.core.batched import one_thread
        from musicvae_lite.core.devices import resolve_device
        from musicvae_lite.core.validation import seed_of

        place, seed = resolve_device(device), seed_of(seed)
        with one_thread():
            bundle = load_bundle(self.description, place, self.codec)
            return self.medium.session(bundle, self.name, seed)

    def load_as(self, kind: type[S], device: str = "auto", seed: int = 0) -> S:
        """Load the weights of a model that must be of one medium; see :func:`load_as`."""
        session = self.load(device, seed)
        if not isinstance(session, kind):
            wanted = getattr(kind, "unit", kind.__name__)
            raise UsageError(f"{self.name} is a model of {session.unit}, not of {wanted}")
        return session


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
