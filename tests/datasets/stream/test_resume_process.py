"""A process that reads batches is killed at any moment and started again: the stream is the same, nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.stream.loader import LoaderConfig
from embodio.datasets.stream.stream import batches
from tests.support.datasets.counting import Counting, alive
from tests.support.datasets.resumed_streams import BATCHES, digests, make_stream, read
from tests.support.datasets.toy import write_toy_dataset

REPO = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("data")
    return write_toy_dataset(place / "a", 3, 5), write_toy_dataset(place / "b", 2, 4, seed=9)


@pytest.fixture(scope="module")
def expected(folders: tuple[Path, Path]) -> list[list[str]]:
    stream = make_stream(folders)
    return [digests(stream[step]) for step in range(BATCHES)]


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_the_parts_of_ranks_are_the_whole_batch(
    folders: tuple[Path, Path], expected: list[list[str]], ranks: int
) -> None:
    parts = [list(read(folders, 3, 6, rank, ranks, 0)) for rank in range(ranks)]
    for step in range(3):
        assert [row for part in parts for row in part[step]] == expected[3 + step]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_ranks_with_workers(folders: tuple[Path, Path], expected: list[list[str]], ranks: int, workers: int) -> None:
    parts = [list(read(folders, 2, 7, rank, ranks, workers)) for rank in range(ranks)]
    for step in range(5):
        assert [row for part in parts for row in part[step]] == expected[2 + step]


SCRIPT = """
import sys
from pathlib import Path
from tests.support.datasets.resumed_streams import BATCHES, read
if __name__ == "__main__":
    out, workers, *folders = sys.argv[1:]
    done = Path(out).read_text().splitlines() if Path(out).exists() else []
    whole = [line for line in done if line.endswith(".")]
    with open(out, "w") as file:
        file.writelines(line + "\\n" for line in whole)
        for rows in read(tuple(map(Path, folders)), len(whole), BATCHES, 0, 1, int(workers)):
            file.write(" ".join(rows) + ".\\n")
            file.flush()
"""


def run_and_kill(script: Path, out: Path, workers: int, folders: tuple[Path, Path], after: int) -> None:
    """Starts the reader and kills it, without warning, once it has written `after` lines more."""
    environment = {**os.environ, "PYTHONPATH": f"{REPO}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, str(script), str(out), str(workers), *map(str, folders)]
    before = len(out.read_text().splitlines()) if out.exists() else 0
    process = subprocess.Popen(command, cwd=REPO, env=environment)
    deadline = time.monotonic() + 600
    while process.poll() is None and time.monotonic() < deadline:
        if out.exists() and len(out.read_text().splitlines()) >= before + after:
            break
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait(60)


def stream_after_kills(tmp_path: Path, folders: tuple[Path, Path], kills: list[tuple[int, int]]) -> list[list[str]]:
    """What was written by a reader that was killed several times; `kills` are (workers, lines) of each start."""
    script, out = tmp_path / "read.py", tmp_path / "stream.txt"
    script.write_text(SCRIPT)
    for workers, lines in kills:
        run_and_kill(script, out, workers, folders, lines)
    run_and_kill(script, out, 0, folders, BATCHES + 1)
    return [line.rstrip(".").split() for line in out.read_text().splitlines()]


def test_killed_readers_go_on_with_the_same_stream(
    folders: tuple[Path, Path], expected: list[list[str]], tmp_path: Path
) -> None:
    assert stream_after_kills(tmp_path, folders, [(1, 3)]) == expected


@pytest.mark.slow
def test_readers_that_are_killed_again_and_again(
    folders: tuple[Path, Path], expected: list[list[str]], tmp_path: Path
) -> None:
    random = np.random.default_rng()
    kills = [(int(random.integers(0, 4)), int(random.integers(1, 6))) for _ in range(6)]
    assert stream_after_kills(tmp_path, folders, kills) == expected, kills


def shared_files() -> set[str]:
    """Named shared memory; semaphores of other programs do not count."""
    found = os.listdir("/dev/shm") if Path("/dev/shm").is_dir() else []
    return {name for name in found if name.startswith(("psm_", "tmp"))}


ENDINGS = """
import os, signal, sys
from embodio.datasets.stream.loader import LoaderConfig
from embodio.datasets.stream.stream import batches
from tests.support.datasets.counting import Counting
if __name__ == "__main__":
    how = sys.argv[1]
    stream = batches(Counting(size=1000), 0, 1000, config=LoaderConfig(workers=1))
    next(stream)
    loader = stream.gi_frame.f_locals["loader"]
    print(*loader.processes, flush=True)
    del loader
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize("how", [pytest.param("kill", marks=pytest.mark.slow), "interrupt"])
def test_however_the_program_ends_nothing_stays(how: str, tmp_path: Path) -> None:
    script = tmp_path / "end.py"
    script.write_text(ENDINGS)
    before = shared_files()
    environment = {**os.environ, "PYTHONPATH": f"{REPO}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [sys.executable, str(script), how], cwd=REPO, env=environment, capture_output=True, text=True, timeout=600
    )
    workers = [int(number) for number in done.stdout.split()]
    assert workers
    deadline = time.monotonic() + 240
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, workers)) and shared_files() <= before
    assert done.returncode == {"kill": -signal.SIGKILL, "interrupt": -signal.SIGINT}[how], done.stderr
    assert "resource_tracker" not in done.stderr, "nothing was left for others to clean up"


def test_a_consumer_that_fails_or_loses_interest_leaves_nothing() -> None:
    def consume(fails: bool) -> None:
        stream = batches(Counting(size=1000), 0, 1000, config=LoaderConfig(workers=1))
        next(stream)
        processes.extend(stream.gi_frame.f_locals["loader"].processes)  # type: ignore[union-attr]
        if fails:
            raise ValueError("the consumer failed")

    processes: list[int] = []
    before, descriptors = shared_files(), len(os.listdir("/proc/self/fd"))
    consume(fails=False)
    with pytest.raises(ValueError, match="failed"):
        consume(fails=True)
    assert len(processes) == 2 and not any(map(alive, processes))
    assert shared_files() <= before and len(os.listdir("/proc/self/fd")) <= descriptors + 1
