"""The pictures that show what a trained model has learned: which of them apply to it, and what is
in each.

Letters in shapes: N pictures, H W pixels, Z latent size, C channels, K classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.config import ImageModel
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import reason
from musicvae_lite.images.plots import (
    Row,
    Scale,
    draw_grid,
    draw_rows,
    draw_scatter,
    in_colours,
    prior_grid,
)
from musicvae_lite.model_dir.bundle import METRICS, Description
from musicvae_lite.plotting import Curve, draw_curves

if TYPE_CHECKING:
    from musicvae_lite.images.data.pictures import Split
    from musicvae_lite.images.session import ImageSession

_SHOWN, _ROWS = 10, 6  # pictures side by side, and below one another
_STEPS = 9  # of a path
_MAPS = 12  # of a code
_SIDE = 20  # of the latent grid
_SAMPLES = 10  # in a row and in a column
_MOST_POINTS = 10_000
_PERTURBATIONS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
_NOISE, _POINTS = 5, 6  # what a draw is for, mixed into its seed


def reasons_against(description: Description) -> dict[str, str]:
    """Return for each picture why it cannot be drawn of a model, or "" where it can.

    Needs no torch.
    """
    model = description.config.model
    log = (
        ""
        if (description.folder / METRICS).is_file()
        else f"{description.folder} is no run folder (it has no {METRICS})"
    )
    if not isinstance(model, ImageModel):
        return {name: "it is for models of pictures" for name in DRAWN} | {"loss": log}
    prior = "" if model.variational or model.adversary else "a plain autoencoder has no prior"
    alone = (
        "the model adds to the picture that it is given; its codes alone make none"
        if model.residual
        else ""
    )
    plain = "" if not model.classes else "the model is conditional ('classes' shows more)"
    two = "" if model.latent_size == 2 else "the code is not of two numbers"
    return {
        "reconstructions": "",
        "latent-scatter": "the code is one number" if model.latent_size == 1 else "",
        "latent-grid": prior or two or plain,
        "samples": prior or plain,
        "interpolations": alone,
        "perturbations": alone,
        "feature-maps": "" if model.latent_size is None else "the code is no feature map",
        "classes": prior if model.classes else "the model is not conditional",
        "loss": log,
    }


@dataclass(frozen=True)
class Gallery:
    """A model and pictures that it has not learned from.

    Attributes:
        session: the model.
        split: pictures of the model's size.
        name: of the model, for titles.
        source: where the pictures are from, for titles.
        suffix: kind of the files.
        seed: of all draws.
    """

    session: ImageSession
    split: Split
    name: str
    source: str
    suffix: str = ".png"
    seed: int = 0

    def draw(self, name: str) -> bytes:
        """Return the content of one picture's file.

        Raises:
            UsageError: the pictures have no labels and the model wants them.
        """
        return DRAWN[name](self)

    def chosen(self, count: int) -> NDArray[np.int64]:
        """Return places of pictures to show: the first of each class, then whatever comes first."""
        labels = self.split.labels
        first = [] if labels is None else np.unique(labels, return_index=True)[1].tolist()
        rest = [place for place in range(len(self.split)) if place not in set(first)][:count]
        return np.array([*first, *rest][:count], np.int64)

    def caption(self, place: int) -> str:
        """Return the class of a picture, or its number where that is not known."""
        return str(place) if self.split.labels is None else str(self.split.labels[place])

    def seen(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what the encoder sees of pictures: corrupted as in training [n, h, w(, 3)]."""
        prepared = self.session.prepare(self.split.images[rows])
        corrupt = self.session.corrupt
        if corrupt is None or corrupt.kind != "noise":
            return prepared
        return self.session.add_noise(prepared, corrupt.sd, corrupt.mean, self.seed)

    def condition(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return the classes of pictures for a conditional model."""
        if not self.session.model.classes:
            return None
        if self.split.labels is None:
            raise UsageError(
                f"{self.source}: has no labels, and {self.name} wants one of each picture"
            )
        return self.split.labels[rows]

    def codes(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the means of the posteriors of pictures [n, Z]."""
        return self.session.encode_windows(self.seen(rows), condition=self.condition(rows))[0]


def reconstructions(gallery: Gallery) -> bytes:
    """Draw pictures as the encoder sees them, what comes out, and what should."""
    rows = gallery.chosen(_SHOWN)
    seen = gallery.seen(rows)
    made = gallery.session.restore_windows(seen, gallery.condition(rows))
    _, target = gallery.session.pair(gallery.split.images[rows])
    corrupt = gallery.session.corrupt
    first = (
        "input" if corrupt is None else "noisy input" if corrupt.kind == "noise" else "small input"
    )
    lines = [Row(first, list(seen)), Row("output", list(made))]
    if corrupt is not None and target is not None:
        lines.append(Row("target", list(target)))
    title = f"{gallery.name}: what comes out of held-out pictures ({gallery.source})"
    return draw_rows(lines, [gallery.caption(row) for row in rows], title, gallery.suffix)


def latent_scatter(gallery: Gallery) -> bytes:
    """Draw the codes of held-out pictures, a colour for each class.

    More than two numbers by their principal components.
    """
    rows = np.arange(min(len(gallery.split), _MOST_POINTS))
    codes = gallery.codes(rows)
    count = f"{len(rows):,} held-out pictures ({gallery.source})"
    labels = None if gallery.split.labels is None else gallery.split.labels[rows]
    if codes.shape[1] == 2:
        title = f"{gallery.name}: where the codes of {count} lie"
        return draw_scatter(codes, labels, title, gallery.suffix, prior=gallery.session.has_prior)
    points, share = principal_components(codes)
    title = (
        f"{gallery.name}: the two principal components (PCA) of codes of {codes.shape[1]} numbers, "
        f"{100 * share:.0f} % of their variance; {count}"
    )
    return draw_scatter(
        points, labels, title, gallery.suffix, ("first component", "second component")
    )


def principal_components(codes: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """Return the first two principal components [N, 2] of codes [N, Z] and their share of the
    variance.
    """
    centred = codes.astype(np.float64) - codes.mean(0)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    chosen = axes[:, :-3:-1]
    # Either direction would do; the one in which the largest part counts up is always the same.
    chosen = chosen * np.sign(chosen[np.abs(chosen).argmax(0), [0, 1]])
    return centred @ chosen, float(variances[-2:].sum() / max(variances.sum(), 1e-12))


def latent_grid(gallery: Gallery) -> bytes:
    """Draw what points of a two-number code decode to, at the quantiles of the prior."""
    pictures = gallery.session.decode_windows(prior_grid(_SIDE))
    title = (
        f"{gallery.name}: pictures over the latent plane, {_SIDE} x {_SIDE} equally probable "
        "cells of the prior"
    )
    return draw_grid(pictures, _SIDE, title, gallery.suffix)


def samples(gallery: Gallery) -> bytes:
    """Draw what draws from the prior decode to."""
    pictures = gallery.session.sample(_SAMPLES**2, gallery.seed)
    rows = [
        Row("", list(pictures[start : start + _SAMPLES]))
        for start in range(0, len(pictures), _SAMPLES)
    ]
    return draw_rows(
        rows,
        [""] * _SAMPLES,
        f"{gallery.name}: {len(pictures)} draws from the prior",
        gallery.suffix,
        cell=56,
    )


def interpolations(gallery: Gallery) -> bytes:
    """Draw paths between pictures; of a conditional model, within a class."""
    from musicvae_lite.core.latent import interpolate

    session = gallery.session
    lines = []
    for pair in _pairs(gallery):
        rows = np.array(pair)
        classes, codes, ends = gallery.condition(rows), gallery.codes(rows), gallery.seen(rows)
        points = interpolate(codes[0], codes[1], _STEPS, session.path)
        made = session.decode_windows(
            points, condition=None if classes is None else np.full(_STEPS, classes[0])
        )
        lines.append(Row(" to ".join(map(gallery.caption, pair)), [ends[0], *made, ends[1]]))
    columns = ["input", *(str(step + 1) for step in range(_STEPS)), "input"]
    how = "great circles" if session.path == "slerp" else "straight lines"
    title = f"{gallery.name}: {how} from code to code of held-out pictures ({gallery.source})"
    return draw_rows(lines, columns, title, gallery.suffix)


def _pairs(gallery: Gallery) -> list[tuple[int, int]]:
    """Return places of pictures to go between: of different classes, but of one for a conditional
    model.
    """
    labels = gallery.split.labels
    if gallery.session.model.classes and labels is not None:
        found = [np.flatnonzero(labels == name)[:2].tolist() for name in np.unique(labels)]
        return [(rows[0], rows[1]) for rows in found if len(rows) == 2][:_ROWS]
    rows = gallery.chosen(2 * _ROWS).tolist()
    if len(rows) < 2:
        return [(rows[0], rows[0])]
    return [(rows[i], rows[i + 1]) for i in range(0, len(rows) - 1, 2)]


def perturbations(gallery: Gallery) -> bytes:
    """Draw what codes decode to when noise of growing size is added to them."""
    from musicvae_lite.core.random import Noise

    session = gallery.session
    rows = gallery.chosen(_ROWS)
    codes = gallery.codes(rows)
    spread = gallery.codes(np.arange(min(len(gallery.split), 1000))).std(0)
    classes = gallery.condition(rows)
    # A picture goes in one direction, further and further.
    noise = Noise(gallery.seed, _NOISE).normal(codes.shape, session.device).cpu().numpy()
    columns = [
        session.decode_windows(codes + np.float32(size) * spread * noise, condition=classes)
        for size in _PERTURBATIONS
    ]
    seen = gallery.seen(rows)
    lines = [
        Row(gallery.caption(row), [seen[i], *(column[i] for column in columns)])
        for i, row in enumerate(rows.tolist())
    ]
    title = (
        f"{gallery.name}: codes with noise; its size in standard deviations of the codes of "
        f"{gallery.source}"
    )
    return draw_rows(
        lines, ["input", *(f"{size:g}" for size in _PERTURBATIONS)], title, gallery.suffix
    )


def feature_maps(gallery: Gallery) -> bytes:
    """Draw the feature maps that are the code of a convolutional model without a latent size."""
    from musicvae_lite.nn.conv import ConvEncoder

    session = gallery.session
    encoder = session.model.encoder
    if not isinstance(encoder, ConvEncoder):
        raise UsageError(f"{gallery.name}: its code is no feature map")
    rows = gallery.chosen(_ROWS)
    seen = gallery.seen(rows)
    codes, _ = session.encode_windows(seen)
    maps = codes.reshape(len(rows), *encoder.output_shape)[:, :_MAPS]
    high = float(maps.max())
    made = session.restore_windows(seen)
    coloured = in_colours(maps, high)
    lines = [
        Row(gallery.caption(row), [seen[i], *coloured[i], made[i]])
        for i, row in enumerate(rows.tolist())
    ]
    columns = ["input", *(f"map {number + 1}" for number in range(len(maps[0]))), "output"]
    size = " x ".join(map(str, encoder.output_shape))
    some = f", the first {_MAPS}" if encoder.output_shape[0] > _MAPS else ""
    title = f"{gallery.name}: the code of {size} numbers, one map a channel{some}"
    return draw_rows(
        lines, columns, title, gallery.suffix, scale=Scale(0, high, "number in the code")
    )


def classes(gallery: Gallery) -> bytes:
    """Draw what a conditional model makes of the same draws from the prior, a row for each
    class.
    """
    from musicvae_lite.core.random import Noise

    session = gallery.session
    count = session.model.classes
    z = session.prior.sample(_SAMPLES, Noise(gallery.seed, _POINTS)).numpy()
    made = session.decode_windows(
        np.tile(z, (count, 1)), condition=np.repeat(np.arange(count), _SAMPLES)
    )
    rows = [
        Row(str(name), list(made[name * _SAMPLES : (name + 1) * _SAMPLES])) for name in range(count)
    ]
    title = (
        f"{gallery.name}: a row for each class that is asked for, a column for each draw from "
        "the prior"
    )
    return draw_rows(rows, [""] * _SAMPLES, title, gallery.suffix)


def loss_curves(folder: Path, name: str, suffix: str = ".png") -> bytes:
    """Draw the curves of a run from its log.

    Raises:
        MusaeError: the log cannot be read, or holds nothing to draw.
    """
    path = folder / METRICS
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    events = [event for line in lines if (event := _event(line))]
    trained = [event for event in events if event.get("event") == "trained"]
    measured = [event for event in events if event.get("event") == "validated"]
    panels = {
        "loss (nats)": [
            _curve("training", trained, "loss"),
            _curve("held out", measured, "score", points=True),
        ],
        "KL (bits)": [
            _curve("training", trained, "kl_bits"),
            _curve("held out", measured, "kl_bits", points=True),
        ],
        "discriminator right": [
            _curve("training", trained, "told"),
            _curve("held out", measured, "discriminator_accuracy", points=True),
        ],
        "PSNR (dB)": [_curve("held out", measured, "psnr_db", points=True)],
        "steps right": [_curve("held out", measured, "accuracy", points=True)],
    }
    drawn = {
        label: [curve for curve in curves if any(curve.values)] for label, curves in panels.items()
    }
    drawn = {label: curves for label, curves in drawn.items() if curves}
    if not drawn:
        raise MusaeError(f"{path}: holds nothing to draw yet")
    return draw_curves(drawn, f"{name}: the run", suffix)


def _event(line: str) -> dict[str, Any] | None:
    """Return a line of the log; None for one that was cut off."""
    try:
        event = json.loads(line)
        return event if isinstance(event, dict) else None
    except ValueError:
        return None


def _curve(label: str, events: Sequence[dict[str, Any]], key: str, points: bool = False) -> Curve:
    flat = [{**event, **event.get("terms", {}), **event.get("measures", {})} for event in events]
    found = [(row["step"], row[key]) for row in flat if isinstance(row.get(key), int | float)]
    return Curve(label, [step for step, _ in found], [value for _, value in found], points)


#: What is drawn with the model, by name; ``loss`` needs its run alone.
DRAWN: dict[str, Callable[[Gallery], bytes]] = {
    "reconstructions": reconstructions,
    "latent-scatter": latent_scatter,
    "latent-grid": latent_grid,
    "samples": samples,
    "interpolations": interpolations,
    "perturbations": perturbations,
    "feature-maps": feature_maps,
    "classes": classes,
}
NAMES = (*DRAWN, "loss")
