"""The tests check the shapes that annotations name; a program that runs does not pay for it."""

import os
import subprocess
import sys

import pytest
import torch
from jaxtyping import TypeCheckError

from musicvae_lite.core.prior import NormalPrior
from musicvae_lite.nn.heads import PosteriorHead
from musicvae_lite.nn.likelihood import Categorical


def test_wrong_shapes_are_caught_at_the_call():
    with pytest.raises(TypeCheckError):
        NormalPrior(3).log_prob(torch.zeros(3))
    with pytest.raises(TypeCheckError):
        PosteriorHead(3, 2)(torch.zeros(3))
    with pytest.raises(TypeCheckError):
        Categorical(5).nll(torch.zeros(2, 4, 5), torch.zeros(2, 3, dtype=torch.int64))


def test_the_program_imports_no_checker():
    program = "import musicvae_lite.nn.conv, sys; print('jaxtyping' in sys.modules)"
    quiet = {k: v for k, v in os.environ.items() if k != "MUSAE_CHECK_SHAPES"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=quiet
    )
    assert done.stdout.strip() == "False"
