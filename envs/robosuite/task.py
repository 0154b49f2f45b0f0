"""RobosuiteTask: the simulator class, instruction, scripted expert and success rule of a task."""

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
    """The privileged view of an environment for scripted experts."""

    @property
    def simulator(self) -> ManipulationEnv:
        """The simulator of the task."""

    def body_pose(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Position [3] (m) and rotation matrix [3, 3] of an object, or of a part of one, in the world frame."""


def robosuite_success(simulator: ManipulationEnv) -> bool:
    """Whether the task is done according to robosuite's own rule."""
    return bool(simulator._check_success())


@dataclass(frozen=True)
class RobosuiteTask:
    """A task of robosuite.

    Attributes:
        class_name: robosuite's name of the class that simulates it, e.g. "Lift".
        instruction: the instruction as text.
        expert: creates the scripted expert for an environment.
        success: whether the task is done in the current state of the simulator.
        arms: number of arms that it takes.
        gripper: whether they have fingers; if not, the simulator gives them a tool of the task.
        horizon: number of steps after which an episode is truncated, unless the environment is told otherwise.
    """

    class_name: str
    instruction: str
    expert: Callable[[ObjectPoses], Policy]
    success: Callable[[ManipulationEnv], bool] = robosuite_success
    arms: int = 1
    gripper: bool = True
    horizon: int = 200
