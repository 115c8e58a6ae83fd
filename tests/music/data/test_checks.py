"""Corpora that lie are refused when they are opened."""

import json
import shutil
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.music.data.corpus import Corpus, part_path
from musicvae_lite.music.data.prepare import prepare_corpus
from tests.music.data.conftest import CONFIG


@pytest.fixture
def corpus(songs, tmp_path):
    prepare_corpus([songs], CONFIG, tmp_path / "c", workers=1)
    return tmp_path / "c"


def change(folder, **entries):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"parts": 10**12}, "parts is 1000000000000"),
        ({"parts": 10**6}, "the corpus is incomplete"),
        ({"parts": "1"}, "parts is '1'"),
        ({"parts": -1}, "parts is -1"),
        ({"parts": True}, "parts is True"),
        ({"codec": [1]}, "codec is"),
        ({"codec": {**CONFIG, "bars": 10**12}}, "."),
        ({"control": 5}, "control is 5"),
        ({"complete": "yes"}, "complete is 'yes'"),
        ({"sources": {"a": 3}}, "sources do not hold"),
        ({"distinct": 1e400}, "a count of files or windows"),
        ({"rights": ["\x1b[31m"]}, "rights is"),
        ({"fingerprint": None}, "fingerprint is None"),
    ],
)
def test_manifests(corpus, entries, words):
    change(corpus, **entries)
    begun = time.monotonic()
    with pytest.raises(MusaeError, match=words) as told:
        Corpus.open(corpus)
    assert str(told.value).isprintable() and time.monotonic() - begun < 10


def rewrite(folder, name, make):
    path = part_path(folder, 0)
    table = pq.read_table(path)
    index = table.column_names.index(name)
    column = make(table[name].combine_chunks(), len(table))
    pq.write_table(
        table.set_column(index, name, column).replace_schema_metadata(table.schema.metadata), path
    )


def tokens(value, dtype=np.uint8):
    return lambda column, rows: pa.FixedSizeListArray.from_arrays(
        pa.array(np.full(rows * column.type.list_size, value, dtype)), column.type.list_size
    )


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("tokens", tokens(200), "tokens goes from 200 to 200"),
        ("tokens", tokens(-5, np.int16), "tokens goes from -5"),
        ("tokens", tokens(0.5, np.float32), "tokens are float32"),
        ("low", lambda c, n: pa.array([None] * n, pa.int8()), "low holds|empty in places"),
        ("low", lambda c, n: pa.array([5] * n, pa.int8()), "low goes from 5"),
        ("valid", lambda c, n: pa.array([1] * n, pa.int8()), "valid holds int8"),
        ("track", lambda c, n: pa.array(["x"] * n), "track holds"),
        ("bar", lambda c, n: pa.array([-1] * n), "bar goes from -1"),
        ("source", lambda c, n: pa.array(["a"] * n), "damaged part"),
    ],
)
def test_columns(corpus, name, make, words):
    rewrite(corpus, name, make)
    with pytest.raises(MusaeError, match=words):
        Corpus.open(corpus)


def test_a_part_of_more_windows_than_its_file_can_hold(corpus):
    path = part_path(corpus, 0)
    table = pq.read_table(path)
    row = table.slice(0, 1)
    many = pa.concat_tables([row] * 1000).combine_chunks()
    many = pa.concat_tables([many] * 300).combine_chunks()
    pq.write_table(many.replace_schema_metadata(table.schema.metadata), path, compression="zstd")
    assert path.stat().st_size * 4 < len(many)
    with pytest.raises(MusaeError, match="more than a file of its size can hold"):
        Corpus.open(corpus)


def test_a_corpus_as_it_was_prepared_opens(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "copy")
    assert len(Corpus.open(tmp_path / "copy")) == len(Corpus.open(corpus))
