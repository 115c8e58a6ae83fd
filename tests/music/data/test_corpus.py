import json
from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import write_midi
from musicvae_lite.music.chords import chord_pitches
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.conditioning.control import Control
from musicvae_lite.music.data import prepare
from musicvae_lite.music.data.corpus import Corpus, as_bytes, distinct
from musicvae_lite.music.data.prepare import prepare_corpus
from tests.music.data.conftest import CONFIG, tune
from tests.music.test_harmony import block_chords


def corpus_of(
    codec: MelodyCodec,
    windows: np.ndarray,
    control: Control | None = None,
    told: np.ndarray | None = None,
) -> Corpus:
    low, high = codec.transposition_limits(windows)
    zeros = np.zeros(len(windows), np.int32)
    told = np.zeros((len(windows), codec.steps, 0), np.uint8) if told is None else told
    places = (zeros.astype(bool), zeros, zeros, zeros, zeros, ("a",), ("g",))
    return Corpus(codec, windows, low, high, *places, control or Control(), told)


def made(count: int, seed: int = 0) -> Corpus:
    return corpus_of(
        MelodyCodec(), np.random.default_rng(seed).integers(0, 90, (count, 32)).astype(np.uint8)
    )


def test_batches_are_a_function_of_their_arguments() -> None:
    corpus = made(103)
    first, again = list(corpus.batches(10, 1, 0)), list(corpus.batches(10, 1, 0))
    assert len(first) == 10
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.x, b.x)
        assert a.x is a.target and a.x.shape == (10, 32) and a.x.dtype == np.uint8
        assert a.length is None and a.condition is None
    for other in (corpus.batches(10, 2, 0), corpus.batches(10, 1, 1)):
        assert any((a.x != b.x).any() for a, b in zip(first, other, strict=True))


def test_an_epoch_holds_every_window_once() -> None:
    corpus = made(100)
    rows = np.concatenate([batch.x for batch in corpus.batches(10, 0, 3, transpose=None)])
    assert sorted(map(bytes, rows)) == sorted(map(bytes, corpus.windows))


def test_ranks_share_a_batch() -> None:
    corpus = made(70)
    whole = [batch.x for batch in corpus.batches(12, 0, 0)]
    shares = [
        [batch.x for batch in corpus.batches(12, 0, 0, rank=rank, world=3)] for rank in range(3)
    ]
    for number, batch in enumerate(whole):
        np.testing.assert_array_equal(batch, np.concatenate([share[number] for share in shares]))
    assert {len(share) for share in shares} == {len(whole)} == {5}


def test_transposition_stays_within_both_limits() -> None:
    codec = MelodyCodec(min_pitch=60, max_pitch=72)
    windows = np.zeros((13, 32), np.uint8)
    windows[:, 0] = np.arange(13) + 2
    corpus = corpus_of(codec, windows)
    met: dict[int, set[int]] = {}
    for epoch in range(400):
        plain = next(corpus.batches(13, 5, epoch, transpose=None)).x[:, 0]
        moved = next(corpus.batches(13, 5, epoch, transpose=(-5, 6))).x[:, 0]
        for before, after in zip(plain.tolist(), moved.tolist(), strict=True):
            met.setdefault(before, set()).add(after - before)
    for token, semitones in met.items():
        assert semitones == set(range(max(-5, 2 - token), min(6, 14 - token) + 1))


def test_too_little_data_and_wrong_ranks() -> None:
    with pytest.raises(
        MusaeError, match="the corpus has 5 windows here, fewer than one batch of 8.*or less"
    ):
        made(5).batches(8, 0, 0)
    with pytest.raises(MusaeError, match="has 0 windows here"):
        made(5).split("valid").batches(8, 0, 0)
    with pytest.raises(UsageError, match="cannot be divided over 3"):
        made(50).batches(8, 0, 0, world=3)
    with pytest.raises(UsageError, match="split 'test' is not known"):
        made(5).split("test")  # type: ignore[arg-type]


def test_of_equal_windows_a_training_copy_stays() -> None:
    rows = [b"1", b"2", b"1", b"3", b"2", b"2"]
    valid = np.array([True, True, False, True, False, False])
    assert distinct(rows, valid).tolist() == [2, 3, 4]


def test_two_corpora_joined(tmp_path: Path) -> None:
    for name, seeds in (("a", range(6)), ("b", range(3, 9))):
        (tmp_path / name).mkdir()
        for seed in seeds:
            (tmp_path / name / f"{seed}.mid").write_bytes(tune(seed))
        prepare_corpus([tmp_path / name], CONFIG, tmp_path / f"{name}.corpus", workers=1)
    corpus = Corpus.open([tmp_path / "a.corpus", tmp_path / "b.corpus"])
    assert len(corpus) == 45
    assert {corpus.sources[row] for row in corpus.source.tolist()} == {
        f"a/{n}.mid" for n in range(6)
    } | {f"b/{n}.mid" for n in range(6, 9)}
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "0.mid").write_bytes(tune(0))
    prepare_corpus([tmp_path / "c"], {**CONFIG, "bars": 4}, tmp_path / "c.corpus", workers=1)
    with pytest.raises(UsageError, match="another codec.*bars 4 and 2"):
        Corpus.open([tmp_path / "a.corpus", tmp_path / "c.corpus"])


def test_folders_that_are_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(MusaeError, match="no such folder"):
        Corpus.open(tmp_path / "missing")
    with pytest.raises(MusaeError, match="no prepared corpus"):
        Corpus.open(tmp_path)
    manifest = tmp_path / "manifest.json"
    manifest.write_text("{")
    with pytest.raises(MusaeError, match="damaged"):
        Corpus.open(tmp_path)
    manifest.write_text(json.dumps({"format": "other"}))
    with pytest.raises(MusaeError, match="not the manifest of a corpus"):
        Corpus.open(tmp_path)
    manifest.write_text(
        json.dumps({"format": "musae-corpus", "version": 99, "codec": CONFIG, "parts": 1})
    )
    with pytest.raises(MusaeError, match="has format version 99, this program reads 1"):
        Corpus.open(tmp_path)
    manifest.write_text(
        json.dumps(
            {"format": "musae-corpus", "version": 1, "codec": CONFIG, "parts": 0, "complete": True}
        )
    )
    with pytest.raises(MusaeError, match="holds no windows"):
        Corpus.open(tmp_path)
    manifest.write_text(
        json.dumps(
            {"format": "musae-corpus", "version": 1, "codec": CONFIG, "parts": 1, "complete": True}
        )
    )
    with pytest.raises(MusaeError, match="incomplete: 0 of 1 parts"):
        Corpus.open(tmp_path)
    (tmp_path / "part-00000.parquet").write_bytes(b"PAR1 rubbish")
    with pytest.raises(MusaeError, match="damaged part"):
        Corpus.open(tmp_path)
    with pytest.raises(UsageError, match="at least one"):
        Corpus.open([])


def test_an_unfinished_corpus_is_refused(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PART_FILES", 20)
    prepare_corpus([songs], CONFIG, tmp_path / "out", workers=1, shard=(1, 2))
    with pytest.raises(MusaeError, match=r"incomplete: 2 of 3 parts.*\(or the missing shards\)"):
        Corpus.open(tmp_path / "out")
    prepare_corpus([songs], CONFIG, tmp_path / "out", workers=1, shard=(2, 2))
    assert len(Corpus.open(tmp_path / "out")) == 200


def test_chords_travel_with_windows_and_move_with_them(tmp_path: Path) -> None:
    songs = tmp_path / "songs"
    songs.mkdir()
    for number, text in enumerate(["C Am F G", "Dm G C F", "Em A D G", "C Am F G"]):
        write_midi(block_chords(text), songs / f"{number}.mid")
    control = {"chords": True, "key": True}
    report = prepare_corpus(
        [songs], MelodyCodec(programs=None).config(), tmp_path / "out", workers=1, control=control
    )
    corpus = Corpus.open(tmp_path / "out")
    assert report.windows == 12 and len(corpus) == report.distinct == 9
    assert corpus.control == Control(True, True) and corpus.told.shape == (9, 32, 2)
    moved = False
    for batch in corpus.batches(9, 1, 0, transpose=(-5, 6)):
        assert batch.condition is not None and batch.condition.shape == (9, 32, 61)
        for step in (0, 16):  # where the chords start: the note that is heard is one of the chord's
            pitch = batch.x[:, step].astype(int) - 2 + 21
            chord, key = (
                batch.condition[:, step, :49].argmax(1),
                batch.condition[:, step, 49:].argmax(1),
            )
            assert chord_pitches()[chord, pitch % 12].all()
            moved |= bool((key != 0).any())
    assert moved


def test_the_same_window_over_other_chords_is_another(tmp_path: Path) -> None:
    codec, control = MelodyCodec(), Control(chords=True)
    windows = np.full((3, 32), 40, np.uint8)
    told = np.array([[[1]] * 32, [[22]] * 32, [[1]] * 32], np.uint8)
    assert distinct(as_bytes(windows, told), np.zeros(3, bool)).tolist() == [0, 1]
    assert corpus_of(codec, windows, control, told).take(np.array([1])).told[0, 0, 0] == 22


def test_corpora_with_and_without_chords_do_not_join(tmp_path: Path) -> None:
    songs = tmp_path / "songs"
    songs.mkdir()
    write_midi(block_chords("C Am F G"), songs / "a.mid")
    config = MelodyCodec(programs=None).config()
    prepare_corpus([songs], config, tmp_path / "plain", workers=1)
    prepare_corpus([songs], config, tmp_path / "chords", workers=1, control={"chords": True})
    assert "control" not in json.loads((tmp_path / "plain" / "manifest.json").read_text())
    with pytest.raises(UsageError, match="tells of other things"):
        Corpus.open([tmp_path / "plain", tmp_path / "chords"])
    with pytest.raises(UsageError, match="holds a corpus of other files or settings"):
        prepare_corpus([songs], config, tmp_path / "chords", workers=1)
