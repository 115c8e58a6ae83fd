"""The picture of what a verb writes: ``--plot``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from musae.job import Job
    from musicvae_lite.media.midi import Score


@dataclass(frozen=True)
class Pictures:
    """The picture that a verb was asked for, a row for each MIDI file, or none.

    Attributes:
        place: where it goes; None where none was asked for.
        job: what was asked.
        rows: name and score of each file so far.
    """

    place: Path | None
    job: Job
    rows: list[tuple[str, Score]] = field(default_factory=list)

    def add(self, path: Path, piece: Score | bytes) -> None:
        """Take up a MIDI file with its content."""
        if self.place is None:
            return
        from musicvae_lite.media.midi import read_midi

        score = read_midi(piece, source=str(path)) if isinstance(piece, bytes) else piece
        self.rows.append((path.name, score))

    def write(self) -> dict[str, Any]:
        """Draw and write the picture; return what the JSON document says of it.

        Raises:
            MusaeError: if the file system refuses.
        """
        if self.place is None or not self.rows:
            return {}
        from musae.outputs import write_together
        from musicvae_lite.music.score_plots import stacked_rolls

        names, scores = zip(*self.rows, strict=True)
        data = stacked_rolls(scores, self.place, names)
        write_together({self.place: data}, self.job.overwrite)
        self.job.console.show(f"wrote {self.place}")
        return {"plot": str(self.place)}


def pictures_asked(job: Job, paths: Sequence[Path], inputs: Iterable[str] = ()) -> Pictures:
    """Return the picture that ``--plot`` of the running verb asks for, after checking it.

    Args:
        job: what was asked.
        paths: the MIDI files that the verb writes.
        inputs: files that must not be replaced.

    Raises:
        UsageError: a picture of another kind, of too many rows, or that cannot be written.
    """
    context = click.get_current_context()
    plot = context.meta.get("musae.plot") or context.params.get("plot")
    if not plot:
        return Pictures(None, job)
    from musae.outputs import check_files
    from musicvae_lite.music.score_plots import check_stacked

    check_stacked(Path(plot), len(paths))
    check_files([Path(plot)], job.overwrite, inputs)
    return Pictures(Path(plot), job)
