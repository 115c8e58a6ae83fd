"""Noisy recordings beside their clean ones, as folders hold them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from musicvae_lite.audio.recordings import SUFFIXES
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.audio import Audio, read_audio


class Pair(NamedTuple):
    """A noisy recording, its clean one, and the name of the two."""

    name: str
    noisy: Path
    clean: Path


def find_pairs(folder: Path) -> list[Pair]:
    """Return the pairs of a folder: NAME.noisy.wav beside NAME.clean.wav, or noisy/NAME.wav and
    clean/NAME.wav.

    Returns:
        In order of name; none where the folder holds nothing of the kind.

    Raises:
        MusaeError: if a noisy recording has no clean one.
    """
    if not folder.is_dir():
        return []
    if (folder / "noisy").is_dir() and (folder / "clean").is_dir():
        found = [
            Pair(file.stem, file, folder / "clean" / file.name)
            for file in _sounds(folder / "noisy")
        ]
    else:
        marked = [file for file in _sounds(folder) if file.stem.endswith(".noisy")]
        stems = [(file, file.stem.removesuffix(".noisy")) for file in marked]
        found = [
            Pair(stem, file, file.with_name(f"{stem}.clean{file.suffix}")) for file, stem in stems
        ]
    for pair in found:
        if not pair.clean.is_file():
            raise MusaeError(
                f"{pair.noisy}: has no clean recording beside it ({pair.clean.name} is missing)"
            )
    return found


def _sounds(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )


def read_pair(pair: Pair) -> tuple[Audio, Audio]:
    """Read both recordings.

    Raises:
        UsageError: if they differ in rate, channels or length.
        MusaeError: if one cannot be read.
    """
    noisy, clean = read_audio(pair.noisy), read_audio(pair.clean)
    if noisy.rate != clean.rate or noisy.samples.shape != clean.samples.shape:
        raise UsageError(
            f"{pair.noisy}: differs from {pair.clean.name} in rate, channels or length"
        )
    return noisy, clean
