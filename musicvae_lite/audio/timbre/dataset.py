"""Sounds by themselves: clips of recordings (or of MIDI files that are played) for a model of
timbre.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.audio.codec import SoundCodec
from musicvae_lite.audio.denoise.dataset import MEASURED_EPOCH, Shelf, fingerprint, shares
from musicvae_lite.audio.denoise.mixtures import Segments
from musicvae_lite.audio.denoise.noises import unit
from musicvae_lite.audio.timbre.evaluate import TimbreMeasures, evaluate_timbre
from musicvae_lite.audio.timbre.model import TimbreAutoencoder
from musicvae_lite.config import MixtureSettings, RunConfig, SoundCodecSettings, TimbreModel
from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.dataset import Dataset, Measured
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.files import cache_folder
from musicvae_lite.plotting import tile

_SHOWN = 12
_BATCH = 32


class TimbreDataset(Dataset):
    """Random clips at random levels.

    Other files than those that are learned from are held out, where there are enough.

    Args:
        train: what is learned from.
        valid: what is measured on.
        config: the run.
        sources: see :class:`Dataset`.
        fingerprints: see :class:`Dataset`.
        held_out: whether ``valid`` holds other files than ``train``.
    """

    unit = "clips"

    def __init__(
        self,
        train: Segments,
        valid: Segments,
        config: RunConfig,
        sources: list[dict[str, Any]],
        fingerprints: list[str],
        held_out: bool,
        notice: str = "",
    ) -> None:
        self.train, self.valid, self.codec = train, valid, _codec(config)
        self.settings = config.data.mixture or MixtureSettings()
        self.count = min(config.training.valid_windows, 1000)
        self.sources, self.fingerprints, self.held_out, self.notice = (
            sources,
            fingerprints,
            held_out,
            notice,
        )

    @classmethod
    def open(cls, config: RunConfig, sources: Sequence[str | Path]) -> TimbreDataset:
        """Open folders of recordings or MIDI files.

        The first time each file is converted and kept in the cache folder.

        Raises:
            UsageError: no source is named.
            NothingUsableError: a folder holds nothing that can be used.
            MusaeError: a path does not exist, or FluidSynth is needed and missing.
        """
        codec = _codec(config)
        if not sources:
            raise UsageError(
                f"{config.name} learns from sounds; name a folder of recordings or MIDI files "
                "with --data"
            )
        shelf = Shelf(
            cache_folder() / "sound",
            codec.rate,
            config.data.mixture or MixtureSettings(),
            config.seed,
        )
        train, valid = shelf.clean([Path(source) for source in sources])
        facts = [
            {"name": Path(name).name, "windows": count, "rights": ""}
            for name, count in zip(sources, shelf.counts, strict=True)
        ]
        held_out = len(valid) > 0
        fingerprints = [fingerprint(Path(name)) for name in sources]
        return cls(
            train, valid if held_out else train, config, facts, fingerprints, held_out, shelf.notice
        )

    def __len__(self) -> int:
        return self.settings.epoch

    def batches(
        self, device: torch.device, size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield the clips of one epoch; see :meth:`Dataset.batches`."""
        for places in shares(len(self), size, rank, world):
            yield self._batch(self.train, places, (seed, epoch), device)

    def _batch(
        self, segments: Segments, places: range, seed: tuple[int, int], device: torch.device
    ) -> Batch:
        clips = torch.from_numpy(
            np.stack([self._clip(segments, (*seed, place)) for place in places])
        ).to(device)
        return Batch(clips, clips)

    def _clip(self, segments: Segments, seed: tuple[int, ...]) -> NDArray[np.float32]:
        random = np.random.default_rng(seed)
        wave = unit(segments.draw(random, self.codec.samples))
        return wave * np.float32(10 ** (random.uniform(*self.settings.level_db) / 20))

    def held_out_batches(
        self, device: torch.device, seed: int, count: int | None = None
    ) -> Iterator[Batch]:
        """Yield ``count`` clips of what is held out (by default as many as the run says).

        The same ones every time.
        """
        count = count or self.count
        for first in range(0, count, _BATCH):
            yield self._batch(
                self.valid, range(first, min(first + _BATCH, count)), (seed, MEASURED_EPOCH), device
            )

    def measure_clips(
        self, model: Autoencoder, seed: int, count: int | None = None
    ) -> TimbreMeasures:
        """Measure on clips of what is held out."""
        return evaluate_timbre(
            model, self.held_out_batches(next(model.parameters()).device, seed, count), seed
        )

    def measure(self, model: Autoencoder, seed: int) -> Measured:
        """Measure on clips of what is held out.

        See :class:`musicvae_lite.audio.timbre.evaluate.TimbreMeasures`.
        """
        measures = self.measure_clips(model, seed)
        return Measured(measures.as_dict(), measures.nll_nats, measures.kl_bits)

    @torch.inference_mode()
    def picture(self, model: Autoencoder) -> NDArray[np.float64]:
        """Show the levels of a few held-out clips, and below what the model makes of them, low
        notes at the bottom.
        """
        assert isinstance(model, TimbreAutoencoder)
        batch = next(self.held_out_batches(next(model.parameters()).device, 0, _SHOWN))
        decoded = model.decode(model.encode(batch).latent.mean, model.frames).mT
        rows = (model.levels(batch.x), decoded)
        return tile([row.flip(1).unsqueeze(-1).cpu().double().numpy() for row in rows])


def _codec(config: RunConfig) -> SoundCodec:
    if not isinstance(config.codec, SoundCodecSettings) or not isinstance(
        config.model, TimbreModel
    ):
        raise UsageError(f"{config.name} is no model of timbre")
    return SoundCodec(config.codec.rate, config.codec.seconds)
