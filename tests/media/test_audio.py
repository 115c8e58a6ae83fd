import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.media import audio
from musicvae_lite.media.audio import (
    Audio,
    AudioError,
    Header,
    create_audio,
    open_audio,
    read_audio,
    resample,
    write_audio,
    write_sounds,
)
from musicvae_lite.media.spectrum import Chunks, Grid, change_spectrum, grid_of, istft, stft


def sound(channels: int, samples: int, seed: int = 0) -> np.ndarray:
    return (
        (0.2 * np.random.default_rng(seed).standard_normal((channels, samples)))
        .clip(-0.9, 0.9)
        .astype(np.float32)
    )


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("a.wav", 44100, 2, "PCM_16"),
        ("a.wav", 8000, 1, "ULAW"),
        ("a.wav", 192000, 1, "PCM_24"),
        ("a.wav", 48000, 6, "PCM_24"),
        ("a.wav", 44100, 2, "FLOAT"),
        ("a.wav", 44100, 2, "DOUBLE"),
        ("a.wav", 11025, 1, "PCM_U8"),
        ("a.flac", 96000, 2, "PCM_24"),
        ("a.flac", 44100, 1, "PCM_16"),
        ("a.ogg", 44100, 2, "VORBIS"),
    ],
)
def test_a_copy_keeps_rate_channels_length_and_encoding(
    name: str, rate: int, channels: int, subtype: str, tmp_path: Path
) -> None:
    first, second = tmp_path / name, tmp_path / f"copy{Path(name).suffix}"
    soundfile.write(first, sound(channels, 3000).T, rate, subtype=subtype)
    read = read_audio(first)
    assert read.samples.shape == (channels, 3000) and read.samples.dtype == np.float32
    write_audio(read, second)
    info = soundfile.info(second)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (
        rate,
        channels,
        3000,
        subtype,
    )
    if subtype != "VORBIS":  # the one lossy encoding
        np.testing.assert_array_equal(read_audio(second).samples, read.samples)
    assert read.header == Header(rate, channels, 3000, info.format, subtype)


@pytest.mark.parametrize(
    ("name", "like", "container", "subtype"),
    [
        ("a.flac", ("WAV", "FLOAT"), "FLAC", "PCM_24"),
        ("a.flac", ("WAV", "PCM_U8"), "FLAC", "PCM_16"),
        ("a.wav", ("OGG", "VORBIS"), "WAV", "PCM_16"),
        ("a.WAV", ("WAVEX", "PCM_24"), "WAVEX", "PCM_24"),
        ("a.ogg", ("WAV", "PCM_16"), "OGG", "VORBIS"),
    ],
)
def test_another_suffix_takes_the_nearest_encoding(
    name: str, like: tuple[str, str], container: str, subtype: str
) -> None:
    assert audio.encoding(Path(name), Header(44100, 1, 10, *like)) == (container, subtype)


def test_an_hour_that_a_wav_file_cannot_count_is_written_as_rf64() -> None:
    assert (
        audio.encoding(Path("a.wav"), Header(192000, 6, 3600 * 192000, "WAV", "PCM_24"))[0]
        == "RF64"
    )


def test_bad_files_are_refused_in_one_line(tmp_path: Path) -> None:
    empty, text, cut, none, many = (
        tmp_path / f"{name}.wav" for name in ("empty", "text", "cut", "none", "many")
    )
    empty.touch()
    text.write_text("Dear Sir or Madam " * 20)
    cut.write_bytes(b"RIFF\x24\0\0\0WAVEfmt " + bytes(20))
    soundfile.write(none, np.zeros((0, 2)), 44100)
    soundfile.write(many, np.zeros((10, 40)), 44100)
    cases: list[tuple[Path, type[MusaeError], str]] = [
        (tmp_path / "absent.wav", AudioError, "no such file"),
        (tmp_path, AudioError, "is a folder"),
        (empty, AudioError, "empty file"),
        (text, AudioError, "not a sound file"),
        (cut, AudioError, "not a sound file"),
        (none, NothingUsableError, "holds no samples"),
        (many, UsageError, "40 channels; at most 32"),
    ]
    for path, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            read_audio(path)
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_header_that_promises_4_gb_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    form = struct.pack("<IHHIIHH", 16, 1, 1, 44100, 88200, 2, 16)
    head = (
        b"RIFF"
        + struct.pack("<I", 2**32 - 16)
        + b"WAVEfmt "
        + form
        + b"data"
        + struct.pack("<I", 2**32 - 256)
    )
    path.write_bytes(head + np.arange(500, dtype="<i2").tobytes())
    assert read_audio(path).samples.shape == (1, 500)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_named(bad: float, tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    samples = sound(2, 100_000)
    samples[1, 88200] = bad
    soundfile.write(path, samples.T, 44100, subtype="FLOAT")
    with pytest.raises(AudioError, match="channel 2 holds NaN or infinity at 2.000 s"):
        read_audio(path)


def test_one_sample_and_silence_are_sound(tmp_path: Path) -> None:
    for count in (1, 44100):
        path = tmp_path / f"{count}.wav"
        soundfile.write(path, np.zeros((count, 1)), 44100)
        assert read_audio(path).samples.shape == (1, count)


def test_an_array_the_wrong_way_round_is_told_so() -> None:
    with pytest.raises(UsageError, match="44100 channels; at most 32 can be used; transpose"):
        Audio(np.zeros((44100, 2), np.float32), 44100)
    with pytest.raises(UsageError, match="not an array of 1 dimension"):
        Audio(np.zeros(44100, np.float32), 44100)
    with pytest.raises(UsageError, match="10 samples per second"):
        Audio(np.zeros((1, 5), np.float32), 10)


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(RuntimeError), create_audio(path, Header(44100, 1, 10)) as writer:
        writer.write(sound(1, 10))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write_audio(Audio(sound(1, 10), 44100), path)
    with pytest.raises(UsageError, match="names no format"):
        write_audio(Audio(sound(1, 10), 44100), tmp_path / "a.doc")
    with pytest.raises(AudioError, match="NaN"):
        write_audio(Audio(np.full((1, 3), np.nan, np.float32), 44100), path, overwrite=True)
    assert path.read_text() == "mine"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with open("/dev/full", "wb", buffering=0) as full:
        file = soundfile.SoundFile(full, "w", 44100, 1, format="WAV")
        writer = audio.Writer(file, tmp_path / "a.wav")
        with pytest.raises(MusaeError, match="a.wav: cannot be written"):
            writer.write(sound(1, 10))


def test_sounds_are_written_all_or_none(tmp_path: Path) -> None:
    made = Audio(sound(1, 10), 44100)
    write_sounds({tmp_path / f"{number}.wav": made for number in range(2)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.wav", "1.wav"]
    with pytest.raises(UsageError, match="1.wav: exists already"):
        write_sounds({tmp_path / f"{number}.wav": made for number in (2, 1)})
    assert not (tmp_path / "2.wav").exists()


WHOLE = [
    (f"a.{kind}", subtype)
    for kind in ("wav", "flac")
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32")
]


@pytest.mark.parametrize(
    ("name", "subtype"),
    [row for row in WHOLE if row not in (("a.flac", "PCM_U8"), ("a.flac", "PCM_32"))],
)
def test_samples_are_rounded_and_come_back(subtype: str, name: str, tmp_path: Path) -> None:
    container = name[2:].upper()
    bits = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}[subtype]
    whole = np.random.default_rng(0).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (1, 5000))
    exact = (whole / 2 ** (bits - 1)).astype(np.float32)
    between = (exact + np.float32(0.4 / 2 ** (bits - 1))).astype(np.float32)
    for number, samples in enumerate((exact, between) if bits < 24 else (exact,)):
        write_audio(Audio(samples, 44100, container, subtype), tmp_path / f"{number}{name}")
        read = read_audio(tmp_path / f"{number}{name}").samples
        if bits < 32:  # float32 holds 24 bits
            np.testing.assert_array_equal(read, exact)
        np.testing.assert_allclose(read, samples, atol=0.5 / 2 ** (min(bits, 24) - 1))


@pytest.mark.skipif(os.name != "posix", reason="names are text there")
def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.wav"))
    try:
        write_audio(Audio(sound(1, 10), 44100), path)
    except OSError:
        pytest.skip("the file system takes text alone")
    assert read_audio(path).samples.shape == (1, 10)


def test_sound_beyond_all_measure_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full((10, 1), 1e17), 44100, "DOUBLE")
    with pytest.raises(AudioError, match=r"channel 1 holds 1e\+17 times full scale at 0.000 s"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "PCM_16"])
def test_sound_beyond_full_scale_is_clipped_in_every_encoding(subtype: str, tmp_path: Path) -> None:
    wave = 1.5 * np.sin(np.arange(8000) * 0.05, dtype=np.float32)[None]
    write_audio(Audio(wave, 8000, "WAV", subtype), tmp_path / "a.wav")
    read = read_audio(tmp_path / "a.wav").samples
    assert (
        np.abs(read[:, 100:8000] - wave[:, 100:].clip(-1, 1)).max() < 0.3
    )  # not the opposite sign


def test_tags_that_no_file_holds_are_left_out(tmp_path: Path) -> None:
    like = Header(44100, 1, 10, tags=(("title", "a"), ("comment", "x" * 9000), ("artist", "b")))
    for name in ("a.wav", "a.aiff"):
        with create_audio(tmp_path / name, like) as writer:
            writer.write(sound(1, 10))
        with open_audio(tmp_path / name) as reader:
            assert dict(reader.header.tags)["title"] == "a"


def test_mp3_becomes_wav(tmp_path: Path) -> None:
    if "MP3" not in soundfile.available_formats():
        pytest.skip("this libsndfile writes no MP3")
    soundfile.write(tmp_path / "a.mp3", sound(2, 44100).T, 44100)
    heard = read_audio(tmp_path / "a.mp3")
    for name in ("a.wav", "a.flac", "a.ogg"):
        write_audio(heard, tmp_path / name)
        assert read_audio(tmp_path / name).samples.shape == heard.samples.shape
    assert read_audio(tmp_path / "a.wav").subtype == "PCM_16"


def test_blocks_join_to_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    write_audio(Audio(sound(2, 10_001), 48000), path)
    with open_audio(path) as reader:
        blocks = list(reader.blocks(777))
        assert reader.header.seconds == pytest.approx(10_001 / 48000)
    np.testing.assert_array_equal(np.concatenate(blocks, 1), read_audio(path).samples)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
def test_bins_are_as_wide_at_every_rate(rate: int) -> None:
    grid = grid_of(rate)
    assert rate / grid.window == pytest.approx(44100 / 6144, rel=0.003)
    assert grid.window == 4 * grid.hop and grid.bins == grid.window // 2 + 1


@pytest.mark.parametrize("samples", [1, 2, 1535, 1536, 6144, 20_000])
def test_a_spectrogram_gives_the_sound_back(samples: int) -> None:
    grid = grid_of(44100)
    wave = torch.from_numpy(sound(2, samples))
    spectrum = stft(wave, grid)
    assert spectrum.shape == (2, grid.bins, grid.frames(samples))
    torch.testing.assert_close(istft(spectrum, grid, samples), wave, atol=1e-5, rtol=0)


def test_the_spectrogram_is_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    grid = grid_of(16000)
    wave = sound(1, 8 * grid.hop)
    ours = stft(torch.from_numpy(wave), grid)[0].numpy()
    theirs = librosa.stft(
        wave[0], n_fft=grid.window, hop_length=grid.hop, window="hann", pad_mode="constant"
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def blurred(spectrum: torch.Tensor, place: slice) -> torch.Tensor:
    """Return a mask that looks 5 frames back and 3 ahead, and at where a block of 4 frames
    began.
    """
    power = torch.nn.functional.pad(spectrum.abs(), (5, 3)).unfold(-1, 9, 1).mean(-1)
    blocks = power[..., ::4].repeat_interleave(4, -1)[..., : power.shape[-1]]
    return (spectrum * (power / (power + blocks + 1e-6)))[..., place]


@pytest.mark.parametrize("samples", [1, 50, 4000, 30_000, 30_001])
def test_the_result_does_not_depend_on_the_chunks(samples: int) -> None:
    grid, wave = Grid(100, 400), sound(2, samples)
    results = []
    for frames, block in ((100_000, 100_000), (4, 999), (8, 1), (64, 5000)):
        blocks = (wave[:, first : first + block] for first in range(0, samples, block))
        parts = list(change_spectrum(blocks, grid, Chunks(frames, 8, 7, 4), blurred))
        assert all(part.shape[0] == 2 for part in parts)
        results.append(np.concatenate(parts, 1))
        if block == 1 and samples > 5000:
            break  # one sample at a time is slow
    for result in results:
        assert result.shape == wave.shape
        np.testing.assert_allclose(result, results[0], atol=1e-6)


def test_nothing_changed_is_the_same_sound_without_delay() -> None:
    wave = sound(1, 12_345)
    parts = change_spectrum(
        [wave], grid_of(44100), Chunks(3), lambda spectrum, place: spectrum[..., place]
    )
    np.testing.assert_allclose(np.concatenate(list(parts), 1), wave, atol=1e-5)


def test_no_sound_at_all_gives_none() -> None:
    assert (
        list(change_spectrum([], grid_of(44100), Chunks(3), lambda spectrum, place: spectrum)) == []
    )


def test_chunks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="no multiples of 4"):
        Chunks(6, align=4)


@pytest.mark.parametrize(
    ("rate", "new_rate"),
    [(44100, 16000), (16000, 44100), (48000, 44100), (8000, 8000), (44101, 44100), (22255, 44100)],
)
def test_resampling_keeps_a_tone(rate: int, new_rate: int) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate, dtype=np.float64)[None].astype(
        np.float32
    )
    result = resample(tone, rate, new_rate)
    assert result.shape == (1, new_rate) and result.dtype == np.float32
    wanted = np.sin(2 * np.pi * 1000 * np.arange(new_rate) / new_rate)
    inner = slice(200, -200)
    np.testing.assert_allclose(result[0, inner], wanted[inner], atol=2e-3)
