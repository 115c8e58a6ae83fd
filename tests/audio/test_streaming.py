import pytest
import torch
from torch import nn

from musicvae_lite.audio.denoise.network import BANDS, FEATURES, Shape, folded
from musicvae_lite.audio.denoise.streaming import MaskStream
from musicvae_lite.nn.winograd import WinogradConv, fits, winograd_works
from tests.sounds import mask_network

SHAPES = [
    Shape((4, 6, 8), (1, 1, 1), ((2, 2), (2, 2)), 5, (1, 2)),
    Shape((4, 6, 8), (0, 2, 1), ((2, 2), (3, 4)), 5, (2, 1, 4), skips=False),
    Shape((4, 6, 64, 64), (1, 0, 1, 2), ((2, 1), (2, 2), (2, 2)), 5, (1, 3), variational=True),
]


def features(frames: int) -> torch.Tensor:
    return torch.randn(1, FEATURES, BANDS, frames, generator=torch.Generator().manual_seed(1))


def heard(stream: MaskStream, seen: torch.Tensor, piece: int) -> list[torch.Tensor]:
    frames = seen.shape[-1]
    return [
        stream.feed(seen[..., first : first + piece], first + piece >= frames)
        for first in range(0, frames, piece)
    ]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("frames", [1, 7, 160, 203])
@pytest.mark.parametrize("piece", [8, 48, 1000])
def test_a_sound_heard_in_pieces_gets_the_gains_of_the_whole(
    shape: Shape, frames: int, piece: int
) -> None:
    net, seen = mask_network(shape), features(frames)
    with torch.inference_mode():
        whole = net(seen)
    gains = torch.cat(heard(MaskStream(folded(net)), seen, piece), -1)
    torch.testing.assert_close(gains, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("frames", [1, 2, 8, 9, 40])
def test_bfloat16_is_near_float32_in_the_shortest_sounds_too(frames: int) -> None:
    net, seen = folded(mask_network(Shape())), features(frames)
    near, exact = (MaskStream(net, bfloat16).feed(seen, last=True) for bfloat16 in (True, False))
    torch.testing.assert_close(near, exact, atol=0.05, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_gains_come_as_soon_as_the_network_reaches(shape: Shape) -> None:
    net, seen = mask_network(shape), features(400)
    stream, given = MaskStream(folded(net)), 0
    for first in range(0, 400, 16):
        given += stream.feed(seen[..., first : first + 16], first == 384).shape[-1]
        assert given >= first + 16 - net.reach
    assert given == 400


def test_a_copy_of_a_stream_goes_its_own_way() -> None:
    net, seen = mask_network(SHAPES[0]), features(240)
    other = torch.cat([seen[..., :160], -seen[..., 160:]], -1)
    stream = MaskStream(folded(net))
    before = torch.cat([stream.feed(seen[..., first : first + 80]) for first in (0, 80)], -1)
    copy = stream.copy()
    for one, whole in ((stream, seen), (copy, other)):
        gains = torch.cat([before, one.feed(whole[..., 160:], last=True)], -1)
        with torch.inference_mode():
            torch.testing.assert_close(gains, net(whole), atol=1e-5, rtol=0)


def test_gains_in_bfloat16_are_nearly_the_same() -> None:
    net, seen = mask_network(SHAPES[0]), features(100)
    exact, near = (MaskStream(folded(net), low).feed(seen, last=True) for low in (False, True))
    assert near.dtype == torch.float32 and not torch.equal(near, exact)
    torch.testing.assert_close(near, exact, atol=0.02, rtol=0)
    assert len(near.unique()) > 500  # not the few numbers that bfloat16 has between a half and 1


def test_the_network_that_learns_is_left_as_it_is() -> None:
    net, seen = mask_network(SHAPES[0]), features(40)
    before = net(seen)
    folded(net, winograd=True)
    assert torch.equal(net(seen), before)


def conv(dilation: int) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(5, 7, 3, padding=(1, 0), dilation=(1, dilation))


@pytest.mark.skipif(
    not winograd_works(), reason="this torch comes without NNPACK, or the processor cannot run it"
)
@pytest.mark.parametrize("dilation", [1, 2, 4])
@pytest.mark.parametrize("columns", [1, 3, 30])
def test_transforms_convolve(dilation: int, columns: int) -> None:
    direct, x = conv(dilation), torch.randn(2, 5, 6, columns + 2 * dilation)
    with torch.inference_mode():
        torch.testing.assert_close(WinogradConv(direct)(x), direct(x), atol=1e-5, rtol=1e-4)


@pytest.mark.skipif(
    not winograd_works(), reason="this torch comes without NNPACK, or the processor cannot run it"
)
def test_a_network_of_transforms_gives_the_same_gains() -> None:
    net, seen = mask_network(SHAPES[2]), features(120)
    fast = folded(net, winograd=True)
    assert any(isinstance(part, WinogradConv) for part in fast.modules())
    plain, other = (MaskStream(one).feed(seen, last=True) for one in (folded(net), fast))
    torch.testing.assert_close(other, plain, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "other",
    [
        nn.Conv2d(3, 3, 3),
        nn.Conv2d(3, 3, 3, 2, (1, 0)),
        nn.Conv2d(4, 4, 3, padding=(1, 0), groups=2),
    ],
)
def test_other_convolutions_have_no_transforms(other: nn.Conv2d) -> None:
    assert fits(conv(2)) and not fits(other)
    with pytest.raises(ValueError, match="padded along H alone"):
        WinogradConv(other)
