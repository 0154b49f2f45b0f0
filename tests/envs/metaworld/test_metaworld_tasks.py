"""The table of Meta-World's tasks agrees with Meta-World, and no wording that is held out is trained with."""

from __future__ import annotations

import importlib
from collections import Counter

import numpy as np

from embodio.envs import embodiment_of, known_envs
from embodio.envs.headless_mujoco import prefer_headless
from embodio.envs.metaworld.tasks import SUITES, TASKS, WORDINGS, instruction_of
from embodio.envs.perturbing.wordings import wordings_of


def test_tasks_suites_and_experts_are_those_of_metaworld() -> None:
    prefer_headless()
    listed = importlib.import_module("metaworld.env_dict")
    policies = importlib.import_module("metaworld.policies").ENV_POLICY_MAP
    assert {f"{task}-v3" for task in TASKS} == set(listed.ALL_V3_ENVIRONMENTS) == set(policies)
    assert [f"{task}-v3" for task in SUITES["mt10"]] == list(listed.MT10_V3)
    assert sorted(f"{task}-v3" for task in SUITES["mt50"]) == sorted(listed.MT50_V3)


def test_difficulties_are_the_published_groups() -> None:
    assert Counter(task.difficulty for task in TASKS.values()) == {"easy": 28, "medium": 11, "hard": 6, "very_hard": 5}


def test_every_task_and_suite_is_an_environment_in_every_wording() -> None:
    names = {name for name in known_envs() if name.startswith("metaworld/")}
    tasks = {*TASKS, "mt10", "mt50"}
    assert names == {f"metaworld/{task}{end}" for task in tasks for end in ("", "/varied", "/held_out")}
    robot = embodiment_of("metaworld/mt50")
    assert (robot.control_hz, len(robot.action.dimensions), len(robot.state)) == (80.0, 4, 4)


def test_wordings_are_drawn_by_the_generator_and_held_out_ones_are_new() -> None:
    trained = {text for task in TASKS.values() for text in (task.standard, *task.others)}
    for name, task in TASKS.items():
        drawn = {
            wording: {instruction_of(name, wording, np.random.default_rng(seed)) for seed in range(30)}
            for wording in WORDINGS
        }
        assert drawn["standard"] == {task.standard}
        assert drawn["varied"] == {task.standard, *task.others}
        assert drawn["held_out"] == set(task.held_out)
        assert not drawn["held_out"] & trained
        assert max(map(len, (*task.others, *task.held_out))) < 80


def test_own_wordings_tell_all_tasks_apart() -> None:
    """LeRobot has one sentence for push and push-back; no other two wordings are the same."""
    counts = Counter(text.lower() for task in TASKS.values() for text in {*task.others, *task.held_out})
    assert [text for text, count in counts.items() if count > 1] == []


def test_every_instruction_has_other_wordings_and_none_that_is_held_out_is_trained_with() -> None:
    trained = {text.lower() for task in TASKS.values() for text in (task.standard, *task.others)}
    for task in TASKS.values():
        for level in (2, 3, 4, 5):
            said = {text.lower() for text in wordings_of(task.standard, level)}
            assert said and task.standard.lower() not in said
            assert level == 2 or not said & trained, said & trained
