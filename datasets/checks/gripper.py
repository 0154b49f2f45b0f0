"""The check that the measured gripper follows the command in the direction that the embodiment states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from embodio.envs.embodiment import Embodiment

_DELAY = 3  # steps that fingers are given to move
_OPENING = ("finger", "opening", "width", "gripper")
_STILL = 0.01  # of the measured range: less movement says nothing

Outcome = tuple[Literal["ok", "warning", "unknown"], str, str]


def check_gripper(
    robot: Embodiment | None,
    actions: Sequence[npt.NDArray[np.float64]],
    states: Sequence[npt.NDArray[np.float64]],
) -> Outcome:
    """Compares how the opening changes after commands to close and to open.

    The opening is the sum of the sizes of the state dimensions whose names speak of fingers, opening, width or gripper.

    Args:
        robot: says which end of the gripper's axis closes it; None if it is not described.
        actions: of each episode, [T, A].
        states: of each episode, [T, S].

    Returns:
        Status, figures, and the remedy of a warning.
    """
    if robot is None or robot.action.gripper == "none":
        return "unknown", "no gripper is described", ""
    axis = [i for i, dimension in enumerate(robot.action.dimensions) if "grip" in dimension.name]
    fingers = [i for i, dimension in enumerate(robot.state) if any(word in dimension.name for word in _OPENING)]
    if len(axis) != 1 or not fingers or not states:
        return "unknown", "action and state do not both name a gripper", ""
    dimension = robot.action.dimensions[axis[0]]
    middle = (dimension.low + dimension.high) / 2
    high, low, spread = list[float](), list[float](), 0.0
    for action, state in zip(actions, states, strict=True):
        if len(action) <= _DELAY or action.shape[1] <= axis[0] or state.shape[1] <= max(fingers):
            continue
        opening = np.abs(state[:, fingers]).sum(axis=1)
        change, command = opening[_DELAY:] - opening[:-_DELAY], action[:-_DELAY, axis[0]]
        known = np.isfinite(change) & np.isfinite(command)
        high += change[known & (command > middle)].tolist()
        low += change[known & (command < middle)].tolist()
        if known.any():
            spread = max(spread, float(np.nanmax(opening) - np.nanmin(opening)))
    if not high or not low:
        return "unknown", "the gripper is commanded one way only", ""
    closing = float(np.mean(low) - np.mean(high))  # positive: the high end closes
    found = f"opening changes by {np.mean(high):.2g} after high commands, {np.mean(low):.2g} after low ones"
    if abs(closing) <= _STILL * spread or not spread:
        return "unknown", f"{found}: too little to tell", ""
    says = "closed_is_high" if closing > 0 else "closed_is_low"
    if says == robot.action.gripper:
        return "ok", f"{found}: {says}", ""
    return "warning", f"{found}: {says}", f"the embodiment says {robot.action.gripper}; set action.gripper: {says}"
