"""RobosuiteRobot: an arm of robosuite with its usual gripper."""

from __future__ import annotations

from dataclasses import dataclass

from embodio.envs.embodiment import Dimension


@dataclass(frozen=True)
class RobosuiteRobot:
    """An arm with a gripper, by default robosuite's own choice for it.

    Attributes:
        class_name: robosuite's name of it, e.g. "Sawyer".
        joints: limits (low, high) of the joints of the arm (rad), from the base to the hand.
        fingers: the joints of the gripper, as the state has them.
        pads: what the distance of the middles of the pads exceeds the width of what they hold by (m).
        widest: distance of the open fingers (m).
        overlapping: pairs of bodies whose shapes for collisions overlap in robosuite's model, so that their contact
            blocks a joint; it is switched off. "{}" is the number of the arm.
        gripper: robosuite's name of the gripper.
    """

    class_name: str
    joints: tuple[tuple[float, float], ...]
    fingers: tuple[Dimension, ...]
    pads: float
    widest: float
    overlapping: tuple[tuple[str, str], ...] = ()
    gripper: str = "default"


def robotiq(finger: float, knuckle: float) -> tuple[Dimension, ...]:
    """The six joints of Robotiq's grippers.

    Args:
        finger: how far the two driven joints turn (rad), in both directions where they mirror each other.
        knuckle: how far the four passive joints turn (rad).
    """
    limits = {"outer": finger, "inner_finger": knuckle, "inner_knuckle": knuckle}
    names = [f"{side}_{joint}" for side in ("left", "right") for joint in limits]
    return tuple(
        Dimension(name, "rad", -limits[name.split("_", 1)[1]], limits[name.split("_", 1)[1]]) for name in names
    )
