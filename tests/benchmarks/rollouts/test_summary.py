"""Success by task and by group of tasks, in the figures, results.json, the terminal and the report."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from embodio.benchmarks.rollouts.play import table
from embodio.benchmarks.rollouts.report import report_html
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.summary import ByTask, successes
from embodio.benchmarks.statistics.intervals import wilson_interval
from embodio.envs.metaworld.tasks import SUITES
from embodio.envs.registry import task_groups
from tests.support.benchmarks.run_folders import rows_of, write_run

TASKS = ["reach", "reach", "push", "push", "pick-place", "assembly", "assembly"]
OUTCOMES = "ssfstse"


def test_figures_by_hand() -> None:
    groups = {"reach": "easy", "door-open": "easy", "push": "hard", "assembly": "hard"}
    found = ByTask.of(rows_of(OUTCOMES, tasks=TASKS), groups)
    assert {name: one.success_rate for name, one in found.tasks.items()} == {
        "assembly": 1.0, "pick-place": 0.0, "push": 0.5, "reach": 1.0,
    }  # fmt: skip
    assert found.tasks["assembly"].counts["error"] == 1
    assert list(found.groups) == ["easy", "hard"], "pick-place is in none"
    assert successes(found.groups["hard"]) == "2 of 3 (20.8% to 93.9%)"
    assert found.groups["hard"].wilson_95 == wilson_interval(2, 3)
    assert found.mean_over_groups == pytest.approx((1 + 2 / 3) / 2)
    assert found.mean_over_tasks == pytest.approx(2.5 / 4)


def test_episodes_of_one_task_have_no_figures_by_task() -> None:
    assert ByTask.of(rows_of("sf"), {"reach": "easy"}).to_json() == {}
    assert ByTask.of(rows_of("sf", tasks=["reach", "reach"]), {"reach": "easy"}).to_json() == {}
    errors = ByTask.of(rows_of("se", tasks=["reach", "push"]), {"reach": "easy", "push": "easy"})
    assert errors.mean_over_tasks is None and errors.means == {"mean over groups": 1.0}


def test_they_are_in_the_file_the_terminal_and_the_report(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "suite", "mine", OUTCOMES, env="metaworld/mt50", tasks=TASKS)
    data = json.loads((folder / "results.json").read_text())
    assert list(data["groups"]) == ["easy", "hard"] and list(data["tasks"]) == sorted(set(TASKS))
    assert data["groups"]["hard"]["counts"]["success"] == 2, "of assembly, push and pick-place"
    assert data["mean_over_groups"] == pytest.approx((1 + 2 / 4) / 2)
    results = Results.load(folder / "results.json")
    console = Console(width=120, record=True, file=(tmp_path / "printed").open("w"))
    console.print(table(results))
    printed = " ".join(console.export_text().split())
    page = report_html(results, folder / "videos", "embodio-rollout").decode()
    assert "easy │ 2 of 2 (34.2% to 100.0%)" in printed and "assembly │ 1 of 1" in printed
    assert "mean over groups │ 75.0%" in printed and "mean over tasks │ 62.5%" in printed
    assert "<td>hard</td>" in page and "<td>pick-place</td>" in page and "mean over groups: 75.0%" in page
    assert "34.2% to 100.0%" in page

    single = write_run(tmp_path / "single", "mine", "sf", env="metaworld/reach", tasks=["reach", "reach"])
    assert not {"tasks", "groups"} & set(json.loads((single / "results.json").read_text()))
    page = report_html(Results.load(single / "results.json"), single / "videos", "embodio-rollout").decode()
    assert "Success by task" not in page


def test_groups_are_those_of_the_suites() -> None:
    groups = task_groups("metaworld/mt50/held_out")
    assert Counter(groups.values()) == {"easy": 28, "medium": 11, "hard": 6, "very hard": 5}
    assert list(dict.fromkeys(groups.values())) == ["easy", "medium", "hard", "very hard"]
    assert set(SUITES["mt10"]) <= set(task_groups("metaworld/mt10"))
    assert task_groups("metaworld/reach") == task_groups("robosuite/lift") == task_groups("my.module:Env") == {}
