"""Putting a can into its compartment of the other bin."""

from __future__ import annotations

from embodio.envs.policy import Policy
from embodio.envs.robosuite.bins import into_compartment
from embodio.envs.robosuite.pick_place import Grasp
from embodio.envs.robosuite.task import ObjectPoses, RobosuiteTask


def placer(env: ObjectPoses) -> Policy:
    """The scripted expert."""
    return into_compartment(env, Grasp("Can", width=0.05, symmetry=0.0))


TASK = RobosuiteTask(class_name="PickPlaceCan", instruction="put the can into the bin", expert=placer)
