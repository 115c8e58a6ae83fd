"""What verbs that write MIDI files also write as sound: ``--wav``."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from musicvae_lite.core.errors import UsageError

if TYPE_CHECKING:
    from musae.job import Job
    from musae.options import Console
    from musicvae_lite.media.midi import Score

_MAX_SECONDS = 1800  # a gigabyte of memory
_SUFFIX = ".wav"


def check_sound(name: str, seconds: float) -> None:
    """Refuse to render more than fits into memory.

    Raises:
        UsageError: naming the limit.
    """
    if seconds > _MAX_SECONDS:
        limit, found = _MAX_SECONDS // 60, f"{seconds / 60:,.0f}"
        raise UsageError(
            f"{name}: sound is rendered up to {limit} minutes, not {found}; ask for fewer --steps"
        )


def wav_bytes(score: Score) -> tuple[bytes, str]:
    """Render a score to a 16-bit stereo WAV file; return its content and what played it.

    Raises:
        UsageError: it lasts too long, or ``MUSAE_SOUNDFONT`` names no file.
        MusaeError: it cannot be played.
    """
    import soundfile

    from musicvae_lite.media.synth import play, seconds_of

    check_sound(score.source or "the piece", seconds_of(score))
    audio, how = play(score)
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.samples.T, audio.rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue(), how


@dataclass(frozen=True)
class Sounds:
    """The sound files that a verb was asked for, one beside each MIDI file, or none.

    Attributes:
        places: MIDI file -> sound file.
        console: says what played them.
        said: what was said already.
    """

    places: Mapping[Path, Path]
    console: Console
    said: list[str] = field(default_factory=list)

    def of(self, path: Path, piece: Score | bytes) -> dict[Path, bytes]:
        """Return the sound file of a MIDI file with its content, to be written together.

        Raises:
            UsageError, MusaeError: see :func:`wav_bytes`.
        """
        if path not in self.places:
            return {}
        from musicvae_lite.media.midi import read_midi

        score = read_midi(piece, source=str(path)) if isinstance(piece, bytes) else piece
        place = self.places[path]
        data, how = wav_bytes(score)
        if how not in self.said:
            self.console.note(f"{place}: played by {how}")
            self.said.append(how)
        return {place: data}

    def made(self, path: Path) -> dict[str, str]:
        """Return what the JSON document says of the sound of a MIDI file."""
        return {"wav": str(self.places[path])} if path in self.places else {}


def sounds_asked(job: Job, paths: Sequence[Path], inputs: Iterable[str] = ()) -> Sounds:
    """Return where the sounds go that ``--wav`` of the running verb asks for.

    Args:
        job: what was asked.
        paths: the MIDI files that the verb writes.
        inputs: files that must not be replaced.

    Raises:
        UsageError: a file that cannot be written, or one file for several sounds.
    """
    console, overwrite = job.console, job.overwrite
    wav = click.get_current_context().meta.get("musae.wav")
    if wav is None:
        return Sounds({}, console)
    from musae.outputs import check_files, check_in_folder, is_folder

    if is_folder(wav):
        names = [f"{path.stem}{_SUFFIX}" for path in paths]
        return Sounds(
            dict(zip(paths, check_in_folder(Path(wav), names, overwrite, inputs), strict=True)),
            console,
        )
    if Path(wav).suffix.lower() != _SUFFIX:
        raise UsageError(f"{wav}: a sound file ends in .wav; a folder ends with /")
    if len(paths) > 1:
        raise UsageError(
            f"{wav}: one file cannot hold {len(paths)} sounds; name a folder ({Path(wav).stem}/)"
        )
    check_files([Path(wav), *paths], True, inputs)
    check_files([Path(wav)], overwrite, inputs)
    return Sounds({paths[0]: Path(wav)}, console)
