import subprocess
import sys

import numpy as np
import pytest
import torch

import musicvae_lite as mv
from musicvae_lite.config import load_config
from musicvae_lite.core.batched import BLOCK
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.latent import Latent
from musicvae_lite.media.midi import Score, Track, read_midi
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.results import agreement
from musicvae_lite.music.windows import cover, overlap, spans, whole_melody
from tests.tiny import SETTINGS, codec, melody, save, save_random, save_tiny_model, score


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return mv.load(save_tiny_model(tmp_path_factory.mktemp("model") / "tiny"), device="cpu")


@pytest.fixture(scope="module")
def windows():
    generator = np.random.default_rng(0)
    tokens = generator.integers(2, 90, (BLOCK + 9, 32), dtype=np.uint8)
    tokens[generator.random(tokens.shape) < 0.6] = 0
    return tokens


def test_importing_the_package_imports_no_torch():
    code = (
        "import sys, musicvae_lite as m; assert m.__version__; assert 'torch' not in "
        "sys.modules; m.Score; print(dir(m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "MusicSession" in done.stdout


def test_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_like_this"):
        getattr(mv, "nothing_like_this")  # noqa: B009


def test_interpolation_starts_at_a_and_ends_at_b(session, tmp_path):
    a, b = (
        save(melody(5, 90, "A"), tmp_path / "a.mid"),
        save(melody(3, 150, "B", 70, program=9), tmp_path / "b.mid"),
    )
    result = session.interpolate(a, b, steps=5)
    mean, _ = session.encode_windows(np.stack([result.start.windows[0], result.end.windows[0]]))
    ends = session.decode_windows(mean)
    assert np.array_equal(result.windows[[0, -1]], ends)
    assert np.array_equal(result.latents[[0, -1]], mean)
    assert len(result) == len(list(result)) == 5 and isinstance(result[0], Score)
    assert result.accuracy[0] == pytest.approx((ends[0] == result.start.windows[0]).mean())
    assert [round(step.qpm) for step in result] == [90, 105, 120, 135, 150]
    assert [round(qpm) for qpm in result.joined.tempos["qpm"]] == [90, 105, 120, 135, 150]
    assert result.joined.tempos["tick"].tolist() == [480 * 8 * step for step in range(5)]
    assert result.joined.tracks[0].name == "interpolate a to b"
    facts = result.as_dict()["inputs"][0]
    grid = facts.pop("grid")
    assert (grid["notes"], grid["off"], grid["swing"]) == (len(result.start.score.notes), 0, None)
    assert facts == {
        "file": a,
        "track": 1,
        "track_name": "A",
        "notices": [],
        "octaves_moved": 0,
        "metres_joined": [],
        "bar": 1,
        "windows_available": 4,
        "accuracy": result.accuracy[0],
        "onset_accuracy": result.onset_accuracy[0],
    }


def test_bar_and_track_choose_the_window(session):
    two = score(
        [(q, q + 1, 60 + q, 0) for q in range(8)] + [(q, q + 1, 80 - q, 1) for q in range(16)],
        (Track("low"), Track("high")),
    )
    chosen = session.interpolate(two, two, 2, tracks=(2, None), bars=(3, None))
    assert (chosen.start.track, chosen.start.bars[0], chosen.end.track, chosen.end.bars[0]) == (
        2,
        3,
        2,  # it plays in every bar
        1,
    )
    with pytest.raises(
        UsageError,
        match=r"no usable window starts at bar 9; there are: track 1 \(low\): bars 1; track 2",
    ):
        session.interpolate(two, two, bars=(9, None))
    with pytest.raises(UsageError, match="no track 3"):
        session.interpolate(two, two, tracks=(3, None))


def test_wrong_requests_are_usage_errors(session):
    piece = melody(2)
    for wrong in (
        {"steps": 1},
        {"steps": -3},
        {"path": "spline"},
        {"temperature": -1.0},
        {"temperature": float("nan")},
    ):
        with pytest.raises(UsageError):
            session.interpolate(piece, piece, **wrong)
    with pytest.raises(UsageError, match="multiples"):
        session.sample(1, bars=3)
    with pytest.raises(UsageError, match="at least 1"):
        session.sample(0)


def test_piece_without_a_melody_says_why(session):
    waltz = score([(q, q + 1, 60 + q, 0) for q in range(12)], metre=(3, 4))
    with pytest.raises(
        NothingUsableError,
        match=r"metre 3/4 .*\(12 notes\); waltz-2bar can use it \(-m waltz-2bar\); see 'musae",
    ):
        session.encode(waltz)


@pytest.mark.parametrize("path", ["missing.mid", "."])
def test_file_that_cannot_be_read_is_an_error_of_ours(session, path):
    with pytest.raises(MusaeError):
        session.reconstruct(path)


def test_results_do_not_depend_on_how_many_are_asked_for(session, windows):
    mean, scale = session.encode_windows(windows)
    assert mean.shape == scale.shape == (BLOCK + 9, 4) and (scale > 0).all()
    one, _ = session.encode_windows(windows[BLOCK : BLOCK + 1])
    assert np.array_equal(one[0], mean[BLOCK])
    for temperature in (0.0, 1.0):
        every = session.decode_windows(mean, temperature)
        assert every.shape == windows.shape and every.dtype == np.uint8
        assert np.array_equal(session.decode_windows(mean[:7], temperature), every[:7])
    assert session.encode_windows(windows[:0])[0].shape == (0, 4)
    assert session.decode_windows(mean[:0]).shape == (0, 32)


@pytest.mark.parametrize("preset", ["hierdec-mel_16bar", "hierdec-trio_16bar", "mel-16bar"])
def test_a_piece_in_bars_is_the_same_alone_and_among_others(preset, tmp_path):
    save_random(
        tmp_path / "model",
        load_config(preset, [*SETTINGS, "model.decoder.conductor=[8]", "model.latent_size=8"]),
    )
    session = mv.load(tmp_path / "model", device="cpu")
    z = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)
    for temperature in (0.0, 1.0):
        five = session.decode_windows(z, temperature, seed=3)
        assert len(np.unique(five)) > 2
        for count in (1, 2, 3):
            assert np.array_equal(
                session.decode_windows(z[:count], temperature, seed=3), five[:count]
            )


def test_seed_decides_every_draw(session, windows):
    mean, _ = session.encode_windows(windows)
    draws = [session.decode_windows(mean, 1.0, seed=seed) for seed in (1, 1, 2)]
    assert np.array_equal(draws[0], draws[1]) and not np.array_equal(draws[0], draws[2])
    assert session.sample(2, seed=3) == session.sample(3, seed=3)[:2]
    assert session.sample(1, seed=3) != session.sample(1, seed=4)


def test_teacher_forced_logits_agree_with_greedy_decoding(session, windows):
    mean, _ = session.encode_windows(windows)
    greedy = session.decode_windows(mean)
    logits = session.teacher_forced(mean, greedy)
    assert logits.shape == (*windows.shape, 90) and logits.dtype == np.float32
    assert (logits.argmax(-1) == greedy).mean() > 0.999  # the same sums in another order


def test_lengths_hide_what_comes_after(session, windows):
    cut = windows.copy()
    cut[:, 16:] = 0
    lengths = np.full(len(windows), 16)
    mean, _ = session.encode_windows(windows, lengths)
    assert np.array_equal(mean, session.encode_windows(cut, lengths)[0])
    assert not np.array_equal(mean, session.encode_windows(windows)[0])


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.encode_windows(np.zeros((2, 31), np.uint8)),
        lambda s: s.encode_windows(np.zeros((2, 32))),
        lambda s: s.encode_windows(np.full((2, 32), 90)),
        lambda s: s.encode_windows(np.zeros((2, 32), int), lengths=np.array([0, 3])),
        lambda s: s.encode_windows(np.zeros((2, 32), int), lengths=np.array([3])),
        lambda s: s.encode_windows(np.zeros((2, 32), int), condition=np.zeros((1, 32, 2))),
        lambda s: s.decode_windows(np.zeros((2, 5))),
        lambda s: s.decode_windows(np.full((2, 4), np.nan)),
        lambda s: s.decode_windows(np.array([["a", "b", "c", "d"]])),
        lambda s: s.teacher_forced(np.zeros((2, 4)), np.zeros((3, 32), int)),
    ],
)
def test_arrays_that_do_not_fit_are_usage_errors(session, call):
    with pytest.raises(UsageError):
        call(session)


def test_encode_then_decode_goes_through_a_latent(session):
    latent = session.encode(melody(4))
    assert isinstance(latent, Latent) and latent.mean.shape == (2, 4)
    piece = session.decode(latent)
    assert isinstance(piece, Score) and piece == session.decode(latent.mean) == session.decode(
        latent.mean.numpy()
    )
    assert isinstance(session.decode(torch.zeros(4)), Score)


def test_reconstruction_keeps_place_tempo_and_metre(session, tmp_path):
    rest = [
        (q, q + 1, 60 + q % 12, 0) for q in [*range(8, 28), *range(60, 68)]
    ]  # bars 3-7 and 16-17
    path = save(score(rest, ticks=96), tmp_path / "piece.mid")
    result = session.reconstruct(path)
    assert result.passage.bars.tolist() == [3, 4, 5, 6, 16]
    assert result.bars == (3, 17) and result.left == (1, 2, *range(8, 16))
    assert result.windows.shape == (5, 32)
    perfect = result.passage
    from musicvae_lite.music.windows import rebuild

    again = rebuild(perfect, perfect.windows, session.codec, "x")
    quarters = (again.notes["start"] / again.ticks_per_quarter).tolist()
    assert quarters == [row[0] for row in rest]
    assert again.notes["pitch"].tolist() == [row[2] for row in rest]
    assert read_midi(path).qpm == again.qpm


def test_cover_takes_each_bar_once_where_it_can():
    assert cover(np.arange(5), 2).tolist() == [0, 2, 4]
    assert cover(np.array([0, 1, 3]), 2).tolist() == [0, 1, 2]
    assert cover(np.arange(5), 16).tolist() == [0, 4]
    assert overlap(np.array([0, 2, 3, 9]), 2).tolist() == [0, 0, 1, 0]
    assert spans(np.array([1, 2, 3, 7, 9, 10])) == "1-3, 7, 9-10"


def test_every_window_of_a_track():
    passage = whole_melody(melody(5), codec(), "tiny", every_window=True)
    assert passage.bars.tolist() == [1, 2, 3, 4]


def test_cuda_that_is_not_there(tmp_path):
    if torch.cuda.is_available():
        return
    with pytest.raises(UsageError, match="--device"):
        mv.load(save_tiny_model(tmp_path / "m"), device="cuda")


def test_cudnn_stays_on(session, monkeypatch):
    monkeypatch.setattr(session.blocks, "device", torch.device("cuda"))
    with session.blocks._settings(1):
        assert (
            torch.backends.cudnn.enabled
            and torch.backends.cudnn.deterministic
            and not torch.backends.cudnn.allow_tf32
        )


def test_an_instrument_outside_the_range_is_used_where_it_is_named_or_alone(session):
    flute = melody(4, name="Flute", program=73)
    assert session.reconstruct(flute).passage.track_name == "Flute"
    piano = melody(4, name="Piano", first=50)
    both = Score(
        flute.ticks_per_quarter,
        np.concatenate([flute.notes, _on_track(piano.notes, 1)]),
        (flute.tracks[0], piano.tracks[0]),
        metres=flute.metres,
    )
    assert session.reconstruct(both).passage.track_name == "Piano"
    assert session.reconstruct(both, track=1).passage.track_name == "Flute"


def _on_track(notes, track):
    moved = notes.copy()
    moved["track"] = track
    return moved


def test_steps_without_a_note_are_told(session):
    result = session.interpolate(melody(2), melody(2, first=70), steps=3)
    assert result.silent == tuple(
        n for n, score in enumerate(result, start=1) if not len(score.notes)
    )
    assert "3 steps" in repr(result) and "latent size 4" in repr(session)


def test_a_grid_goes_between_four_pieces(session):
    corners = [melody(3, qpm, first=60 + qpm // 40) for qpm in (80, 120, 160, 200)]
    result = session.grid(corners, size=3, bars=(None, 2, None, None))
    mean, _ = session.encode_windows(np.concatenate([passage.windows for passage in result.inputs]))
    assert result.columns == 3 and result.corners == (0, 2, 6, 8) and len(result) == 9
    assert np.array_equal(result.latents[[0, 2, 6, 8]], mean)
    assert np.array_equal(result.windows[[0, 2, 6, 8]], session.decode_windows(mean))
    assert [round(step.qpm) for step in result] == [80, 100, 120, 120, 140, 160, 160, 180, 200]
    assert result.labels[:4] == ("1-1", "1-2", "1-3", "2-1") and result.inputs[1].bars[0] == 2
    for items, size in ((corners[:3], 3), (corners, 1)):
        with pytest.raises(UsageError, match="a grid has"):
            session.grid(items, size)


def test_equal_tempos_stay_one(session):
    piece = melody(2, 97.3)
    assert len(session.interpolate(piece, melody(3, 97.3), steps=11).joined.tempos) == 1


def test_similar_goes_from_the_prior_to_the_mean(session):
    piece = melody(3, 90)
    window = whole_melody(piece, session.codec, "tiny").windows[:1]
    mean, _ = session.encode_windows(window)
    same = session.similar(piece, 1, count=2, temperature=0)
    assert np.array_equal(same.latents, mean.repeat(2, axis=0))
    assert np.array_equal(same.windows, session.decode_windows(mean.repeat(2, axis=0)))
    assert round(same.scores[0].qpm) == 90 and same.accuracy == pytest.approx(
        (same.windows[0] == window[0]).mean()
    )
    unrelated, drawn = (
        session.similar(piece, 0, count=3, seed=5, qpm=120),
        session.sample(3, seed=5),
    )
    assert [score.notes.tolist() for score in unrelated.scores] == [
        score.notes.tolist() for score in drawn
    ]
    near, far = (
        np.linalg.norm(session.similar(piece, s, count=8).latents - mean, axis=1).mean()
        for s in (0.9, 0.3)
    )
    assert near < far
    for similarity, count in ((1.1, 1), (-0.1, 1), (float("nan"), 1), (0.5, 0)):
        with pytest.raises(UsageError, match="similarity|count"):
            session.similar(piece, similarity, count)


@pytest.mark.parametrize("seed", [2.0, -1, "3", np.float64(1)])
def test_seeds_are_whole_numbers_of_any_integer_type(session, seed):
    assert (
        session.sample(1, seed=np.int64(4))
        == session.sample(1, seed=4)
        == session.sample(np.int32(1), seed=np.uint64(4))
    )
    folder = session.bundle.description.folder
    loaded = mv.load(folder, "cpu", np.int64(3))
    assert type(loaded.seed) is int and loaded.sample(1) == session.sample(1, seed=3)
    z = np.zeros((1, 4), np.float32)
    for ask in (
        session.sample,
        lambda seed: mv.load(folder, "cpu", seed),
        lambda seed: session.decode_windows(z, seed=seed),
    ):
        with pytest.raises(UsageError, match="seed is .*; it is a whole number from 0 on"):
            ask(seed=seed)


@pytest.mark.parametrize("qpm", [0, -5, float("nan"), 3, float("inf"), "fast"])
def test_tempos_that_no_file_can_have_are_refused(session, qpm):
    for ask in (session.sample, lambda qpm: session.decode(np.zeros(4, np.float32), qpm=qpm)):
        with pytest.raises(UsageError, match="qpm is .*; a tempo is 4 to 1000"):
            ask(qpm=qpm)
    with pytest.raises(UsageError, match="qpm is"):
        session.similar(melody(2), 0.5, qpm=qpm)


def test_numbers_of_steps_and_pieces_are_whole(session):
    a, b = melody(2), melody(2, first=70)
    assert len(session.interpolate(a, b, np.int64(3))) == 3
    for ask in (
        lambda: session.interpolate(a, b, 2.5),
        lambda: session.grid([a, b, a, b], 2.5),
        lambda: session.sample(1.5),
        lambda: session.sample(1, bars=4.0),
        lambda: session.similar(a, 0.5, 1.5),
        lambda: mv.interpolate(np.zeros(3), np.ones(3), 2.5),
        lambda: mv.interpolate(np.zeros(3), np.ones(3), 3, path="foo"),
        lambda: mv.evaluate("mel-2bar", "nowhere", limit=0),
        lambda: mv.evaluate("mel-2bar", "nowhere", seed=1.5),
    ):
        with pytest.raises(UsageError):
            ask()
    with pytest.raises(ValueError, match="path 'foo' is not known; valid: slerp, lerp"):
        mv.interpolate(np.zeros(3), np.ones(3), 3, path="foo")


def test_notes_that_are_invented_do_not_count_as_right():
    melody, given = MelodyCodec(), np.zeros((1, 32), np.uint8)
    given[0, [0, 8, 16, 24]] = 40
    wrong, more, fewer = given.copy(), given.copy(), given.copy()
    wrong[0, 8], more[0, [2, 4, 6, 10]], fewer[0, [8, 16]] = 41, 42, 0
    rows = (given, 1.0), (wrong, 3 / 4), (more, 8 / 12), (fewer, 4 / 6), (np.zeros_like(given), 0.0)
    for heard, right in rows:
        assert agreement(melody, heard, given)[1] == pytest.approx(right)
    assert agreement(melody, given * 0, given * 0) == (1, 1)
