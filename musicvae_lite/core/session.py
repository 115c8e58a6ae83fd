"""The interface that the sessions of all media share: a trained model, ready for use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from musicvae_lite.core.latent import Latent


class Session(Protocol):
    """A trained model on one device.

    What an item is depends on the medium: a MIDI file or score, images as arrays, a sound file.
    Where a medium cannot do something, the method says so by a ``UsageError``. Each medium's own
    class has more methods, and precise types: ``MusicSession``, ``ImageSession``,
    ``DenoiseSession``, ``TimbreSession``; :func:`musicvae_lite.load_as` returns them.

    Attributes:
        name: what messages call the model.
        seed: of every draw for which no other seed is given.
        latent_size: Z, numbers of a code.
        unit: what the model is of: ``music``, ``pictures``, ``noisy sound`` or ``timbre``.
    """

    name: str
    seed: int
    unit: Any

    @property
    def latent_size(self) -> int:
        """Numbers of a code."""
        ...

    def encode(self, item: Any, /) -> Latent:
        """Return the posterior of an item, mean [N, Z]."""
        ...

    def decode(self, z: Any, /) -> Any:
        """Return codes [N, Z] as an item."""
        ...

    def reconstruct(self, item: Any, /) -> Any:
        """Return what the model makes of an item."""
        ...

    def sample(self, count: int = 1) -> Any:
        """Draw new items from the prior."""
        ...

    def interpolate(self, a: Any, b: Any, /, steps: int = 9) -> Any:
        """Return the items on the path between two."""
        ...
