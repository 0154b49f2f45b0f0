"""PickPlaceExpert: hover above an object, descend, close the gripper, carry the object to its goal, let go, retreat.

Like `LiftExpert` it has no timers and no memory: every action is a function of the present pose of the object, the pose
of the gripper and the distance of the fingers, so a disturbed motion is taken up again from wherever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.robosuite.reaching import ReachSettings, Vector, rotation_of, yaw_to_hold
from embodio.envs.robosuite.task import ObjectPoses

_ON_ITS_WAY = 0.85  # of the clearance


@dataclass(frozen=True)
class Grasp:
    """How an object is held by a gripper that points down.

    Attributes:
        name: the object.
        width: distance of the fingers that hold it (m).
        symmetry: angle (rad) about the vertical after which the object can be held again; 0 if at every angle.
        height: height of the gripper above the object's origin (m).
        along: where the object is held, along its own x axis from its origin (m).
        axis: the axis of the object along which the fingers close; None for any of a cube.
    """

    name: str
    width: float
    symmetry: float
    height: float = 0.0
    axis: int | None = None
    along: float = 0.0


@dataclass(frozen=True)
class PlaceSettings(ReachSettings):
    """Gains and tolerances of `PickPlaceExpert`; lengths in metres.

    Attributes:
        grip: distance beyond the width of the object up to which the fingers hold it, and below it down to which they
            are not empty.
        clearance: height above the goal at which an object is carried.
        over: horizontal error within which a carried object is lowered.
        placed: horizontal error within which the object is let go.
        placed_height: vertical error within which the object is let go.
        headings: directions (rad) of the object's x axis in which it can be placed; none if it can in all of them.
        turned_over: angle (rad) to the nearest of them within which a carried object is lowered.
        low: factor by which both tolerances of lowering widen once it is on its way down, so that it need not come up
            again for a small error.
    """

    grip: float = 0.006
    clearance: float = 0.08
    over: float = 0.01
    placed: float = 0.012
    placed_height: float = 0.01
    headings: tuple[float, ...] = ()
    turned_over: float = 0.06
    low: float = 1.0


class PickPlaceExpert:
    """Brings one object to a goal. It reads poses from the simulator, which policies cannot."""

    def __init__(
        self,
        env: ObjectPoses,
        grasp: Grasp,
        goal: Callable[[ObjectPoses], Vector],
        settings: PlaceSettings | None = None,
    ) -> None:
        """Prepares the expert.

        Args:
            env: tells the pose of the object.
            grasp: of the object.
            goal: where the origin of the object shall be (m, world frame), from the environment.
            settings: gains and tolerances.
        """
        self._env, self._grasp, self._goal = env, grasp, goal
        self._settings = settings or PlaceSettings()

    def reset(self, instruction: str | None = None) -> None:
        """Does nothing: the expert is stateless."""

    def act(self, observation: Mapping[str, Any]) -> NDArray[np.float32]:
        """The next action.

        Args:
            observation: its "state" is float32 [9]: position (m), quaternion xyzw, finger positions (m).

        Returns:
            float32 [7]: translation, rotation vector, gripper; each in [-1, 1]. Free of noise.
        """
        settings = self._settings
        state = np.asarray(observation["state"], np.float64)
        position, rotation = self._env.body_pose(self._grasp.name)
        gripper, opening = rotation_of(state[3:7]), float(state[7] - state[8])
        to_grasp = position + self._grasp.along * rotation[:, 0] - state[:3]
        to_grasp[2] += self._grasp.height
        yaw = yaw_to_hold(gripper, rotation, self._grasp.symmetry, self._grasp.axis)
        left = self._goal(self._env) - position
        close = False
        if self._is_placed(left):
            # Away from the object only once the fingers have let go of it.
            motion = np.array(
                [0.0, 0.0, settings.clearance if opening > self._grasp.width + 2 * settings.grip else 0.0]
            )
            yaw = 0.0
        elif settings.may_close(to_grasp, yaw, opening, self._grasp.width - settings.grip):
            close = True
            held = opening < self._grasp.width + settings.grip
            motion, yaw = self._carry(left, rotation) if held else (to_grasp, yaw)
        else:
            motion = to_grasp + np.array([0.0, 0.0, settings.height(to_grasp, abs(yaw), opening)])
        return settings.command(motion, gripper, yaw, close)

    def _is_placed(self, left: Vector) -> bool:
        settings = self._settings
        return bool(np.hypot(*left[:2]) < settings.placed and abs(left[2]) < settings.placed_height)

    def _carry(self, left: Vector, rotation: NDArray[np.float64]) -> tuple[Vector, float]:
        """The motion and the turn of a held object: up, across at `clearance`, and down over the goal."""
        settings = self._settings
        across, heading = float(np.hypot(*left[:2])), float(np.arctan2(rotation[1, 0], rotation[0, 0]))
        turns = [(goal - heading + np.pi) % (2 * np.pi) - np.pi for goal in settings.headings]
        turn = float(min(turns, key=abs, default=0.0))
        slack = settings.low if -left[2] < _ON_ITS_WAY * settings.clearance else 1.0
        over = across < slack * settings.over and abs(turn) < slack * settings.turned_over
        rise = left[2] + (0.0 if over else settings.clearance)
        free = 1.0 if over else float(np.clip(1.0 - rise / (0.5 * settings.clearance), 0.0, 1.0))
        return np.array([*(free * left[:2]), rise]), free * turn
