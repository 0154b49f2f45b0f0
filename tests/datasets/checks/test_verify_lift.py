"""Demonstrations of a real simulator, with faults planted in the files: each is found by `verify` or a replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.checks.replay import check_robot, replay
from embodio.datasets.checks.verify import verify
from embodio.datasets.recording.demonstration import record_demonstration
from embodio.datasets.rlds import features_of, write_dataset
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import encode_episode
from embodio.envs import embodiment_of, make_env, make_expert

pytestmark = pytest.mark.slow
NAME, SEEDS = "robosuite/lift", (70000, 70001, 70002)
ROBOT = embodiment_of(NAME)
Steps = list[dict[str, Any]]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> RLDSReader:
    folder, env = tmp_path_factory.mktemp("lift"), make_env(NAME)
    expert = make_expert(NAME, env)
    records = [record_demonstration(env, expert, ROBOT, env_name=NAME, seed=seed, noise=0.0)[1] for seed in SEEDS]
    env.close()
    write_dataset(folder, "lift", ROBOT, features_of(ROBOT), [record for record in records if record is not None])
    return RLDSReader(folder)


def planted(source: RLDSReader, folder: Path, change: Callable[[Steps], Steps], **robot: Any) -> RLDSReader:
    records: list[bytes] = []
    for number in range(len(source)):
        episode = source.episode(number)
        steps: Steps = []
        for step in episode.steps():
            flat = {path: _at(step, path) for path in source.features.steps}
            steps.append(flat)
        values = {path: episode.value(path) for path in source.features.episode}
        records.append(encode_episode(source.features, change(steps), values))
    write_dataset(folder, "lift", replace(ROBOT, **robot), source.features, records)
    return RLDSReader(folder)


def _at(step: Mapping[str, Any], path: str) -> Any:
    value: Any = step
    for part in path.split("/"):
        value = value[part]
    return value


def with_actions(steps: Steps, actions: Sequence[np.ndarray]) -> Steps:
    return [step | {"action": action} for step, action in zip(steps, actions, strict=True)]


def late(steps: Steps) -> Steps:
    actions = [step["action"] for step in steps]
    return with_actions(steps, [actions[0], *actions[:-1]])


def turned_gripper(steps: Steps) -> Steps:
    sign = np.float32([1, 1, 1, 1, 1, 1, -1])
    return with_actions(steps, [step["action"] * sign for step in steps])


def upside_down(steps: Steps) -> Steps:
    names = [f"observation/{camera.name}" for camera in ROBOT.cameras]
    return [step | {name: step[name][::-1, ::-1].copy() for name in names} for step in steps]


def test_clean_demonstrations_pass(clean: RLDSReader) -> None:
    findings = [*verify(clean), check_robot(clean), *replay(clean, range(3))]
    assert {finding.status for finding in findings} <= {"ok", "unknown"}, findings
    by_name = {finding.check: finding for finding in findings}
    assert by_name["open-loop replay"].found.startswith("3 of 3 episodes end as recorded, 3 succeed; states differ")
    assert {by_name[name].status for name in ("gripper sign", "delay of the motion", "images and simulator")} == {"ok"}


@pytest.mark.parametrize(
    ("change", "check", "found"),
    [
        (late, "open-loop replay", "actions come too late by 1 step"),
        (turned_gripper, "open-loop replay", "gripper has the wrong sign"),
        (turned_gripper, "gripper sign", "closed_is_low"),
        (upside_down, "images and simulator", "agentview upside down, wrist upside down"),
        (lambda steps: steps[::2], "open-loop replay", "each lasts as long as two"),
    ],
)
def test_planted_faults_are_named(
    clean: RLDSReader, tmp_path: Path, change: Callable[[Steps], Steps], check: str, found: str
) -> None:
    source = planted(clean, tmp_path, change)
    findings = {finding.check: finding for finding in [*verify(source), *replay(source, range(3))]}
    assert findings[check].status == "warning" and found in findings[check].found and findings[check].remedy


def test_a_wrong_frequency_is_named(clean: RLDSReader, tmp_path: Path) -> None:
    finding = check_robot(planted(clean, tmp_path, lambda steps: steps, control_hz=10.0))
    assert finding.status == "warning" and "control_hz: expected 20.0, found 10.0" in finding.found
