"""Comparisons against tables that were counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from embodio.benchmarks.errors import BenchmarkError, ComparisonError
from embodio.benchmarks.rollouts.comparison.comparison import Comparison, compare
from embodio.benchmarks.rollouts.comparison.runs import read_runs
from embodio.benchmarks.statistics.paired import PairedTable
from embodio.benchmarks.statistics.verdicts import Rule, Verdict
from tests.support.benchmarks.run_folders import write_run


def of(folder: Path, *, rule: Rule | None = None, **options: bool | str) -> Comparison:
    a, b = (read_runs(folder / side) for side in "ab")
    return compare(a, b, rule or Rule(), **options)  # type: ignore[arg-type]


def test_a_table_by_hand(tmp_path: Path) -> None:
    """Seeds 0 to 11: A succeeds in 9 of the 10 sound pairs, B in 3, all of them among A's."""
    write_run(tmp_path / "a", "mine", "sssssssssfes")
    write_run(tmp_path / "b", "yours", "sssfffffffse")
    comparison = of(tmp_path)
    assert (comparison.a, comparison.b, len(comparison.tasks)) == ("mine", "yours", 1)
    one = comparison.tasks[0]
    assert one.table == PairedTable(3, 6, 0, 1)
    assert one.errors == (1, 1), "the simulator's errors are neither's failures"
    assert one.rates == (0.9, 0.3)
    assert one.table.difference == pytest.approx(0.6)
    assert one.p_value == one.p_corrected == 2 / 2**6
    assert one.verdict == Verdict("better")
    assert comparison.pooled.table == one.table
    swapped = compare(read_runs(tmp_path / "b"), read_runs(tmp_path / "a"), Rule())
    assert swapped.tasks[0].verdict == Verdict("worse")


def test_episodes_without_a_partner_are_left_out(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "mine", "ssss", seed=0)
    write_run(tmp_path / "b", "yours", "ssf", seed=2)
    one = of(tmp_path).tasks[0]
    assert one.table == PairedTable(2, 0, 0, 0) and one.alone == (2, 1)


def test_success_at_any_step(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "mine", "uuus")
    write_run(tmp_path / "b", "yours", "fffs")
    assert of(tmp_path).tasks[0].table == PairedTable(1, 0, 0, 3)
    assert of(tmp_path, judge="any").tasks[0].table == PairedTable(1, 3, 0, 0)


def test_tasks_are_corrected_and_pooled(tmp_path: Path) -> None:
    """p is 2/64 in env x and 1/2 in env y: after Holm 2 * 2/64 and 1/2. Together 2 * 1/256."""
    for agent, outcomes in (("mine", "s"), ("yours", "f")):
        side = tmp_path / ("a" if agent == "mine" else "b")
        write_run(side / "x", agent, outcomes * 6, env="x")
        write_run(side / "y", agent, outcomes * 2, env="y")
    comparison = of(tmp_path)
    assert [one.task for one in comparison.tasks] == ["x", "y"]
    assert [one.p_value for one in comparison.tasks] == [2 / 64, 1 / 2]
    assert [one.p_corrected for one in comparison.tasks] == [4 / 64, 1 / 2]
    assert [one.verdict.word for one in comparison.tasks] == ["cannot tell", "cannot tell"]
    assert comparison.pooled.table == PairedTable(0, 8, 0, 0)
    assert comparison.pooled.p_value == 2 / 256 and comparison.pooled.verdict.word == "better"


def test_an_environment_with_several_tasks(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "mine", "ssff", tasks=["reach", "push", "reach", "push"])
    write_run(tmp_path / "b", "yours", "ffff", tasks=["reach", "push", "reach", "push"])
    assert {one.task: one.table for one in of(tmp_path).tasks} == {
        "fake: push": PairedTable(0, 1, 0, 1),
        "fake: reach": PairedTable(0, 1, 0, 1),
    }
    write_run(tmp_path / "b", "yours", "ffff", tasks=["reach", "push", "push", "push"])
    with pytest.raises(ComparisonError, match="seed 2 is reach in A and push in B"):
        of(tmp_path)


def test_looking_all_the_time_has_its_price(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "mine", "s" * 7)
    write_run(tmp_path / "b", "yours", "f" * 7)
    assert of(tmp_path).tasks[0].p_value == 2 / 128
    sequential = of(tmp_path, sequential=True).tasks[0]
    assert sequential.p_value == 8 / 128 and sequential.verdict.word == "cannot tell"


def test_nothing_to_compare_is_an_error_that_says_what_is_there(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "mine", "ss", seed=0)
    write_run(tmp_path / "b", "yours", "ss", seed=5)
    with pytest.raises(ComparisonError, match="A has fake with seeds 0 to 1; B has fake with seeds 5 to 6"):
        of(tmp_path)
    write_run(tmp_path / "b", "yours", "ss", horizon=7)
    with pytest.raises(ComparisonError, match=r"fake: horizon is None in .*/a, 7 in .*/b"):
        of(tmp_path)
    with pytest.raises(ComparisonError, match="holds no rollout"):
        read_runs(tmp_path / "c")


def test_a_folder_holds_one_agent_once(tmp_path: Path) -> None:
    write_run(tmp_path / "one", "mine", "ss")
    write_run(tmp_path / "two", "yours", "ss")
    with pytest.raises(ComparisonError, match="rollouts of mine and yours"):
        read_runs(tmp_path)
    write_run(tmp_path / "two", "mine", "ss", seed=1)
    with pytest.raises(BenchmarkError, match="seed 1 of fake twice"):
        read_runs(tmp_path)
    write_run(tmp_path / "two", "mine", "ss", seed=2)
    assert sorted(read_runs(tmp_path).episodes["fake"]) == [0, 1, 2, 3]
