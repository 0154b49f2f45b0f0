"""Arm: one arm of a running simulator, read for observations and, with privileged access, for scripted experts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.robosuite.control import ArmPose

if TYPE_CHECKING:
    from robosuite.environments.manipulation.manipulation_env import ManipulationEnv

# The gripper points down with its fingers side by side, seen from the base. A quaternion and its negative are the same
# rotation; the one nearest to this pose is used, so that the sign changes only half a turn away from it.
_REFERENCE_QUATERNION = np.array([1.0, 1.0, 0.0, 0.0]) / np.sqrt(2.0)


def arms(simulator: ManipulationEnv) -> list[Arm]:
    """The arms of a simulator, in the order in which observations and actions have them."""
    return [Arm(simulator, robot) for robot in simulator.robots]


class Arm:
    """One arm."""

    def __init__(self, simulator: ManipulationEnv, robot: Any) -> None:
        self._sim, self._robot, self._hand = simulator.sim, robot, robot.arms[0]
        self._site = robot.eef_site_id[self._hand]

    def state(self, fingers: bool, joints: bool) -> NDArray[np.float64]:
        """Proprioception [7 and more]: gripper position (m), quaternion xyzw with a continuous sign, fingers, joints.

        Args:
            fingers: whether the positions of the joints of the gripper follow.
            joints: whether the angles of the joints of the arm follow (rad).
        """
        data, robot, pose = self._sim.data, self._robot, self.pose()
        quaternion = quaternion_xyzw(pose.rotation, pose.base)
        parts = [pose.position, quaternion]
        parts += [data.qpos[robot._ref_gripper_joint_pos_indexes[self._hand]]] if fingers else []
        parts += [data.qpos[robot._ref_joint_pos_indexes]] if joints else []
        return np.concatenate(parts)

    def pose(self) -> ArmPose:
        """Where the gripper is and how the joints move it."""
        import mujoco

        model, data, robot = self._sim.model._model, self._sim.data._data, self._robot
        jacobian = np.zeros((6, model.nv))
        mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], self._site)
        base = data.body(robot.robot_model.root_body).xmat
        return ArmPose(
            position=np.array(data.site_xpos[self._site]),
            rotation=np.array(data.site_xmat[self._site]).reshape(3, 3),
            base=np.array(base).reshape(3, 3),
            jacobian=jacobian[:, robot._ref_joint_vel_indexes],
        )

    def between_pads(self) -> float:
        """Distance (m) of the middles of the pads of the fingers, whatever the joints of the gripper are."""
        geoms, data = self._robot.gripper[self._hand].important_geoms, self._sim.data._data
        left, right = (
            np.mean([data.geom(name).xpos for name in geoms[f"{side}_fingerpad"]], axis=0) for side in ("left", "right")
        )
        return float(np.linalg.norm(left - right))


def quaternion_xyzw(rotation: NDArray[np.float64], base: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Quaternion [4] (x, y, z, w) of a rotation matrix [3, 3], with the sign nearest to pointing down.

    Args:
        rotation: of the gripper in the world.
        base: rotation of the arm's base in the world [3, 3], from where the fingers are seen; None for one that is not
            turned.
    """
    import mujoco

    xyzw, nearest = _quaternion(rotation), _REFERENCE_QUATERNION
    if base is not None:
        product = np.empty(4)
        mujoco.mju_mulQuat(product, _quaternion(base)[[3, 0, 1, 2]], nearest[[3, 0, 1, 2]])
        nearest = product[[1, 2, 3, 0]]
    return xyzw if xyzw @ nearest >= 0 else -xyzw


def _quaternion(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    import mujoco

    wxyz = np.empty(4)
    mujoco.mju_mat2Quat(wxyz, np.ascontiguousarray(rotation, np.float64).ravel())
    return wxyz[[1, 2, 3, 0]]
