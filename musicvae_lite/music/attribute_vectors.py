"""Attribute vectors of a model: directions in latent space that change what can be heard, kept in
its folder. No torch.

``attributes.json`` holds format, version, the checksum of the weights that it belongs to, how the
vectors were learned, the vectors, and what adding each of them was measured to do to every
attribute. ``attributes.png`` shows that as a matrix, and the card says it as a table. Letters in
shapes: A attributes, Z latent size.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, UsageError, suggest
from musicvae_lite.core.files import read_json
from musicvae_lite.core.text import shown
from musicvae_lite.model_dir.swap import current, replace_together

FORMAT = "musae-attributes"
VERSION = 1
FILE, PICTURE, CARD = "attributes.json", "attributes.png", "README.md"
HEADING = "## Attribute vectors"
_CURE = "learn them with 'musae attribute --learn --data CORPUS --model {}'"

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AttributeVectors:
    """The vectors of one model.

    Attributes:
        names: of the attributes [A].
        units: what the numbers of each attribute are [A].
        vectors: what to add to a code for about one standard deviation more of an attribute and
            next to nothing of the others [A, Z]; of models learned with earlier versions the mean
            code of the top quartile less that of the bottom one.
        contrast: difference of the attribute's means in its top and bottom quartiles [A].
        spread: standard deviation of the attribute over the windows [A].
        effects: mean change of attribute j when vector i is added to codes of other windows [A, A].
        learned: how they were learned: ``windows``, ``probes``, ``held_out``, ``seed``.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    vectors: NDArray[np.float32]
    contrast: Floats
    spread: Floats
    effects: Floats
    learned: Mapping[str, Any]

    def direction(self, strengths: Mapping[str, float]) -> NDArray[np.float32]:
        """Return the sum of vectors [Z], each times its strength: 1 is about a standard
        deviation more.

        Raises:
            UsageError: a name without a vector; the message lists those that there are.
        """
        for name in strengths:
            if name not in self.names:
                raise UsageError(
                    f"there is no vector for {name!r}; {suggest(name, self.names)} (the model has "
                    f"{', '.join(self.names)})"
                )
        total = np.zeros(self.vectors.shape[1])
        for name, strength in strengths.items():
            total += strength * self.vectors[self.names.index(name)].astype(np.float64)
        return total.astype(np.float32)

    def expected(self, strengths: Mapping[str, float]) -> dict[str, float]:
        """Return the change of each attribute that the measured effects add up to."""
        factors = np.array([strengths.get(name, 0.0) for name in self.names])
        return dict(zip(self.names, (factors @ self.effects).tolist(), strict=True))


def save_vectors(folder: Path, sha256: str, vectors: AttributeVectors, picture: bytes) -> None:
    """Write vectors into a model folder: the file, the picture, and their section of the card.

    All or none.

    Args:
        folder: of the model.
        sha256: checksum of its weights.
        vectors: to write.
        picture: the matrix of effects as PNG.

    Raises:
        MusaeError: if the file system refuses; the folder keeps what it had.
    """
    tables = {key: getattr(vectors, key).tolist() for key in ("contrast", "spread", "effects")}
    # Six digits of a vector are more than it is known to.
    codes = [[float(f"{number:.6g}") for number in row] for row in vectors.vectors.tolist()]
    tree = {
        "format": FORMAT,
        "version": VERSION,
        "weights_sha256": sha256,
        "learned": dict(vectors.learned),
        "names": list(vectors.names),
        "units": list(vectors.units),
        **tables,
        "vectors": codes,
    }
    card = current(folder, CARD)
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    files = {
        FILE: (json.dumps(tree) + "\n").encode(),
        PICTURE: picture,
        CARD: shown(with_section(text, section(vectors))).encode(),
    }
    replace_together(folder, files)


def has_vectors(folder: Path, sha256: str) -> bool:
    """Say whether a model folder has vectors of the weights of that checksum."""
    try:
        return read_json(current(folder, FILE), "", "").get("weights_sha256") == sha256
    except MusaeError:
        return False


def load_vectors(folder: Path, sha256: str, size: int, model: str) -> AttributeVectors:
    """Read the vectors of a model folder.

    Args:
        folder: of the model.
        sha256: checksum of its weights.
        size: Z of the model.
        model: what messages call it.

    Raises:
        UsageError: it has none, or those of other weights.
        MusaeError: they are damaged.
    """
    path, cure = current(folder, FILE), _CURE.format(model)
    if not path.exists():
        raise UsageError(f"{model}: the model has no attribute vectors; {cure}")
    tree = read_json(path, f"{path}: is gone; {cure}", cure)
    if tree.get("format") != FORMAT or tree.get("version") != VERSION:
        raise MusaeError(f"{path}: is not a file of {FORMAT} version {VERSION}; {cure}")
    if tree.get("weights_sha256") != sha256:
        raise UsageError(f"{path}: belongs to other weights than the model has now; {cure}")
    try:
        names, units = (tuple(map(str, tree[key])) for key in ("names", "units"))
        vectors = np.array(tree["vectors"], np.float32)
        contrast, spread, effects = (
            np.array(tree[key], np.float64) for key in ("contrast", "spread", "effects")
        )
        shapes = [array.shape for array in (vectors, contrast, spread, effects)]
        count = len(names)
        if shapes != [(count, size), (count,), (count,), (count, count)] or len(units) != count:
            raise ValueError("the shapes do not fit")
        if not all(np.isfinite(array).all() for array in (vectors, contrast, spread, effects)):
            raise ValueError("a number is not finite")
        return AttributeVectors(
            names, units, vectors, contrast, spread, effects, dict(tree["learned"])
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MusaeError(f"{path}: is damaged ({error}); {cure}") from error


def section(vectors: AttributeVectors) -> str:
    """Return the part of the card that tells of the vectors."""
    facts = vectors.learned
    seen = "held-out" if facts.get("held_out") else "training"
    lines = [
        HEADING,
        "",
        "    musae attribute song.mid density+0.5 --model FOLDER",
        "",
        "Each vector moves its own attribute by about a standard deviation and the others as "
        f"little as can be; they were learned together from {facts.get('windows', 0):,} training "
        "windows. The table says by how much each attribute (column) changed on average when a "
        "vector (row) "
        f"was added once to the codes of {facts.get('probes', 0):,} {seen} windows.",
        "",
        f"![effects of the attribute vectors]({PICTURE})",
        "",
        f"| +1 of | {' | '.join(vectors.names)} |",
        "|---" * (len(vectors.names) + 1) + "|",
        *(
            f"| {name} | {' | '.join(f'{value:+.2g}' for value in row)} |"
            for name, row in zip(vectors.names, vectors.effects.tolist(), strict=True)
        ),
        "",
        "| attribute | unit | difference of the quartiles | standard deviation |",
        "|---|---|---|---|",
        *(
            f"| {name} | {unit} | {contrast:.2f} | {spread:.2f} |"
            for name, unit, contrast, spread in zip(
                vectors.names, vectors.units, vectors.contrast, vectors.spread, strict=True
            )
        ),
        "",
    ]
    return "\n".join(lines)


def with_section(card: str, text: str) -> str:
    """Put the section into a card in place of an earlier one, else before its limits, else at its
    end.
    """
    old = re.search(rf"^{HEADING}\n.*?(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    if old is not None:
        return (
            card[: old.start()] + text + ("\n" if old.end() < len(card) else "") + card[old.end() :]
        )
    place = card.find("## Limits")
    if place >= 0:
        return card[:place] + text + "\n" + card[place:]
    return card + ("\n" if card else "") + text
