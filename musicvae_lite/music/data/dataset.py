"""Windows of music from prepared corpora."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.config import RunConfig
from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.dataset import Dataset, Measured
from musicvae_lite.core.errors import UsageError
from musicvae_lite.model_dir.bundle import describe, load_bundle
from musicvae_lite.model_dir.prior_file import is_prior_of
from musicvae_lite.music.attribute_vectors import has_vectors
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.conditioning.control import Control
from musicvae_lite.music.data.corpus import Corpus, codec_differences, read_manifest
from musicvae_lite.music.data.groove_inputs import GrooveInputs, told
from musicvae_lite.music.evaluate.attributes import keep_vectors, learn_vectors
from musicvae_lite.music.evaluate.sequences import Told, evaluate_windows, on_device
from musicvae_lite.music.plots import roll_image
from musicvae_lite.music.prior_training import fits, learn_prior
from musicvae_lite.nn.inputs import as_events

_NO_SONG_HELD_OUT = (
    "no song is held out, so the measures are of songs the model has seen; "
    "prepare more files, or with --valid-fraction 0.2 --overwrite"
)
_SHOWN = 8
_MEASURED_EPOCH = (
    2**31 - 1
)  # no epoch of a run has this number, so that no input is both learned from and measured on


@dataclass(frozen=True, eq=False)
class Examples:
    """Windows to measure on, as a model of a run sees them.

    Attributes:
        windows: what is asked for [N, T] or [N, T, K].
        inputs: what the encoder sees, same shape.
        condition: gives the control input of some of them.
    """

    windows: NDArray[Any]
    inputs: NDArray[Any]
    condition: Told

    @classmethod
    def of(cls, windows: NDArray[Any], config: RunConfig) -> Examples:
        """Make the examples of windows, the same ones every time."""
        inputs, rows = GrooveInputs(config.data.inputs), np.arange(len(windows))
        shown = inputs(windows, rows, 0, _MEASURED_EPOCH) if len(windows) else windows
        return cls(windows, shown, lambda rows: told(windows[rows], config))

    @classmethod
    def of_corpus(cls, corpus: Corpus, config: RunConfig) -> Examples:
        """Make the examples of a corpus, with what it tells beside its windows."""
        return replace(cls.of(corpus.windows, config), condition=condition_of(corpus, config))


def condition_of(corpus: Corpus, config: RunConfig) -> Told:
    """Return what gives the control input of windows of a corpus: what it tells of them, or else
    what they tell themselves.
    """
    if corpus.control:
        return lambda rows: corpus.control.numbers(corpus.told[rows])
    return lambda rows: told(corpus.windows[rows], config)


class MusicDataset(Dataset):
    """The windows of one or several prepared corpora; whole songs are held out."""

    unit = "windows"
    finishing = "learning attribute vectors and a prior"
    later = "'musae attribute --learn' learns attribute vectors later, 'musae prior' a prior"

    def __init__(
        self, corpus: Corpus, manifests: Sequence[dict[str, Any]], config: RunConfig
    ) -> None:
        self.train, valid = corpus.split("train"), corpus.split("valid")
        self.held_out_windows = valid
        self.codec: ScoreCodec = corpus.codec
        self.config, self.transpose = config, config.data.transpose
        self.inputs = GrooveInputs(config.data.inputs) if config.data.inputs else None
        self.held_out = bool(len(valid))
        self.notice = "" if self.held_out else _NO_SONG_HELD_OUT
        self.valid = Examples.of_corpus(
            _choose(valid if len(valid) else self.train, config.training.valid_windows), config
        )
        self.fingerprints = [str(manifest["fingerprint"]) for manifest in manifests]
        self.sources = [
            {"name": name, "windows": facts["distinct"], "rights": manifest.get("rights", "")}
            for manifest in manifests
            for name, facts in manifest["sources"].items()
        ]

    @classmethod
    def open(cls, config: RunConfig, sources: Sequence[str | Path]) -> MusicDataset:
        """Open prepared corpora.

        Raises:
            UsageError: none is named, or one was prepared for another codec.
            MusaeError: a damaged one.
        """
        if not sources:
            raise UsageError(
                f"{config.name} learns from a prepared corpus; name it with --data ('musae "
                "prepare' makes one)"
            )
        size = config.model.control_size if config.model.kind == "sequence" else 0
        if (
            size != config.control.size and config.codec.kind != "groove"
        ):  # a groove itself tells of its hits
            raise UsageError(
                f"{config.name} is told of {size} control numbers a step; a corpus has those of "
                "control.chords and .key"
            )
        corpus = Corpus.open(sources)
        if corpus.control.config() != config.control.model_dump():
            raise UsageError(_told_other(config, corpus.control))
        differing = codec_differences(config, corpus)
        if differing:
            cure = "run 'musae prepare' with the preset or file of this run"
            raise UsageError(f"the corpus was prepared for another codec ({differing}); {cure}")
        return cls(corpus, [read_manifest(Path(folder)) for folder in sources], config)

    def __len__(self) -> int:
        return len(self.train)

    def batches(
        self, device: torch.device, size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield the windows of one epoch, transposed at random; see :meth:`Dataset.batches`."""
        for arrays in self.train.batches(
            size, seed, epoch, self.transpose, rank, world, self.inputs
        ):
            target = as_events(arrays.target).to(device)
            x = target if arrays.x is arrays.target else as_events(arrays.x).to(device)
            condition = (
                told(arrays.target, self.config) if arrays.condition is None else arrays.condition
            )
            yield Batch(x, target, condition=on_device(condition, device))

    def measure(self, model: Autoencoder, seed: int) -> Measured:
        """Measure on held-out windows.

        See :class:`musicvae_lite.music.evaluate.sequences.Measures`.
        """
        held_out = self.valid
        measures = evaluate_windows(
            model,
            held_out.windows,
            seed=seed,
            codec=self.codec,
            inputs=held_out.inputs,
            condition=held_out.condition,
        )
        # Of another code than a normal posterior there is no divergence to judge a run by.
        normal = getattr(self.config.model, "latent", None)
        kl_bits = measures.kl_bits if normal is None or normal.kind == "normal" else None
        return Measured(measures.as_dict(), measures.nll_nats, kl_bits)

    def finish(self, folder: Path, device: torch.device, seed: int) -> str:
        """Learn attribute vectors from up to
        :data:`~musicvae_lite.music.evaluate.attributes.WINDOWS` training windows, and a prior where
        the run says so.
        """
        bundle = load_bundle(folder.absolute(), device)  # never a shipped model of that name
        probes = self.valid.windows if self.held_out else None
        told = condition_of(self.train, self.config), self.valid.condition
        vectors = learn_vectors(
            bundle.model,
            self.codec,
            self.train.windows,
            probes,
            seed=seed,
            shown=self._shown,
            told=told,
        )
        keep_vectors(bundle.description, vectors)
        said = f"learned attribute vectors: {', '.join(vectors.names)} ('musae attribute')"
        if not self._prior_steps:
            return said
        learn_prior(bundle.description, self.train, self.held_out_windows, self._prior_steps, seed)
        return f"{said}; a prior ('musae sample')"

    def is_finished(self, folder: Path) -> bool:
        """Say whether attribute vectors and prior of these weights are there."""
        sha256 = describe(folder.absolute()).sha256
        return has_vectors(folder, sha256) and (
            not self._prior_steps or is_prior_of(folder, sha256)
        )

    @property
    def _prior_steps(self) -> int:
        """Steps of the training of a prior; 0 where none is learned."""
        steps = round(self.config.prior.share * self.config.training.steps)
        return steps if fits(self.codec) else 0

    def _shown(self, windows: NDArray[Any]) -> NDArray[Any]:
        """Return what the encoder sees of windows."""
        return Examples.of(windows, self.config).inputs

    @torch.inference_mode()
    def picture(self, model: Autoencoder) -> NDArray[np.float64]:
        """Show piano rolls: windows above, what the model makes of them below."""
        device = next(model.parameters()).device
        windows, inputs = (
            self.valid.windows[:_SHOWN],
            as_events(self.valid.inputs[:_SHOWN]).to(device),
        )
        condition = on_device(self.valid.condition(slice(_SHOWN)), device)
        mean = model.encode(Batch(inputs, inputs, condition=condition)).latent.mean
        heard = model.decode(mean, inputs.shape[1], condition=condition)
        return np.concatenate(
            [roll_image(rows, self.codec) for rows in (windows, heard.cpu().numpy())]
        )


def _choose(held_out: Corpus, count: int) -> Corpus:
    """Return the windows to validate on, the same ones throughout the run."""
    order = torch.randperm(len(held_out), generator=torch.Generator().manual_seed(0)).numpy()
    return held_out.take(order[:count])


def _told_other(config: RunConfig, there: Control) -> str:
    wanted, found = (
        ", ".join(key for key, on in told.items() if on)
        for told in (config.control.model_dump(), there.config())
    )
    return (
        f"the corpus tells of {found or 'nothing'} beside the music, the run needs "
        f"{wanted or 'nothing'}; "
        "run 'musae prepare' with the preset or file of this run"
    )
