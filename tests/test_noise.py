import torch

from musicvae_lite.noise import Noise

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


def test_a_fork_does_not_move_what_follows():
    few, many = Noise(5), Noise(5)
    forks = few.fork(), many.fork()
    many_drawn = forks[1].uniform((1000,), CPU)
    assert torch.equal(forks[0].uniform((1000,), CPU), many_drawn)
    assert torch.equal(few.uniform((9,), CPU), many.uniform((9,), CPU))
    assert not torch.equal(few.fork().uniform((9,), CPU), many_drawn[:9])
