"""The recorder sees what differs, and nothing else."""

import json

import numpy as np
import pytest

from tests.golden.describing import described, differences, same, shortened
from tests.golden.inputs import write_inputs
from tests.golden.record import compare_records
from tests.golden.running import read_cases, with_needs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden") / "in"
    write_inputs(folder)
    return folder


@pytest.mark.parametrize(
    "expected, found, equal",
    [
        ("mean 0.123", "mean 0.125", True),
        ("mean 0.123", "mean 0.126", False),
        ("mean -1.20e-7", "mean -1.21e-7", True),
        ("12 notes", "13 notes", False),
        ("0:60/80+480", "0:60/81+480", False),
        ("a 1.0", "b 1.0", False),
        ("one", "one\ntwo", False),
    ],
)
def test_decimals_have_slack_and_nothing_else(expected, found, equal):
    assert (differences(expected, found) == []) is equal


def test_long_decimals_are_rounded():
    assert (
        shortened('"a": 0.971234567, "b": 57.7, "c": 120.0') == '"a": 0.971, "b": 57.7, "c": 120.0'
    )


def test_a_record_differs_where_a_note_or_a_number_does(inputs, tmp_path, capsys):
    for name, source, size in (("before", "lead.mid", 0.5), ("after", "jig.mid", 0.25)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.mid").write_bytes((inputs / source).read_bytes())
        (folder / "a.json").write_text(json.dumps({"accuracy": size}))
        (folder / "metrics.jsonl").write_text(json.dumps({"loss": 1.5, "seconds": size}))
        np.savez(folder / "z.npz", mean=np.full((2, 3), size))
        (folder / f"{name}.txt").touch()
    assert same(tmp_path / "before" / "metrics.jsonl", tmp_path / "after" / "metrics.jsonl")
    assert compare_records(tmp_path / "before", tmp_path / "after") == 1
    out = capsys.readouterr().out
    assert '-  "accuracy"' not in out and '- "accuracy": 0.5' in out
    assert "a.mid: differs" in out and "z.npz: differs" in out and "before.txt: only before" in out
    assert out.splitlines()[-1].startswith("1 of 6 files are equal")
    assert compare_records(tmp_path / "before", tmp_path / "before") == 0


def test_midi_is_told_by_its_notes(inputs):
    text = described(inputs / "taps.mid")
    assert "channel 10: 24 notes" in text and " 24:60/90+60 384:60/90+60" in text


def test_cases_come_after_those_that_they_read_from():
    names = [case.name for case in with_needs(["evaluate-others"], read_cases())]
    assert names == ["prepare", "prepare-others", "train-tiny", "evaluate-others"]
