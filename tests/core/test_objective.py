import math

import pytest
import torch

from musicvae_lite.core.objective import Objective, Schedule


@pytest.mark.parametrize("step", [0, 1, 500, 10_000, 50_000, 200_000])
def test_exponential_is_magentas_annealing_and_decay(step):
    beta = Schedule(end=0.2, shape="exponential", rate=0.99999)
    assert beta(step) == pytest.approx((1 - 0.99999**step) * 0.2)
    rate = Schedule(start=1e-3, end=1e-5, shape="exponential", rate=0.9999)
    assert rate(step) == pytest.approx((1e-3 - 1e-5) * 0.9999**step + 1e-5)


def test_exponential_with_rate_zero_is_free_at_step_zero_only():
    beta = Schedule(end=0.2, shape="exponential", rate=0.0)
    assert [beta(0), beta(1), beta(9)] == [0.0, 0.2, 0.2]


@pytest.mark.parametrize(
    ("step", "published"), [(0, 0.001), (5000, 0.13), (6900, 0.50), (10_000, 0.96), (20_000, 1.0)]
)
def test_inverse_sigmoid_with_k_1000_takes_the_published_values(step, published):
    schedule = Schedule(shape="inverse-sigmoid", rate=1000)
    assert schedule(step) == pytest.approx(1 - 1000 / (1000 + math.exp(step / 1000)))
    assert schedule(step) == pytest.approx(published, abs=0.006)
    assert schedule(10**9) == 1.0


def test_linear_cosine_and_cyclic():
    linear = Schedule(1.0, 3.0, 10, "linear")
    assert [linear(s) for s in (0, 5, 10, 99)] == [1.0, 2.0, 3.0, 3.0]
    cosine = Schedule(1.0, 0.0, 100, "cosine")
    assert [cosine(s) for s in (0, 50, 100, 200)] == pytest.approx([1.0, 0.5, 0.0, 0.0])
    cyclic = Schedule(0.0, 1.0, 8, "cyclic")
    assert [cyclic(s) for s in range(10)] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 0.0, 0.25]
    assert Schedule(end=0.7)(0) == Schedule(end=0.7)(10**6) == 0.7


def test_warm_up_rises_from_zero_and_then_the_shape_begins():
    schedule = Schedule(2.0, 0.0, 10, "linear", warmup=4)
    assert [schedule(s) for s in (0, 2, 4, 9, 14)] == [0.0, 1.0, 2.0, 1.0, 0.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": "square"},
        {"steps": -1},
        {"shape": "exponential", "rate": 1.5},
        {"shape": "inverse-sigmoid", "rate": 0.5},
    ],
)
def test_a_schedule_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"schedule"):
        Schedule(**wrong)


def test_free_bits_are_one_budget_for_the_whole_latent():
    kl = torch.tensor([[1.0, 1.0, 1.0], [5.0, 0.0, 0.0]])
    objective = Objective(Schedule(end=0.5), free_bits=4 / math.log(2))  # 4 nats
    loss = objective(torch.tensor([10.0, 20.0]), {"kl_nats": kl}, step=3)
    assert loss.kl.item() == pytest.approx(4.0)
    assert loss.kl_charged.item() == pytest.approx(0.5)  # (0 + 1) / 2
    assert loss.total.item() == pytest.approx(15.25)
    assert (loss.nll.item(), loss.beta) == (15.0, 0.5)


def test_free_bits_per_dimension():
    kl = torch.tensor([[1.0, 0.2], [3.0, 0.4]])
    loss = Objective(Schedule(end=1.0), free_bits=0.5 / math.log(2), per="dim")(
        torch.zeros(2), {"kl_nats": kl}, 0
    )
    assert loss.kl_charged.item() == pytest.approx((0.5 + 2.5) / 2)
    assert loss.kl.item() == pytest.approx(2.3)


def test_no_gradient_flows_to_a_kl_inside_its_budget():
    kl = torch.full((2, 3), 0.1, requires_grad=True)
    Objective(Schedule(end=1.0), free_bits=8)(torch.zeros(2), {"kl_nats": kl}, 0).total.backward()
    assert kl.grad is not None and kl.grad.abs().max() == 0
