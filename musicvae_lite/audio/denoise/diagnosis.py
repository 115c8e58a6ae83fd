"""What is wrong with a recording, how much, and the command that mends it.

The network's own judgement tells noise from music; hum and clicks are what their stages find; the
rest is measured on the samples (:mod:`musicvae_lite.audio.denoise.defects`). Long recordings are
heard in parts, spread evenly.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from musicvae_lite.audio.denoise.clicks import ClickCount
from musicvae_lite.audio.denoise.defects import Meter
from musicvae_lite.audio.denoise.denoiser import Cleaner, Wish
from musicvae_lite.audio.denoise.view import View
from musicvae_lite.media.audio import Header, Reader, Samples
from musicvae_lite.media.spectrum import BLOCK, grid_of

PART_SECONDS, PARTS = 12.0, 8  # of a long recording so much is heard, so often
_TINY = 1e-20

# From where on a fault is named: dB beside the sound, or as said.
_NOISE_DB, _HUM_DB = -34.0, -52.0
_STEADY_SHARE = 0.5  # of what is noise: it is a hiss or another steady noise
_CLICKS_EACH_SECOND, _CRACKLE_EACH_SECOND = 0.4, 7.0
_CLIPPED, _DROPPED = 2e-5, 2e-5  # of all samples
_OFFSET, _RUMBLE_DB = 0.004, -16.0
_HISS_HZ = 2000.0  # where the middle of the noise lies from here on, it is called hiss


class Defect(NamedTuple):
    """A fault.

    Attributes:
        name: ``hiss``, ``noise``, ``hum``, ``crackle``, ``clicks``, ``clipping``, ``dropouts``,
            ``rumble``, ``offset`` or ``narrow band``.
        severity: how far beyond what is named, in dB; the first of a list is the worst.
        words: how much there is.
        command: what mends it, or "" where nothing here does.
    """

    name: str
    severity: float
    words: str
    command: str


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a recording.

    Attributes:
        source: its name.
        heard_seconds: how much of it was heard.
        defects: the worst first; none of a clean one.
    """

    source: str
    heard_seconds: float
    defects: tuple[Defect, ...]

    @property
    def words(self) -> str:
        """What to tell a user, a line each."""
        if not self.defects:
            return "nothing is found to be wrong with it"
        lines = []
        for defect in self.defects:
            mend = f": {defect.command}" if defect.command else " (not mended here)"
            lines.append(f"{defect.name}, {defect.words}{mend}")
        return "\n".join(lines)


class _Heard:
    """Adds up what the stages of a cleaner find."""

    def __init__(self, rate: int) -> None:
        self._grid, self.rate = grid_of(rate), rate
        self.left = self.taken = self.beyond = self.hum = 0.0
        self._by_bin = np.zeros(self._grid.bins)

    def view(self, view: View) -> None:
        if view.account is not None:
            self.left += view.account.left
            self.taken += view.account.taken
            self.beyond += view.account.beyond
        self.hum += view.hum
        gone = (view.before - view.after).abs().square().sum((0, 2)).numpy()
        self._by_bin += gone

    @property
    def middle_hz(self) -> float:
        """Frequency below which half of what goes lies."""
        total = np.cumsum(self._by_bin)
        at = int(np.searchsorted(total, total[-1] / 2))
        return at * self.rate / self._grid.window


def diagnose(
    reader: Reader, cleaner: Cleaner, watch: Callable[[View], None] | None = None
) -> Diagnosis:
    """Say what is wrong with a recording.

    Args:
        reader: an open file.
        cleaner: the denoiser.
        watch: called with every stretch of the spectrum that was heard.
    """
    rate, channels = reader.header.rate, reader.header.channels
    heard, meter, clicks = _Heard(rate), Meter(channels, rate), ClickCount()

    begun = 0  # frames of the parts before

    def view(one: View) -> None:
        heard.view(one)
        if watch is not None:
            watch(one._replace(first=begun + one.first))

    for part in _parts(reader):
        begun = meter.samples // grid_of(rate).hop
        meter.add(part)
        for _ in cleaner.stream([part], rate, Wish(), view, clicks):
            pass
    seconds = meter.samples / rate
    found = [*_by_network(heard, clicks, seconds, channels), *_by_samples(meter)]
    named = tuple(
        defect._replace(command=_command(defect.command, reader.source))
        for defect in sorted(found, key=lambda defect: -defect.severity)
    )
    return Diagnosis(reader.source, seconds, named)


def heard_of(header: Header) -> Header:
    """Return the header of what is heard of a sound: all, or PARTS parts."""
    most = int(PARTS * int(PART_SECONDS * header.rate))
    return header._replace(samples=min(header.samples, most))


def _command(options: str, source: str) -> str:
    return f"musae denoise {shlex.quote(source)}{options.rstrip()}" if options else ""


def _parts(reader: Reader) -> Iterator[Samples]:
    """Yield the parts of a sound that are heard: all of a short one."""
    rate = reader.header.rate
    size = int(PART_SECONDS * rate)
    total = reader.header.samples
    if total <= PARTS * size:
        starts = list(range(0, max(total, 1), size))
    else:
        starts = [round(k * (total - size) / (PARTS - 1)) for k in range(PARTS)]
    held: list[Samples] = []
    first = count = 0
    for block in reader.blocks():
        held.append(block)
        count += block.shape[1]
        while starts and first + count >= starts[0] + size:
            whole = np.concatenate(held, 1)
            at = starts.pop(0) - first
            yield whole[:, at : at + size]
            held, first, count = [whole[:, at + size :]], first + at + size, count - at - size
        if starts and first + count < starts[0]:
            held, first, count = [], first + count, 0
    if starts and count:
        whole = np.concatenate(held, 1)
        if whole.shape[1] >= BLOCK:
            yield whole[:, -size:]


def _by_network(
    heard: _Heard, clicks: ClickCount, seconds: float, channels: int
) -> Iterator[Defect]:
    """Yield the faults that the stages of the cleaner found."""
    noise, hum = (_db(part, heard.left) for part in (heard.taken, heard.hum))
    if noise > _NOISE_DB:
        hissing = heard.middle_hz > _HISS_HZ and _db(heard.beyond, heard.taken) < -3
        name = "hiss" if hissing else "noise"
        yield Defect(name, noise - _NOISE_DB, f"{-noise:.0f} dB below the sound", " ")
    if hum > _HUM_DB:
        yield Defect("hum", hum - _HUM_DB, f"{-hum:.0f} dB below the sound", " --only hum")
    rate = clicks.clicks / max(seconds * channels, _TINY)
    if rate > _CLICKS_EACH_SECOND:
        name = "crackle" if rate > _CRACKLE_EACH_SECOND else "clicks"
        severity = 25 + 10 * math.log10(rate / _CLICKS_EACH_SECOND)
        yield Defect(name, severity, f"{rate:.1f} a second", " --only crackle")


def _by_samples(meter: Meter) -> Iterator[Defect]:
    """Yield the faults that the samples show."""
    if meter.clipped > _CLIPPED:
        share = f"{100 * meter.clipped:.2g} % of the samples at {meter.clip_level:.2f}"
        yield Defect("clipping", 28 + _db(meter.clipped, _CLIPPED), share, "")
    dropped = meter.dropped / max(meter.samples, 1)
    if dropped > _DROPPED:
        words = f"{meter.dropouts} gaps, {1000 * meter.dropped / meter.rate:.0f} ms in all"
        yield Defect("dropouts", 30 + _db(dropped, _DROPPED), words, "")
    beside = meter.offset / (math.sqrt(meter.mean_square) + _TINY)
    if meter.offset > _OFFSET and beside > 0.03:
        yield Defect(
            "offset", 20 + _db(beside, 0.03), f"{100 * meter.offset:.1f} % of full scale", ""
        )
    rumble = meter.rumble_db()
    if meter.peak and rumble > _RUMBLE_DB:
        yield Defect("rumble", 20 + rumble - _RUMBLE_DB, f"{-rumble:.0f} dB below the sound", "")
    edge = meter.cut_off_hz()
    if edge is not None:
        yield Defect("narrow band", 12.0, f"nothing above {edge / 1000:.1f} kHz", "")


def _db(one: float, other: float) -> float:
    return 10 * math.log10((one + _TINY) / (other + _TINY))
