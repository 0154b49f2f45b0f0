"""The environments robosuite/TASK, and robosuite/TASK/ROBOT and robosuite/TASK/ROBOT-CONTROL with other arms."""

from __future__ import annotations

import itertools

from embodio.envs.family import EnvEntry, Simulator
from embodio.envs.robosuite.controls import CONTROLS
from embodio.envs.robosuite.embodiments import DEFAULT_CONTROL, DEFAULT_ROBOT
from embodio.envs.robosuite.robots import ROBOTS
from embodio.envs.robosuite.tasks import TASKS

SIMULATOR = Simulator("robosuite", "run `pip install robosuite==1.5.2`")


def entries() -> dict[str, EnvEntry]:
    """Name -> entry; tasks, robots and controls are listed on every call."""
    found: dict[str, EnvEntry] = {}
    for task, robot, control in itertools.product(TASKS, ROBOTS, CONTROLS):  # which lists each folder once
        variant = _variant(robot, control)
        chosen = {"task": task, "robot": robot, "control": control}
        found[f"robosuite/{task}/{variant}" if variant else f"robosuite/{task}"] = EnvEntry(
            gymnasium_id=f"embodio/robosuite-{task}{f'-{variant}' if variant else ''}-v0",
            env="embodio.envs.robosuite.env:RobosuiteEnv",
            kwargs=chosen,
            expert="embodio.envs.robosuite.expert:expert_of",
            embodiment="embodio.envs.robosuite.embodiments:embodiment",
            embodiment_kwargs=chosen,
            simulator=SIMULATOR,
        )
    return found


def _variant(robot: str, control: str) -> str:
    """The third part of a name, such as "sawyer" or "panda-joint_position"; "" for the usual robot and control."""
    if control != DEFAULT_CONTROL:
        return f"{robot}-{control}"
    return "" if robot == DEFAULT_ROBOT else robot
