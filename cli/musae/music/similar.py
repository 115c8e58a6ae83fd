"""``musae sample --like``: melodies near one that is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from musae.music.reading import conditions_of, percent, place
from musae.options import Console
from musae.outputs import write_pieces
from musicvae_lite.core.errors import UsageError
from musicvae_lite.music.windows import one_window


@dataclass(frozen=True)
class Wish:
    """What was asked for: ``count`` pieces like a window of the file ``like``.

    None where nothing was said.
    """

    like: str
    similarity: float
    count: int
    length: int | None
    qpm: float | None
    temperature: float
    bar: int | None
    track: int | None
    roles: Mapping[str, int]
    chords: Sequence[str] | None = None
    key: str | None = None


def similar_melodies(
    wish: Wish,
    paths: Sequence[Path],
    overwrite: bool,
    model: str,
    device: str,
    seed: int,
    console: Console,
) -> None:
    """Draw melodies near a window of a file and write them to ``paths``.

    Raises:
        UsageError: a length that is not the model's window, no such track or bar, chords that the
            model is not told of.
        NothingUsableError: a file without a usable window.
    """
    conditions = conditions_of(model, wish.chords, wish.key)
    conditions.progression(wish.chords)
    codec = conditions.codec
    bars = codec.bars
    if wish.length not in (None, bars):
        raise UsageError(
            f"--length {wish.length}: what --like makes has the {bars} bars of the window that it "
            "is like"
        )
    passage = one_window(wish.like, codec, model, wish.track, wish.bar, wish.roles)
    from musicvae_lite.model_dir.handle import load_as
    from musicvae_lite.music.session import MusicSession

    session = load_as(MusicSession, model, device, seed)
    result = session.similar(
        passage,
        wish.similarity,
        wish.count,
        wish.temperature,
        wish.qpm,
        chords=wish.chords,
        key=wish.key,
    )
    shared = percent(result.onset_accuracy)
    console.show(
        f"like {passage.source}: {place(passage, bars)}; notes that they share: {shared} on average"
    )
    write_pieces(result.scores, paths, overwrite, console)
    settings = {"temperature": wish.temperature, "bars": bars, "seed": seed}
    outputs = [str(path) for path in paths]
    console.document(
        {"model": model, "count": wish.count, **result.as_dict(), **settings, "outputs": outputs}
    )
