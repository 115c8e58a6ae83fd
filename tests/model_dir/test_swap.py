"""A model folder is whole whenever the process that writes it is killed."""

import hashlib
import json
import os
from functools import partial

import pytest
import torch

from musicvae_lite.config import load_config
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.medium import build_model
from musicvae_lite.model_dir.bundle import describe, load_bundle, save_bundle
from musicvae_lite.model_dir.swap import NEW, clear_parts, current, replace_together, settle
from tests.killed import killed_at
from tests.tiny import SETTINGS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
CONFIG = load_config("mel-2bar", SETTINGS)
NAMES = ("model.safetensors", "README.md", "config.json")


def model(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_model(CONFIG, build_codec(CONFIG.codec.model_dump()))


def save(folder, seed):
    save_bundle(folder, CONFIG, model(seed), {"steps": seed, "command": f"seed {seed}"}, {})


def content(folder):
    return {name: current(folder, name).read_bytes() for name in NAMES}


def test_old_or_new_after_any_kill(tmp_path):
    save(tmp_path / "old", 1)
    save(tmp_path / "new", 2)
    old, new = content(tmp_path / "old"), content(tmp_path / "new")
    seen, point = set(), 0
    while True:
        folder = tmp_path / f"run{point}"
        save(folder, 1)
        killed = killed_at(point, folder, lambda folder=folder: save(folder, 2))
        found = content(folder)
        assert found in (old, new), f"killed before change {point}"
        seen.add(found == new)
        facts = json.loads(found["config.json"])["weights"]
        assert facts["sha256"] == hashlib.sha256(found["model.safetensors"]).hexdigest()
        loaded = load_bundle(folder)
        assert loaded.description.provenance["steps"] == (2 if found == new else 1)
        if not killed:
            break
        save(folder, 2)
        clear_parts(folder)
        assert content(folder) == new and sorted(os.listdir(folder)) == sorted(NAMES)
        point += 1
    assert seen == {False, True} and point >= 8


def test_nothing_or_all_of_a_first_save(tmp_path):
    point = 0
    while killed_at(point, tmp_path, partial(save, tmp_path / f"run{point}", 1)):
        folder = tmp_path / f"run{point}"
        try:
            assert load_bundle(folder).description.provenance["steps"] == 1
        except MusaeError as error:
            assert "no model" in str(error) or "not a model folder" in str(error)
        save(folder, 2)
        assert describe(folder).provenance["steps"] == 2
        point += 1
    assert point >= 8


def test_a_swap_that_was_cut_off_is_read_without_being_finished(tmp_path):
    replace_together(tmp_path, {"a": b"1", "b": b"1"})
    (tmp_path / NEW).mkdir()
    (tmp_path / NEW / "b").write_bytes(b"2")
    (tmp_path / "a").write_bytes(b"2")  # a was moved, b not yet
    assert [current(tmp_path, name).read_bytes() for name in "ab"] == [b"2", b"2"]
    settle(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"2", b"2"]


def test_a_full_disk_leaves_the_old_files(tmp_path, monkeypatch):
    replace_together(tmp_path, {"a": b"1", "b": b"1"})

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(MusaeError, match="the disk is full"):
        replace_together(tmp_path, {"a": b"2", "b": b"2"})
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == b"1"
