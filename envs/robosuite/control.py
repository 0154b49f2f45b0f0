"""Control: how the numbers of an action move an arm of robosuite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from embodio.envs.embodiment import Dimension
from embodio.envs.robosuite.robot import RobosuiteRobot

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class ArmPose:
    """Where an arm is, as a control needs to know it to carry out a motion.

    Attributes:
        position: of the gripper in the world [3] (m).
        rotation: of the gripper in the world [3, 3].
        base: rotation of the arm's base in the world [3, 3].
        jacobian: motion of the gripper in the world, translation then rotation, by its joints [6, J].
    """

    position: Vector
    rotation: Vector
    base: Vector
    jacobian: Vector


class Control(ABC):
    """One way to control an arm; the gripper is not part of it.

    Attributes:
        label: its part of the name of an embodiment.
        mode, frame, rotation, controller: see `ActionSpec`.
        joints: whether the state has the angles of the joints, after the fingers.
        part: what robosuite's own settings of an arm's controller become.
    """

    label: ClassVar[str]
    mode: ClassVar[Literal["delta", "absolute"]]
    frame: ClassVar[str]
    rotation: ClassVar[Literal["axis_angle", "quaternion", "none"]]
    controller: ClassVar[str]
    joints: ClassVar[bool] = False
    part: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def dimensions(self, robot: RobosuiteRobot) -> tuple[Dimension, ...]:
        """The numbers that move an arm, A of them."""

    def command(self, values: Vector) -> Vector:
        """What robosuite's controller is given for the numbers of an action [A].

        Raises:
            InvalidAction: the numbers mean nothing.
        """
        return values

    @abstractmethod
    def moved(self, pose: ArmPose, translation: Vector, rotation: Vector) -> Vector:
        """The numbers [A] of an action that moves the gripper, not yet limited.

        Args:
            pose: of the arm.
            translation: in the world [3] (m).
            rotation: rotation vector in the world [3] (rad).
        """
