"""Steps that nothing is learned from: the same ones in statistics and in every task."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embodio.datasets.episodes.features import features_of
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.episodes.step_filter import NOT_FINITE, OUT_OF_RANGE, StepFilter, finite_rows
from embodio.datasets.episodes.step_rules import StepRules
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.tasks import named_task, task_names
from embodio.datasets.tasks.parts.kept_steps import KeptSteps
from tests.support.agent.policies import make_embodiment
from tests.support.datasets.toy import metadata_of, toy_format, toy_rows

STEPS = 30
Change = Callable[[list[dict[str, Any]]], None]


def write(folder: Path, change: Change, episodes: int = 2) -> RLDSReader:
    """A data set in whose episode 1 something is changed."""
    embodiment = make_embodiment()
    with RLDSWriter(folder, "toy", features_of(embodiment)) as writer:
        for episode in range(episodes):
            rows = toy_rows(np.random.default_rng(episode), STEPS)
            if episode == 1:
                change(rows)
            writer.add(rows, metadata_of(episode))
    embodiment.save(folder / "embodiment.json")
    return RLDSReader(folder)


def spoil(field: str, *steps: int) -> Change:
    def change(rows: list[dict[str, Any]]) -> None:
        for step in steps:
            rows[step][field] = np.full_like(rows[step][field], np.nan)

    return change


@pytest.mark.parametrize("field", ["action", "observation/state"])
def test_statistics_and_training_leave_out_the_same_step(tmp_path: Path, field: str) -> None:
    reader = write(tmp_path / "toy", spoil(field, 20))
    steps = StepFilter(reader, ("action", "state"))
    assert steps.counts == {NOT_FINITE: 1}
    assert compute_statistics(reader, fields=("action", "state")).field("action").count == 2 * STEPS - 1
    task = named_task("next_action")(reader, toy_format(compute_statistics(reader)), range(2))
    kept = KeptSteps(task, steps)
    left = set(range(len(task))) - {task_index(task, *kept.place(i)[1:]) for i in range(len(kept))}
    assert {task.locate(index) for index in left} == {(1, 19), (1, 20)}, "step 20, and 19, whose chunk of 2 holds it"
    for index in range(len(kept)):
        kept.example(index)


def task_index(task: Any, episode: int, step: int) -> int:
    return next(index for index in range(len(task)) if task.locate(index) == (episode, step))


@pytest.mark.parametrize("name", sorted(set(task_names()) - {"plan", "next_action"}))
def test_every_other_task_makes_all_the_examples_that_are_left(tmp_path: Path, name: str) -> None:
    reader = write(tmp_path / "toy", lambda rows: (spoil("action", 9)(rows), spoil("observation/state", 20)(rows))[0])
    statistics = compute_statistics(reader)
    task = named_task(name)(reader, toy_format(statistics), range(2))
    kept = KeptSteps(task, StepFilter(reader, ("action", "state")))
    assert kept.dropped < 12, "not the whole episode"
    for index in range(len(kept)):
        kept.example(index, np.random.default_rng(index))


def test_a_plan_of_an_episode_with_such_a_step_is_left_out(tmp_path: Path) -> None:
    reader = write(tmp_path / "toy", spoil("action", 9))
    task = named_task("plan")(reader, toy_format(compute_statistics(reader)), range(2))
    kept = KeptSteps(task, StepFilter(reader, ("action", "state")))
    assert [kept.place(index).episode for index in range(len(kept))] == [0]
    with pytest.raises(FeatureError, match="not finite"):
        task.example(1)


def test_ranges_of_a_field_and_of_a_dimension(tmp_path: Path) -> None:
    def far(rows: list[dict[str, Any]]) -> None:
        rows[3]["observation/state"] = np.array([9.0, 0.0], np.float32)
        rows[5]["observation/state"] = np.array([0.0, -9.0], np.float32)

    reader = write(tmp_path / "toy", far)
    name = reader.embodiment.state[1].name
    for ranges, steps in (({"state": [-1, 1]}, [3, 5]), ({f"state/{name}": [-1, 1]}, [5])):
        found = StepFilter(reader, ("action", "state"), StepRules(ranges=ranges))
        assert found.counts == {OUT_OF_RANGE: len(steps)}
        assert np.flatnonzero(found.left_out[1]).tolist() == steps
        rules = StepRules(ranges=ranges)
        assert compute_statistics(reader, rules=rules).field("state").count == 2 * STEPS - len(steps)
    with pytest.raises(DatasetError, match=r"ranges.state/nothing: state has the dimensions .*" + name):
        StepFilter(reader, ("action",), StepRules(ranges={"state/nothing": [0, 1]}))
    with pytest.raises(DatasetError, match=r"ranges.force: toy has the numeric fields .*action"):
        StepFilter(reader, ("action",), StepRules(ranges={"force": [0, 1]}))
    with pytest.raises(DatasetError, match=r"ranges.state: got \[1, 0\], expected the lowest and the highest"):
        StepRules(ranges={"state": [1, 0]})


def test_what_was_found_is_kept_with_the_data_until_that_changes(tmp_path: Path) -> None:
    reader = write(tmp_path / "toy", spoil("action", 3, 4))
    first = StepFilter(reader, ("action", "state"))
    assert first.counts == {NOT_FINITE: 2}
    again = StepFilter(RLDSReader(tmp_path / "toy"), ("action", "state"))
    again._search = lambda: pytest.fail("read again")  # type: ignore[method-assign, assignment]
    assert {number: steps.tolist() for number, steps in again.left_out.items()} == {
        number: steps.tolist() for number, steps in first.left_out.items()
    }
    ranges = dataclasses.replace(first.rules, ranges={"action": [-9, 9]})
    assert StepFilter(reader, ("action", "state"), ranges).counts == {NOT_FINITE: 2}


@given(arrays(np.float64, st.tuples(st.integers(0, 5), st.integers(1, 3))))
def test_finite_rows_equal_the_slow_way(values: npt.NDArray[np.float64]) -> None:
    largest = float(np.finfo(np.float32).max)
    expected = [all(np.isfinite(v) and abs(np.float64(np.float32(v))) <= largest for v in row) for row in values]
    assert finite_rows(values).tolist() == expected
