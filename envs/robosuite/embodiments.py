"""The embodiments of robosuite's arms: robot, control, one arm or two, with fingers or with another tool."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from embodio.envs.errors import EnvError
from embodio.envs.robosuite.control import Control
from embodio.envs.robosuite.controls import CONTROLS
from embodio.envs.robosuite.robot import RobosuiteRobot
from embodio.envs.robosuite.robots import ROBOTS
from embodio.envs.robosuite.task import RobosuiteTask
from embodio.envs.robosuite.tasks import TASKS

CONTROL_HZ = 20.0
DEFAULT_ROBOT, DEFAULT_CONTROL = "panda", "osc_pose"
T = TypeVar("T")


def panda_osc_pose(image_size: int = 128) -> Embodiment:
    """Panda with delta OSC_POSE control in the base frame and two square cameras.

    Actions are normalised to [-1, 1] per dimension; the unit of a dimension is the meaning of the value 1.0.

    Args:
        image_size: height and width of both camera images, in pixels.
    """
    return embodiment(image_size=image_size)


def embodiment(
    task: str = "lift", robot: str = DEFAULT_ROBOT, control: str = DEFAULT_CONTROL, image_size: int = 128
) -> Embodiment:
    """The robot of a task.

    Args:
        task: a key of `TASKS`; whether it takes two arms, and fingers.
        robot: a key of `ROBOTS`.
        control: a key of `CONTROLS`.
        image_size: height and width of all camera images, in pixels.

    Raises:
        EnvError: the robot or the control is not known; names the nearest.
    """
    about, arm, way = TASKS[task], known("robot", robot, ROBOTS), known("control", control, CONTROLS)
    prefixes = [f"arm{number}_" for number in range(about.arms)] if about.arms > 1 else [""]
    action = ActionSpec(
        dimensions=_of_each(prefixes, _action(arm, way, about)),
        mode=way.mode,
        frame=way.frame,
        rotation=way.rotation,
        gripper="closed_is_high" if about.gripper else "none",
        controller=way.controller,
    )
    many = "" if about.arms == 1 else f"{about.arms}-"
    tool = "" if about.gripper else "-wiper"
    return Embodiment(
        f"robosuite/{many}{robot}-{way.label}{tool}",
        action,
        state=_of_each(prefixes, _state(arm, way, about)),
        cameras=tuple(Camera(name, image_size, image_size) for name in simulator_cameras(about)),
        microphone=None,
        control_hz=CONTROL_HZ,
    )


def simulator_cameras(task: RobosuiteTask) -> dict[str, str]:
    """Camera names of this package and of robosuite, in the order in which a policy reads them."""
    if task.arms == 1:
        return {"agentview": "agentview", "wrist": "robot0_eye_in_hand"}
    wrists = {f"wrist{number}": f"robot{number}_eye_in_hand" for number in range(task.arms)}
    return {"agentview": "agentview"} | wrists


def known(field: str, name: str, choices: Mapping[str, T]) -> T:
    """The robot or control of a name.

    Raises:
        EnvError: it is not known; names the nearest.
    """
    if name not in choices:
        near = difflib.get_close_matches(name, list(choices), n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise EnvError(f"{field}: {name!r} is not known.{meant} There are {', '.join(choices)}")
    return choices[name]


def _action(robot: RobosuiteRobot, control: Control, task: RobosuiteTask) -> tuple[Dimension, ...]:
    gripper = (Dimension("gripper", "command", -1.0, 1.0, kind="binary"),) if task.gripper else ()
    return (*control.dimensions(robot), *gripper)


def _state(robot: RobosuiteRobot, control: Control, task: RobosuiteTask) -> tuple[Dimension, ...]:
    joints = [Dimension(f"joint{number}", "rad", *limits) for number, limits in enumerate(robot.joints, start=1)]
    return (
        Dimension("eef_x", "m", -1.0, 1.0),
        Dimension("eef_y", "m", -1.0, 1.0),
        Dimension("eef_z", "m", 0.0, 2.0),
        *(Dimension(f"eef_q{axis}", "quaternion", -1.0, 1.0) for axis in "xyzw"),
        *(robot.fingers if task.gripper else ()),
        *(joints if control.joints else ()),
    )


def _of_each(prefixes: list[str], dimensions: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
    """The dimensions of every arm."""
    return tuple(
        Dimension(prefix + one.name, one.unit, one.low, one.high, one.kind) for prefix in prefixes for one in dimensions
    )
