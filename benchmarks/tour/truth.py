"""What a simulator knows of a robot's frame: which pixels are what, how far away, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embodio.datasets.corpus.robots.photographer import Photographer, Shot
from embodio.datasets.corpus.robots.stage import STAGES
from embodio.envs.robosuite.embodiments import simulator_cameras
from embodio.envs.robosuite.env import RobosuiteEnv

_COLOURS: Mapping[str, tuple[str, ...]] = {"Lift": ("red",), "Stack": ("red", "green")}
"""Task of robosuite -> the colours that its things have unless they are painted."""


def known_of(world: Any, camera: str) -> Shot | None:
    """What is known of the frame that a camera sees now; None where the simulator is not one that is understood.

    Args:
        world: an environment at the first moment of an episode.
        camera: name of the camera in observations.

    Raises:
        SimulatorError: it cannot be rendered.
    """
    env = world.unwrapped
    if not isinstance(env, RobosuiteEnv) or env.task.class_name not in STAGES:
        return None
    if env.task.arms != 1 or not env.task.gripper:
        return None
    size = next(one.height for one in env.embodiment.cameras if one.name == camera)
    colours = iter(_COLOURS.get(env.task.class_name, ()))
    things = STAGES[env.task.class_name]
    names = tuple(wording.format(next(colours)) if "{}" in wording else wording for wording in things.values())
    return Photographer(env.simulator, tuple(things)).shot(simulator_cameras(env.task)[camera], size, names, False)
