"""Actions of a robot that keeps still: nothing moves, and the gripper stays open."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embodio.envs.embodiment import Dimension, Embodiment


def still_action(embodiment: Embodiment, action: NDArray[np.float32]) -> NDArray[np.float32]:
    """The action that keeps a robot still, float32 [A].

    Args:
        embodiment: of the robot. Where its actions are positions rather than changes, no action keeps still for every
            pose, and the given one is returned.
        action: of the policy, float32 [A].
    """
    if embodiment.action.mode != "delta":
        return action
    dimensions = embodiment.action.dimensions
    values = [open_value(embodiment, one) if one.kind == "binary" else _rest(one) for one in dimensions]
    return np.array(values, np.float32)


def open_value(embodiment: Embodiment, gripper: Dimension) -> float:
    """The value of a gripper's dimension that opens it."""
    return gripper.high if embodiment.action.gripper == "closed_is_low" else gripper.low


def _rest(dimension: Dimension) -> float:
    return min(max(0.0, dimension.low), dimension.high)
