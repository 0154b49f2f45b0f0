"""Universal Robots' UR5e with Robotiq's gripper 140.

The gripper that robosuite gives it, Robotiq's 85, cannot close on a thing of less than 6 cm under MuJoCo 3.9, because
its knuckles collide.
"""

from __future__ import annotations

import numpy as np

from embodio.envs.robosuite.robot import RobosuiteRobot, robotiq

_TURN = 2 * np.pi
ROBOT = RobosuiteRobot(
    class_name="UR5e",
    joints=((-_TURN, _TURN), (-_TURN, _TURN), (-np.pi, np.pi), (-_TURN, _TURN), (-_TURN, _TURN), (-_TURN, _TURN)),
    fingers=robotiq(finger=0.725, knuckle=0.8757),
    pads=0.005,
    widest=0.12,
    gripper="Robotiq140Gripper",
)
