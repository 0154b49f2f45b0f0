"""Rethink's Sawyer with its two-finger gripper."""

from __future__ import annotations

from embodio.envs.embodiment import Dimension
from embodio.envs.robosuite.robot import RobosuiteRobot

ROBOT = RobosuiteRobot(
    class_name="Sawyer",
    joints=(
        (-3.05, 3.05), (-3.81, 2.274), (-3.043, 3.043), (-3.044, 3.044), (-2.976, 2.976), (-2.976, 2.976),
        (-4.712, 4.712),
    ),
    fingers=(Dimension("finger_left", "m", -0.0115, 0.0208), Dimension("finger_right", "m", -0.0208, 0.0115)),
    pads=0.007,
    widest=0.06,
    overlapping=(("robot{}_right_arm_base_link", "robot{}_right_l0"),),
)  # fmt: skip
