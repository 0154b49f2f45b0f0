"""Putting a cereal into its compartment of the other bin."""

from __future__ import annotations

import numpy as np

from embodio.envs.policy import Policy
from embodio.envs.robosuite.bins import into_compartment
from embodio.envs.robosuite.pick_place import Grasp
from embodio.envs.robosuite.task import ObjectPoses, RobosuiteTask


def placer(env: ObjectPoses) -> Policy:
    """The scripted expert."""
    return into_compartment(env, Grasp("Cereal", width=0.03, symmetry=np.pi, height=0.03, axis=1))


TASK = RobosuiteTask(class_name="PickPlaceCereal", instruction="put the cereal into the bin", expert=placer)
