"""``musae inspect`` of music: tracks, key, chords, windows, and why the rest cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from musae.job import Job
from musae.music.reading import codec_of
from musae.outputs import each
from musae.words import counted

if TYPE_CHECKING:
    from musicvae_lite.media.midi import Score
    from musicvae_lite.music.codec import ScoreCodec, TrackReport

_CHORDS_SHOWN = 16
_SOURCES = {"texts": "written in the file", "notes": "inferred from the notes"}


def inspect(job: Job, files: Sequence[str]) -> int:
    """Say what files hold and what the model can use of it, and return the exit code."""
    codec, model, console = codec_of(job.handle), job.model, job.console
    found: list[dict[str, Any]] = []

    def look(name: str) -> None:
        report = examine(name, codec)
        found.append(report)
        console.answer("\n".join(_lines(report, model)))

    code = each(files, look, console.error, nothing="see above")
    console.document({"model": model, "files": found})
    return code


def examine(name: str, codec: ScoreCodec) -> dict[str, Any]:
    """Return what there is to say of one file.

    Raises:
        MidiError: if the file cannot be read.
    """
    import numpy as np

    from musicvae_lite.media.midi import read_midi
    from musicvae_lite.music.chords import NOTES
    from musicvae_lite.music.harmony import harmony
    from musicvae_lite.music.key_of_piece import find_key
    from musicvae_lite.music.remarks import of_timing
    from musicvae_lite.music.timing import timing
    from musicvae_lite.music.windows import any_instrument, heard_as

    score = read_midi(name, texts=True)
    found, key = harmony(score), find_key(score)
    heard = heard_as(score, codec)
    score, swing = heard.score, heard.swing
    wide, count = any_instrument(codec), len(codec.encode(score).windows)
    # What verbs do: where no track has a usual program, any will do.
    more = len(wide.encode(score).windows) if wide is not codec and not count else 0
    any_program, count = more > 0, count or more
    codec = wide if any_program else codec
    tracks = codec.explain(score)
    named = {} if any_program else _if_named(score, tracks, wide)
    segments = heard.original.metre_segments()
    tempos = [round(float(qpm), 3) for qpm in score.tempos["qpm"]] or [120.0]
    used = [track.number - 1 for track in tracks if track.windows]
    piece = score if swing is None else swing.original
    own = np.isin(piece.notes["track"], used or list(range(len(piece.tracks))))
    lies = timing(piece, np.flatnonzero(own), codec)
    return {
        "file": name,
        "notices": list(score.notices),
        "ticks_per_quarter": score.ticks_per_quarter,
        "metres": [f"{segment.numerator}/{segment.denominator}" for segment in segments],
        "qpm": {
            "first": round(score.qpm, 3),
            "lowest": min(tempos),
            "highest": max(tempos),
            "changes": len(tempos) - 1,
        },
        "windows": count,
        "any_program": any_program,
        "advice": codec.advice(score),
        "key": f"{NOTES[key.tonic]} {key.mode}",
        "church_mode": key.church or None,
        "grid": lies.as_dict(swing.ratio if swing else None),
        "metres_joined": list(heard.joined),
        "timing": of_timing(lies, swing, codec),
        "chords": {
            "from": found.origin,
            "changes": [
                [round(tick / score.ticks_per_quarter, 3), symbol]
                for tick, symbol in found.symbols()
            ],
        },
        "tracks": [
            {
                "track": track.number,
                "name": track.name,
                "program": track.program,
                "role": track.role,
                "notes": track.notes,
                "windows": track.windows,
                "bars": list(track.bars) if track.bars else None,
                "windows_if_named": named[track.number].windows if track.number in named else None,
                # Another program is no reason where the track cannot be used for another one, even
                # if it is named.
                "refused": dict(_true_reasons(track, named).most_common()),
            }
            for track in tracks
        ],
    }


def _if_named(
    score: Score, tracks: Sequence[TrackReport], wide: ScoreCodec
) -> dict[int, TrackReport]:
    """Return what the tracks that are left out for their program would give if they were named, by
    their number.
    """
    from musicvae_lite.music.codecs.melody import track_report

    left_out = [
        track for track in tracks if any(reason.startswith("program") for reason in track.refused)
    ]
    return {
        track.number: track_report(
            track.number - 1, score, wide.encode(score, [track.number - 1]), wide.bars
        )
        for track in left_out
    }


def _true_reasons(track: TrackReport, named: Mapping[int, TrackReport]) -> Counter[str]:
    other = named.get(track.number)
    return track.refused if other is None or other.windows else other.refused


def _chords(changes: list[tuple[float, str]]) -> str:
    """Write the first chords of a piece in a line."""
    symbols = [symbol for _, symbol in changes]
    return " ".join(symbols[:_CHORDS_SHOWN]) + (
        f" ... ({len(symbols)} in all)" if len(symbols) > _CHORDS_SHOWN else ""
    )


def _lines(report: dict[str, Any], model: str) -> Iterator[str]:
    metres = list(dict.fromkeys(report["metres"]))
    qpm = report["qpm"]
    tempo = f"{qpm['first']:g} bpm" + (
        f" ({qpm['lowest']:g} to {qpm['highest']:g})" if qpm["changes"] > 0 else ""
    )
    shown = ", ".join(metres[:6]) + (", ..." if len(metres) > 6 else "")
    which = (
        ", of any program: none has one of those that melodies mostly have"
        if report["any_program"]
        else ""
    )
    windows = counted(report["windows"], "window")
    yield f"{report['file']}: {shown}, {tempo}; {model} can use {windows}{which}"
    for notice in report["notices"]:
        yield f"  {notice}"
    if report["metres_joined"]:
        joined = ", ".join(report["metres_joined"])
        yield f"  bars of {joined} are joined or halved to those of {model} (--no-join leaves them)"
    if report["timing"]:
        yield f"  {report['timing']}"
    if report["advice"]:
        yield f"  {report['advice']}"
    church = f" ({report['church_mode']})" if report["church_mode"] else ""
    yield f"  key: {report['key']}{church}"
    yield f"  chords ({_SOURCES[report['chords']['from']]}): {_chords(report['chords']['changes'])}"
    for track in report["tracks"]:
        name = f" {track['name']!r}" if track["name"] else ""
        kind = f"{track['role']}, program {track['program']}, {counted(track['notes'], 'note')}"
        use = (
            f"{counted(track['windows'], 'window')} in bars {track['bars'][0]}-{track['bars'][1]}"
            if track["bars"]
            else "no window"
        )
        yield f"  track {track['track']}{name}: {kind}; {use}"
        for reason, count in track["refused"].items():
            unit = "window" if reason.startswith("window") else "note"
            yield f"    not used: {counted(count, unit)}: {reason}"
            if reason.startswith("program"):
                more = counted(track["windows_if_named"] or 0, "window")
                yield f"      (with --track {track['track']} all the same: {more})"
