import torch

from musicvae_lite.nn.event_model import EventModel


def model(**changes) -> EventModel:
    torch.manual_seed(0)
    settings = {"classes": (5, 4), "steps": 16, "period": 8, "hidden": 12, "token_size": 6}
    return EventModel(**{**settings, "lags": (4, 8), "condition_size": 3, **changes}).eval()


def test_a_step_depends_on_those_before_it_alone() -> None:
    network = model()
    events = torch.randint(0, 4, (3, 16, 2))
    condition = torch.randn(3, 16, 3)
    before = network(events, condition)
    changed = events.clone()
    changed[:, 9] = (events[:, 9] + 1) % 4
    after = network(changed, condition)
    for voice, (a, b) in enumerate(zip(before, after, strict=True)):
        # A later voice of the step hears the earlier one.
        same = 10 if voice == 0 else 9
        assert torch.equal(a[:, :same], b[:, :same])
        assert not torch.equal(a[:, same:], b[:, same:])


def test_drawing_step_by_step_follows_the_probabilities_of_the_whole() -> None:
    network = model()
    condition = torch.randn(4, 16, 3)
    uniforms = torch.rand(4, 16, 2)
    events = network.draw(uniforms, condition)
    logits = network(events, condition)
    for voice, each in enumerate(logits):
        upto = each.softmax(-1).cumsum(-1)
        chosen = events[..., voice : voice + 1]
        assert (upto.gather(-1, chosen)[..., 0] >= uniforms[..., voice] - 1e-5).all()
        below = torch.where(chosen > 0, upto.gather(-1, (chosen - 1).clamp_min(0)), 0.0)[..., 0]
        assert (below <= uniforms[..., voice] + 1e-5).all()


def test_known_events_stay() -> None:
    network = model(condition_size=0)
    known = torch.full((2, 16, 2), -1)
    known[:, 4:8] = 3
    events = network.draw(torch.rand(2, 16, 2), known=known)
    assert (events[:, 4:8] == 3).all()


def test_the_last_event_that_is_not_class_0_is_seen_from_afar() -> None:
    network = model(classes=(5,), lags=(4,), condition_size=0)
    one, other = torch.zeros(1, 16, 1, dtype=torch.long), torch.zeros(1, 16, 1, dtype=torch.long)
    one[0, 0], other[0, 0] = 1, 2
    inputs = [network._inputs(events, None)[0, 12] for events in (one, other)]
    assert not torch.equal(*inputs)


def test_nll_is_that_of_the_logits() -> None:
    network = model(classes=(5,), condition_size=0)
    events = torch.randint(0, 5, (3, 16, 1))
    (logits,) = network(events)
    expected = -logits.log_softmax(-1).gather(-1, events)[..., 0].sum(1)
    assert torch.allclose(network.nll(events), expected, atol=1e-5)
