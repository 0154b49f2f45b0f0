"""Franka's Panda with its own gripper."""

from __future__ import annotations

from embodio.envs.embodiment import Dimension
from embodio.envs.robosuite.robot import RobosuiteRobot

ROBOT = RobosuiteRobot(
    class_name="Panda",
    joints=(
        (-2.897, 2.897), (-1.763, 1.763), (-2.897, 2.897), (-3.072, -0.07), (-2.897, 2.897), (-0.018, 3.752),
        (-2.897, 2.897),
    ),
    fingers=(Dimension("finger_left", "m", 0.0, 0.04), Dimension("finger_right", "m", -0.04, 0.0)),
    pads=0.007,
    widest=0.08,
)  # fmt: skip
