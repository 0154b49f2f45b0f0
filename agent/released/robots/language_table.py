"""Language Table, simulated and real: an arm pushes blocks on a board with a stick, in the plane.

An action is a displacement of the stick's target of up to 0.1 m in x and y, at 10 Hz (google-research/language-table).
"""

from __future__ import annotations

from embodio.agent.released.robot import ReleasedRobot, next_action_policy
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment

_ACTION = ActionSpec(
    dimensions=(Dimension("x", "m", -0.1, 0.1), Dimension("y", "m", -0.1, 0.1)),
    mode="delta",
    frame="board",
    rotation="none",
    gripper="none",
    controller="end effector setpoint",
)

ROBOT = ReleasedRobot(
    about="Language Table: a stick pushes blocks on a board",
    embodiment=Embodiment("xarm-stick", _ACTION, (), (Camera("rgb", 360, 640),), None, 10.0),
    policy=next_action_policy(cameras=("rgb",)),
    cameras=("rgb", "image", "front"),
    ranges={"action": ((-0.1, 0.1), (-0.1, 0.1))},
    assumed="the range of the actions, taken from the environment's action space",
)
