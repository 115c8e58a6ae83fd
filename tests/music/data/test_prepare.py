import csv
import errno
import os
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.config import load_config
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.music.data import pool, prepare
from musicvae_lite.music.data.corpus import Corpus, read_manifest
from musicvae_lite.music.data.pool import Crash, run_units
from musicvae_lite.music.data.prepare import Progress, is_valid, prepare_corpus
from tests.music.data.conftest import CONFIG, tune

needs_fork = pytest.mark.skipif(
    sys.platform != "linux", reason="workers see what a test patched only where they are forked"
)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_is_stored(songs: Path, tmp_path: Path) -> None:
    events: list[Progress] = []
    report = prepare_corpus(
        [songs], CONFIG, tmp_path / "out", workers=2, valid_fraction=0.3, on_event=events.append
    )
    assert (report.files, report.used, report.windows, report.distinct, report.complete) == (
        44,
        41,
        205,
        200,
        True,
    )
    assert report.train + report.valid == 200 and 0 < report.valid < 120
    assert report.dropped["file: empty file"] == report.dropped["file: not a MIDI file"] == 1
    assert report.dropped["file: truncated"] == 1
    assert report.dropped["window that occurred before"] == 5
    assert report.sources["songs"].distinct == 200
    assert (
        events[-1].files_done,
        events[-1].files_total,
        events[-1].windows,
        events[-1].dropped_files,
    ) == (44, 44, 205, 3)
    corpus = Corpus.open(tmp_path / "out")
    assert len(corpus) == 200
    for row in range(200):
        assert bool(corpus.valid[row]) == is_valid(corpus.groups[corpus.group[row]], 0.3)
    assert set(corpus.groups) == {f"group{number}" for number in range(40)}
    assert not set(corpus.split("train").group) & set(corpus.split("valid").group)
    assert set(corpus.bar.tolist()) == {0, 1, 2, 3, 4} and not corpus.track.any()


def test_the_table_of_what_was_dropped(songs: Path, tmp_path: Path) -> None:
    report = prepare_corpus([songs], CONFIG, tmp_path / "out", workers=1)
    with open(tmp_path / "out" / "dropped.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counted: Counter[str] = Counter()
    for row in rows:
        counted[row["reason"]] += int(row["count"])
    assert counted == report.dropped
    (doubled,) = (row for row in rows if row["reason"] == "window that occurred before")
    assert doubled["source"] in ("songs/copy.kar", "songs/more/07.mid")
    assert (doubled["track"], doubled["first_bar"], doubled["last_bar"], doubled["count"]) == (
        "1",
        "1",
        "5",
        "5",
    )
    (letter,) = (row for row in rows if row["source"] == "songs/text.midi")
    assert letter["track"] == "" and "starts with" in letter["detail"]


def test_the_number_of_workers_and_shards_does_not_matter(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PART_FILES", 10)
    monkeypatch.setattr(prepare, "UNIT_FILES", 4)
    prepare_corpus([archive], CONFIG, tmp_path / "one", workers=1)
    prepare_corpus([archive], CONFIG, tmp_path / "three", workers=3)
    for shard in (2, 3, 1):
        report = prepare_corpus(
            [archive], CONFIG, tmp_path / "sharded", workers=1, shard=(shard, 3)
        )
        assert report.complete == (shard == 1)
    one = contents(tmp_path / "one")
    assert sum(name.startswith("part-") for name in one) == 5
    assert one == contents(tmp_path / "three") == contents(tmp_path / "sharded")


def test_folder_and_zip_file_give_the_same_windows(
    songs: Path, archive: Path, tmp_path: Path
) -> None:
    prepare_corpus([songs], CONFIG, tmp_path / "a", workers=1)
    prepare_corpus([archive], CONFIG, tmp_path / "b", workers=1)
    a, b = Corpus.open(tmp_path / "a"), Corpus.open(tmp_path / "b")
    np.testing.assert_array_equal(a.windows, b.windows)
    assert a.groups == b.groups


def test_a_run_that_was_stopped_goes_on(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PART_FILES", 10)
    monkeypatch.setattr(prepare, "UNIT_FILES", 5)
    out = tmp_path / "out"

    def stop(progress: Progress) -> None:
        if progress.files_done >= 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_corpus([archive], CONFIG, out, workers=1, on_event=stop)
    done = {path: path.stat().st_mtime_ns for path in out.glob("part-*.parquet")}
    assert len(done) == 2
    assert not read_manifest(out)["complete"]
    assert not list(out.glob("*.part"))
    with pytest.raises(
        MusaeError, match="incomplete: 2 of 5 parts; run the same `musae prepare` again"
    ):
        Corpus.open(out)
    events: list[Progress] = []
    prepare_corpus([archive], CONFIG, out, workers=2, on_event=events.append)
    assert events[0].files_done > 20
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
    whole = tmp_path / "whole"
    report = prepare_corpus([archive], CONFIG, whole, workers=1)
    assert contents(out) == contents(whole)
    again = prepare_corpus(
        [archive], CONFIG, out, workers=1, on_event=lambda progress: pytest.fail("worked again")
    )
    assert again.sources == report.sources


def test_an_output_that_holds_something_else(songs: Path, archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "diary.txt").write_text("mine")
    prepare_corpus([songs], CONFIG, out, workers=1)
    with pytest.raises(UsageError, match="holds a corpus of other files or settings"):
        prepare_corpus([archive], CONFIG, out, workers=1)
    with pytest.raises(UsageError, match="holds a corpus of other files or settings"):
        prepare_corpus([songs], {"kind": "melody", "bars": 4}, out, workers=1)
    report = prepare_corpus([songs], {"kind": "melody", "bars": 4}, out, workers=1, overwrite=True)
    assert Corpus.open(out).windows.shape == (report.distinct, 64)
    assert (out / "diary.txt").read_text() == "mine"


def test_parts_of_another_corpus_are_not_taken_for_ones_own(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PART_FILES", 15)
    (tmp_path / "few").mkdir()
    for number in range(20):
        (tmp_path / "few" / f"{number}.mid").write_bytes(tune(100 + number))
    prepare_corpus([songs], CONFIG, tmp_path / "out", workers=1)
    (tmp_path / "out" / "manifest.json").unlink()
    report = prepare_corpus([tmp_path / "few"], CONFIG, tmp_path / "out", workers=1)
    prepare_corpus([tmp_path / "few"], CONFIG, tmp_path / "clean", workers=1)
    assert report.distinct == len(Corpus.open(tmp_path / "out")) == 100
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


def test_rights_are_added_to_a_finished_corpus(songs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare_corpus([songs], CONFIG, out, workers=1)
    prepare_corpus(
        [songs],
        CONFIG,
        out,
        workers=1,
        rights="CC0",
        on_event=lambda progress: pytest.fail("worked again"),
    )
    prepare_corpus([songs], CONFIG, out, workers=1)
    assert read_manifest(out)["rights"] == "CC0" and read_manifest(out)["sources"]


def test_a_file_that_changed_at_the_same_size_is_another(
    songs: Path, archive: Path, tmp_path: Path
) -> None:
    prepare_corpus([songs], CONFIG, tmp_path / "a", workers=1)
    prepare_corpus([archive], CONFIG, tmp_path / "b", workers=1)
    (songs / "text.midi").write_bytes(b"A LETTER")
    with zipfile.ZipFile(archive, "w") as file:
        for found in sorted(songs.rglob("*")):
            file.write(found, found.relative_to(songs).as_posix())
    for source, out in ((songs, "a"), (archive, "b")):
        with pytest.raises(UsageError, match="holds a corpus of other files"):
            prepare_corpus([source], CONFIG, tmp_path / out, workers=1)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    with open(os.fsencode(folder) + b"/caf\xe9.mid", "wb") as file:
        file.write(tune(0))
    with open(os.fsencode(folder) + b"/bad\xe9.mid", "wb") as file:
        file.write(b"no music")
    report = prepare_corpus([folder], CONFIG, tmp_path / "out", workers=1)
    assert (report.used, report.files) == (1, 2)
    assert Corpus.open(tmp_path / "out").sources == ("songs/caf\ufffd.mid",)
    assert "songs/bad\ufffd.mid" in (tmp_path / "out" / "dropped.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"sources": []}, UsageError, "name at least one"),
        ({"sources": ["missing"]}, MusaeError, "no such file or folder"),
        ({"sources": ["bad.zip"]}, MusaeError, "not a zip file"),
        ({"sources": ["bare"]}, NothingUsableError, "holds no MIDI files"),
        ({"sources": ["nothing"]}, NothingUsableError, "most often: file: not a MIDI file"),
        ({"output": "no/such/folder"}, UsageError, "no such folder"),
        ({"output": "bad.zip"}, UsageError, "is a file"),
        ({"shard": (3, 2)}, UsageError, "out of range"),
        ({"valid_fraction": 1.0}, UsageError, "out of range"),
        ({"shard": (1, 2), "overwrite": True}, UsageError, "other shards"),
        ({"codec_config": {"kind": "none"}}, UsageError, "not known"),
    ],
)
def test_wrong_input(
    change: dict[str, object],
    error: type[Exception],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.zip").write_bytes(b"PK but no zip")
    for name in ("bare", "good", "nothing"):
        Path(name).mkdir()
    Path("good/a.mid").write_bytes(tune(0))
    Path("nothing/a.mid").write_bytes(b"no music")
    with pytest.raises(error, match=message):
        prepare_corpus(
            **{"sources": ["good"], "codec_config": CONFIG, "output": "out", "workers": 1, **change}
        )  # type: ignore[arg-type]


def test_an_index_without_its_columns(songs: Path, tmp_path: Path) -> None:
    (songs / "index.csv").write_text("name,group\na,b\n")
    with pytest.raises(MusaeError, match="needs the columns file and song_group"):
        prepare_corpus([songs], CONFIG, tmp_path / "out", workers=1)


def test_a_full_disk_leaves_nothing_half_written(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(prepare, "write_part", full)
    with pytest.raises(MusaeError, match="the disk is full"):
        prepare_corpus([songs], CONFIG, tmp_path / "out", workers=1)
    assert sorted(contents(tmp_path / "out")) == ["dropped-00000.csv", "manifest.json"]
    monkeypatch.undo()
    assert prepare_corpus([songs], CONFIG, tmp_path / "out", workers=1).complete


def test_a_damaged_member_of_a_zip_file(archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        info = file.getinfo("00.MID")
    data[info.header_offset + 60] ^= 0xFF
    archive.write_bytes(data)
    report = prepare_corpus([archive], CONFIG, tmp_path / "out", workers=2)
    assert report.dropped["file: damaged in the zip file"] == 1
    assert report.used == 40


def test_a_damaged_lzma_member_and_a_name_in_no_encoding(tmp_path: Path) -> None:
    path = tmp_path / "songs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        for name in ("a.mid", "b.mid", "caf\u00e9.mid"):
            file.writestr(name, tune(len(name)))
        place = file.getinfo("b.mid").header_offset
    data = bytearray(path.read_bytes())
    data[place + 40 : place + 90] = b"\xff" * 50
    path.write_bytes(data.replace("caf\u00e9".encode(), b"caf\xe9\xe9"))
    report = prepare_corpus([path], CONFIG, tmp_path / "out", workers=2)
    assert (report.files, report.used) == (3, 2)
    assert report.dropped["file: damaged in the zip file"] == 1


def test_an_encrypted_index_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "songs.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("index.csv", "file,song_group\n")
        file.writestr("a.mid", tune(0))
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the member's own header, then in the table
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(MusaeError, match=r"songs.zip/index.csv: cannot be read from the zip file"):
        prepare_corpus([path], CONFIG, tmp_path / "out", workers=1)


def failing_reader(data: bytes, source: str) -> object:
    raise AttributeError("a fault of ours")


@needs_fork
def test_a_fault_of_ours_does_not_end_the_run(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "read_midi", failing_reader)
    with pytest.raises(NothingUsableError, match="file: failed"):
        prepare_corpus([songs], CONFIG, tmp_path / "out", workers=1)


def crashing_reader(data: bytes, source: str, texts: bool) -> object:
    if source.endswith("/05.mid"):
        os.kill(os.getpid(), 9)
    from musicvae_lite.media.midi import read_midi

    return read_midi(data, source=source, texts=texts)


@needs_fork
def test_a_file_that_crashes_the_reader_is_named(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "read_midi", crashing_reader)
    report = prepare_corpus([songs], CONFIG, tmp_path / "out", workers=2)
    assert report.dropped["file: crashed the MIDI reader"] == 1
    assert report.used == 40
    assert (
        "songs/more/05.mid,,,,file: crashed the MIDI reader,1,"
        in (tmp_path / "out" / "dropped.csv").read_text()
    )


def deadly(items: Sequence[int]) -> list[int]:
    for item in items:
        if item == 13:
            os._exit(1)
        if item == 17:
            time.sleep(60)
        if item == 19:
            raise KeyError("a fault of ours")
    return [item * item for item in items]


@needs_fork
def test_the_pool_finds_what_crashes_and_what_hangs() -> None:
    units = [range(0, 10), range(10, 16), range(16, 19), range(20, 30)]
    results = dict(run_units(units, deadly, workers=2, seconds=1.0))
    assert results[0] == [[n * n for n in range(10)]] and results[3] == [
        [n * n for n in range(20, 30)]
    ]
    assert results[1] == [[100], [121], [144], Crash(13, "crashed the MIDI reader"), [196], [225]]
    assert results[2] == [[256], Crash(17, "took longer than 1 seconds"), [324]]
    with pytest.raises(RuntimeError, match="a fault of ours") as caught:
        list(run_units([[19]], deadly, workers=1))
    assert "Traceback" not in str(caught.value) and "in deadly" in str(caught.value.__cause__)


@needs_fork
def test_a_worker_that_dies_without_work_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    hired: list[pool._Worker[int]] = []

    def hire(work: object) -> "pool._Worker[int]":
        worker = pool_hire(work)  # type: ignore[arg-type]
        if not hired:
            worker.connection.poll(10)  # it says that it is there
            worker.process.kill()
            worker.process.join()
        hired.append(worker)
        return worker

    pool_hire = pool._hire
    monkeypatch.setattr(pool, "_hire", hire)
    assert list(run_units([[1, 2]], deadly, workers=1)) == [(0, [[1, 4]])] and len(hired) == 2


def test_the_pool_spawns_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_start_method", lambda: "spawn")
    assert list(run_units([[1, 2], [3]], deadly, workers=1)) == [(0, [[1, 4]]), (1, [[9]])]


@pytest.mark.parametrize(
    "corpus, windows, distinct", [("nottingham", 34_500, 10_152), ("openewld", 10_979, 7_992)]
)
def test_counts_of_public_corpora(
    corpus: str, windows: int, distinct: int, shared_data: Path, tmp_path: Path
) -> None:
    report = prepare_corpus(
        [shared_data / "midi" / corpus / "train.zip"], CONFIG, tmp_path / "out", workers=2
    )
    assert (report.windows, report.distinct) == (windows, distinct)


def test_a_preset_and_one_path_are_enough(songs, tmp_path):
    settings = load_config("mel-2bar")
    named = {"name": "mel-2bar", "run": settings, "codec": settings.codec.model_dump()}
    found = [
        prepare_corpus(songs, codec, tmp_path / name, workers=1) for name, codec in named.items()
    ]
    assert len({report.distinct for report in found}) == 1
    assert len({read_manifest(report.output)["fingerprint"] for report in found}) == 1
    assert "control" in read_manifest(
        prepare_corpus(str(songs), "mel-2bar-chords", tmp_path / "chords", workers=1).output
    )
    with pytest.raises(
        UsageError, match="a codec is the name of a preset, a YAML file, .*, not list"
    ):
        prepare_corpus(songs, ["mel-2bar"], tmp_path / "wrong")
    with pytest.raises(UsageError, match="did you mean 'mel-2bar'"):
        prepare_corpus(songs, "mel-2bra", tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()
