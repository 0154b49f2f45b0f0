"""One writer of a folder at a time; the second one is told who the first is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embodio.datasets.errors import CollectionError, DatasetError
from embodio.datasets.files.folder_lock import HOLDER, sole_user, sole_writer

HOLD = """
import sys, time
from pathlib import Path
from embodio.datasets.files.folder_lock import sole_user
with sole_user(Path(sys.argv[1]), "training into"):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_refused_and_told_who_the_first_is_until_that_is_killed(tmp_path: Path) -> None:
    process = holder(tmp_path / "run")
    try:
        with (
            pytest.raises(CollectionError, match=rf"process {process.pid} on .* is collecting into .*run"),
            sole_user(tmp_path / "run", "collecting into", CollectionError),
        ):
            pass
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with sole_user(tmp_path / "run", "training into"):
        assert str(os.getpid()) in (tmp_path / "run" / HOLDER).read_text()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_child_of_a_killed_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    read, write = os.pipe()
    parent = os.fork()
    if not parent:  # takes the lock, forks a child that lives on, and ends without releasing anything
        context = sole_user(tmp_path, "training into")
        context.__enter__()
        child = os.fork()
        if not child:
            signal.pause()
        os.write(write, str(child).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    child = int(os.read(read, 20))
    os.waitpid(parent, 0)
    try:
        with sole_user(tmp_path, "training into"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_folder_that_gets_another_name_meanwhile_is_released_clean(tmp_path: Path) -> None:
    with sole_user(tmp_path / "a", "converting into"):
        (tmp_path / "a").rename(tmp_path / "b")
    assert list((tmp_path / "b").iterdir()) == []


def test_two_files_of_a_folder_have_two_writers(tmp_path: Path) -> None:
    with (
        sole_writer(tmp_path / "a.html", "writing"),
        sole_writer(tmp_path / "b.html", "writing"),
        pytest.raises(DatasetError, match="is writing"),
        sole_writer(tmp_path / "a.html", "writing"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file cannot be written"), sole_user(tmp_path / "file", "training into"):
        pass
