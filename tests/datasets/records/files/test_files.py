"""Which files a place names, behind URLs too; tables that are kept, remade and never trusted blindly."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError, NoSuchFiles
from embodio.datasets.records.files.file_set import FileSet, expanded, file_set
from embodio.datasets.records.files.tables import Table, Tables
from embodio.datasets.records.opening import open_records


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b'{"text": "%s"}\n' % name.encode())
    return folder


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("{0..2}", ["0", "1", "2"]),
        ("s-{08..11}.tar", ["s-08.tar", "s-09.tar", "s-10.tar", "s-11.tar"]),
        ("{2..1}{a,b}", ["2a", "2b", "1a", "1b"]),
        ("{train,val}/{00..01}", ["train/00", "train/01", "val/00", "val/01"]),
    ],
)
def test_braces(pattern: str, names: list[str]) -> None:
    assert expanded(pattern) == names


@pytest.mark.parametrize("pattern", ["{0..9999999}", "{0..999}{0..999}{0..999}", "{a}", "{}"])
def test_braces_that_mean_nothing_or_too_much(pattern: str) -> None:
    with pytest.raises(DatasetError):
        expanded(pattern)


def test_files_of_a_place_in_order_without_hidden_ones(tmp_path: Path) -> None:
    touch(tmp_path, "a10.jsonl", "a2.jsonl", "sub/a1.jsonl", ".b.jsonl", ".c/d.jsonl", "a{1}.jsonl", "ä 'x\".jsonl")
    assert file_set(tmp_path).names == ("a2.jsonl", "a10.jsonl", "a{1}.jsonl", "sub/a1.jsonl", "ä 'x\".jsonl")
    assert file_set(f"{tmp_path}/a*.jsonl").names == ("a2.jsonl", "a10.jsonl", "a{1}.jsonl")
    assert file_set(f"{tmp_path}/**/a1.jsonl").names == ("sub/a1.jsonl",)
    assert file_set(f"{tmp_path}/a{{1}}.jsonl").names == ("a{1}.jsonl",), "a file whose name looks like a pattern"
    assert [open_records(tmp_path).record(index).key for index in range(2)] == ["a2.jsonl#0", "a10.jsonl#0"]
    for nothing in ("none", "none*", "none{0..1}.tar"):
        with pytest.raises(NoSuchFiles):
            file_set(f"{tmp_path}/{nothing}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoSuchFiles, match="holds no files"):
        file_set(tmp_path / "empty")


def test_files_behind_a_url() -> None:
    memory = fsspec.filesystem("memory")
    for split in ("train", "validation"):
        for number in range(3):
            memory.pipe(f"/corpus/{split}/{number}.jsonl", f'{{"text": "{split} {number}"}}\n'.encode() * 2)
    source = pickle.loads(pickle.dumps(open_records("memory://corpus", split="validation")))
    assert [source.record(index).text for index in (5, 0)] == ["validation 2", "validation 0"] and len(source) == 6
    assert len(open_records("memory://corpus/train/{0..1}.jsonl")) == 4
    assert len(open_records("memory://corpus/train/*.jsonl")) == 6
    assert open_records("memory://corpus/train/1.jsonl").record(1).text == "train 1"
    with pytest.raises(NoSuchFiles):
        open_records("memory://nothing")


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.binary(max_size=20), st.text(max_size=20))
def test_tables_are_kept_as_they_were_made(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], names: bytes, problem: str
) -> None:
    folder = touch(tmp_path_factory.mktemp("tables"), "a.jsonl")
    arrays = {"numbers": np.array(numbers, np.int64).reshape(-1, 1), "names": np.frombuffer(names, np.uint8)}
    made = Table(arrays, "d" * 64, 3, problem)
    Tables(FileSet("x", folder, ("a.jsonl",)), "test", lambda number: made)
    kept = Tables(FileSet("x", folder, ("a.jsonl",)), "test", _never)[0]
    assert (kept.digest, kept.count, kept.problem) == ("d" * 64, 3, problem)
    assert all(np.array_equal(kept.arrays[name], array) for name, array in arrays.items())


def test_tables_are_made_again_after_damage_or_a_change(tmp_path: Path) -> None:
    files, made = FileSet("x", touch(tmp_path, "a.jsonl"), ("a.jsonl",)), []

    def make(number: int) -> Table:
        made.append(number)
        return Table({"n": np.arange(100)}, "d", 100)

    Tables(files, "test", make)
    (path,) = (tmp_path / ".embodio" / "records").iterdir()
    whole = path.read_bytes()
    for damaged in (whole[:-9], whole[:4], b"", whole[:-1] + b"\xff", b"\xff" * 99):
        path.write_bytes(damaged)
        assert Tables(files, "test", make)[0].arrays["n"].tolist() == list(range(100))
    assert len(made) == 6
    os.utime(tmp_path / "a.jsonl", ns=(1, 1))
    Tables(files, "test", make)
    assert len(made) == 7 and len(list(path.parent.iterdir())) == 1, "that of the former file is gone"
    Tables(files, "other", make)
    assert len(made) == 8


def test_a_file_that_changes_after_the_corpus_was_opened_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.jsonl", "b.jsonl")
    source = open_records(tmp_path)
    copy = pickle.loads(pickle.dumps(source))  # as workers get it
    assert copy.record(1).text == "b.jsonl"
    copy = pickle.loads(pickle.dumps(source))
    (tmp_path / "b.jsonl").write_text('{"text": "other"}\n{"text": "more"}\n')
    with pytest.raises(DatasetError, match=r"b\.jsonl has changed since the corpus was opened"):
        copy.record(1)


def test_folders_that_cannot_be_written_have_their_tables_elsewhere(tmp_path: Path) -> None:
    touch(tmp_path, "a.jsonl")
    (tmp_path / ".embodio").write_text("a file is in the way")
    files = FileSet("x", tmp_path, ("a.jsonl",))
    Tables(files, "test", lambda number: Table({"n": np.arange(3)}, "d", 3))
    assert Tables(files, "test", _never)[0].arrays["n"].tolist() == [0, 1, 2]


def _never(number: int) -> Any:
    raise AssertionError("the table is there")
