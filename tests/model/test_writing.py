"""Files that are complete or not there, whatever goes wrong while they are written."""

from __future__ import annotations

import errno
import itertools
import os
import pickle
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.weights.weight_files import write_tensors
from embodio.model.writing import (
    WriteError,
    clear_leftovers,
    is_partial,
    recover_folder,
    remove_partial,
    replacing,
    replacing_folder,
    write_bytes,
    write_cached,
    write_json,
    write_text,
)

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
{code}
"""


def test_a_file_is_replaced_in_one_step_and_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deep" / "file.json"
    order: list[str] = []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (order.append("rename"), rename(self, to))[1])
    write_json(path, {"a": 1})
    assert path.read_text() == '{\n "a": 1\n}\n'
    assert is_partial(Path(order[0]).name)
    assert order[1:] == ["rename", str(path.parent)]
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_after_an_error_the_file_is_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "good")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert [file.read_text() for file in tmp_path.iterdir()] == ["good"]


def test_a_full_disk_is_a_typed_error_that_names_file_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "good")
    message = r"file.txt cannot be written: No space left.*Free some space"
    with pytest.raises(WriteError, match=message) as caught, replacing(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert path.read_text() == "good"


@pytest.mark.parametrize(
    "code",
    [
        "from embodio.model.writing import write_bytes; write_bytes(sys.argv[1], bytes(9000))",
        "import torch; from pathlib import Path; from embodio.model.weights.weight_files import write_tensors; "
        "write_tensors(Path(sys.argv[1]), {'a': torch.zeros(9000)})",
    ],
)
def test_a_limit_of_the_system_is_a_typed_error_too(tmp_path: Path, code: str) -> None:
    path = tmp_path / "file"
    path.write_text("good")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(code=code), str(path)], capture_output=True, text=True, check=False
    )
    assert "WriteError" in done.stderr.splitlines()[-1], done.stderr
    assert "raise it (ulimit -f)" in done.stderr.splitlines()[-1]
    assert [file.read_text() for file in tmp_path.iterdir()] == ["good"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_cache_does_without_its_file(tmp_path: Path) -> None:
    (tmp_path / "in the way").touch()
    write_cached(tmp_path / "in the way" / "file", b"x")
    write_cached(tmp_path / "folder" / "file", b"x")
    assert (tmp_path / "folder" / "file").read_bytes() == b"x"


def test_links_stay_links_and_devices_are_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    write_bytes(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"x"
    write_bytes("/dev/null", b"x")
    assert not Path("/dev/null").is_file()
    with pytest.raises(WriteError, match="/dev/full"):
        write_bytes("/dev/full", b"x")


@given(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40))
def test_temporary_names_are_recognised_and_others_are_not(name: str) -> None:
    assert not is_partial(name) or ".part" in name
    if name not in (".", ".."):
        seen: list[str] = []
        with pytest.raises(KeyError), replacing(Path("/tmp") / name) as temporary:
            seen.append(temporary.name)
            raise KeyError
        assert is_partial(seen[0])
        assert Path(seen[0]).suffix == Path(name).suffix or not Path(name).suffix


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".file.123.part.json").touch()
    (tmp_path / "file.json").touch()
    (tmp_path / ".gitignore").touch()
    remove_partial(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "file.json"]


def test_a_folder_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for text in ("first", "second"):
        with replacing_folder(folder) as new:
            (new / "file").write_text(text)
    with pytest.raises(WriteError, match="run cannot be written: No space"), replacing_folder(folder) as new:
        (new / "file").write_text("third")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (folder / "file").read_text() == "second"
    folder.rename(tmp_path / ".run.old")  # cut off between the two renames
    (tmp_path / ".run.new").mkdir()
    assert (recover_folder(folder) / "file").read_text() == "second"
    (tmp_path / ".run.old").mkdir()
    clear_leftovers(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_readers_that_recover_a_folder_disturb_no_writer(tmp_path: Path) -> None:
    folder, ended = tmp_path / "run", threading.Event()

    def read() -> None:
        while not ended.is_set():
            recover_folder(folder)

    readers = [threading.Thread(target=read) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads take turns within the operations, and none waits long for its own
    for reader in readers:
        reader.start()
    try:
        for number in range(40):
            with replacing_folder(folder) as new:
                (new / "number").write_text(str(number))
            assert (folder / "number").read_text() == str(number)
    finally:
        ended.set()
        sys.setswitchinterval(interval)
        for reader in readers:
            reader.join()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("moment", range(2))
def test_a_reader_just_before_a_rename_disturbs_no_writer(
    moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rename, calls = tmp_path / "run", Path.replace, itertools.count()
    with replacing_folder(folder) as new:
        (new / "number").write_text("0")

    def with_reader(path: Path, target: Path) -> Path:
        if next(calls) == moment:
            assert (recover_folder(folder) / "number").read_text() in "01"
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", with_reader)
    with replacing_folder(folder) as new:
        (new / "number").write_text("1")
    assert (folder / "number").read_text() == "1" and next(calls) > moment
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("is_former_left", [True, False])
def test_a_writer_that_is_done_while_a_reader_looks_is_not_disturbed(
    is_former_left: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    for name, text in [(".run.old", "0"), ("run", "1")][not is_former_left :]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "number").write_text(text)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert (recover_folder(folder) / "number").read_text() == "1"


REPLACE_FOR_EVER = """
import itertools, sys
from pathlib import Path
from embodio.model.writing import replacing_folder, write_text
for number in itertools.count():
    with replacing_folder(Path(sys.argv[1])) as new:
        for name in ("one", "other"):
            write_text(new / name, str(number))
    print(number, flush=True)
"""


def test_a_folder_is_whole_whenever_its_writer_is_killed(tmp_path: Path) -> None:
    folder, random, last = tmp_path / "run", np.random.default_rng(), -1
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", REPLACE_FOR_EVER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(3)]
        time.sleep(random.uniform(0, 0.03))
        process.kill()
        last = int([*seen, *process.stdout.readlines()][-1])
        process.stdout.close()
        process.wait()
        texts = {(recover_folder(folder) / name).read_text() for name in ("one", "other")}
        assert texts in ({str(last)}, {str(last + 1)})
    assert last > 0


def test_tensors_are_written_in_one_step(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", {"a": torch.ones(3)})
    with pytest.raises(WriteError, match=r"file.txt/a.safetensors cannot be written"):
        (tmp_path / "file.txt").touch()
        write_tensors(tmp_path / "file.txt" / "a.safetensors", {"a": torch.ones(3)})
