"""Importing Magenta's weights: every structure, every kind of file, and files that lie."""

import io
import json
import struct
import tarfile
import tracemalloc

import numpy as np
import pytest

import musicvae_lite as mv
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.magenta.crc32c import crc32c, masked
from musicvae_lite.magenta.source import CheckpointError
from musicvae_lite.magenta.tensorflow import read_tensorflow
from tests.grooves import windows
from tests.magenta import magenta_reference as reference
from tests.magenta.magenta_variables import CASES, variables, with_optimiser
from tests.magenta.tf_writer import block, entry, field, table, write_checkpoint

PREFIX = "model.ckpt-1234"
#: What makes the end of a track so likely that random weights say it in some tracks sooner than in
#: others.
ENDS = {"hier-multiperf_vel_1bar_med": 1.05, "hier-multiperf_vel_1bar_med_chords": 1.65}


def one_hot(tokens, depth):
    return np.eye(depth + 1)[tokens, :depth]  # the class one past the last stands for nothing


def some_windows(codec, generator):
    """Two windows at random; segments that may end early do so."""
    windows = np.stack(
        [generator.integers(0, size, (2, codec.steps)) for size in codec.sizes], -1
    ).reshape(2, *codec.shape)
    if codec.end is None:
        return windows, None
    tracks = windows.reshape(2, codec.tracks, codec.events)
    tracks[tracks == codec.end] = 0
    lengths = generator.integers(1, codec.events + 1, tracks.shape[:2])
    lengths[:, 1] = codec.events  # the track after a full one begins with its last event
    place = np.arange(codec.events)
    tracks[place == lengths[..., None] - 1] = codec.end
    tracks[place >= lengths[..., None]] = codec.padding
    return windows, lengths


def vectors(codec, windows, depths):
    """Windows as Magenta's decoder has them: one-hot vectors of all voices, or bits."""
    if windows.ndim == 2:
        return one_hot(windows, depths[0])
    if len(depths) > 1:
        return np.concatenate(
            [one_hot(windows[..., voice], depth) for voice, depth in enumerate(depths)], -1
        )
    return windows.astype(float)


def encoder_input(preset, codec, windows, depths):
    if "drums" not in preset:
        return vectors(codec, windows, depths)
    bits = windows if windows.ndim == 3 else (windows[..., None] >> np.arange(9)) & 1
    return np.concatenate([bits, bits.sum(-1, keepdims=True) == 0], -1).astype(float)


def of_events(codec, windows, by_time):
    """What Magenta tells each event [N, T, C]: what holds at its time.

    No chord at the first event of a track.
    """
    told = np.zeros((*windows.shape, by_time.shape[-1]), np.float32)
    for window, rows, times in zip(windows, told, by_time, strict=True):
        for begin in range(0, codec.steps, codec.events):
            now = 0
            for place in range(begin, begin + codec.events):
                rows[place] = times[min(now, len(times) - 1)] if place > begin else np.eye(49)[0]
                now += window[place] - 255 if 256 <= window[place] < 352 else 0
    return told


@pytest.mark.parametrize("preset", CASES)
def test_every_configuration_gives_the_numbers_of_a_plain_computation(preset, tmp_path):
    v = variables(preset)
    if preset in ENDS:
        v["core_decoder/decoder/output_projection/bias"][489] += ENDS[preset]
    write_checkpoint(tmp_path / "run" / PREFIX, with_optimiser(v), shards=2)
    imported = mv.import_magenta(tmp_path / "run", preset, tmp_path / "model")
    assert imported.step == 1234 and imported.parameters == sum(value.size for value in v.values())
    session = mv.load(tmp_path / "model", device="cpu")
    _, depths, control, _, _, nade = CASES[preset]
    generator = np.random.default_rng(1)
    windows, lengths = some_windows(session.codec, generator)
    levels = imported.config.model.encoder.levels if lengths is not None else (16, 16)
    given = (
        generator.random((2, session.codec.grid_steps, control)).astype(np.float32)
        if control
        else None
    )
    told = given if given is None or lengths is None else of_events(session.codec, windows, given)
    double = {name: value.astype(np.float64) for name, value in v.items()}

    x = encoder_input(preset, session.codec, windows, depths)
    mu, sigma = reference.encode(
        double, x if told is None else np.concatenate([x, told], -1), levels, lengths
    )
    mean, scale = session.encode_windows(windows, condition=given)
    np.testing.assert_allclose(mean, mu, atol=1e-5, rtol=0)
    np.testing.assert_allclose(scale, sigma, atol=1e-5, rtol=0)

    target = vectors(session.codec, windows, depths)
    edges = np.cumsum([0, *depths])

    def forced(t, outputs, voice):
        return target[:, t] if voice is None else target[:, t, edges[voice] : edges[voice + 1]]

    logits = reference.decode(double, mu, session.codec.steps, forced, depths, told, levels[::-1])
    inside = session.codec.valid(windows)
    np.testing.assert_allclose(
        session.teacher_forced(mu, windows, given)[inside], logits[inside], atol=1e-5, rtol=0
    )
    ended = np.zeros(2, bool)

    def greedy(t, outputs, voice):
        if nade:
            return reference.nade_bits(double, outputs, nade)
        if (
            lengths is not None
        ):  # Magenta goes on after an end; ours says nothing there, as it was trained
            ended[:] = False if t % session.codec.events == 0 else ended
            classes = np.where(ended, session.codec.padding, outputs.argmax(-1))
            ended[:] |= classes == session.codec.end
            said[:, t] = classes
            if told is not None:  # what an event is told depends on those before it
                told[:] = of_events(session.codec, said, given)
            return one_hot(classes, depths[0])
        parts = np.split(outputs, edges[1:-1], axis=-1) if voice is None else [outputs]
        return np.concatenate([one_hot(part.argmax(-1), part.shape[-1]) for part in parts], -1)

    said = np.zeros((2, session.codec.steps), np.int64)
    heard = session.decode_windows(mu, condition=given)
    outputs = reference.decode(double, mu, session.codec.steps, greedy, depths, told, levels[::-1])
    if lengths is not None:
        wanted = said
        assert len(set(session.codec.valid(heard).reshape(-1, 64).sum(1).tolist())) == 2
    elif nade:
        flat = outputs.reshape(-1, outputs.shape[-1])
        wanted = reference.nade_bits(double, flat, nade).reshape(windows.shape)
    else:
        parts = np.split(outputs, edges[1:-1], axis=-1)
        wanted = np.stack([part.argmax(-1) for part in parts], -1).reshape(windows.shape)
    np.testing.assert_array_equal(heard, wanted)
    if nade:
        nats = (
            session.model.nll(_tensor(mean), Batch(_tensor(windows), _tensor(windows)))
            .detach()
            .numpy()
        )
        forced_outputs = reference.decode(
            double, mean.astype(np.float64), session.codec.steps, forced, depths
        )
        np.testing.assert_allclose(
            nats, reference.nade_nats(double, forced_outputs, windows, nade), rtol=1e-5
        )


def test_an_imported_model_is_told_of_chords(tmp_path):
    preset = "cat-mel_2bar_med_chords"
    write_checkpoint(tmp_path / "run" / PREFIX, variables(preset))
    mv.import_magenta(tmp_path / "run", preset, tmp_path / "model")
    session = mv.load(tmp_path / "model", device="cpu")
    (score,) = session.sample(1, chords="C Am7 F G", bars=4)
    assert [text.text for text in score.texts] == ["C", "Am", "F", "G"]
    piece = session.codec.decode(np.arange(32, dtype=np.uint8) + 30)
    assert session.reconstruct(piece, chords="Dm").score.texts[0].text == "Dm"


def _tensor(array):
    import torch

    return torch.from_numpy(np.asarray(array))


@pytest.fixture
def small():
    return variables("cat-mel_2bar_small", encoder=(4,), decoder=(5,))


def same(path, v, tmp_path, preset="cat-mel_2bar_small"):
    mv.import_magenta(path, preset, tmp_path / "out")
    session = mv.load(tmp_path / "out", device="cpu")
    np.testing.assert_array_equal(
        session.model.head.mean.weight.detach().numpy(), v["encoder/mu/kernel"].T
    )
    return session


def test_single_drums_are_61_or_63(tmp_path, monkeypatch):
    monkeypatch.setitem(CASES, "nade-drums_2bar_full", (64, [63], 0, False, False, 5))
    write_checkpoint(tmp_path / PREFIX, variables("nade-drums_2bar_full"))
    assert (
        mv.import_magenta(
            tmp_path / PREFIX, "nade-drums_2bar_full", tmp_path / "out"
        ).config.codec.classes
        == 63
    )


def test_checksum():
    assert crc32c(b"123456789") == 0xE3069283 and crc32c(b"") == 0
    data = np.random.default_rng(0).integers(0, 256, 100_001, dtype=np.uint8).tobytes()
    register = 0xFFFFFFFF
    for byte in data[:5001]:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    assert crc32c(data[:5001]) == register ^ 0xFFFFFFFF
    assert crc32c(data[:4096]) != crc32c(data[:4097]) and crc32c(data) != crc32c(data[:-1] + b"x")


def test_folder_prefix_any_of_its_files_and_tar(small, tmp_path):
    prefix = tmp_path / "run" / PREFIX
    write_checkpoint(prefix, small)
    same(tmp_path / "run", small, tmp_path / "a")
    same(prefix, small, tmp_path / "b")
    same(prefix.with_name(f"{PREFIX}.index"), small, tmp_path / "c")
    same(prefix.with_name(f"{PREFIX}.data-00000-of-00001"), small, tmp_path / "d")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "run", "deep/er")
    same(tmp_path / "x.tar", small, tmp_path / "e")


def test_the_state_file_chooses_but_never_leads_elsewhere(small, tmp_path):
    run = tmp_path / "run"
    for step in (1, 2):
        write_checkpoint(
            run / f"model.ckpt-{step}", {**small, "encoder/mu/bias": np.full(6, step, np.float32)}
        )
    with pytest.raises(
        UsageError, match=r"holds 2 checkpoints; name one: model.ckpt-1, model.ckpt-2"
    ):
        read_tensorflow(run)
    for text in (
        "model.ckpt-1",
        "/home/me/run/model.ckpt-1",
        "../../elsewhere/model.ckpt-1",
        "C:\\\\run\\\\model.ckpt-1",
    ):
        (run / "checkpoint").write_text(
            f'model_checkpoint_path: "{text}"\nall_model_checkpoint_paths: "model.ckpt-2"\n'
        )
        assert read_tensorflow(run).read("encoder/mu/bias")[0] == 1
    write_checkpoint(tmp_path / "foreign" / "secret", small)
    (run / "checkpoint").write_text(f'model_checkpoint_path: "{tmp_path}/foreign/secret"\n')
    with pytest.raises(CheckpointError, match="'secret', which is not in its folder"):
        read_tensorflow(run)
    (run / "checkpoint").write_bytes(b"\xff\x00nonsense")
    with pytest.raises(CheckpointError, match="does not name a checkpoint"):
        read_tensorflow(run)


def test_a_tar_is_read_in_place(small, tmp_path):
    write_checkpoint(tmp_path / "run" / PREFIX, small)
    names = [f"{PREFIX}.index", f"{PREFIX}.data-00000-of-00001"]
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, to in zip(names, (f"../../{names[0]}", f"/etc/{names[1]}"), strict=True):
            archive.add(tmp_path / "run" / name, to)
        link = tarfile.TarInfo("extra.index")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    before = set(tmp_path.iterdir())
    read_tensorflow(tmp_path / "x.tar").read("encoder/mu/bias")
    assert set(tmp_path.iterdir()) == before
    with tarfile.open(tmp_path / "y.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "run" / names[0], names[0])
    with pytest.raises(CheckpointError, match="decompress it first"):
        read_tensorflow(tmp_path / "y.tar.gz")
    data = (tmp_path / "x.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(data[: len(data) // 2])
    with pytest.raises(MusaeError):
        read_tensorflow(tmp_path / "cut.tar")


def test_what_is_missing_or_of_another_preset_is_named(small, tmp_path):
    run = tmp_path / "run"
    write_checkpoint(run / PREFIX, small, shards=2)
    (run / f"{PREFIX}.data-00001-of-00002").unlink()
    with pytest.raises(CheckpointError, match=r"data-00001-of-00002 is missing"):
        read_tensorflow(run)
    with pytest.raises(UsageError, match="no checkpoint there"):
        read_tensorflow(tmp_path / "nowhere")
    write_checkpoint(tmp_path / "mel" / PREFIX, small)
    with pytest.raises(
        CheckpointError,
        match="it lacks core_decoder/decoder.*no place for decoder/multi.*looks like a flat",
    ):
        mv.import_magenta(tmp_path / "mel", "hierdec-mel_16bar", tmp_path / "out")
    with pytest.raises(
        CheckpointError, match=r"fw/.*kernel is \[94, 16\], the preset needs \[14, 16\]"
    ):
        mv.import_magenta(tmp_path / "mel", "cat-drums_2bar_small", tmp_path / "out")
    with pytest.raises(UsageError, match="parts that Magenta's MusicVAE has not"):
        mv.import_magenta(tmp_path / "mel", "mel-2bar", tmp_path / "out")
    with pytest.raises(UsageError, match="no preset of music|has parts"):
        mv.import_magenta(tmp_path / "mel", "mnist-vae", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    mv.import_magenta(tmp_path / "mel", "cat-mel_2bar_big", tmp_path / "out")  # sizes may differ
    with pytest.raises(UsageError, match="--overwrite"):
        mv.import_magenta(tmp_path / "mel", "cat-mel_2bar_big", tmp_path / "out")


@pytest.mark.parametrize(
    "lie, message",
    [
        ({"offset": 10**12}, "truncated"),
        ({"size": 2**62, "shape": (2**60,)}, "no sizes"),
        ({"size": 2**41, "shape": (2**39,)}, "truncated"),
        ({"shape": (2**39, 2**39)}, "has 24 bytes"),
        ({"shape": (7,)}, "bytes"),
        ({"shard": 3}, "data file 3 of 1"),
        ({"dtype": 7}, "type number 7"),
        ({"crc": 5}, "checksum of the tensor"),
    ],
)
def test_an_entry_that_lies_is_an_error_and_takes_no_memory(small, tmp_path, lie, message):
    write_checkpoint(tmp_path / PREFIX, small, **{"encoder/mu/bias": lie})
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=message):
        mv.import_magenta(tmp_path / PREFIX, "cat-mel_2bar_small", tmp_path / "out")
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    tracemalloc.stop()
    assert not (tmp_path / "out").exists()


def test_tensors_that_share_their_bytes_ask_for_no_more_than_there_is(tmp_path):
    array = np.zeros(1000, np.float32)
    pairs = [(b"", field(1, 1)), *((f"t{n:03d}".encode(), entry(array, 0, 0)) for n in range(500))]
    (tmp_path / "x.index").write_bytes(table(pairs))
    (tmp_path / "x.data-00000-of-00001").write_bytes(array.tobytes())
    with pytest.raises(CheckpointError, match="need 2,000,000 bytes"):
        read_tensorflow(tmp_path / "x")


def test_every_truncation_and_every_flipped_byte_of_an_index_is_an_error_of_ours(small, tmp_path):
    write_checkpoint(tmp_path / PREFIX, {name: small[name] for name in sorted(small)[:6]})
    path = tmp_path / f"{PREFIX}.index"
    data = path.read_bytes()
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(MusaeError):
            read_tensorflow(tmp_path / PREFIX)
    for position in range(0, len(data), 3):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :])
        try:
            read_tensorflow(tmp_path / PREFIX)
        except MusaeError:
            pass  # padding and checksums of unused blocks may go unnoticed; nothing else may happen


def test_blocks_that_lie(tmp_path):
    path = tmp_path / "x.index"
    magic = struct.pack("<Q", 0xDB4775248B80FB57)
    for content in (
        b"\xff" * 40,
        bytes(40),
        b"\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f".ljust(40, b"\0"),
    ):
        path.write_bytes(content + magic)
        with pytest.raises(CheckpointError):
            read_tensorflow(tmp_path / "x")
    path.write_bytes(table([(b"", field(1, 1))], kind=1))
    with pytest.raises(CheckpointError, match="compressed"):
        read_tensorflow(tmp_path / "x")
    path.write_bytes(table([(b"", field(1, 10**9))]))
    with pytest.raises(CheckpointError, match="1000000000 data files"):
        read_tensorflow(tmp_path / "x")
    # One block that the index names a thousand times.
    stored = block([(b"a", b"")]) + b"\0"
    stored += struct.pack("<I", masked(crc32c(stored)))
    place = bytes([0, len(stored) - 5])
    index = block([(b"%04d" % n, place) for n in range(1000)]) + b"\0"
    index += struct.pack("<I", masked(crc32c(index)))
    from tests.magenta.tf_writer import varint

    footer = (b"\0\0" + varint(len(stored)) + varint(len(index) - 5)).ljust(40, b"\0") + magic
    path.write_bytes(stored + index + footer)
    with pytest.raises(CheckpointError, match="overlap"):
        read_tensorflow(tmp_path / "x")


def write_tfjs(folder, v, quantise=None, shard_bytes=1000):
    folder.mkdir(parents=True)
    weights, data = [], io.BytesIO()
    for name in sorted(v, reverse=True):
        value, row = v[name], {"name": name, "shape": list(v[name].shape), "dtype": "float32"}
        if quantise in ("uint8", "uint16"):
            least, scale = float(value.min()), float(np.ptp(value)) / np.iinfo(quantise).max or 1.0
            row["quantization"] = {"min": least, "scale": scale, "dtype": quantise}
            value = np.rint((value - least) / scale).astype(quantise)
        elif quantise == "float16":
            row["quantization"] = {"dtype": "float16"}
            value = value.astype("float16")
        weights.append(row)
        data.write(value.tobytes())
    content = data.getvalue()
    pieces = [content[start : start + shard_bytes] for start in range(0, len(content), shard_bytes)]
    paths = [f"group1-shard{n + 1}of{len(pieces)}" for n in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        (folder / path).write_bytes(piece)
    (folder / "weights_manifest.json").write_text(
        json.dumps([{"paths": paths, "weights": weights}])
    )
    return paths


@pytest.mark.parametrize(
    "quantise, tolerance", [(None, 0), ("uint8", 0.02), ("uint16", 1e-4), ("float16", 2e-3)]
)
def test_weights_of_magenta_js(small, tmp_path, quantise, tolerance):
    write_tfjs(tmp_path / "js", small, quantise)
    imported = mv.import_magenta(tmp_path / "js", "cat-mel_2bar_small", tmp_path / "out")
    assert "magenta-js" in imported.source and imported.step is None
    model = mv.load(tmp_path / "out", device="cpu").model
    found = model.decoder.output.weight.detach().numpy()
    np.testing.assert_allclose(found, small["decoder/output_projection/kernel"].T, atol=tolerance)


def test_magenta_js_multitrack(tmp_path):
    write_tfjs(
        tmp_path / "js",
        variables("hier-multiperf_vel_1bar_med_chords"),
        "uint16",
        shard_bytes=100_000,
    )
    imported = mv.import_magenta(
        tmp_path / "js", "hier-multiperf_vel_1bar_med_chords", tmp_path / "out"
    )
    assert (
        imported.config.model.encoder.levels == (64, 8) and imported.config.model.control_size == 49
    )
    (score,) = mv.load(tmp_path / "out", device="cpu").sample(1, chords="C | F G")
    assert [text.text for text in score.texts] == ["C", "F", "G"]
    with pytest.raises(CheckpointError, match="cell_0"):
        mv.import_magenta(tmp_path / "js", "hier-multiperf_vel_1bar_med", tmp_path / "plain")


@pytest.mark.parametrize(
    ("preset", "control"), [("groovae_2bar_humanize", 0), ("groovae_2bar_hits_control_tfds", 9)]
)
def test_grooves_of_both_kinds_of_checkpoint(tmp_path, monkeypatch, preset, control):
    monkeypatch.setitem(CASES, preset, (27, [27], control, False, False, 0))
    v = variables(preset, encoder=(4,), decoder=(5, 3))
    write_tfjs(tmp_path / "js", v)
    write_checkpoint(tmp_path / PREFIX, v)
    rows = windows(3)
    found = []
    for number, path in enumerate((tmp_path / "js", tmp_path / PREFIX)):
        (tmp_path / str(number)).mkdir()
        session = same(path, v, tmp_path / str(number), preset)
        assert session.model.control_size == control
        mean, _ = session.encode_windows(rows)
        found.append(session.decode_windows(mean, condition=rows[..., :9] if control else None))
    np.testing.assert_array_equal(*found)
    with pytest.raises(CheckpointError, match="does not fit the preset"):
        other = {0: "groovae_2bar_hits_control_tfds", 9: "groovae_2bar_humanize"}[control]
        mv.import_magenta(tmp_path / PREFIX, other, tmp_path / "no")


def test_our_own_preset_is_none_of_magentas(tmp_path, monkeypatch):
    monkeypatch.setitem(CASES, "groovae_2bar_humanize", (27, [27], 0, False, False, 0))
    write_checkpoint(
        tmp_path / PREFIX, variables("groovae_2bar_humanize", encoder=(4,), decoder=(5,))
    )
    with pytest.raises(UsageError, match="has parts"):
        mv.import_magenta(tmp_path / PREFIX, "groove-2bar", tmp_path / "out")


def test_manifests_that_lie(small, tmp_path):
    paths = write_tfjs(tmp_path / "js", small)
    manifest = tmp_path / "js" / "weights_manifest.json"
    good = json.loads(manifest.read_text())

    def refused(message, change):
        tree = json.loads(json.dumps(good))
        change(tree[0])
        manifest.write_text(json.dumps(tree))
        with pytest.raises(CheckpointError, match=message):
            mv.import_magenta(tmp_path / "js", "cat-mel_2bar_small", tmp_path / "out")

    refused(
        "not in its folder",
        lambda group: group.update(paths=["../" + path for path in group["paths"]]),
    )
    refused("not in its folder", lambda group: group.update(paths=["/etc/passwd"]))
    refused("is missing", lambda group: group["paths"].append("group1-shard99"))
    refused("truncated", lambda group: group["weights"][0].update(shape=[2**40, 2**40]))
    refused("no name or shape", lambda group: group["weights"][0].update(shape=[-1]))
    refused("no name or shape", lambda group: group["weights"][0].pop("name"))
    refused("which is not known", lambda group: group["weights"][0].update(dtype="string"))
    refused(
        "no scale or min",
        lambda group: group["weights"][0].update(
            quantization={"dtype": "uint8", "scale": float("nan")}
        ),
    )
    refused("twice", lambda group: group["weights"].append(group["weights"][0]))
    for text in ("[", "{}", "[1]", '[{"paths": [1], "weights": []}]', "[" * 100_000):
        manifest.write_text(text)
        with pytest.raises(CheckpointError):
            mv.import_magenta(tmp_path / "js", "cat-mel_2bar_small", tmp_path / "out")
    manifest.write_text(json.dumps(good))
    (tmp_path / "js" / paths[0]).write_bytes(b"")
    with pytest.raises(CheckpointError, match="truncated"):
        mv.import_magenta(tmp_path / "js", "cat-mel_2bar_small", tmp_path / "out")
