"""Collections: the same result however they were interrupted, and never a mixture of settings."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets import CollectionError, CollectionMismatch, CollectionSummary, RLDSReader
from embodio.datasets.recording.collect import collect
from embodio.datasets.recording.collection_store import CollectedEpisode, CollectionSettings, CollectionStore, stage
from embodio.datasets.recording.demonstration import record_demonstration
from tests.support.datasets.fake_robot import FakeEnv, FakeExpert, FakeSource, fake_embodiment

SEED = 100
NOISE = (0.0, 0.01)


def run(folder: Path, episodes: int, source: FakeSource | None = None, **changes: Any) -> CollectionSummary:
    options: dict[str, Any] = {"noise": NOISE, "workers": 1, "progress": False, "seed": SEED} | changes
    return collect("fake/plane", episodes, out=folder, source=source or FakeSource(), **options)


def record_of(index: int) -> bytes:
    """Plays episode `index` of the collection without any process or folder."""
    source = FakeSource()
    _, record = record_demonstration(
        FakeEnv(source),
        FakeExpert(source),
        fake_embodiment(),
        env_name="fake/plane",
        seed=SEED + index,
        noise=NOISE[index % len(NOISE)],
    )
    assert record is not None
    return record


def records(folder: Path) -> list[bytes]:
    reader = RLDSReader(folder)
    return [reader.record(index) for index in range(len(reader))]


def new_store(folder: Path, **changes: Any) -> CollectionStore:
    embodiment = fake_embodiment().to_dict()
    arguments = {"environment": "fake/plane", "seed": SEED, "noise": NOISE, "keep_failures": False, "env_options": {}}
    return CollectionStore(folder, CollectionSettings(**{**arguments, "embodiment": embodiment, **changes}))


def stage_episodes(store: CollectionStore, indices: range) -> None:
    for index in indices:
        row = CollectedEpisode(index, SEED + index, NOISE[index % 2], "success", 3, 0.1, True)
        stage(store.staging, row, record_of(index))


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_two_workers_collect_extend_and_stop_when_done(tmp_path: Path) -> None:
    summary = run(tmp_path, 5, workers=2)
    assert (summary.episodes, summary.attempted, summary.resumed) == (5, 5, 0)
    assert dict(summary.statuses) == {"success": 5}
    assert summary.steps == sum(len(episode) - 1 for episode in RLDSReader(tmp_path))
    assert records(tmp_path) == [record_of(index) for index in range(5)]
    assert RLDSReader(tmp_path).embodiment == fake_embodiment()

    summary = run(tmp_path, 7)
    assert (summary.episodes, summary.resumed) == (7, 5)
    assert records(tmp_path) == [record_of(index) for index in range(7)]

    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.tfrecord*")}
    summary = run(tmp_path, 3)
    assert (summary.episodes, summary.resumed) == (7, 7)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.tfrecord*")} == before


def test_failures_are_counted_but_not_kept(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="none of 2 episodes succeeded"):
        run(tmp_path / "none", 2, FakeSource(eagerness=0.0))
    summary = run(tmp_path / "kept", 2, FakeSource(eagerness=0.0), keep_failures=True)
    assert (summary.episodes, dict(summary.statuses)) == (2, {"timeout": 2})
    assert [episode.metadata["success"] for episode in RLDSReader(tmp_path / "kept")] == [False, False]


def test_simulator_errors_are_reported_and_tried_again(tmp_path: Path) -> None:
    repaired = tmp_path / "repaired"
    source = FakeSource(broken_seeds=(SEED + 1,), repaired=str(repaired))
    summary = run(tmp_path / "set", 3, source)
    assert (summary.episodes, dict(summary.statuses)) == (2, {"success": 2, "error": 1})
    assert summary.errors == [f"episode 1 (seed {SEED + 1}): seed {SEED + 1} broke the simulator"]
    repaired.touch()
    summary = run(tmp_path / "set", 3, source)
    assert (summary.episodes, summary.resumed, summary.errors) == (3, 2, [])
    assert records(tmp_path / "set") == [record_of(index) for index in range(3)]


def test_a_simulator_that_never_works_ends_the_run(tmp_path: Path) -> None:
    source = FakeSource(broken_seeds=tuple(range(SEED, SEED + 50)))
    with pytest.raises(CollectionError, match=rf"every episode ended in a simulator error.*seed {SEED} broke"):
        run(tmp_path, 50, source)


def test_a_dead_worker_is_reported_and_nothing_finished_is_lost(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="a worker process died"):
        run(tmp_path, 3, FakeSource(deadly_seeds=(SEED + 2,)))
    summary = run(tmp_path, 3)
    assert (summary.episodes, summary.resumed) == (3, 2)
    assert records(tmp_path) == [record_of(index) for index in range(3)]


def start_slow_collection(folder: Path, episodes: int) -> subprocess.Popen[bytes]:
    code = (
        "if __name__ == '__main__':\n"
        "    from embodio.datasets.recording.collect import collect\n"
        "    from tests.support.datasets.fake_robot import FakeSource\n"
        f"    collect('fake/plane', {episodes}, {SEED}, {str(folder)!r}, noise={NOISE}, progress=False,\n"
        "            source=FakeSource(seconds_per_step=0.05))\n"
    )
    script = folder.parent / "slow.py"
    script.write_text(code)
    root = str(Path(__file__).parents[3])
    return subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": root},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def finished(folder: Path) -> list[Path]:
    return sorted((folder / ".staging").glob("[0-9]*.json"))


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_killed_collections_go_on_where_they_were(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    process = start_slow_collection(folder, 30)
    wait_for(lambda: len(finished(folder)) >= 3)
    with pytest.raises(CollectionError, match=rf"process {process.pid} on "):
        run(folder, 30)
    process.kill()
    process.wait()
    wait_for(lambda: group_is_gone(process.pid))  # the workers die with their parent
    survivors = {path: path.stat().st_mtime_ns for path in finished(folder)}
    assert 3 <= len(survivors) < 30
    summary = run(folder, 30)
    assert summary.resumed == len(survivors)
    assert records(folder) == [record_of(index) for index in range(30)]
    assert files_of(folder / ".staging") == set()


def test_ctrl_c_finishes_the_running_episodes_and_stops(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    process = start_slow_collection(folder, 200)
    wait_for(lambda: len(finished(folder)) >= 2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert b"KeyboardInterrupt" in errors
    done = len(finished(folder))
    assert 2 <= done < 200
    assert not list((folder / ".staging").glob("*unfinished"))
    assert run(folder, 1).episodes == done  # what was finished becomes a data set


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("seed", {"seed": SEED + 1}),
        ("noise", {"noise": (0.0, 0.2)}),
        ("keep_failures", {"keep_failures": True}),
        ("env_options", {"env_options": {"horizon": 3}}),
    ],
)
def test_other_settings_in_the_same_folder_are_refused(tmp_path: Path, field: str, changes: dict[str, Any]) -> None:
    new_store(tmp_path)
    with pytest.raises(CollectionMismatch, match=f"with {field}=.*but {field}=") as caught:
        run(tmp_path, 1, **changes)
    assert caught.value.field == field


def test_another_environment_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    new_store(tmp_path)
    with pytest.raises(CollectionMismatch, match="environment='fake/plane', but environment='other'"):
        collect("other", 1, SEED, tmp_path, source=FakeSource(), noise=NOISE, progress=False)


def test_a_foreign_data_set_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(CollectionError, match=r"holds dataset_info\.json, which no collection put there"):
        run(tmp_path, 1)
    assert files_of(tmp_path) == {"dataset_info.json"}


@pytest.mark.parametrize("changes", [{"episodes": 0}, {"workers": 0}, {"seed": -1}])
def test_senseless_arguments_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(CollectionError, match="need at least"):
        run(tmp_path, **{"episodes": 1, **changes})


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    stage_episodes(new_store(tmp_path), range(1))
    (tmp_path / "collection.json").write_text("{")
    with pytest.raises(CollectionError, match=r"collection\.json is damaged"):
        run(tmp_path, 1)


def test_assembly_survives_death_at_any_file_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dies at the first, second, third, ... rename or deletion while a data set of 4 is extended to 6."""
    expected = [record_of(index) for index in range(6)]
    origin = tmp_path / "origin"
    store = new_store(origin)
    stage_episodes(store, range(4))
    store.assemble(shard_bytes=1)
    stage_episodes(store, range(4, 6))

    class Death(BaseException):
        pass

    for allowed in range(100):
        folder = tmp_path / f"run{allowed}"
        shutil.copytree(origin, folder)
        left = allowed

        def limited(function: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                if left == 0:
                    raise Death
                left -= 1
                return function(*args, **kwargs)

            return call

        with monkeypatch.context() as patch:
            for name in ("rename", "replace", "unlink", "rmdir"):
                patch.setattr(Path, name, limited(getattr(Path, name)))
            for name in ("unlink", "rmdir"):  # what shutil.rmtree calls
                patch.setattr(os, name, limited(getattr(os, name)))
            try:
                new_store(folder).assemble(shard_bytes=1)
                survived = True
            except Death:
                survived = False
        store = new_store(folder)
        assert [row.index for row in store.published() + store.staged()] == list(range(6))
        store.assemble(shard_bytes=1)
        assert records(folder) == expected
        assert len(list(folder.glob("*.tfrecord*"))) == 6
        assert not {".commit", ".building"} & files_of(folder)
        if survived:
            assert allowed > 10
            return
    pytest.fail("the assembly never ended")


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import embodio.datasets.recording.collect", {"torch", "tensorflow", "mujoco", "robosuite"}),
        ("from embodio.datasets import RLDSReader", {"torch", "tensorflow", "mujoco", "robosuite", "rich"}),
    ],
)
def test_imports_stay_small(statement: str, unwanted: set[str]) -> None:
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not unwanted & set(done.stdout.split())


@pytest.mark.sim
def test_lift_is_collected_for_real(tmp_path: Path) -> None:
    summary = collect("robosuite/lift", 1, 3, tmp_path, noise=(0.2,), workers=1, progress=False)
    assert dict(summary.statuses) == {"success": 1}
    episode = RLDSReader(tmp_path).episode(0)
    assert episode.cameras == ("agentview", "wrist")
    assert episode.array("action").shape == (len(episode), 7)
    assert set(np.unique(episode.array("action")[:, 6])) <= {-1.0, 1.0}
    assert episode.frame("agentview", 0).shape == (128, 128, 3)
    assert not np.array_equal(episode.frame("wrist", 0), episode.frame("wrist", len(episode) - 1))
    assert episode.metadata["seed"] == 3
