"""Actions of an environment: the gymnasium box of their dimensions, and their validation before execution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from embodio.envs.embodiment import Dimension
from embodio.envs.errors import InvalidAction


def action_box(dimensions: Sequence[Dimension]) -> spaces.Space[npt.NDArray[np.float32]]:
    """The box float32 [A] between the limits of the dimensions."""
    low, high = (np.array([getattr(d, end) for d in dimensions], np.float32) for end in ("low", "high"))
    return cast("spaces.Space[npt.NDArray[np.float32]]", spaces.Box(low, high, dtype=np.float32))


def checked_action(action: Any, dimensions: Sequence[Dimension], *, slack: float = 0.0) -> npt.NDArray[np.float64]:
    """Validates an action and converts it to float64 [A].

    Args:
        action: numbers [A].
        dimensions: the dimensions of the action.
        slack: permitted excess beyond a limit, as a fraction of the range.

    Raises:
        InvalidAction: the shape is wrong, or a number is not finite or outside the limits; names the dimension.
    """
    values = np.asarray(action, dtype=np.float64)
    if values.shape != (len(dimensions),):
        raise InvalidAction(f"an action has shape ({len(dimensions)},), got {values.shape}")
    for dimension, value in zip(dimensions, values, strict=True):
        edge = slack * (dimension.high - dimension.low)
        if not dimension.low - edge <= value <= dimension.high + edge:  # also false for NaN
            limits = f"[{dimension.low:g}, {dimension.high:g}]"
            raise InvalidAction(f"action dimension {dimension.name!r} is {value}, outside {limits}; clip it first")
    return values
