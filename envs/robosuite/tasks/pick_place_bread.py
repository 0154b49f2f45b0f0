"""Putting a bread into its compartment of the other bin."""

from __future__ import annotations

import numpy as np

from embodio.envs.policy import Policy
from embodio.envs.robosuite.bins import into_compartment
from embodio.envs.robosuite.pick_place import Grasp
from embodio.envs.robosuite.task import ObjectPoses, RobosuiteTask


def placer(env: ObjectPoses) -> Policy:
    """The scripted expert."""
    return into_compartment(env, Grasp("Bread", width=0.04, symmetry=np.pi, height=0.015, axis=1))


TASK = RobosuiteTask(class_name="PickPlaceBread", instruction="put the bread into the bin", expert=placer)
