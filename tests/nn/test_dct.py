"""z by waves: the transform loses nothing, each part of z is of one wave, and settings that do not
go with it are named.
"""

import math

import pytest
import torch

from musicvae_lite.config import load_config
from musicvae_lite.core.errors import UsageError
from musicvae_lite.nn.dct import SpectralHead, SpectralPlan, cosines

SEGMENTS, VOICES, KEPT = 4, 3, 5


def test_the_transform_is_the_orthonormal_cosine_transform():
    half = math.sqrt(0.5)
    shared, rising = torch.tensor([1.0, 1.0]), torch.tensor([1.0, 3.0])
    torch.testing.assert_close(
        cosines(2) @ torch.stack([shared, rising], 1),
        torch.tensor([[2.0, 4.0], [0.0, -2.0]]) * half,
    )
    torch.testing.assert_close(cosines(8) @ cosines(8).T, torch.eye(8))


def test_what_all_segments_share_is_said_in_the_first_part_alone():
    torch.manual_seed(0)
    head = SpectralHead(VOICES * SEGMENTS * KEPT, 2 * SEGMENTS, SEGMENTS, VOICES, start=1.0)
    h = torch.randn(2, VOICES, 1, KEPT).expand(-1, -1, SEGMENTS, -1)
    latent = head(h.flatten(1))
    assert latent.mean.shape == latent.scale.shape == (2, 2 * SEGMENTS)
    assert latent.mean[:, :2].abs().min() > 0.01
    torch.testing.assert_close(
        latent.mean[:, 2:], torch.zeros(2, 2 * (SEGMENTS - 1)), atol=1e-5, rtol=0
    )


def test_a_plan_gives_back_what_a_head_reads():
    torch.manual_seed(0)
    size = VOICES * KEPT
    head, plan = (
        SpectralHead(SEGMENTS * size, SEGMENTS * size, SEGMENTS, VOICES),
        SpectralPlan(SEGMENTS * size, SEGMENTS, size),
    )
    with torch.no_grad():
        head.mean.weight.normal_()
        plan.maps.weight.copy_(torch.linalg.inv(head.mean.weight))
        plan.maps.bias.zero_()
    h = torch.randn(2, VOICES, SEGMENTS, KEPT)
    given = plan(head(h.flatten(1)).mean).view(2, SEGMENTS, VOICES, KEPT)
    torch.testing.assert_close(given, h.transpose(1, 2), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.encoder={kind: lstm}", "spectral needs a hierarchical encoder"),
        ("model.encoder.readout=final", "with readout steps"),
        ("model.encoder.levels=[16, 16]", "as many segments in encoder and decoder"),
        ("model.latent_size=100", "a latent_size that they divide"),
        ("model.decoder.conductor_plan=0", "a conductor_plan"),
    ],
)
def test_settings_that_do_not_go_with_it_are_named(change, message):
    with pytest.raises(UsageError, match=message):
        load_config("trio-16bar", [change])
