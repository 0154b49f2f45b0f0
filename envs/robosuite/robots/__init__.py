"""The arms that robosuite's tasks can have, found by listing this folder.

An arm is one module with an instance `ROBOT` of `RobosuiteRobot`; the name of the module is the name of the arm.
"""

from __future__ import annotations

from collections.abc import Mapping

from embodio.envs.listed_modules import ListedModules
from embodio.envs.robosuite.robot import RobosuiteRobot

ROBOTS: Mapping[str, RobosuiteRobot] = ListedModules(__name__, "ROBOT")
