"""Putting a square nut over a square peg."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embodio.envs.policy import Policy
from embodio.envs.robosuite.pick_place import Grasp, PickPlaceExpert, PlaceSettings
from embodio.envs.robosuite.task import ObjectPoses, RobosuiteTask

_HEADINGS = (np.pi / 2, np.pi, 3 * np.pi / 2)  # of the handle; beyond the peg the arm could not reach it
_DOWN = 0.02  # height of the peg's middle above a nut that lies around it (m)
# The peg is 10 cm high above that, and leaves the nut 7 mm on each side.
_SETTINGS = PlaceSettings(clearance=0.18, over=0.004, headings=_HEADINGS, turned_over=0.06, low=3.0)


def around_peg(env: ObjectPoses) -> NDArray[np.float64]:
    """Where the centre of the nut is once it lies around the peg (m)."""
    return env.body_pose("peg1")[0] - [0.0, 0.0, _DOWN]


def assembler(env: ObjectPoses) -> Policy:
    """The scripted expert, which holds the nut by its handle."""
    grasp = Grasp("SquareNut", width=0.032, symmetry=np.pi, axis=1, along=0.062)
    return PickPlaceExpert(env, grasp, around_peg, _SETTINGS)


TASK = RobosuiteTask(
    class_name="NutAssemblySquare", instruction="put the square nut on the square peg", expert=assembler
)
