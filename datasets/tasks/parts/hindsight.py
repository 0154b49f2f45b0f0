"""Hindsight relabelling: a later moment of an episode serves as the goal of an earlier one."""

from __future__ import annotations

import numpy as np

from embodio.datasets.errors import DatasetError


def later_step(length: int, step: int, farthest: int, generator: np.random.Generator | None) -> int:
    """Draws a later step uniformly.

    Args:
        length: steps of the episode.
        step: the current one.
        farthest: largest number of steps ahead, at least 1.
        generator: None takes the farthest one.

    Returns:
        A step from `step + 1` to `step + farthest` inside the episode; the last step is its own goal.

    Raises:
        DatasetError: the step is not in the episode, or `farthest` is below 1.
    """
    if not 0 <= step < length:
        raise DatasetError(f"step {step}: the episode has {length}")
    if farthest < 1:
        raise DatasetError(f"farthest: got {farthest}, expected at least 1 step ahead")
    last = min(length - 1, step + farthest)
    if generator is None or last == step:
        return last
    return int(generator.integers(step + 1, last, endpoint=True))
