import torch

from musicvae_lite.nn.event_model import EventModel
from musicvae_lite.nn.fill_model import FillModel, widened


def build(classes=(6,)):
    torch.manual_seed(0)
    return FillModel(
        classes, 16, 4, hidden=12, token_size=5, lags=(2, 4), condition_size=3, ahead=7, leads=(4,)
    ).eval()


def some(model, batch=3):
    torch.manual_seed(1)
    sizes = model.classes
    events = torch.stack([torch.randint(0, size, (batch, 16)) for size in sizes], -1)
    return events, torch.randn(batch, 16, 3)


def test_given_events_stay_and_cost_nothing():
    model = build((6, 4))
    events, condition = some(model)
    known = events.clone()
    known[:, 5:9, 1] = -1
    drawn = model.draw(torch.rand(3, 16, 2), known, condition)
    assert torch.equal(drawn[known >= 0], events[known >= 0]) and (drawn >= 0).all()
    costs = model.costs(events, known, condition)
    assert (costs[known >= 0] == 0).all() and (costs[known < 0] > 0).all()


def test_what_comes_later_is_heard_before_it():
    model = build()
    events, condition = some(model)
    known = events.clone()
    known[:, 4:8] = -1
    other = known.clone()
    other[:, 12] = (other[:, 12] + 1) % 6
    costs, moved = (model.costs(events, given, condition) for given in (known, other))
    assert not torch.allclose(costs[:, 4:8], moved[:, 4:8])


def test_drawing_from_where_events_are_missing_is_as_from_the_start():
    torch.manual_seed(0)
    model = EventModel([6], 16, 4, hidden=12, token_size=5, lags=(2, 4)).eval()
    events = torch.randint(0, 6, (3, 16, 1))
    uniforms, known = torch.rand(3, 16, 1), events.clone()
    known[:, 6:] = -1
    whole = model.draw(uniforms, known=known)
    known[0, 0] = -1  # so that nothing is skipped
    again = model.draw(uniforms, known=known)
    assert torch.equal(whole[1:], again[1:])


def test_a_bias_keeps_classes_out():
    model = build()
    events, condition = some(model)
    bias = torch.zeros(1, 6)
    bias[0, 2:] = -1e4
    drawn = model.draw(torch.rand(3, 16, 1), torch.full_like(events, -1), condition, 1.0, [bias])
    assert int(drawn.max()) < 2


def test_a_widened_model_begins_as_the_one_it_is_made_of():
    torch.manual_seed(0)
    start = EventModel([6], 8, 4, hidden=12, token_size=5, lags=(2,), condition_size=3).eval()
    model = build()
    widened(model, start)
    with torch.no_grad():
        first = model.events.lstm.weight_ih_l0
        first[:, -model.ahead.size :] = 0
    events, condition = some(model)
    wide = model.events(
        events[:, :8], torch.cat([condition, torch.zeros(3, 16, model.ahead.size)], -1)[:, :8]
    )
    assert torch.allclose(wide[0], start(events[:, :8], condition[:, :8])[0], atol=1e-5)
