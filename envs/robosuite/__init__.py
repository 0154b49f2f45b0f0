"""robosuite tasks as gymnasium environments."""

from embodio.envs.robosuite.embodiments import panda_osc_pose
from embodio.envs.robosuite.env import RobosuiteEnv
from embodio.envs.robosuite.task import RobosuiteTask
from embodio.envs.robosuite.tasks import TASKS

__all__ = ["TASKS", "RobosuiteEnv", "RobosuiteTask", "panda_osc_pose"]
