"""The loader: the same batches for any number of workers; memory, errors, damage and death are under control."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import CorruptRecordError, DatasetError, ExampleError, LoaderError, TooMuchDamage
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.stream.loader import Loader, LoaderConfig
from embodio.datasets.stream.shared_memory import SHIFT, Allocator, ArrayPlace, SharedBlock
from embodio.datasets.stream.stream import BatchStream
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.parts.moment_task import SharedConfig
from embodio.model.config.model import ModelConfig
from embodio.model.processing.processor import Processor
from tests.support.datasets.counting import Counting, alive
from tests.support.datasets.toy import toy_format, write_toy_dataset

REPO = Path(__file__).parents[3]


def numbers(loader: Loader) -> list[int]:
    return [int(batch["number"][0, 0]) for batch in loader]


@pytest.mark.parametrize(("workers", "threads"), [(0, 0), (2, 0), (0, 1), (0, 3)])
def test_order_content_and_end(workers: int, threads: int) -> None:
    config = LoaderConfig(workers=workers, threads=threads, prefetch=2)
    with Loader(Counting(), 3, 12, config) as loader:
        kept = list(loader)
        assert not loader.processes, "the workers end with the last batch"
    assert [int(batch["number"][0, 0]) for batch in kept] == list(range(3, 12))
    for step, batch in enumerate(kept, 3):
        expected, _ = Counting().make(step)
        assert batch.keys() == expected.keys()
        assert all(
            torch.equal(batch[name], expected[name]) and batch[name].dtype == expected[name].dtype for name in batch
        )


def test_memory_is_a_hard_limit() -> None:
    """Four batches of 0.4 MB wait at most, in 1 MB; a batch that is larger than all of it is an error."""
    with Loader(Counting(size=20_000), 0, 9, LoaderConfig(workers=1, prefetch=50, memory_mb=1)) as loader:
        assert numbers(loader) == list(range(9))
    with (
        pytest.raises(LoaderError, match="memory_mb"),
        Loader(Counting(size=200_000), 0, 9, LoaderConfig(workers=1, memory_mb=1)) as loader,
    ):
        next(loader)


def test_errors_of_a_worker_arrive_as_they_are() -> None:
    with Loader(Counting(2, "raise"), 0, 9, LoaderConfig(workers=1)) as loader:
        assert [int(next(loader)["number"][0, 0]) for _ in range(2)] == [0, 1]
        with pytest.raises(ExampleError, match="toy, episode 7, step 5: the state is upside down") as caught:
            next(loader)
    assert caught.value.episode == 7 and "make" in str(caught.value.__cause__)


def test_workers_have_the_variables_of_the_moment_in_which_they_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the later ones, which are forked from a process that was started with the first."""
    for value in ("one", "other", None):
        if value is None:
            monkeypatch.delenv("EMBODIO_TOLD")
        else:
            monkeypatch.setenv("EMBODIO_TOLD", value)
        with (
            Loader(Counting(0, "tell"), 0, 9, LoaderConfig(workers=1)) as loader,
            pytest.raises(LookupError, match=f"told {value}"),
        ):
            next(loader)


def test_errors_that_cannot_travel_are_told_as_text() -> None:
    with (
        Loader(Counting(0, "odd"), 0, 9, LoaderConfig(workers=1)) as loader,
        pytest.raises(LoaderError, match="nobody knows me"),
    ):
        next(loader)


def test_a_dead_worker_is_noticed_at_once() -> None:
    with Loader(Counting(1, "die"), 0, 9, LoaderConfig(workers=1)) as loader:
        next(loader)
        with pytest.raises(LoaderError, match=r"batch 1: worker process .* exit code -9"):
            next(loader)


def test_a_stuck_worker_runs_into_the_timeout() -> None:
    with Loader(Counting(1, "sleep"), 0, 9, LoaderConfig(workers=1)) as loader:
        next(loader)
        loader._workers[0]._timeout = 0.3
        with pytest.raises(LoaderError, match="no sign for"):
            next(loader)


def test_damage_is_counted_by_episode_and_limited() -> None:
    told: list[ExampleError] = []
    before = (ExampleError("toy", 99, 0, "cut off"),)
    loader = Loader(Counting(action="damage", damaged=before), 0, 20, LoaderConfig(damaged_limit=3), told.append)
    for _ in range(4):  # episodes 99, 0, 0, 1, 1
        next(loader)
    assert [error.episode for error in told] == [99, 0, 1] == [error.episode for error in loader.damaged]
    with pytest.raises(
        TooMuchDamage, match=r"4 episodes or records are damaged, but damaged_limit is 3.*flipped bits"
    ) as caught:
        next(loader)
    assert isinstance(pickle.loads(pickle.dumps(told[0])), ExampleError)
    assert "episode 99" in str(caught.value)


def test_wrong_settings_are_refused() -> None:
    for changes in (
        {"workers": -1},
        {"prefetch": 0},
        {"memory_mb": 0},
        {"timeout": 0.0},
        {"damaged_limit": -1},
        {"threads": -1},
    ):
        with pytest.raises(DatasetError, match=next(iter(changes))):
            LoaderConfig(**changes)


SCRIPT = """
import os, sys, time
from embodio.datasets.stream.loader import Loader, LoaderConfig
from tests.support.datasets.counting import Counting
if __name__ == "__main__":
    loader = Loader(Counting(5, "sleep"), 0, 100, LoaderConfig(workers=1))
    next(loader)
    print(*loader.processes, flush=True)
    if sys.argv[1] == "raise":
        raise SystemExit(3)
    time.sleep(1000)
"""


@pytest.mark.parametrize("how", ["kill", pytest.param("raise", marks=pytest.mark.slow)])
def test_no_worker_outlives_its_parent(how: str, tmp_path: Path) -> None:
    """Even one that is stuck in the middle of a batch, and no shared memory stays."""
    script = tmp_path / "program.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    process = subprocess.Popen(
        [sys.executable, script, how], cwd=REPO, stdout=subprocess.PIPE, env=environment, text=True
    )
    assert process.stdout is not None
    workers = [int(number) for number in process.stdout.readline().split()]
    assert workers
    if how == "kill":
        process.kill()
    process.wait(timeout=240)
    process.stdout.close()
    deadline = time.monotonic() + 240
    while any(alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(worker) for worker in workers)


@given(st.integers(64, 1400), st.lists(st.tuples(st.integers(1, 300), st.integers(0, 5)), max_size=60))
def test_room_in_a_block_never_overlaps(size: int, moves: list[tuple[int, int]]) -> None:
    allocator, taken = Allocator(size), list[tuple[int, int]]()
    for length, chosen in moves:
        if length > (size - SHIFT) // 64 * 64:
            continue
        start = allocator.reserve(length)
        if start is not None:
            assert start % 64 == SHIFT and start >= 0 and start + length <= size
            assert all(start + length <= low or high <= start for low, high in taken)
            taken.append((start, start + length))
        else:
            assert taken, "an empty block has room"
        if chosen < len(taken):
            allocator.release(taken.pop(chosen)[0])
        assert len(allocator) == len(taken)


def test_lent_memory_comes_back_when_nothing_is_made_of_it_any_more() -> None:
    block, back = SharedBlock(4096), list[int]()
    tensor = torch.from_numpy(block.lend(ArrayPlace("<f4", (4, 8), 128), back.append))
    part = tensor[1].numpy()[2:]
    tensor.fill_(3)
    del tensor
    assert back == [] and part.tolist() == [3.0] * 6
    block.close()
    assert part.tolist() == [3.0] * 6, "memory in use outlives the block"
    del part
    assert back == [128]


@pytest.mark.parametrize(
    ("how", "keep"),
    [
        *(({"threads": 2}, keep) for keep in (0, 1, 3, 30)),
        *(({"workers": 1}, 30), ({"workers": 2}, 1)),
        *(pytest.param({"workers": 1}, keep, marks=pytest.mark.slow) for keep in (0, 1, 3)),
        *(pytest.param({"workers": 2}, keep, marks=pytest.mark.slow) for keep in (0, 3, 30)),
    ],
)
def test_batches_may_be_kept_for_as_long_as_one_likes(how: dict, keep: int) -> None:
    """Memory for five batches or so: the loader neither waits for ever nor writes over what is in use."""
    kept: deque[tuple[int, dict[str, torch.Tensor]]] = deque(maxlen=keep)
    with Loader(Counting(size=10_000), 0, 30, LoaderConfig(**how, prefetch=2, memory_mb=2)) as loader:
        for step, batch in enumerate(loader):
            kept.append((step, batch))
            for number, earlier in kept:
                assert bool((earlier["number"] == number).all()) and bool(earlier["mask"].all())
    assert all(bool((batch["number"] == number).all()) for number, batch in kept), "and after the end"


def test_memory_is_used_again() -> None:
    """The same few places over and over, so that pages are written by the system once only."""
    for how in ({"workers": 1}, {"threads": 1}):
        places = set()
        with Loader(Counting(size=10_000), 0, 60, LoaderConfig(**how, prefetch=2, memory_mb=64)) as loader:
            for batch in loader:
                places.add(batch["number"].data_ptr())
                del batch
        assert max(places) - min(places) < 2 << 20, "the first 2 of 64 MB"


def test_a_thread_passes_errors_on_and_ends() -> None:
    with Loader(Counting(2, "raise"), 0, 9, LoaderConfig(threads=2, prefetch=1)) as loader:
        assert [int(next(loader)["number"][0, 0]) for _ in range(2)] == [0, 1]
        with pytest.raises(ExampleError, match="toy, episode 7, step 5: the state is upside down"):
            next(loader)
    with pytest.raises(LoaderError, match="closed"):
        next(loader)
    with pytest.raises(DatasetError, match="threads: got 2 along with 1 workers"):
        LoaderConfig(workers=1, threads=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", episodes=4, steps=5)


def make_stream(folder: Path, seed: int = 0, **ranks: int) -> BatchStream:
    reader = RLDSReader(folder)
    policy_format = toy_format(compute_statistics(reader))
    task = NextAction(reader, policy_format, range(len(reader)))
    return BatchStream(task, Processor(ModelConfig.named("nano"), policy_format.vocabulary), seed, 4, **ranks)


def test_a_record_that_rots_is_replaced_counted_and_limited(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "toy"
    copy.mkdir()
    for file in folder.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    good, stream = make_stream(folder), make_stream(copy)
    shard = next(copy.glob("*.tfrecord*"))
    rotten = bytearray(shard.read_bytes())
    rotten[len(rotten) * 3 // 8] ^= 0x10  # in the middle of episode 1
    shard.write_bytes(rotten)
    with Loader(stream, 0, 10, LoaderConfig(damaged_limit=1)) as loader:
        batches = list(loader)
        (damage,) = loader.damaged
    assert (damage.dataset, damage.episode) == ("toy", 1) and "checksum" in str(damage)
    with Loader(stream, 0, 10, LoaderConfig(workers=1)) as loader:
        again = list(loader)
    replaced = set()
    for step, batch in enumerate(batches):
        assert all(torch.equal(batch[name], again[step][name]) for name in batch)
        places = [task.place(record) for task, record in map(stream.draw, stream.positions(step))]
        expected = good[step]["targets/text/targets"]
        for row, place in enumerate(places):
            if not torch.equal(batch["targets/text/targets"][row], expected[row]):
                replaced.add((place.episode, place.step))
    assert replaced == {(1, damage.step)}, "one flipped bit is in one image of one step"
    with (
        pytest.raises(TooMuchDamage, match="toy, episode 1"),
        Loader(stream, 0, 5, LoaderConfig(damaged_limit=0)) as loader,
    ):
        list(loader)


def test_an_episode_that_was_damaged_from_the_start_is_left_out(folder: Path, tmp_path: Path) -> None:
    class Damaged(RLDSReader):
        def episode_length(self, index: int) -> int:
            if index == 2:
                raise CorruptRecordError(tmp_path, 2, "flipped", "Fetch it again")
            return super().episode_length(index)

    copy = tmp_path / "toy"
    copy.mkdir()
    for file in folder.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    task = NextAction(Damaged(copy), toy_format(compute_statistics(RLDSReader(folder))), range(4))
    assert len(task) == 15 and {task.place(i).episode for i in range(15)} == {0, 1, 3}
    assert [error.episode for error in task.damaged] == [2]


def test_a_truncated_shard_is_an_error_and_no_wait(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "toy"
    copy.mkdir()
    for file in folder.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    stream = make_stream(copy)
    shard = next(copy.glob("*.tfrecord*"))
    os.truncate(shard, shard.stat().st_size // 2)
    with pytest.raises(TooMuchDamage, match="the file ends inside the record"):
        list(Loader(stream, 0, 5, LoaderConfig(damaged_limit=0)))
    with pytest.raises(CorruptRecordError):
        RLDSReader(copy)


def test_ranks_share_every_batch_without_gap_or_overlap(folder: Path) -> None:
    whole = make_stream(folder)
    for ranks in (2, 4):
        parts = [make_stream(folder, rank=rank, ranks=ranks) for rank in range(ranks)]
        for step in (0, 3):
            joined = torch.cat([part[step]["inputs/text/tokens"] for part in parts])
            assert torch.equal(joined, whole[step]["inputs/text/tokens"])
            assert [p for part in parts for p in part.positions(step)] == list(whole.positions(step))
    with pytest.raises(DatasetError, match="batch_size"):
        make_stream(folder, rank=0, ranks=3)
    with pytest.raises(DatasetError, match="rank"):
        make_stream(folder, rank=2, ranks=2)


def test_the_cache_of_episodes_is_bounded(folder: Path) -> None:
    reader = RLDSReader(folder)
    policy_format = toy_format(compute_statistics(reader))
    small = NextAction(reader, policy_format, range(4), shared=SharedConfig(cache_bytes=1))
    large = NextAction(reader, policy_format, range(4))
    for index in np.random.default_rng(0).permutation(20):
        one, other = small.example(int(index)), large.example(int(index))
        np.testing.assert_array_equal(one.image, other.image)
        assert len(small._cache) == 1
    assert len(large._cache) == 4 and len(pickle.loads(pickle.dumps(large))._cache) == 0
