"""KUKA's LBR iiwa 7 with Robotiq's gripper 140."""

from __future__ import annotations

from embodio.envs.robosuite.robot import RobosuiteRobot, robotiq

ROBOT = RobosuiteRobot(
    class_name="IIWA",
    joints=(
        (-2.967, 2.967), (-2.094, 2.094), (-2.967, 2.967), (-2.094, 2.094), (-2.967, 2.967), (-2.094, 2.094),
        (-3.054, 3.054),
    ),
    fingers=robotiq(finger=0.725, knuckle=0.8757),
    pads=0.005,
    widest=0.12,
)  # fmt: skip
