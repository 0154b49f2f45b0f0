"""Engines: every job is done once, whoever does it; what fails says so; machines may die."""

from __future__ import annotations

import builtins
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from embodio.datasets.corpus.build import build_corpus
from embodio.datasets.corpus.source import CorpusRequest
from embodio.datasets.corpus.sources.openclipart import OpenClipart
from embodio.datasets.engines import Crew, DeadlyJob, EngineError, engine_names, named_engine
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import FeatureError
from embodio.datasets.records.files.file_set import file_set
from embodio.datasets.records.indexing import make_indices
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.settings import RecordSettings
from embodio.datasets.rlds import RLDSReader
from tests.support.datasets.built_folders import content, unseen
from tests.support.datasets.debian_files import write_clipart
from tests.support.datasets.jobs import die_until, pid, refuse, square
from tests.support.datasets.toy import write_toy_dataset


def test_engines_are_listed() -> None:
    assert engine_names() == ("local", "ray")
    with pytest.raises(EngineError, match="local, ray"):
        named_engine("cloud")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers: int) -> None:
    found = list(named_engine("local")(square, range(7), workers))
    assert sorted(found) == [(number, number * number) for number in range(7)]
    assert list(named_engine("local")(square, [], workers)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_job_arrives(workers: int) -> None:
    with pytest.raises(FeatureError, match="job 2 is refused"):
        list(named_engine("local")(refuse, range(4), workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_dead_worker_did_is_done_again(workers: int, tmp_path: Path) -> None:
    jobs = named_engine("local")(partial(die_until, 3, tmp_path), range(4), workers, apart=True)
    assert sorted(jobs) == [(number, number) for number in range(4)]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_job_that_kills_every_worker_is_an_error_that_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(DeadlyJob, match="run the same command again") as caught:
        list(named_engine("local")(partial(die_until, 9, tmp_path), range(4), 2))
    assert (caught.value.number, caught.value.tries, len(list(tmp_path.iterdir()))) == (1, 3, 3)


def test_jobs_are_apart_only_where_they_must_be() -> None:
    local = named_engine("local")
    assert next(local(pid, [0], 2)) == (0, os.getpid())
    assert next(local(pid, [0], 1, apart=True))[1] != os.getpid()


def test_stopping_early_does_not_wait_for_the_rest() -> None:
    begin = time.monotonic()
    results = named_engine("local")(time.sleep, [0.0, 300.0, 300.0, 300.0], 2)
    assert next(results) == (0, None)
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - begin < 120


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *others: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return load(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineError, match=r"embodio\[ray\]"):
        list(named_engine("ray")(square, range(3), 1))


def write_texts(folder: Path) -> Path:
    for number in range(5):
        (folder / "train").mkdir(parents=True, exist_ok=True)
        lines = "".join(f'{{"text": "line {line} of {number}"}}\n' for line in range(number + 1))
        (folder / "train" / f"{number}.jsonl").write_text(lines)
    (folder / "corpus.json").write_text("{}")
    return folder


def tables(folder: Path) -> dict[str, bytes]:
    """Indices by the names of what they describe, without the part that depends on the time of the last change."""
    return {path.name.partition("-")[0]: path.read_bytes() for path in (folder / ".embodio").rglob("*.table")}


def crew(name: str) -> Crew:
    return Crew(named_engine(name), 2)


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_indices_are_the_same_whoever_makes_them(engine: str, tmp_path: Path) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    here, there = (write_texts(tmp_path / name / "corpus") for name in ("here", "there"))
    source = open_records(here, split="train")
    settings, counted = RecordSettings(split="train"), list[int]()
    assert make_indices(file_set(there), settings, crew(engine), counted.append) == 5 and counted == [1, 2, 3, 4, 5]
    made = tables(there)
    assert made == tables(here) and len(made) == 5
    again = open_records(there, split="train")
    assert again.digest == source.digest and len(again) == 15
    assert tables(there) == made, "opening made nothing of its own"


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_statistics_are_the_same_bits_whoever_computes_them(engine: str, tmp_path: Path) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    here, there = (RLDSReader(write_toy_dataset(tmp_path / name, 70, 3)) for name in ("here", "there"))
    alone, counted = compute_statistics(here), list[int]()
    assert compute_statistics(there, crew=crew(engine), done=counted.append).to_dict() == alone.to_dict()
    assert counted == list(range(1, 71))


@pytest.mark.slow
def test_a_corpus_on_a_cluster_that_loses_a_machine_has_the_same_bytes(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    sources = {"openclipart": OpenClipart(write_clipart(tmp_path / "art", 120), shard_records=5)}
    build_corpus(tmp_path / "here", sources, CorpusRequest(0), 1, unseen)
    node = {"num_cpus": 1, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    second = cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    lost: list[int] = []

    @contextlib.contextmanager
    def losing(name: str, total: int) -> Iterator[Callable[[int], None]]:
        def done(count: int) -> None:
            if count >= 20 and not lost:
                lost.append(count)
                cluster.remove_node(second, allow_graceful=False)

        yield done

    try:
        build_corpus(tmp_path / "there", sources, CorpusRequest(0), 1, losing, "ray")
        with pytest.raises(FeatureError, match="job 2 is refused"):
            list(named_engine("ray")(refuse, range(4), 1))
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert lost and lost[0] < 120
    assert content(tmp_path / "there") == content(tmp_path / "here")
