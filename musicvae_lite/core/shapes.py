"""Shapes in annotations: ``Float[Tensor, "B Z"]`` is a tensor of floats, B by Z.

Annotations are never evaluated when the program runs, so jaxtyping is not imported then and costs
no start-up time. The tests set ``MUSAE_CHECK_SHAPES`` and check every call of the annotated modules
(see tests/conftest.py).
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or os.environ.get("MUSAE_CHECK_SHAPES"):
    from jaxtyping import Bool, Float, Int
else:
    Bool: Any = None
    Float: Any = None
    Int: Any = None

__all__ = ["Bool", "Float", "Int"]
