import errno
import json
from pathlib import Path

import pytest
import torch

from musicvae_lite.config import parse_config
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.model_dir.bundle import (
    describe,
    find_model,
    load_bundle,
    save_bundle,
    shipped_models,
    start_from,
)
from musicvae_lite.music.model import build

CONFIG = parse_config(
    {
        "name": "tiny",
        "model": {"latent_size": 3, "encoder": {"sizes": [4]}, "decoder": {"sizes": [4]}},
    },
    where="test",
)


@pytest.fixture
def folder(tmp_path):
    model = build(CONFIG.model, 90, 32)
    provenance = {
        "data": [{"name": "tunes", "windows": 7, "rights": "public domain"}],
        "steps": 3,
        "examples": 24,
    }
    save_bundle(
        tmp_path / "tiny", CONFIG, model, provenance, {"accuracy": 0.5, "kl_bits": 12.0, "n": 7}
    )
    return tmp_path / "tiny"


def test_a_folder_holds_three_files_and_says_what_it_is(folder):
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    description = describe(folder)
    assert description.config == CONFIG
    assert description.metrics["kl_bits"] == 12.0
    card = (folder / "README.md").read_text()
    for fact in (
        "tunes",
        "public domain",
        "24 examples seen in 3 steps",
        "| accuracy | 0.5000 |",
        "12.0",
    ):
        assert fact in card


def test_saving_twice_gives_the_same_bytes(folder, tmp_path):
    bundle = load_bundle(folder)
    save_bundle(
        tmp_path / "again",
        CONFIG,
        bundle.model,
        bundle.description.provenance,
        bundle.description.metrics,
    )
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def damage_weights(folder):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def truncate_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])


def change_config(**changes):
    def change(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def ask_for(size, *keys):
    def change(folder):
        path = folder / "config.json"
        tree = json.loads(path.read_text())
        group = tree["run"]["model"]
        for key in keys[:-1]:
            group = group[key]
        group[keys[-1]] = size
        path.write_text(json.dumps(tree))

    return change


def other_size(folder):
    path = folder / "config.json"
    tree = json.loads(path.read_text())
    tree["run"]["model"]["latent_size"] = 5
    path.write_text(json.dumps(tree))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_weights, "damaged or truncated"),
        (truncate_weights, "damaged or truncated"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors: cannot be read"),
        (lambda f: (f / "config.json").unlink(), "not a model folder"),
        (lambda f: (f / "config.json").write_text('{"format": "mus'), "not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "not a JSON object"),
        (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), "damaged"),
        (change_config(format="bert"), "not a musae model folder"),
        (change_config(version=99), "version 99; this musae reads version 1"),
        (change_config(weights={}), "no 'sha256'"),
        (change_config(run={"nmae": "x"}), "unknown key 'nmae'"),
        (change_config(metrics=[]), "no JSON object"),
        (change_config(provenance=[1]), "no JSON object"),
        (change_config(weights=[]), "damaged"),
        (ask_for(10**13, "latent_size"), "latent_size: .* less than or equal to 65536"),
        (ask_for(60_000, "latent_size"), r"ask for more than its \d+ tensors of [\d,]+ numbers"),
        (ask_for([2048] * 20_000, "encoder", "sizes"), "sizes: .* at most 64 items"),
        (ask_for([8] * 60, "encoder", "sizes"), "ask for more than its"),
        (other_size, r"does not fit the settings in \d+ tensors"),
    ],
)
def test_a_damaged_or_foreign_folder_is_one_clear_line(folder, damage, message):
    damage(folder)
    with pytest.raises(MusaeError, match=message) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_models_are_named(tmp_path):
    with pytest.raises(UsageError, match="no model 'mel-3bar'"):
        find_model("mel-3bar")
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError, match="is a file; a model is a folder"):
        find_model(file)


def test_a_full_disk_leaves_the_model_that_was_there(folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write = Path.write_bytes

    def full(path, data):
        if "config" in path.name or len(data) < 3000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    torch.manual_seed(5)
    with pytest.raises(MusaeError, match="the disk is full"):
        save_bundle(folder, CONFIG, build(CONFIG.model, 90, 32), {}, {})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_called_like_a_shipped_model_is_not_passed_over(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    folder.rename("mel-2bar")
    if "mel-2bar" in shipped_models():
        with pytest.raises(UsageError, match="write ./mel-2bar for the folder"):
            find_model("mel-2bar")
    assert find_model("./mel-2bar").resolve() == (folder.parent / "mel-2bar").resolve()


def test_float16_halves_the_file(folder, tmp_path):
    half = CONFIG.model_copy(
        update={"training": CONFIG.training.model_copy(update={"stored": "float16"})}
    )
    save_bundle(tmp_path / "half", half, load_bundle(folder).model, {}, {})
    sizes = [(path / "model.safetensors").stat().st_size for path in (folder, tmp_path / "half")]
    assert sizes[1] < 0.6 * sizes[0]
    assert next(load_bundle(tmp_path / "half").model.parameters()).dtype == torch.float32


def test_every_shipped_model_loads():
    for name in shipped_models():
        assert load_bundle(name).config.name == name


def test_a_model_told_of_chords_starts_from_one_that_is_not_as_if_it_were_deaf(folder):
    told = CONFIG.model.model_copy(update={"control_size": 49})
    model, tokens = build(told, 90, 32).eval(), torch.randint(90, (2, 32))
    start_from(model, describe(folder))
    before = load_bundle(folder).model
    plain = Batch(tokens, tokens)
    asked = Batch(tokens, tokens, condition=torch.eye(49)[torch.randint(49, (2, 32))])
    z = before.encode(plain).latent.mean
    torch.testing.assert_close(model.encode(asked).latent.mean, z)
    torch.testing.assert_close(model.nll(z, asked), before.nll(z, plain))
    with pytest.raises(MusaeError, match="does not fit"):
        start_from(before, describe(save_to(folder.parent / "chords", model, told)))


def save_to(folder, model, settings):
    config = CONFIG.model_copy(update={"model": settings})
    save_bundle(folder, config, model, {}, {})
    return folder


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, number):
    model = build(CONFIG.model, 90, 32)
    with torch.no_grad():
        next(model.parameters()).view(-1)[3] = number
    save_bundle(tmp_path / "broken", CONFIG, model, {}, {})
    with pytest.raises(MusaeError, match="broken/model.safetensors: .* not finite"):
        load_bundle(tmp_path / "broken")


def test_cards_are_printable(tmp_path):
    config = CONFIG.model_copy(update={"description": "\x1b[2J\x07evil"})
    model = build(config.model, 90, 32)
    save_bundle(tmp_path / "m", config, model, {"command": "\x1b]0;t\x07"}, {})
    card = (tmp_path / "m" / "README.md").read_text()
    assert "\x1b" not in card and "\x07" not in card and r"\x1b[2J\x07evil" in card
