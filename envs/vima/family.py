"""The environments vima/TASK, at the task's first level, and vima/TASK/LEVEL for each of its levels."""

from __future__ import annotations

from embodio.envs.family import EnvEntry, Simulator
from embodio.envs.vima.tasks import TASKS, default_level

SIMULATOR = Simulator(
    "vima_bench",
    "it is not on PyPI; get it with `git clone https://github.com/vimalabs/VIMABench`, put that folder on PYTHONPATH, "
    "and `pip install pybullet==3.2.7 transforms3d kornia kornia-rs opencv-python matplotlib einops "
    "importlib_resources`",
)


def entries() -> dict[str, EnvEntry]:
    """Name -> entry."""
    found: dict[str, EnvEntry] = {}
    for task, about in TASKS.items():
        for level in (None, *about.levels):
            found[f"vima/{task}/{level}" if level else f"vima/{task}"] = EnvEntry(
                gymnasium_id=f"embodio/vima-{task}{f'-{level}' if level else ''}-v0",
                env="embodio.envs.vima.env:VimaEnv",
                kwargs={"task": task, "level": level or default_level(task)},
                expert="embodio.envs.vima.oracle:VimaOracle",
                embodiment="embodio.envs.vima.robot:vima_pick_place",
                simulator=SIMULATOR,
            )
    return found
