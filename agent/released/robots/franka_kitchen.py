"""Franka Kitchen: a Franka arm in a simulated kitchen, driven by the velocities of its joints and fingers at 12.5 Hz.

An action is nine numbers from -1 to 1 (D4RL; Gymnasium-Robotics, `FrankaKitchen-v1`: 40 simulation steps of 2 ms, 1 is
2 rad/s, or 2 m/s for a finger). The paper does not say whether it converted them to displacements of the hand.
"""

from __future__ import annotations

from embodio.agent.released.robot import ReleasedRobot, next_action_policy
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment

_ACTION = ActionSpec(
    dimensions=(
        *(Dimension(f"joint_{number}", "2 rad/s", -1.0, 1.0) for number in range(1, 8)),
        *(Dimension(f"finger_{number}", "2 m/s", -1.0, 1.0) for number in (1, 2)),
    ),
    mode="delta",
    frame="joints",
    rotation="none",
    gripper="closed_is_low",
    controller="joint velocity",
)

ROBOT = ReleasedRobot(
    about="Franka Kitchen: a Franka arm in a simulated kitchen",
    embodiment=Embodiment("franka-kitchen", _ACTION, (), (Camera("image", 256, 256),), None, 12.5),
    policy=next_action_policy(cameras=("image",)),
    cameras=("image", "rgb", "render", "front"),
    ranges={"action": ((-1.0, 1.0),) * 9},
    assumed="that its actions are those of the simulator, nine velocities from -1 to 1",
)
