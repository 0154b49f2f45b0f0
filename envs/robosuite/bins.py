"""The expert of the four tasks with two bins, which drops an object over its compartment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embodio.envs.policy import Policy
from embodio.envs.robosuite.pick_place import Grasp, PickPlaceExpert, PlaceSettings
from embodio.envs.robosuite.task import ObjectPoses

# The walls between the compartments are low, but a carried object must pass above them; it may be let go anywhere
# over its compartment and need not stand. A tolerance for letting go that is wider than that for lowering keeps an
# object that drifts between the opening fingers from being gripped again.
_SETTINGS = PlaceSettings(clearance=0.14, placed=0.09, placed_height=0.06, over=0.03, low=2.0)


def into_compartment(env: ObjectPoses, grasp: Grasp) -> Policy:
    """The scripted expert that brings an object to where robosuite shows its transparent double."""

    def goal(poses: ObjectPoses) -> NDArray[np.float64]:
        return poses.body_pose(f"Visual{grasp.name}")[0] + [0.0, 0.0, 0.03]

    return PickPlaceExpert(env, grasp, goal, _SETTINGS)
