"""A denoising autoencoder on spectrograms: from the noisy spectrum and its noise floor to a gain
for every band and frame.

The network sees the logarithm of the power in *bands*: single bins where notes lie close together,
wider groups above, so that a clip costs a third of its spectrogram. Beside each value it sees how
far that stands above what the band hardly ever falls below (the noise floor), so that steady noise
and hum are plain to it; how evenly the phase turns along time and along frequency, which tells a
tone and a click from noise; and where the harmonics of the mains lie. The gain multiplies the noisy
spectrum; its phase stays.

Letters in shapes: B batch, C channels, F frequency bins, K bands, T frames, Z latent size, L frames
of the latent.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from musicvae_lite.core.latent import Latent
from musicvae_lite.media.spectrum import BLOCK, HOP_SECONDS, OVERLAP
from musicvae_lite.nn.winograd import WinogradConv, fits

if TYPE_CHECKING:
    from musicvae_lite.audio.denoise.streaming import History

# (bins in a band, number of such bands): 7.2 Hz up to 3.7 kHz, 14.4 Hz up to 6.4 kHz, 244 Hz up to
# 22 kHz.
LAYOUT = ((1, 512), (2, 192), (34, 64))
BANDS = sum(count for _, count in LAYOUT)
FEATURES = 9
MAINS_HZ = (50.0, 60.0)
_BIN_HZ = 1 / (OVERLAP * HOP_SECONDS)

# The noise floor: powers are averaged over POOL frames; what is low among them for 5 s to both
# sides of a block of BLOCK frames is the floor of that block.
POOL = 4
REACH = 144
_LOW, _MIDDLE = 0.1, 0.5
_FLOOR = 1e-10  # of the reference power: 100 dB below it all is silence
_TINY = 1e-20
_WINOGRAD_CHANNELS = 64  # fewer are convolved as fast directly
_FAINT = 4e-11  # power of a bin whose phase says nothing: 160 dB below full scale and less


class Statistics(NamedTuple):
    """What surrounds a frame.

    Attributes:
        low: [B, K, T] power that the band falls below a tenth of the time: the noise floor.
        middle: [B, K, T] median power of the band.
        level: [B, 1, T] mean power over all bands: the reference that makes the features
            independent of the level.
    """

    low: Tensor
    middle: Tensor
    level: Tensor


def band_powers(spectrum: Tensor) -> Tensor:
    """Return the mean power in each band, [B, K, T], of a spectrum [B, F, T].

    Bands above its last bin are silent.

    A complex spectrum is squared; real numbers are powers, or products of two spectra, already.
    """
    power = spectrum.real.square() + spectrum.imag.square() if spectrum.is_complex() else spectrum
    return _to_bands(power.mT).mT


def _to_bands(values: Tensor) -> Tensor:
    """Average values of bins [B, T, F] over the bins of each band, [B, T, K].

    Bins that are missing count as 0.
    """
    bins = sum(width * count for width, count in LAYOUT)
    values = values[..., :bins]
    if values.shape[-1] < bins:
        values = functional.pad(values, (0, bins - values.shape[-1]))
    parts, first = [], 0
    for width, count in LAYOUT:
        part = values[..., first : first + width * count]
        parts.append(part if width == 1 else part.reshape(*part.shape[:-1], count, width).mean(-1))
        first += width * count
    return torch.cat(parts, -1)


def whole_bands(bins: int) -> int:
    """Return how many bands lie wholly among the first ``bins`` bins; at least 1."""
    count = 0
    for width, number in LAYOUT:
        inside = min(bins // width, number)
        count, bins = count + inside, bins - inside * width
        if inside < number:
            break
    return max(count, 1)


def to_bins(gain: Tensor, bins: int) -> Tensor:
    """Give each bin its band's gain: [B, K, T] to [B, F, T].

    Bins above the last band get that band's.
    """
    parts, first = [], 0
    for width, count in LAYOUT:
        part = gain[:, first : first + count]
        parts.append(part if width == 1 else part.repeat_interleave(width, 1))
        first += count
    whole = torch.cat(parts, 1)
    if bins > whole.shape[1]:
        whole = torch.cat([whole, whole[:, -1:].expand(-1, bins - whole.shape[1], -1)], 1)
    return whole[:, :bins]


def widths(device: torch.device) -> Tensor:
    """Return how many bins each band stands for, [K, 1]."""
    sizes = [width for width, count in LAYOUT for _ in range(count)]
    return torch.tensor(sizes, dtype=torch.float32, device=device).unsqueeze(1)


def statistics(power: Tensor, frames: slice = slice(0, None)) -> Statistics:
    """Measure the surroundings of the frames ``frames`` (default all) of band powers [B, K, T].

    They are constant over blocks of BLOCK frames counted from the first one and depend on REACH
    frames to both sides.
    """
    start, stop, _ = frames.indices(power.shape[-1])
    pooled = functional.avg_pool1d(power, min(POOL, power.shape[-1]), POOL, ceil_mode=True)
    count, reach, step = pooled.shape[-1], REACH // POOL, BLOCK // POOL
    block = start // BLOCK
    found: dict[tuple[int, int], Statistics] = {}
    parts = []
    for first in range(block * step, -(-stop // POOL), step):
        span = (max(first - reach, 0), min(first + step + reach, count))
        if span not in found:
            found = {span: _measure(pooled[..., slice(*span)])}
        parts.append(found[span])
    inside = slice(start - block * BLOCK, stop - block * BLOCK)
    return Statistics(*(_spread([part[i] for part in parts], inside) for i in range(3)))


def _measure(pooled: Tensor) -> Statistics:
    """Return the statistics of a stretch of pooled powers [B, K, P], each with one frame."""
    last = pooled.shape[-1] - 1
    places = [round(share * last) for share in (_LOW, _MIDDLE)]
    traced = torch.compiler.is_compiling()
    if pooled.device.type == "cpu" and not pooled.requires_grad and not traced:
        # A tenth of the time of torch's; the floor is otherwise the dearest of the features.
        ordered = torch.from_numpy(np.sort(pooled.numpy(), -1))
    else:
        ordered = pooled.sort(-1).values
    low, middle = (ordered[..., place].unsqueeze(-1) for place in places)
    return Statistics(low, middle, pooled.mean((1, 2), keepdim=True))


def _spread(parts: list[Tensor], frames: slice) -> Tensor:
    """Repeat each block's value over its frames and cut ``frames`` out of them, [B, K, length of
    that].
    """
    if all(part is parts[0] for part in parts):
        return parts[0].expand(-1, -1, frames.stop - frames.start)
    return torch.cat(parts, -1).repeat_interleave(BLOCK, -1)[..., frames]


def steadiness(spectrum: Tensor) -> Tensor:
    """Return how evenly the phase of each band turns, [B, K, T] in -1 to 1, of a complex spectrum
    [B, F, T].

    A steady tone turns by the same angle from frame to frame, so the second difference of its phase
    is 0 and the value 1.
    """
    return _evenness(_phases(spectrum), 1).mT


class _Phases(NamedTuple):
    """The phases of a spectrum as points on the unit circle, and twice these angles, [B, T, F]
    each.

    Frames come before bins here, as a spectrum lies in memory: the other way round takes twice the
    time.
    """

    real: Tensor
    imaginary: Tensor
    double: tuple[Tensor, Tensor]


def _phases(spectrum: Tensor) -> _Phases:
    """Return the phases of a spectrum [B, F, T].

    The points of faint bins lie within the circle, those of silence at 0.
    """
    real, imaginary = (
        part.mT.clone(memory_format=torch.contiguous_format)
        for part in (spectrum.real, spectrum.imag)
    )
    shrink = real.square().addcmul_(imaginary, imaginary).add_(_FAINT).rsqrt_()
    real, imaginary = real.mul_(shrink), imaginary.mul_(shrink)
    return _Phases(
        real,
        imaginary,
        (real.square().addcmul_(imaginary, imaginary, value=-1), (2 * real).mul_(imaginary)),
    )


def _evenness(phases: _Phases, axis: int) -> Tensor:
    """Return the cosine of the second difference of the phase along an axis, averaged over bands,
    [B, T, K]; 0 at its ends.

    In real numbers, since torch's complex arithmetic costs more than all the rest.
    """
    count = max(phases.real.shape[axis] - 2, 0)

    def at(values: Tensor, first: int) -> Tensor:
        return values.narrow(axis, min(first, values.shape[axis] - count), count)

    (a, c), (b, d) = ((at(part, 0), at(part, 2)) for part in (phases.real, phases.imaginary))
    turned = (a * c).addcmul_(b, d, value=-1).mul_(at(phases.double[0], 1))
    turned.addcmul_((a * d).addcmul_(b, c), at(phases.double[1], 1))
    before, after = 1, phases.real.shape[axis] - count - 1
    return _to_bands(
        functional.pad(turned, (before, after) if axis == 2 else (0, 0, before, after))
    )


def _fixed_planes(device: torch.device) -> tuple[Tensor, ...]:
    """Return where each band lies, [1, K, 1] in -1 to 1, and for 50 and 60 Hz how near it is to a
    harmonic of the mains.
    """
    position = torch.linspace(-1, 1, BANDS, device=device)
    first, fine = 0, torch.zeros(BANDS, device=device)
    for width, count in LAYOUT:
        if width == 1:  # wider bands hold a harmonic each
            fine[first : first + count] = 1.0
        first += count
    hz = torch.arange(BANDS, device=device) * _BIN_HZ
    combs = (fine * torch.cos(2 * torch.pi * hz / mains) for mains in MAINS_HZ)
    return tuple(plane.view(1, -1, 1) for plane in (position, *combs))


def features(
    spectrum: Tensor, stats: Statistics | None = None, profile: Tensor | None = None
) -> Tensor:
    """Return what the network sees of a complex spectrum, [B, FEATURES, K, T].

    Args:
        spectrum: [B, F, T].
        stats: of the band powers of the spectrum in its surroundings; measured here where there are
            none.
        profile: [B, K] the low statistic of noise alone, instead of the floor that is found; NaN
            rows where there is none.
    """
    power = band_powers(spectrum)
    phases = _phases(spectrum)
    stats = statistics(power) if stats is None else stats
    low, known = stats.low, torch.zeros_like(power[:, :1, :1])
    if profile is not None:
        given = ~profile.isnan().any(1).view(-1, 1, 1)
        low = torch.where(given, profile.nan_to_num().unsqueeze(-1), low)
        known = given.to(power.dtype)
    quiet = stats.level * _FLOOR + _TINY
    value, floor, middle = (0.5 * (x + quiet).log10() for x in (power, low, stats.middle))
    reference = 0.5 * (stats.level + _TINY).log10()
    turns = _evenness(phases, 1).mT, _evenness(phases, 2).mT
    planes = (
        value - reference,
        value - floor,
        value - middle,
        *turns,
        known,
        *_fixed_planes(power.device),
    )
    return torch.stack([plane.expand_as(power) for plane in planes], 1)


def features_at(
    spectrum: Tensor, power: Tensor, frames: slice, profile: Tensor | None = None
) -> Tensor:
    """Return what the network sees of some frames of a stretch of a sound, [B, FEATURES, K, length
    of ``frames``].

    It is the same of any stretch that holds REACH + BLOCK frames to both sides of them, or less
    where the sound ends.

    Args:
        spectrum: [B, F, T]; its first frame is a multiple of BLOCK in the whole sound.
        power: :func:`band_powers` of it.
        frames: which ones.
        profile: see :func:`features`.
    """
    first, last = (
        max(frames.start - 1, 0),
        min(frames.stop + 1, spectrum.shape[-1]),
    )  # whose phases are compared
    seen = features(spectrum[..., first:last], statistics(power, slice(first, last)), profile)
    return seen[..., frames.start - first : frames.stop - first]


class _Conv(nn.Module):
    """A 3 x 3 convolution, batch normalisation and a rectifier."""

    def __init__(
        self, inputs: int, outputs: int, stride: tuple[int, int] = (1, 1), dilation: int = 1
    ) -> None:
        super().__init__()
        self.conv: nn.Conv2d | WinogradConv = nn.Conv2d(
            inputs, outputs, 3, stride, (1, dilation), (1, dilation), bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = functional.relu_(self.norm(self.conv(x)))
        return result


class _Residual(nn.Module):
    """A convolution that is added to its input; ``dilation`` is along time."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = _Conv(channels, channels, dilation=dilation)

    def forward(self, x: Tensor, history: History | None = None) -> Tensor:
        if history is None:
            return _sum(self.conv(x), x)
        x, side = history.joined(self.conv.conv, x), self.conv.conv.dilation[1]
        return _sum(self.conv(x), x[..., side : x.shape[-1] - side])


def _sum(fresh: Tensor, other: Tensor) -> Tensor:
    """Return the sum of two tensors, in place of ``fresh`` where no gradient needs that: new memory
    takes longer than the sum.
    """
    return fresh + other if torch.is_grad_enabled() else fresh.add_(other)


@dataclass(frozen=True)
class Shape:
    """The size of a network.

    Attributes:
        channels: of each level, the first at half the bands and all frames.
        blocks: residual convolutions at each level, on the way down and on the way up.
        strides: (bands, frames) from level to level; the product over frames divides BLOCK.
        latent_size: numbers of the code per frame of the last level.
        dilations: along time, of the convolutions of the last level.
        variational: whether the code has a scale.
        skips: whether the decoder sees what the encoder saw on its way down.
    """

    channels: Sequence[int] = (24, 40, 64, 96)
    blocks: Sequence[int] = (1, 1, 1, 1)
    strides: Sequence[tuple[int, int]] = ((2, 2), (2, 2), (2, 2))
    latent_size: int = 64
    dilations: Sequence[int] = (1, 2)
    variational: bool = False
    skips: bool = True


class MaskNetwork(nn.Module):
    """Features [B, FEATURES, K, T] to a code [B, Z, L] and back to gains [B, K, T] in 0 to 1."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        channels, strides = list(shape.channels), list(shape.strides)
        self.channels, self.strides = channels, strides
        self.skips = shape.skips
        self.variational = shape.variational
        self.winograd = False
        self.time_stride = 1
        bands = BANDS // 2
        for over_bands, over_time in strides:
            bands //= over_bands
            self.time_stride *= over_time
        self.rows, self.width = bands, channels[-1]
        self.reach = _reach(shape)
        self.stem = _Conv(2 * FEATURES, channels[0])
        self.enter = nn.ModuleList([nn.Identity()])
        self.enter.extend(
            _Conv(a, b, s) for a, b, s in zip(channels, channels[1:], strides, strict=False)
        )
        self.down = nn.ModuleList(
            [_stack(width, count) for width, count in zip(channels, shape.blocks, strict=True)]
        )
        self.context = nn.Sequential(
            *(_Residual(channels[-1], dilation) for dilation in shape.dilations)
        )
        code = shape.latent_size
        self.to_mean = nn.Conv1d(self.rows * self.width, code, 1)
        self.to_scale = nn.Conv1d(self.rows * self.width, code, 1) if shape.variational else None
        self.from_code = nn.Conv1d(code, self.rows * self.width, 1)
        self.up = nn.ModuleList(
            [_stack(width, count) for width, count in zip(channels, shape.blocks, strict=True)]
        )
        self.leave = nn.ModuleList([nn.Identity()])
        self.leave.extend(
            nn.ConvTranspose2d(b, a, s, s)
            for a, b, s in zip(channels, channels[1:], strides, strict=False)
        )
        self.head = nn.Conv2d(channels[0], 2, 3, padding=1)

    def encode(self, seen: Tensor, history: History | None = None) -> tuple[Latent, list[Tensor]]:
        """Return the code, mean [B, Z, L], and what each level of the encoder saw.

        Of a piece of a sound with its ``history``.
        """
        seen = functional.pad(seen, (0, -seen.shape[-1] % self.time_stride))
        # Two neighbouring bands become channels of one row: the same numbers in a shape that
        # convolves four times faster.
        batch, planes, bands, frames = seen.shape
        pairs = (
            seen.reshape(batch, planes, bands // 2, 2, frames).permute(0, 2, 4, 1, 3).flatten(3)
        )  # channels last in memory
        x, passed = pairs.permute(0, 3, 1, 2), []
        for level, (enter, blocks) in enumerate(
            zip([self.stem, *self.enter[1:]], self.down, strict=True)
        ):
            x = enter(x if history is None else history.joined(enter.conv, x))
            x = _through(blocks, x.contiguous(memory_format=self._layout(level)), history)
            passed.append(x)
        passed[-1] = x = _through(self.context, x, history)
        flat = x.flatten(1, 2)
        scale = None if self.to_scale is None else self.to_scale(flat).clamp(-7, 2)
        return Latent(self.to_mean(flat), scale), passed

    def _layout(self, level: int) -> torch.memory_format:
        """Return how a level lies in memory.

        Channels last is the faster one, but for Winograd's transforms.
        """
        wide = self.winograd and self.channels[level] >= _WINOGRAD_CHANNELS
        return torch.contiguous_format if wide else torch.channels_last

    def nothing_passed(self, z: Tensor) -> list[Tensor]:
        """Return what :meth:`encode` passes on, all zero, for a code [B, Z, L]."""
        bands, frames = self.rows, z.shape[-1]
        found = []
        for level in reversed(range(len(self.up))):
            found.append(z.new_zeros(len(z), self.channels[level], bands, frames))
            if level:
                bands, frames = (
                    bands * self.strides[level - 1][0],
                    frames * self.strides[level - 1][1],
                )
        return found[::-1]

    def decode(
        self, z: Tensor, passed: Sequence[Tensor], frames: int, history: History | None = None
    ) -> Tensor:
        """Return logits of the gains, [B, K, frames], for a code [B, Z, L].

        Fewer frames where ``history`` waits for more.
        """
        x = self.from_code(z).reshape(z.shape[0], self.width, self.rows, -1)
        for level in reversed(range(len(self.up))):
            x = x.contiguous(memory_format=self._layout(level))  # as what the encoder passes on
            if self.skips:
                x = _sum(
                    x,
                    passed[level]
                    if history is None
                    else history.passed(level, passed[level], x.shape[-1]),
                )
            x = _through(self.up[level], x, history)
            if level:
                x = self.leave[level](x.contiguous(memory_format=self._layout(level - 1)))
        logits: Tensor = self.head(x if history is None else history.joined(self.head, x))
        return logits.transpose(1, 2).flatten(1, 2)[..., :frames]

    def forward(self, seen: Tensor) -> Tensor:
        """Return the gains [B, K, T] for features [B, FEATURES, K, T], by the mean of the code."""
        latent, passed = self.encode(seen)
        logits = self.decode(latent.mean, passed, seen.shape[-1])
        return logits.float().sigmoid()  # bfloat16 knows nothing between 0.996 and 1


def _reach(shape: Shape) -> int:
    """Return how many frames to each side a gain depends on, at most."""
    reach, stride = 3, 1  # the stem, the head and the steadiness of the phase
    for level, count in enumerate(shape.blocks):
        reach += 2 * stride * count
        if level < len(shape.strides):
            reach += stride
            stride *= shape.strides[level][1]
    # A gain is decoded from the step of the last level that it lies in, so that up to a step less
    # one comes on top.
    return reach + stride * sum(shape.dilations) + stride - 1


def _stack(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual(width) for _ in range(count)))


def _through(blocks: nn.Module, x: Tensor, history: History | None) -> Tensor:
    for block in blocks.children():
        x = block(x, history)
    return x


def folded(network: MaskNetwork, winograd: bool = False) -> MaskNetwork:
    """Return a copy for a :class:`musicvae_lite.audio.denoise.streaming.MaskStream`, in evaluation
    mode.

    Its normalisations are part of the weights, for a twentieth less time, and its convolutions pad
    no frames: the stream does.

    Args:
        network: of any mode.
        winograd: convolve levels of enough channels by
            :class:`musicvae_lite.nn.winograd.WinogradConv`.
    """
    copy = deepcopy(network).eval()
    copy.winograd = winograd
    copy.head.padding = (1, 0)
    for part in copy.modules():
        if (
            isinstance(part, _Conv)
            and isinstance(part.conv, nn.Conv2d)
            and isinstance(part.norm, nn.BatchNorm2d)
        ):
            conv = fuse_conv_bn_eval(part.conv, part.norm)
            conv.padding = (1, 0)
            fast = winograd and fits(conv) and conv.in_channels >= _WINOGRAD_CHANNELS
            part.conv, part.norm = WinogradConv(conv) if fast else conv, nn.Identity()
    return copy
