"""VIMA's benchmark as gymnasium environments; the benchmark itself is installed by the user."""

from embodio.envs.vima.env import VimaEnv
from embodio.envs.vima.robot import vima_pick_place
from embodio.envs.vima.tasks import PARTITIONS, TASKS, VimaTask

__all__ = ["PARTITIONS", "TASKS", "VimaEnv", "VimaTask", "vima_pick_place"]
