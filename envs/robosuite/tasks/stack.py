"""Stacking a small red cube on a larger green one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embodio.envs.policy import Policy
from embodio.envs.robosuite.pick_place import Grasp, PickPlaceExpert
from embodio.envs.robosuite.task import ObjectPoses, RobosuiteTask

_HALF_HEIGHTS = 0.02 + 0.025  # of the red and the green cube (m)


def on_top(env: ObjectPoses) -> NDArray[np.float64]:
    """Where the centre of the red cube is once it stands on the green one (m)."""
    return env.body_pose("cubeB")[0] + [0.0, 0.0, _HALF_HEIGHTS]


def stacker(env: ObjectPoses) -> Policy:
    """The scripted expert."""
    return PickPlaceExpert(env, Grasp("cubeA", width=0.04, symmetry=np.pi / 2), on_top)


TASK = RobosuiteTask(class_name="Stack", instruction="put the red cube on the green cube", expert=stacker)
