"""A medium: all that the library needs to know of music, of images or of sound, in one object.

The core knows no medium by name. Each is found in :mod:`musicvae_lite.core.registry` by the kind of
its models, and imported on first use; another package can add one. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from musicvae_lite.core import registry

if TYPE_CHECKING:
    from musicvae_lite.config import RunConfig
    from musicvae_lite.core.autoencoder import Autoencoder
    from musicvae_lite.core.codec import Codec
    from musicvae_lite.core.dataset import Dataset
    from musicvae_lite.core.evaluation import EvalRequest, Evaluation
    from musicvae_lite.core.session import Session
    from musicvae_lite.model_dir.bundle import Bundle
    from musicvae_lite.model_dir.handle import Handle


@dataclass(frozen=True)
class Words:
    """How messages, cards and JSON speak of a medium.

    Attributes:
        content: what its files hold: ``music``, ``pictures`` or ``sound``.
        unit: what examples are called, in the plural.
        item: one example, with its article.
        preset: a preset that trains a model of it.
    """

    content: str
    unit: str
    item: str
    preset: str


@dataclass(frozen=True)
class CardText:
    """What a model card says beside figures.

    Attributes:
        model: the network, in a line.
        input: what it reads, in a line.
        use: a command that uses it.
        drawn: how the likelihood is measured.
        held_out: what the measures are of.
        seen: the same where nothing was held out.
        limits: what it cannot do, a line each.
        measures: meaning and format of each measure by its name, in the order of the table.
    """

    model: str
    input: str
    use: str
    drawn: str
    held_out: str
    seen: str
    limits: Sequence[str]
    measures: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Medium(Protocol):
    """What a kind of model is for: how it is built, trained, measured, used and described.

    Attributes:
        name: ``music``, ``images``, ``denoise`` or ``timbre``, or that of another package.
        words: how messages speak of it.
        suffixes: of the files that it reads.
    """

    @property
    def name(self) -> str:
        """Word by which the registry knows it."""
        ...

    @property
    def words(self) -> Words:
        """How messages speak of it."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Ends of the names of the files that it reads, with the dot."""
        ...

    def model(self, config: RunConfig, codec: Codec) -> Autoencoder:
        """Build the model of a run, with weights at their start."""
        ...

    def dataset(
        self, config: RunConfig, sources: Sequence[str | Path], tell: Callable[[str], None]
    ) -> Dataset:
        """Open what a run is trained on; see :func:`open_dataset`."""
        ...

    def evaluate(self, handle: Handle, request: EvalRequest) -> Evaluation:
        """Measure a model; see :func:`musicvae_lite.evaluation.evaluate`."""
        ...

    def session(self, bundle: Bundle, name: str, seed: int) -> Session:
        """Return a model ready for use."""
        ...

    def card(self, config: RunConfig) -> CardText:
        """Return what a model's card says of it."""
        ...


def medium_of(config: RunConfig) -> Medium:
    """Return the medium of a run, by the kind of its model."""
    medium: Medium = registry.load("media", config.model.kind)
    return medium


def build_model(config: RunConfig, codec: Codec) -> Autoencoder:
    """Build the model that a run describes, for what ``codec`` makes.

    Raises:
        ValueError: the model does not go with the codec.
        UsageError: sizes do not go together.
    """
    return medium_of(config).model(config, codec)


def open_dataset(
    config: RunConfig,
    sources: Sequence[str | Path],
    tell: Callable[[str], None] = lambda text: None,
) -> Dataset:
    """Open what a run is trained on.

    Args:
        config: the run.
        sources: prepared corpora for music, folders or files for images (where there is none the
            run's own ``data.source``), folders of clean recordings or MIDI files for sound.
        tell: called with a sentence before something that takes long.

    Raises:
        UsageError: no source, or one that does not fit the run.
        MusaeError: a damaged source.
    """
    return medium_of(config).dataset(config, sources, tell)


def misfit(config: RunConfig, codec: Codec) -> ValueError:
    """Return the error of a model that does not read what a codec makes."""
    return ValueError(f"a {config.model.kind} model does not go with codec {codec.kind!r}")
