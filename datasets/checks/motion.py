"""The check that motion follows commands: the delay between commands along x, y, z and measured positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.datasets.checks.finding import Finding
from embodio.envs.embodiment import Dimension, Embodiment

CHECK = "delay of the motion"
_DELAYS = range(-4, 7)  # steps
_LEAST = 0.3  # correlation from which it says something
_MARGIN = 0.05  # by how much a motion before its command has to correlate better than one after it

Vectors = npt.NDArray[np.float64]


def check_motion(robot: Embodiment | None, actions: Sequence[Vectors], states: Sequence[Vectors]) -> Finding:
    """Finds the delay at which measured displacements follow the commands best.

    Commands are actions of a robot that moves by "delta", and changes of the action for an "absolute" one. Pairs are
    dimensions in metres, of action and state, whose names end in the same axis.

    Args:
        robot: None if it is not described.
        actions: of each episode, [T, A].
        states: of each episode, [T, S].
    """
    pairs = [] if robot is None else _pairs(robot.action.dimensions, robot.state)
    if robot is None or not pairs or not states:
        return Finding(CHECK, "unknown", "action and state do not both name positions along x, y, z in metres")
    found = {delay: _correlation(robot, pairs, actions, states, delay) for delay in _DELAYS}
    best = max(found, key=lambda delay: found[delay])
    if found[best] < _LEAST:
        return Finding(CHECK, "unknown", f"positions hardly follow commands (correlation {found[best]:.2f} at best)")
    text = f"positions follow commands best after {best} steps (correlation {found[best]:.2f})"
    after = max(found[delay] for delay in _DELAYS if delay >= 0)
    if best < 0 and found[best] - after > _MARGIN:
        return Finding(CHECK, "warning", text, f"actions come at least {-best} steps late: shift them when converting")
    return Finding(CHECK, "ok", text)


def _pairs(action: Sequence[Dimension], state: Sequence[Dimension]) -> list[tuple[int, int]]:
    """Places of the dimensions that belong together, where each axis is named once."""
    found: list[tuple[int, int]] = []
    for axis in "xyz":
        places = [[i for i, d in enumerate(row) if _along(d, axis)] for row in (action, state)]
        if all(len(place) == 1 for place in places):
            found.append((places[0][0], places[1][0]))
    return found


def _along(dimension: Dimension, axis: str) -> bool:
    return dimension.name.rpartition("_")[2] == axis and dimension.unit.split()[-1:] == ["m"]


def _correlation(
    robot: Embodiment,
    pairs: Sequence[tuple[int, int]],
    actions: Sequence[Vectors],
    states: Sequence[Vectors],
    delay: int,
) -> float:
    """Correlation of command t with the displacement from t + delay on, averaged over the axes; 0 where none moves."""
    totals: list[float] = []
    for place, measured in pairs:
        commands, moves = list[Vectors](), list[Vectors]()
        for action, state in zip(actions, states, strict=True):
            if len(action) < 2 or action.shape[1] <= place or state.shape[1] <= measured:
                continue
            column = action[:, place]
            commanded = (column if robot.action.mode == "delta" else np.diff(column, prepend=column[0]))[:-1]
            moved = np.diff(state[:, measured])
            start = np.arange(max(0, -delay), len(commanded) - max(0, delay))
            if start.size:
                commands.append(commanded[start])
                moves.append(moved[start + delay])
        if not commands:
            continue
        command, move = np.concatenate(commands), np.concatenate(moves)
        known = np.isfinite(command) & np.isfinite(move)
        command, move = command[known], move[known]
        if command.size > 2 and np.ptp(command) > 0 and np.ptp(move) > 0:
            totals.append(float(np.corrcoef(command, move)[0, 1]))
    return float(np.mean(totals)) if totals else 0.0
