"""Idle steps: moments with almost no command and almost no motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.step_rules import IdleConfig
from embodio.datasets.errors import DatasetError
from embodio.envs.embodiment import ActionSpec, Dimension


def idle_steps(
    actions: npt.ArrayLike, states: npt.ArrayLike, action: ActionSpec, state: Sequence[Dimension], config: IdleConfig
) -> npt.NDArray[np.bool_]:
    """Finds the idle steps of one episode.

    A binary dimension, such as a gripper command, counts only where it changes; a robot steered by words is
    never idle, because every word means something. The last step has no next state, so only its action counts. What is
    not finite is not idle: `embodio.datasets.episodes.step_filter` finds it.

    Args:
        actions: [T, A].
        states: [T, S].
        action: meaning of the A numbers.
        state: the S dimensions.
        config: thresholds.

    Returns:
        bool [T], true where idle.

    Raises:
        DatasetError: the numbers of dimensions differ from the robot's.
    """
    commands, measured = np.asarray(actions, dtype=np.float64), np.asarray(states, dtype=np.float64)
    for name, array, size in (("action", commands, len(action.dimensions)), ("state", measured, len(state))):
        if array.ndim != 2 or array.shape[1] != size:
            raise DatasetError(f"{name}: expected [T, {size}], got {array.shape}; give the data set's own embodiment")
    binary = np.array([d.kind == "binary" for d in action.dimensions], dtype=bool)
    change = np.diff(commands, axis=0, prepend=commands[:1])
    if action.mode == "delta":
        change[:, ~binary] = commands[:, ~binary]
    moved = np.diff(measured, axis=0, append=measured[-1:])
    commanded = np.linalg.norm(change / _spans(action.dimensions), axis=1)
    went = np.linalg.norm(moved / _spans(state), axis=1)
    if any(d.kind == "word" for d in action.dimensions):
        return np.zeros(len(commands), dtype=np.bool_)
    idle: npt.NDArray[np.bool_] = (commanded < config.action) & (went < config.state)
    return idle


def _spans(dimensions: Sequence[Dimension]) -> npt.NDArray[np.float64]:
    return np.array([d.high - d.low for d in dimensions], dtype=np.float64)
