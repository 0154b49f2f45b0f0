"""Collections by other engines have the bytes of those of this machine."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from embodio.datasets.errors import CollectionError
from embodio.datasets.recording import collect as module
from tests.support.datasets import far_engine
from tests.support.datasets.fake_robot import FakeSource

SETTINGS: dict[str, Any] = {"noise": (0.0, 0.01), "workers": 1, "progress": False}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".json"}


def test_an_engine_records_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "named_engine", lambda name: far_engine.run)
    source = FakeSource()
    module.collect("fake/plane", 4, 100, tmp_path / "here", source=source, **SETTINGS)
    module.collect("fake/plane", 4, 100, tmp_path / "there", source=source, engine="far", **SETTINGS)
    assert files(tmp_path / "there") == files(tmp_path / "here") != {}


def test_an_engine_reports_a_simulator_that_never_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "named_engine", lambda name: far_engine.run)
    broken = FakeSource(broken_seeds=tuple(range(100, 110)))
    with pytest.raises(CollectionError, match="every episode ended in a simulator error"):
        module.collect("fake/plane", 9, 100, tmp_path, source=broken, engine="far", **SETTINGS)


@pytest.mark.slow
def test_a_cluster_that_loses_a_machine_records_the_same(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    module.collect("fake/plane", 40, 100, tmp_path / "here", source=FakeSource(), **SETTINGS)
    node = {"num_cpus": 1, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    second = cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    there, lost = tmp_path / "there", threading.Event()

    def lose() -> None:
        while not list((there / ".staging").glob("*.json")):
            time.sleep(0.05)
        cluster.remove_node(second, allow_graceful=False)
        if len(list((there / ".staging").glob("*.json"))) < 40:
            lost.set()

    killer = threading.Thread(target=lose, daemon=True)
    try:
        killer.start()
        slow = FakeSource(seconds_per_step=0.1)
        module.collect("fake/plane", 40, 100, there, source=slow, engine="ray", **SETTINGS)
        killer.join()
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert lost.is_set(), "the machine died while episodes were missing"
    assert files(there) == files(tmp_path / "here") != {}
