"""The environments robosuite/TASK."""

from __future__ import annotations

from embodio.envs.family import EnvEntry, Simulator
from embodio.envs.robosuite.tasks import TASKS

SIMULATOR = Simulator("robosuite", "run `pip install robosuite==1.5.2`")


def entries() -> dict[str, EnvEntry]:
    """Name -> entry; tasks are listed on every call."""
    return {
        f"robosuite/{task}": EnvEntry(
            gymnasium_id=f"embodio/robosuite-{task}-v0",
            env="embodio.envs.robosuite.env:RobosuiteEnv",
            kwargs={"task": task},
            expert="embodio.envs.robosuite.tasks:expert_of",
            embodiment="embodio.envs.robosuite.panda:panda_osc_pose",
            simulator=SIMULATOR,
        )
        for task in TASKS
    }
