"""Rollouts by other engines have the results of those in this process, also if a machine dies."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from embodio.benchmarks.rollouts import workers
from embodio.benchmarks.rollouts.rollout import main
from embodio.benchmarks.rollouts.summary import EpisodeRow
from tests.support.benchmarks.recorded import EXPERT_ENV
from tests.support.benchmarks.rollouts import play
from tests.support.datasets import far_engine


def timeless(rows: list[EpisodeRow]) -> list[EpisodeRow]:
    return [replace(row, seconds=0.0) for row in rows]


def test_an_engine_plays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "named_engine", lambda name: far_engine.run)
    here = play(tmp_path / "here", env=EXPERT_ENV, episodes=12)
    there = play(tmp_path / "there", env=EXPERT_ENV, episodes=12, engine="far", record=tmp_path / "data")
    assert timeless(there.rows) == timeless(here.rows)
    assert there.settings == here.settings, "so the folder can be extended by any engine"
    assert not workers._players


def test_an_unknown_engine_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"out={tmp_path}", "agent=expert", f"env={EXPERT_ENV}", "video=0", "engine=cloud"]) == 1
    assert "local, ray" in capsys.readouterr().err


@pytest.mark.slow
def test_a_cluster_that_loses_a_machine_plays_the_same(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    here = play(tmp_path / "here", env=EXPERT_ENV, episodes=60)
    node = {"num_cpus": 1, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    second = cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    times = tmp_path / "there" / "latency.csv"

    def lose() -> None:
        while not times.exists():
            time.sleep(0.05)
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=lose)
    try:
        killer.start()
        there = play(tmp_path / "there", env=EXPERT_ENV, episodes=60, engine="ray")
        killer.join()
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert timeless(there.rows) == timeless(here.rows)
