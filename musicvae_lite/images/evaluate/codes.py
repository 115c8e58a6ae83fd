"""Are codes good embeddings? Errors and neighbours, against principal components of the same size.

Letters in shapes: N pictures, P pixels, Z latent size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_NEIGHBOURS = 5
# pictures that components are found on and neighbours looked for among: enough, and seconds
_MOST = 20_000

Floats = NDArray[np.float32]


def neighbour_accuracy(
    codes: Floats, labels: NDArray[np.int64], test_codes: Floats, test_labels: NDArray[np.int64]
) -> float:
    """Return the share of test codes whose class most of their five nearest training codes have (of
    all, where there are fewer).

    Args:
        codes: [N, Z] with classes ``labels`` [N].
        labels: classes.
        test_codes: [M, Z] with classes ``test_labels`` [M].
        test_labels: classes.
    """
    from sklearn.neighbors import KNeighborsClassifier

    count = min(_NEIGHBOURS, len(codes))
    model = KNeighborsClassifier(count, algorithm="brute").fit(codes[:_MOST], labels[:_MOST])
    return float(model.score(test_codes, test_labels))


def against_components(
    size: int,
    pictures: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    test_pictures: NDArray[np.uint8],
    test_labels: NDArray[np.int64] | None,
) -> dict[str, Any]:
    """Return what as many principal components as the code has numbers reach.

    Args:
        size: Z; at most the number of pixels.
        pictures: uint8 [N, ...] to find the components on.
        labels: their classes [N], or None.
        test_pictures: uint8 [M, ...] to measure on.
        test_labels: their classes [M], or None.

    Returns:
        ``pca_mse_mean`` (brightness 0..1), and ``pca_neighbour_accuracy`` where there are labels.
    """
    from sklearn.decomposition import PCA

    train, test = (_flat(array) for array in (pictures[:_MOST], test_pictures))
    model = PCA(min(size, train.shape[1], len(train)), random_state=0).fit(train)
    codes = model.transform(test)
    found: dict[str, Any] = {
        "pca_mse_mean": float(np.square(model.inverse_transform(codes) - test).mean())
    }
    if labels is not None and test_labels is not None:
        found["pca_neighbour_accuracy"] = neighbour_accuracy(
            model.transform(train), labels[:_MOST], codes, test_labels
        )
    return found


def _flat(pictures: NDArray[np.uint8]) -> Floats:
    return pictures.reshape(len(pictures), -1).astype(np.float32) / np.float32(255)
