"""The description of a robosuite task: what simulates it, what a policy is asked to do, and who shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from embodio.envs.policy import Policy

if TYPE_CHECKING:
    from robosuite.environments.manipulation.manipulation_env import ManipulationEnv


class ObjectPoses(Protocol):
    """The privileged view of its environment that a scripted expert has."""

    def body_pose(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Position [3] (m) and rotation matrix [3, 3] of an object in the world frame."""


def robosuite_success(simulator: ManipulationEnv) -> bool:
    """Whether robosuite's own rule says that the task is done."""
    return bool(simulator._check_success())


@dataclass(frozen=True)
class RobosuiteTask:
    """A task of robosuite.

    Attributes:
        class_name: robosuite's name of the class that simulates it, e.g. "Lift".
        instruction: what a policy is asked to do, in words.
        expert: makes the scripted expert that shows it, from the environment.
        success: whether the task is done in the present state of the simulator.
    """

    class_name: str
    instruction: str
    expert: Callable[[ObjectPoses], Policy]
    success: Callable[[ManipulationEnv], bool] = robosuite_success
