"""What the verbs share where the model is one of pictures: files in, files out. Imports no torch.

Letters in shapes: N pictures, H W pixels.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from musae.job import Job
from musae.latents import numbered, safe_stem
from musae.options import echo
from musae.outputs import MAX_NAME, check_files, check_in_folder, is_folder, shortened
from musicvae_lite.config import ImageCodecSettings, ImageModel, RunConfig
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.images.codec import ImageCodec, as_bytes
from musicvae_lite.media.image import (
    PICTURES,
    Pictures,
    image_bytes,
    picture_paths,
    png_bytes,
    read_pictures,
)
from musicvae_lite.plotting import sheet

if TYPE_CHECKING:
    from musicvae_lite.model_dir.handle import Handle

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PictureModel:
    """What is known of a model of pictures without its weights.

    Attributes:
        name: as the user calls it.
        config: the run that made it.
        seen: the pictures that the encoder sees.
        made: the pictures that the decoder makes.
        classes: number of classes of a conditional model, else 0.
    """

    name: str
    config: RunConfig
    seen: ImageCodec
    made: ImageCodec
    classes: int

    def check_label(self, label: int | None) -> None:
        """Refuse a label that the model does not know.

        Raises:
            UsageError: it is out of range, or the model takes none.
        """
        if label is not None and not self.classes:
            raise UsageError(f"--label {label}: {self.name} is not conditional; it takes no label")
        if label is not None and label >= self.classes:
            raise UsageError(
                f"--label {label}: {self.name} knows the labels 0 to {self.classes - 1}"
            )


def picture_model(handle: Handle) -> PictureModel:
    """Read what a folder says of its model.

    Raises:
        UsageError: it is none of pictures.
    """
    name, config = handle.name, handle.config
    codec, model, corrupt = config.codec, config.model, config.data.corrupt
    if not isinstance(codec, ImageCodecSettings) or not isinstance(model, ImageModel):
        raise UsageError(f"{name} is no model of pictures")
    made = ImageCodec(codec.height, codec.width, codec.channels)
    seen = (
        made.smaller(corrupt.factor) if corrupt is not None and corrupt.kind == "shrink" else made
    )
    return PictureModel(name, config, seen, made, model.classes)


# Inputs


@dataclass(frozen=True, eq=False)
class Input:
    """The pictures of one input.

    Attributes:
        name: as the user wrote it: FILE, FOLDER or FILE#INDEX.
        path: FILE or FOLDER.
        groups: the pictures, one group for each size.
        labels: class of each [N] in their own order, or None.
    """

    name: str
    path: str
    groups: list[Pictures]
    labels: NDArray[np.int64] | None

    def __len__(self) -> int:
        return sum(len(group) for group in self.groups)

    @property
    def places(self) -> NDArray[np.int64]:
        """Place of each in its file, in their own order [N]."""
        return np.sort(np.concatenate([group.places for group in self.groups]))

    def in_order(self, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Join what was made of each group, in the pictures' own order."""
        return np.concatenate(parts)[
            np.argsort(np.concatenate([group.places for group in self.groups]))
        ]


def read_input(name: str, report: Callable[[MusaeError], None] | None = None) -> Input:
    """Read a file or folder of pictures, or one picture of it (``FILE#INDEX``, counted from 0).

    Args:
        name: FILE, FOLDER or FILE#INDEX.
        report: is told of pictures of a FOLDER that are left out because they cannot be used;
            default the first one is raised.

    Raises:
        UsageError: no picture of that index.
        MusaeError: see :func:`musicvae_lite.media.image.read_pictures`.
    """
    path, index = split_index(name)
    groups = read_pictures(path, report if index is None else None)
    if index is not None:
        count = sum(len(group) for group in groups)
        if index >= count:
            raise UsageError(f"{name}: {path} holds {count:,} pictures, 0 to {count - 1}")
        groups = [_one(group, index) for group in groups if index in group.places]
    found = Input(name, path, groups, None)
    labels = [group.labels for group in groups if group.labels is not None]
    return found if len(labels) < len(groups) else Input(name, path, groups, found.in_order(labels))


def _one(group: Pictures, place: int) -> Pictures:
    row = np.flatnonzero(group.places == place)
    labels = None if group.labels is None else group.labels[row]
    return Pictures(
        group.images[row], labels, (group.names[row[0]],), group.source, group.places[row]
    )


def split_index(name: str) -> tuple[str, int | None]:
    """Split ``FILE#INDEX``; a file whose own name ends so stays whole."""
    path, mark, index = name.rpartition("#")
    if mark and index.isdecimal() and not os.path.exists(name):
        return path, int(index)
    return name, None


def form_of(name: str) -> Literal["picture", "folder", "arrays"]:
    """Tell by the name what an input is: one picture, a folder of them, or a file of many."""
    path, index = split_index(name)
    if index is not None or path.lower().endswith(PICTURES):
        return "picture"
    return "folder" if os.path.isdir(path) else "arrays"


def stem_of(name: str) -> str:
    """Return the name of an input without folder and suffix.

    ``FILE-INDEX`` for one picture of many.
    """
    path, index = split_index(name)
    plain = Path(path.removesuffix(".gz") if path.lower().endswith(".gz") else path)
    stem = (
        plain.stem if plain.suffix.lower() in (*PICTURES, ".npz", ".idx") else plain.resolve().name
    )
    return stem if index is None else f"{stem}-{index}"


def changes(found: Input, model: PictureModel) -> str:
    """Say how pictures are brought to the size and colours of the model, or return "" where they
    fit as they are.
    """
    said = []
    fitting = (model.seen.shape[:2], model.made.shape[:2])
    other = (
        []
        if model.config.data.pieces
        else [group for group in found.groups if group.images.shape[1:3] not in fitting]
    )
    if other:
        sizes = sorted({group.images.shape[1:3] for group in other})
        were = " and ".join(f"{width} x {height}" for height, width in sizes[:2]) + (
            " and more" if len(sizes) > 2 else ""
        )
        some = (
            ""
            if len(other) == len(found.groups)
            else f"{sum(map(len, other)):,} of {len(found):,} pictures of "
        )
        to = model.made if _covers(other, model.made) else model.seen
        said.append(f"{some}{were} pixels, resized to {to.width} x {to.height}")
    empty = sum(_of_one_brightness(picture) for group in found.groups for picture in group.images)
    if empty:
        said.append(
            f"{empty:,} of {len(found):,} pictures of one brightness: nothing is drawn there"
        )
    coloured = [group.images.ndim == 4 for group in found.groups]
    if model.made.channels == 1 and any(coloured):
        said.append("colours turned to grey")
    elif model.made.channels == 3 and not all(coloured):
        said.append("grey taken as colours")
    return "; ".join(said)


def _of_one_brightness(picture: NDArray[Any]) -> bool:
    """Say whether a picture is empty; most are found not to be by their first pixels."""
    first = picture.flat[0]
    return bool((picture[0] == first).all()) and bool((picture == first).all())


def _covers(groups: Sequence[Pictures], codec: ImageCodec) -> bool:
    return all(
        group.images.shape[1] >= codec.height and group.images.shape[2] >= codec.width
        for group in groups
    )


def labels_for(found: Input, model: PictureModel, label: int | None) -> NDArray[np.int64] | None:
    """Return the class of each picture [N] for a conditional model: ``label`` for all, or the
    file's own; None for another.

    Raises:
        UsageError: there is neither, or the model does not know one of them.
    """
    if not model.classes:
        return None
    last = model.classes - 1
    if label is not None:
        return np.full(len(found), label)
    if found.labels is None:
        raise UsageError(
            f"{found.name}: has no labels, and {model.name} wants one of each picture; give "
            f"--label 0 to {last}"
        )
    low, high = int(found.labels.min()), int(found.labels.max())
    if low < 0 or high > last:
        raise UsageError(
            f"{found.name}: has labels from {low} to {high}; {model.name} knows 0 to {last}"
        )
    return found.labels


def origin(found: Input) -> dict[str, NDArray[Any]]:
    """Return the file of each picture and its place in it, both [N]."""
    return {"source": np.full(len(found), found.path), "index": found.places}


def single(job: Job, name: str, model: PictureModel) -> Input:
    """Read an input that must be one picture."""
    found = read_input(name)
    if len(found) > 1:
        raise UsageError(
            f"{name}: holds {len(found):,} pictures; choose one of them, such as {name}#0"
        )
    said = changes(found, model)
    if said:
        job.console.note(f"{name}: {said}")
    return found


def one_label(inputs: list[Input], model: PictureModel, label: int | None) -> int | None:
    """Return the one class of a path through a conditional model."""
    if not model.classes:
        return None
    labels = {
        int(found[0]) for item in inputs if (found := labels_for(item, model, label)) is not None
    }
    if len(labels) > 1:
        both = " and ".join(map(str, sorted(labels)))
        raise UsageError(
            f"{model.name} draws one class along the path, and these are {both}; choose with "
            "--label"
        )
    return labels.pop()


# Outputs


@dataclass(frozen=True)
class Target:
    """Where pictures go that belong together: a sheet of all, a file each, or arrays.

    Attributes:
        form: which of them.
        paths: one, or one for each picture.
    """

    form: Literal["sheet", "each", "arrays"]
    paths: list[Path]

    def files(
        self,
        pictures: Floats,
        columns: int | None = None,
        more: Mapping[str, NDArray[Any]] | None = None,
    ) -> dict[Path, bytes]:
        """Return the content of each file.

        Args:
            pictures: [N, H, W] or [N, H, W, 3].
            columns: of a sheet; default as many as rows.
            more: arrays that go beside ``images``.
        """
        if self.form == "arrays":
            return {self.paths[0]: npz_bytes({"images": pictures, **(more or {})})}
        if self.form == "each":
            return {
                path: png_bytes(picture)
                for path, picture in zip(self.paths, as_bytes(pictures), strict=True)
            }
        across = columns or int(np.ceil(len(pictures) ** 0.5))
        return {self.paths[0]: image_bytes(sheet(pictures, across), self.paths[0])}

    @property
    def shown(self) -> str:
        """Say on one line what is written."""
        return str(self.paths[0]) + (f" ... {self.paths[-1]}" if len(self.paths) > 1 else "")


def target_of(
    output: str, names: Sequence[str], overwrite: bool, inputs: Iterable[str] = ()
) -> Target:
    """Choose by an output's name where pictures go: X.png (one sheet), X.npz (arrays) or DIR/
    (NAME.png each).

    Raises:
        UsageError: of another kind, or it cannot be written; see :func:`musae.outputs.check_files`.
    """
    read = [split_index(name)[0] for name in inputs]
    if is_folder(output):
        return Target(
            "each",
            check_in_folder(Path(output), [f"{name}.png" for name in names], overwrite, read),
        )
    path = check_suffix(output)
    check_files([path], overwrite, read)
    return Target("arrays" if path.suffix.lower() == ".npz" else "sheet", [path])


def check_suffix(output: str) -> Path:
    """Return the path of an output that is a picture or holds arrays.

    Raises:
        UsageError: if it ends otherwise.
    """
    path = Path(output)
    if path.suffix.lower() not in (*PICTURES, ".npz"):
        raise UsageError(
            f"{output}: pictures go to a file that ends in {', '.join(PICTURES[:2])} ... or .npz; "
            "a folder ends with /"
        )
    return path


def one_each(
    output: str | None, names: Sequence[str], kind: str, overwrite: bool
) -> list[list[Path]]:
    """Return for each input the files that its pictures go to: a picture for a picture, arrays for
    a file of many.

    By default FILE.KIND.png, FILE.KIND.npz or FOLDER.KIND/NAME.png; with ``DIR/`` the same there
    without KIND. A single picture may be named itself. ``X.npz`` takes the pictures of all inputs:
    then there is but that path, for each of them.

    Raises:
        UsageError: see :func:`musae.outputs.check_files`.
    """
    read = [split_index(name)[0] for name in names]
    if output is None:
        found = [_default(name, kind) for name in names]
        for paths in found:
            check_in_folder(paths[0].parent, [path.name for path in paths], overwrite, read)
        _all_differ(found)
        return found
    if is_folder(output):
        found = [[Path(output) / path for path in _in_folder(name)] for name in names]
        _all_differ(found)
        check_in_folder(
            Path(output), [path.name for paths in found for path in paths], overwrite, read
        )
        return found
    path = check_suffix(output)
    if path.suffix.lower() != ".npz" and (len(names) > 1 or form_of(names[0]) != "picture"):
        raise UsageError(
            f"{output}: one picture cannot hold the results; name a folder ({path.stem}/) or "
            f"arrays ({path.stem}.npz)"
        )
    check_files([path], overwrite, read)
    return [[path]] * len(names)


def _default(name: str, kind: str) -> list[Path]:
    form, stem = form_of(name), stem_of(name)
    if form == "folder":
        return [
            Path(f"{shortened(stem, MAX_NAME - len(kind) - 1)}.{kind}") / path
            for path in _in_folder(name)
        ]
    end = f".{kind}.{'png' if form == 'picture' else 'npz'}"
    return [Path(shortened(stem, MAX_NAME - len(end)) + end)]


def _in_folder(name: str) -> list[str]:
    form = form_of(name)
    if form == "folder":
        # One name for an empty folder, too: that it is empty is told when it is read.
        return [
            f"{stem}.png"
            for stem in numbered(
                [safe_stem(str(path)) for path in picture_paths(Path(name))] or ["none"]
            )
        ]
    return [f"{stem_of(name)}.{'png' if form == 'picture' else 'npz'}"]


def _all_differ(found: Sequence[Sequence[Path]]) -> None:
    seen: set[Path] = set()
    for paths in found:
        for path in paths:
            if path in seen:
                raise UsageError(
                    f"{path}: two inputs would be written to this file; give them one at a time"
                )
            seen.add(path)


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as the content of an .npz file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


# Verbs


def known(job: Job) -> PictureModel:
    """Read what is known of the model of a job; a label that it does not know is refused."""
    model = picture_model(job.handle)
    model.check_label(job.label)
    return model


def read_fitting(job: Job, name: str, model: PictureModel) -> Input:
    """Read an input and say once how it is made to fit.

    Pictures of a folder that cannot be used are failures.
    """
    failed: list[str] = []

    def report(error: MusaeError) -> None:
        failed.append(str(error))
        job.console.error(failed[-1])

    found = read_input(name, report)
    if failed:
        echo(
            f"musae: {len(failed):,} of {len(found) + len(failed):,} pictures of {name} failed",
            err=True,
        )
    labels_for(found, model, job.label)
    said = changes(found, model)
    if said:
        job.console.note(f"{name}: {said}")
    return found


def mean_squared_error(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the mean squared difference of brightness 0..1."""
    return float(np.square(a.astype(np.float64) - b).mean())


def decibels_of(mse: float) -> float:
    """Return a mean squared error as PSNR; torch is loaded with the measure."""
    from musicvae_lite.images.evaluate.pictures import decibels

    return decibels(mse)
