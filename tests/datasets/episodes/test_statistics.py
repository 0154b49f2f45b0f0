"""Statistics of a data set: equal to what NumPy says about all values at once, however they were split."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from embodio.datasets import DatasetError, RLDSReader, compute_statistics
from embodio.datasets.episodes.features import features_of
from embodio.datasets.episodes.quantile_sketch import QuantileSketch
from embodio.datasets.episodes.side_files import fingerprint
from embodio.datasets.episodes.statistics import FieldAccumulator
from embodio.datasets.files.sealed_json import sealed, unsealed
from embodio.datasets.recording.collection_store import CollectedEpisode, CollectionSettings, CollectionStore, stage
from embodio.datasets.recording.demonstration import record_demonstration
from embodio.datasets.rlds import EpisodeFeatures, TensorFeature, encode_episode, write_dataset
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.model.tokens.statistics import FieldStatistics, Normaliser
from tests.support.agent.policies import make_embodiment
from tests.support.datasets.fake_robot import FakeEnv, FakeExpert, FakeSource, fake_embodiment
from tests.support.datasets.toy import metadata_of, toy_rows, write_toy_dataset

batches = st.lists(
    hnp.arrays(np.float32, st.tuples(st.integers(0, 6), st.just(2)), elements=st.floats(-1000, 1000, width=32)),
    min_size=1,
    max_size=6,
).filter(lambda arrays: any(len(array) for array in arrays))


def accumulate(arrays: list[np.ndarray]) -> FieldAccumulator:
    accumulator = FieldAccumulator()
    for array in arrays:
        accumulator.update(array)
    return accumulator


@given(batches, st.integers(0, 6))
def test_equal_to_numpy_for_any_split(arrays: list[np.ndarray], split: int) -> None:
    merged = accumulate(arrays[:split])
    merged.merge(accumulate(arrays[split:]))
    values = np.concatenate(arrays).astype(np.float64)
    for statistics in (merged.finish(("a", "b")), accumulate(arrays).finish(("a", "b"))):
        assert statistics.count == len(values)
        assert statistics.min == tuple(values.min(axis=0))
        assert statistics.max == tuple(values.max(axis=0))
        assert statistics.mean == pytest.approx(values.mean(axis=0), rel=1e-12, abs=1e-9)
        assert statistics.std == pytest.approx(values.std(axis=0), rel=1e-9, abs=1e-9)
        assert statistics.q01 == pytest.approx(np.quantile(values, 0.01, axis=0))
        assert statistics.q99 == pytest.approx(np.quantile(values, 0.99, axis=0))


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 400), st.lists(st.integers(0, 400), max_size=6), st.booleans())
def test_shards_merge_to_what_one_pass_gives(seed: int, size: int, cuts: list[int], from_the_right: bool) -> None:
    """However the data is split, and in whatever order the parts are put together; also far from zero."""
    generator = np.random.default_rng(seed)
    scale = 10.0 ** generator.integers(-6, 6, 3)
    values = generator.standard_normal((size, 3)) * scale + scale * generator.integers(-100, 100, 3)
    values[:, 2] = values[0, 2]  # a constant dimension
    parts = [accumulate([part]) for part in np.split(values, sorted(min(cut, size) for cut in cuts))]
    if from_the_right:
        parts.reverse()
    merged = FieldAccumulator()
    for part in parts:
        merged.merge(part)
    found, whole = merged.finish(("a", "b", "c")), accumulate([values]).finish(("a", "b", "c"))
    assert (found.count, found.min, found.max) == (whole.count, whole.min, whole.max)
    assert (found.q01, found.q99) == (whole.q01, whole.q99)  # exact for so few
    largest = np.abs(values).max(axis=0)
    assert np.all(np.abs(np.subtract(found.mean, whole.mean)) <= 1e-12 * largest)
    assert np.all(np.abs(np.subtract(found.std, whole.std)) <= 1e-12 * largest)
    assert found.std[2] <= 1e-12 * largest[2] and found.min[2] == found.max[2]


def test_a_small_spread_far_from_zero_is_not_lost() -> None:
    values = (1e4 + np.random.default_rng(0).standard_normal((5000, 1)) * 0.01).astype(np.float32)
    statistics = accumulate(np.array_split(values, 100)).finish(("x",))
    assert statistics.std[0] == pytest.approx(values.astype(np.float64).std(), rel=1e-9)


def test_nothing_and_nan_are_refused() -> None:
    with pytest.raises(DatasetError, match="no values"):
        FieldAccumulator().finish(("x",))
    with pytest.raises(DatasetError, match="not finite"):
        FieldAccumulator().update(np.array([[np.nan]], np.float32))


def test_dimensions_that_hardly_ever_change() -> None:
    values = np.random.default_rng(0).normal(size=(1000, 4))
    values[:, 1:] = (0.0, 0.1, 1e6)
    values[7, 1], values[::2, 3] = 7.0, 1e6 + 1
    accumulator = FieldAccumulator()
    accumulator.update(values)
    found = accumulator.finish(("free", "outlier", "constant", "offset"))
    assert found.outliers_only == ("outlier",)
    for kind in ("minmax", "quantiles", "meanstd"):
        normaliser = Normaliser.from_statistics(kind, found)  # type: ignore[arg-type]
        unit = normaliser.normalise(values)
        assert (unit >= 0).all() and (unit <= 1).all() and (unit[:, 2] == 0.5).all()
        assert normaliser.denormalise(unit)[:, 2] == pytest.approx(0.1)
    assert Normaliser.from_statistics("minmax", found).denormalise(unit_of(found, values))[7, 1] == 7.0


def unit_of(found: FieldStatistics, values: np.ndarray) -> np.ndarray:
    return Normaliser.from_statistics("minmax", found).normalise(values)


def test_single_steps_and_episodes_that_are_all_damaged(tmp_path: Path) -> None:
    embodiment = make_embodiment()
    features = EpisodeFeatures({"action": TensorFeature("float32", (3,)), "is_first": TensorFeature("bool")}, {})
    whole, spoilt = np.array([0.5, 0.1, 1], np.float32), np.array([np.nan, 0.1, 1], np.float32)
    for name, actions in (("one", [[whole]]), ("mixed", [[spoilt, whole], [whole]]), ("none", [[spoilt], [spoilt]])):
        records = [
            encode_episode(features, [{"action": action, "is_first": True} for action in rows], {}) for rows in actions
        ]
        write_dataset(tmp_path / name, name, embodiment, features, records)
    for name, count in (("one", 1), ("mixed", 2)):
        found = compute_statistics(RLDSReader(tmp_path / name)).field("action")
        assert found.count == count and found.min == found.max == found.mean and found.std == (0.0, 0.0, 0.0)
        normaliser = Normaliser.from_statistics("meanstd", found)
        assert normaliser.normalise(whole).tolist() == [0.5, 0.5, 0.5]
        assert normaliser.denormalise([0.0, 1.0, 0.3]) == pytest.approx(whole)
    assert "1 steps left out (1 not finite)" in compute_statistics(RLDSReader(tmp_path / "mixed")).source
    with pytest.raises(DatasetError, match=r"none: in 2 episodes there is no step .*2 not finite.*verify"):
        compute_statistics(RLDSReader(tmp_path / "none"))


def test_statistics_of_a_collection(tmp_path: Path) -> None:
    embodiment, source = fake_embodiment(), FakeSource()
    settings = CollectionSettings(
        environment="fake", seed=0, noise=(0.2,), keep_failures=True, env_options={}, embodiment=embodiment.to_dict()
    )
    store = CollectionStore(tmp_path, settings)
    for seed in range(4):
        _, record = record_demonstration(
            FakeEnv(source), FakeExpert(source), embodiment, env_name="fake", seed=seed, noise=0.2
        )
        stage(store.staging, CollectedEpisode(seed, seed, 0.2, "success", 1, 0.0, True), record)
    store.assemble()
    reader = RLDSReader(tmp_path)
    statistics = compute_statistics(reader)
    assert set(statistics.fields) == {"action", "expert_action", "state"}
    assert statistics.source == "fake 1.0.0, 4 episodes"
    assert statistics.field("action").names == ("x", "y", "gripper")
    assert statistics.field("state").names == ("x", "y")
    clean = np.concatenate([episode.array("expert_action") for episode in reader]).astype(np.float64)
    assert statistics.field("expert_action").count == len(clean)
    assert statistics.field("expert_action").mean == pytest.approx(clean.mean(axis=0))
    assert statistics.field("expert_action").std[2] == 0.0


@given(st.integers(0, 2**31), st.integers(1, 3000), st.integers(1, 5), st.booleans())
def test_a_sketch_keeps_its_promise_however_it_is_merged(seed: int, size: int, parts: int, ties: bool) -> None:
    """Memory is bounded, and the rank of every quantile is off by no more than the sketch says."""
    values = np.random.default_rng(seed).standard_normal((size, 2)).astype(np.float32)
    values = np.round(values, 1) if ties else values
    sketch = QuantileSketch(64)
    for part in np.array_split(values, parts):
        other = QuantileSketch(64)
        other.update(part)
        sketch.merge(other)
    assert sketch.held <= 64 * 8
    shares = (0.01, 0.3, 0.99)
    for share, row in zip(shares, sketch.quantiles(shares), strict=True):
        for column, found in zip(values.T, row, strict=True):
            low, high = np.sum(column < found), np.sum(column <= found)
            slack = sketch.rank_error + 2 ** max(0, len(sketch._levels) - 1) + 1
            assert low - slack <= share * size <= high + slack
    if size <= 64:
        assert sketch.rank_error == 0
        np.testing.assert_allclose(sketch.quantiles(shares), np.quantile(values.astype(np.float64), shares, axis=0))


def test_the_error_of_many_values_is_small() -> None:
    values = np.random.default_rng(0).standard_normal((300_000, 1)).astype(np.float32)
    accumulator = accumulate(np.array_split(values, 300))
    assert 0 < accumulator.rank_error < 1e-3 and accumulator._sketch.held < 200_000
    found = accumulator.finish(("x",))
    assert found.q01[0] == pytest.approx(np.quantile(values, 0.01), abs=0.03)
    assert found.min[0] == values.min() and found.max[0] == values.max()


def test_statistics_are_kept_with_the_data_until_it_changes(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", 3, 4)
    first = compute_statistics(RLDSReader(folder))
    (kept,) = (folder / ".embodio").glob("statistics-*.json")
    marked = unsealed(kept.read_text()) | {"source": "from the file"}
    kept.write_text(sealed(marked))
    again = compute_statistics(RLDSReader(folder))
    assert again.source == "from the file" and again.fields == first.fields
    kept.write_text("{}")
    assert compute_statistics(RLDSReader(folder)) == first
    shard = next(folder.glob("*.tfrecord*"))
    os.utime(shard, ns=(1, 1))
    assert compute_statistics(RLDSReader(folder)) == first
    assert len(list((folder / ".embodio").glob("statistics-*.json"))) == 2


def test_damaged_episodes_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", 3, 4)
    whole = np.concatenate([episode.array("action") for episode in RLDSReader(folder)])
    shard = next(folder.glob("*.tfrecord*"))
    flipped = bytearray(shard.read_bytes())
    flipped[len(flipped) // 2] ^= 1  # in episode 1
    shard.write_bytes(flipped)
    found = compute_statistics(RLDSReader(folder))
    assert found.source.endswith("3 episodes, 1 damaged episodes left out (toy 1)")
    assert found.field("action").count == 8
    assert found.field("action").mean == pytest.approx(np.delete(whole, range(4, 8), axis=0).mean(axis=0), abs=1e-6)


def test_a_data_set_without_such_fields_is_refused(tmp_path: Path) -> None:
    features = EpisodeFeatures({"reward": TensorFeature("float32")}, {})
    record = encode_episode(features, [{"reward": 1.0}], {})
    write_dataset(tmp_path, "toy", fake_embodiment(), features, [record])
    with pytest.raises(DatasetError, match="none of the fields action, expert_action, state"):
        compute_statistics(RLDSReader(tmp_path))


def test_several_data_sets_of_one_robot_have_statistics_together(tmp_path: Path) -> None:
    readers = [RLDSReader(write_toy_dataset(tmp_path / name, episodes, 4)) for name, episodes in (("a", 2), ("b", 3))]
    actions = np.concatenate([episode.array("action") for reader in readers for episode in reader]).astype(np.float64)
    counted: list[int] = []
    found = compute_statistics(*readers, fields=("action",), done=counted.append)
    assert found.field("action").count == 20 and counted == [1, 2, 3, 4, 5]
    assert found.field("action").mean == pytest.approx(actions.mean(axis=0), abs=1e-12)
    again = compute_statistics(*readers, fields=("action",), done=counted.append)
    assert again == found and len(counted) == 5, "kept with the first data set"
    with pytest.raises(DatasetError, match=r"no numbers named 'actoin'; it has .*action"):
        compute_statistics(*readers, fields=("actoin",))


def test_steps_with_nan_are_left_out_and_no_others(tmp_path: Path) -> None:
    embodiment = make_embodiment()
    with RLDSWriter(tmp_path / "toy", "toy", features_of(embodiment)) as writer:
        for episode in range(3):
            rows = toy_rows(np.random.default_rng(episode), 4)
            rows[2]["action"] = rows[2]["action"] * (np.nan if episode == 1 else 1.0)
            writer.add(rows, metadata_of(episode))
    embodiment.save(tmp_path / "toy" / "embodiment.json")
    found = compute_statistics(RLDSReader(tmp_path / "toy"))
    assert found.source.endswith("3 episodes, 1 steps left out (1 not finite)")
    assert found.field("action").count == found.field("state").count == 11
    states = np.concatenate([episode.array("state") for episode in RLDSReader(tmp_path / "toy")]).astype(np.float64)
    assert found.field("state").mean == pytest.approx(np.delete(states, 6, axis=0).mean(axis=0), abs=1e-12)


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", episodes=2, steps=3)
    (shard,) = folder.glob("*.tfrecord*")
    before, times = fingerprint(RLDSReader(folder)), shard.stat()
    assert fingerprint(RLDSReader(folder)) == before
    content = shard.read_bytes()
    shard.unlink()
    shard.write_bytes(content)
    os.utime(shard, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (shard.stat().st_size, shard.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
    assert fingerprint(RLDSReader(folder)) != before
