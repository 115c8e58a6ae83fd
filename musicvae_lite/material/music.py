"""Windows of music from prepared corpora."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.codecs.control import Control
from musicvae_lite.config import RunConfig
from musicvae_lite.corpora.store import Corpus, read_manifest
from musicvae_lite.errors import UsageError
from musicvae_lite.evaluation.sequences import evaluate_windows
from musicvae_lite.material import Material, Measured
from musicvae_lite.models import Autoencoder, Batch
from musicvae_lite.view import roll_image

_NO_SONG_HELD_OUT = (
    "no song is held out, so the measures are of songs the model has seen; "
    "prepare more files, or with --valid-fraction 0.2 --overwrite"
)
_SHOWN = 8


class MusicMaterial(Material):
    """The windows of one or several prepared corpora; whole songs are held out."""

    unit = "windows"

    def __init__(self, corpus: Corpus, manifests: Sequence[dict[str, Any]], config: RunConfig) -> None:
        self.train, valid = corpus.split("train"), corpus.split("valid")
        self.codec, self.control = corpus.codec, corpus.control
        self.transpose = config.data.transpose
        self.held_out = bool(len(valid))
        self.notice = "" if self.held_out else _NO_SONG_HELD_OUT
        self.valid = _choose(valid if len(valid) else self.train, config.training.valid_windows)
        self.fingerprints = [str(manifest["fingerprint"]) for manifest in manifests]
        self.sources = [
            {"name": name, "windows": facts["distinct"], "rights": manifest.get("rights", "")}
            for manifest in manifests
            for name, facts in manifest["sources"].items()
        ]

    @classmethod
    def open(cls, config: RunConfig, sources: Sequence[str | Path]) -> MusicMaterial:
        """Open prepared corpora.

        Raises:
            UsageError: none is named, or one was prepared for another codec.
            MusaeError: a damaged one.
        """
        if not sources:
            raise UsageError(f"{config.name} learns from a prepared corpus; name it with --data ('musae prepare' makes one)")
        size = config.model.control_size if config.model.kind == "sequence" else 0
        if size != config.control.size:
            raise UsageError(
                f"{config.name} is told of {size} control numbers a step; a corpus has those of control.chords and .key"
            )
        corpus = Corpus.open(sources)
        if corpus.control.config() != config.control.model_dump():
            raise UsageError(_told_other(config, corpus.control))
        if corpus.codec.config() != config.codec.model_dump(mode="json"):
            raise UsageError(_difference(config, corpus))
        return cls(corpus, [read_manifest(Path(folder)) for folder in sources], config)

    def __len__(self) -> int:
        return len(self.train)

    def batches(self, device: torch.device, size: int, seed: int, epoch: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Yield the windows of one epoch, transposed at random; see :meth:`Material.batches`."""
        for arrays in self.train.batches(size, seed, epoch, self.transpose, rank, world):
            tokens = torch.from_numpy(arrays.x).to(device).long()
            told = None if arrays.condition is None else torch.from_numpy(arrays.condition).to(device)
            yield Batch(tokens, tokens, condition=told)

    def measure(self, model: Autoencoder, seed: int) -> Measured:
        """Measure on held-out windows; see :class:`musicvae_lite.evaluation.sequences.Measures`."""
        valid = self.valid
        measures = evaluate_windows(model, valid.windows, seed, codec=self.codec, control=self.control, told=valid.told)
        return Measured(measures.as_dict(), measures.nll_nats, measures.kl_bits)

    @torch.inference_mode()
    def picture(self, model: Autoencoder) -> NDArray[np.float64]:
        """Show piano rolls: windows above, what the model makes of them below."""
        shown = self.valid.take(np.arange(len(self.valid))[:_SHOWN])
        device = next(model.parameters()).device
        tokens = torch.from_numpy(shown.windows.astype(np.int64)).to(device)
        told = torch.from_numpy(self.control.numbers(shown.told)).to(device) if self.control else None
        latent = model.encode(Batch(tokens, tokens, condition=told))
        heard = model.decode(latent.mean, tokens.shape[1], condition=told)
        return np.concatenate([roll_image(rows, self.codec) for rows in (shown.windows, heard.cpu().numpy())])


def _choose(held_out: Corpus, count: int) -> Corpus:
    """Return the windows to validate on, the same ones throughout the run."""
    order = torch.randperm(len(held_out), generator=torch.Generator().manual_seed(0)).numpy()
    return held_out.take(order[:count])


def _told_other(config: RunConfig, there: Control) -> str:
    wanted, found = (", ".join(key for key, on in told.items() if on) for told in (config.control.model_dump(), there.config()))
    return (
        f"the corpus tells of {found or 'nothing'} beside the music, the run needs {wanted or 'nothing'}; "
        "run 'musae prepare' with the preset or file of this run"
    )


def _difference(config: RunConfig, corpus: Corpus) -> str:
    wanted, there = config.codec.model_dump(mode="json"), corpus.codec.config()
    keys = [key for key in wanted if wanted[key] != there.get(key)]
    detail = ", ".join(f"{key} is {there.get(key)}, the run needs {wanted[key]}" for key in keys)
    return f"the corpus was prepared for another codec ({detail}); run 'musae prepare' with the preset or file of this run"
