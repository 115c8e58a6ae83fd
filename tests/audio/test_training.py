"""The loop on sound: it learns, and resumes exactly with the running means of its normalisation."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from musicvae_lite.audio.denoise.dataset import DenoiseDataset, ahead
from musicvae_lite.audio.denoise.network import BANDS, FEATURES, MaskNetwork, Shape
from musicvae_lite.config import load_config
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.model_dir.bundle import describe, load_bundle
from musicvae_lite.training.events import Trained
from musicvae_lite.training.train import train
from tests.sounds import SETTINGS, noise, save, save_clean_folder

SHORT = [
    "training.steps=8",
    "training.valid_every=4",
    "training.save_every=4",
    "training.log_every=2",
    "data.mixture.epoch=6",
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSAE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def clean(tmp_path):
    return save_clean_folder(tmp_path / "clean")


def weights(folder):
    return load_bundle(folder).model.state_dict()


def test_an_interrupted_run_goes_on_exactly(clean, tmp_path):
    config = load_config("denoise", [*SETTINGS, *SHORT])
    train(config, clean, tmp_path / "whole")

    def stop(event):
        if isinstance(event, Trained) and event.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, clean, tmp_path / "parts", on_event=stop)
    train(config, clean, tmp_path / "parts", resume=True)
    for folder in ("", "last"):
        for key, value in weights(tmp_path / "whole" / folder).items():
            assert torch.equal(value, weights(tmp_path / "parts" / folder)[key]), key
    states = [load_file(tmp_path / name / "training.safetensors") for name in ("whole", "parts")]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_running_means_are_averaged_with_the_weights_and_counts_are_not(clean, tmp_path):
    train(load_config("denoise", [*SETTINGS, *SHORT]), clean, tmp_path / "run")
    state, last = (
        load_file(tmp_path / "run" / "training.safetensors"),
        weights(tmp_path / "run" / "last"),
    )
    name = "network.stem.norm.running_mean"
    assert torch.equal(last[name], state[f"average/{name}"]) and not torch.equal(
        last[name], state[f"weight/{name}"]
    )
    count = "network.stem.norm.num_batches_tracked"
    assert last[count] == state[f"weight/{count}"] == 8 and f"average/{count}" not in state


def test_steps_learn_from_named_noises_and_the_card_says_how_well(clean, tmp_path):
    noises = tmp_path / "noises"
    noises.mkdir()
    save(noise(3), noises / "hiss.wav")
    changes = [
        "training.steps=16",
        "training.valid_every=16",
        "training.log_every=4",
        "optimiser.learning_rate=0.01",
    ]
    easy = [
        f"data.noise={noises}",
        "data.mixture.synthesised=0",
        "data.mixture.babble=0",
        "data.mixture.snr_db=[5, 6]",
    ]
    events = []
    outcome = train(
        load_config("denoise", [*SETTINGS, *changes, *easy]),
        clean,
        tmp_path / "run",
        on_event=events.append,
    )
    losses = [event.loss for event in events if isinstance(event, Trained)]
    assert losses[-1] < losses[0] - 1
    assert outcome.metrics["n"] == 3 and outcome.metrics["by_noise"].keys() == {"recorded"}
    card = (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    for fact in (
        "| clean | 5 |",
        "| noises | 1 |",
        "si_sdr_improvement_db",
        "Measured on held-out clips",
        "8,000 Hz",
    ):
        assert fact in card
    assert describe(tmp_path / "run").provenance["held_out"]


def test_a_variational_denoiser_trains(clean, tmp_path):
    outcome = train(
        load_config(
            "denoise", [*SETTINGS, *SHORT, "model.variational=true", "objective.beta=0.001"]
        ),
        clean,
        tmp_path / "run",
    )
    assert outcome.finished


def test_sources_that_do_not_fit_are_told(clean, tmp_path):
    def refused(kind, match, *changes, data=clean):
        with pytest.raises(kind, match=match):
            train(load_config("denoise", [*SETTINGS, *SHORT, *changes]), data, tmp_path / "run")

    refused(UsageError, "clean sound", data=None)
    refused(MusaeError, "no such file or folder", data=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    refused(MusaeError, "neither recordings", data=tmp_path / "empty")
    refused(MusaeError, "data.noise: .*no such", f"data.noise={tmp_path / 'nowhere'}")
    refused(UsageError, "no noise 'hizz'.*hiss", "data.mixture.kinds={hizz: 2}")
    with pytest.raises(UsageError, match="data.mixture.clen.*clean"):
        load_config("denoise", ["data.mixture.clen=1"])
    with pytest.raises(UsageError, match="strides"):
        load_config("denoise", ["model.channels=[3, 4]"])
    assert not (tmp_path / "run").exists()


def test_an_archive_among_recordings_is_left_alone(clean):
    (clean / "covers.zip").write_bytes(b"no music")
    assert len(DenoiseDataset.open(load_config("denoise", SETTINGS), [clean]).train.clean)


def test_the_next_clips_are_made_while_some_are_in_use():
    made = []
    found = ahead(lambda item: made.append(item) or 10 * item, range(4))
    assert next(found) == 0 and made[0] == 0 and len(made) <= 2
    assert list(found) == [10, 20, 30] and made == [0, 1, 2, 3]
    assert list(ahead(str, [])) == []


def test_a_clip_that_cannot_be_made_is_an_error_in_its_turn():
    found = ahead(lambda item: 6 // item, [3, 0])
    assert next(found) == 2
    with pytest.raises(ZeroDivisionError):
        next(found)


@torch.no_grad()
def test_the_layout_in_memory_of_training_changes_no_result():
    network = MaskNetwork(Shape((3, 4, 5), (0, 1, 1), ((2, 2), (2, 2)), 3, (1,)))
    seen = torch.randn(2, FEATURES, BANDS, 9, generator=torch.Generator().manual_seed(0))
    for part in network.modules():  # normalised by their running means in both modes
        if isinstance(part, torch.nn.BatchNorm2d):
            part.eval()
    learning = network(seen)
    assert torch.allclose(learning, network.eval()(seen), atol=1e-5)


def test_that_sounds_are_converted_is_said_first(clean, tmp_path):
    events = []
    train(
        load_config("denoise", [*SETTINGS, *SHORT]), clean, tmp_path / "run", on_event=events.append
    )
    assert events[0].message.startswith("reading the sounds")


def test_files_that_cannot_be_used_are_named_and_never_held_out(clean):
    for number in range(12):  # so that some would be among those that are held out
        (clean / f"bad{number}.wav").write_bytes(b"RIFF")
    save(np.zeros(16000, np.float32), clean / "silent.wav")
    config = load_config("denoise", [*SETTINGS, *SHORT, "data.mixture.held_out=0.3"])
    material = DenoiseDataset.open(config, [clean])
    assert material.held_out and "bad0.wav" in material.notice and "and 8 more" in material.notice
    for file in clean.glob("bad*"):
        file.unlink()
    assert "silent.wav: is silent or too short" in DenoiseDataset.open(config, [clean]).notice
