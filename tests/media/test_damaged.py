"""Sound files whose header and content do not agree, and containers that libsndfile cannot read."""

import os
import stat
import struct

import numpy as np
import pytest
import soundfile

from musicvae_lite.core.errors import NothingUsableError
from musicvae_lite.media.audio import AudioError, open_audio, read_audio

RATE = 8000
WAVE = (0.3 * np.sin(np.arange(4000) * 0.3)).astype(np.float32)


def save(path, channels=1, subtype="PCM_16", tags=False):
    with soundfile.SoundFile(path, "w", RATE, channels, subtype) as file:
        if tags:
            file.title = "A title"
        file.write(np.repeat(WAVE[:, None], channels, 1))
    return path


def data_at(raw: bytes) -> int:
    return raw.index(b"data") + 4


def with_length(path, length: int):
    raw = bytearray(path.read_bytes())
    at = data_at(bytes(raw))
    raw[at : at + 4] = struct.pack("<I", length)
    if not length:
        raw[4:8] = b"\0\0\0\0"
    path.write_bytes(raw)


@pytest.mark.parametrize(("channels", "subtype"), [(1, "PCM_16"), (2, "PCM_24"), (1, "FLOAT")])
def test_a_header_that_was_never_finished_is_read_to_the_end(tmp_path, channels, subtype):
    path = save(tmp_path / "a.wav", channels, subtype)
    whole = read_audio(path)
    with_length(path, 0)
    with open_audio(path) as reader:
        found = np.concatenate(list(reader.blocks(700)), 1)
        assert "never finished" in reader.warning and "4,000" in reader.warning
    np.testing.assert_array_equal(found, whole.samples)


def test_a_recording_that_broke_off_inside_a_sample_ends_before_it(tmp_path):
    path = save(tmp_path / "a.wav", 2)
    with_length(path, 0)
    path.write_bytes(path.read_bytes()[:-3])
    assert read_audio(path).samples.shape == (2, 3999)


def test_an_empty_sound_before_other_chunks_is_empty(tmp_path):
    path = save(tmp_path / "a.wav")
    raw = path.read_bytes()
    at = data_at(raw)
    tail = b"LIST" + struct.pack("<I", 4) + b"INFO"
    path.write_bytes(raw[:at] + b"\0\0\0\0" + tail)
    with pytest.raises(NothingUsableError, match="holds no samples"):
        read_audio(path)


def test_what_a_cut_file_lacks_is_told(tmp_path):
    path = save(tmp_path / "a.wav", 2)
    path.write_bytes(path.read_bytes()[:-4000])
    with open_audio(path) as reader:
        assert "cut short: 1,000 samples" in reader.warning and "3,000 are there" in reader.warning
        assert sum(block.shape[1] for block in reader.blocks()) == 3000


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFF000])
def test_lengths_of_pipes_are_no_damage(tmp_path, length):
    path = save(tmp_path / "a.wav")
    with_length(path, length)
    with open_audio(path) as reader:
        assert not reader.warning and sum(b.shape[1] for b in reader.blocks()) == 4000


def test_a_whole_file_has_no_warning(tmp_path):
    with open_audio(save(tmp_path / "a.wav", tags=True)) as reader:
        assert not reader.warning


HEADS = {
    "M4A": b"\0\0\0\x1cftypM4A \0\0\0\0",
    "MP4": b"\0\0\0\x1cftypisom\0\0\0\0",
    "AAC": b"\xff\xf1\x50\x80\0\0\0\0",
    "WMA": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    "WebM": bytes.fromhex("1a45dfa39f4286810142f781"),
}


@pytest.mark.parametrize("kind", HEADS)
def test_other_containers_are_named_with_what_to_do(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    path = tmp_path / "voice.m4a"
    path.write_bytes(HEADS[kind] + bytes(200))
    with pytest.raises(AudioError, match=rf"is {kind}.*ffmpeg -i voice.m4a voice.wav"):
        read_audio(path)


@pytest.mark.skipif(os.name != "posix", reason="the decoder of the test is a shell script")
def test_they_are_read_where_a_decoder_is(tmp_path, monkeypatch):
    wav = save(tmp_path / "inside.wav")
    program = tmp_path / "ffmpeg"
    program.write_text(f'#!/bin/sh\nfor last; do :; done\n/bin/cp "{wav}" "$last"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "voice.m4a"
    path.write_bytes(HEADS["M4A"] + bytes(200))
    found = read_audio(path)
    np.testing.assert_array_equal(found.samples, read_audio(wav).samples)
    assert found.source == str(path)
    program.write_text("#!/bin/sh\necho 'moov atom not found' >&2\nexit 1\n")
    with pytest.raises(AudioError, match="moov atom not found; convert it first"):
        read_audio(path)
