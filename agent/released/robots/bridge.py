"""BridgeData V2: a WidowX arm in toy kitchens, driven by displacements of the hand at 5 Hz.

An action is a displacement of position (3), one of roll, pitch, yaw (3), and the gripper, where 1 is open. The ranges
are the limits of the controller with which the data were recorded: 0.05 m and 0.25 rad.
"""

from __future__ import annotations

from embodio.agent.released.robot import ReleasedRobot, next_action_policy
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment

_ACTION = ActionSpec(
    dimensions=(
        *(Dimension(axis, "m", -0.05, 0.05) for axis in "xyz"),
        *(Dimension(angle, "rad", -0.25, 0.25) for angle in ("roll", "pitch", "yaw")),
        Dimension("gripper", "open", 0.0, 1.0, "binary"),
    ),
    mode="delta",
    frame="base",
    rotation="euler_xyz",
    gripper="closed_is_low",
    controller="end effector displacement",
)

ROBOT = ReleasedRobot(
    about="BridgeData V2: a WidowX arm in toy kitchens",
    embodiment=Embodiment("widowx", _ACTION, (), (Camera("image_0", 256, 256),), None, 5.0),
    policy=next_action_policy(cameras=("image_0",)),
    cameras=("image_0", "image", "rgb", "front"),
    ranges={"action": (*[(-0.05, 0.05)] * 3, *[(-0.25, 0.25)] * 3, (0.0, 1.0))},
    assumed="the ranges of the actions, taken from the limits of the data's controller",
)
