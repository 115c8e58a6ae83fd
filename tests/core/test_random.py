import torch

from musicvae_lite.core.random import Noise, seed_layers

CPU = torch.device("cpu")


def test_parts_of_a_batch_draw_the_rows_of_the_whole():
    whole = Noise(3, 7).normal((6, 4), CPU)
    parts = [Noise(3, 7, rank=rank, world=3).normal((2, 4), CPU) for rank in range(3)]
    assert torch.equal(torch.cat(parts), whole)


def test_different_seeds_draw_differently_and_equal_ones_alike():
    draws = [Noise(*seed).uniform((100,), CPU) for seed in [(0, 1), (1, 0), (0, 0), (0,), (1,)]]
    for index, draw in enumerate(draws):
        assert all(not torch.equal(draw, other) for other in draws[:index])
    assert torch.equal(Noise(1, 2).uniform((9,), CPU), Noise(1, 2).uniform((9,), CPU))


def test_a_replay_draws_some_rows_of_what_comes_and_leaves_the_rest_as_it_was():
    for world in (1, 2):
        noise = Noise(5, world=world)
        noise.uniform((3,), CPU)
        index = torch.tensor([4, 0])
        replay = noise.replay(index, 6)
        again = replay.replay(torch.arange(6), 6)
        draws = [noise.uniform((6, 2), CPU) for _ in range(2)]
        assert torch.equal(
            torch.stack([replay.uniform((2, 2), CPU) for _ in range(2)]),
            torch.stack(draws)[:, index],
        )
        assert torch.equal(again.uniform((6, 2), CPU), draws[0])
        again.skip_to(replay)
        assert torch.equal(again.uniform((6,), CPU), noise.uniform((6,), CPU))


def test_layers_are_seeded_as_torch_seeds_them():
    layer = torch.nn.Dropout(0.5)
    torch.manual_seed(3)
    wanted = layer(torch.ones(50))
    seed_layers(CPU, 3)
    assert torch.equal(layer(torch.ones(50)), wanted)
