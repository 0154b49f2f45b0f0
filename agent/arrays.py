"""What users give as arrays: NumPy arrays, lists, tensors; anything else is named as what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import AgentError, ObservationError


def to_array(name: str, value: Any, error_type: type[AgentError] = ObservationError) -> npt.NDArray[Any]:
    """An array of what was given.

    Raises:
        AgentError: of the given type: it cannot be read as one, or holds things that are not numbers.
    """
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError, OverflowError, AttributeError) as error:
        raise error_type(f"{name}: expected an array, got {type(value).__name__}: {error}") from error
    if array.dtype.kind not in "biufc":
        raise error_type(f"{name}: expected an array of numbers, got {type(value).__name__} of {array.dtype}")
    return array
