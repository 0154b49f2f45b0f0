"""Array-like arguments: converts NumPy arrays, lists and tensors, and rejects everything else by type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import AgentError, ObservationError


def to_array(name: str, value: Any, error_type: type[AgentError] = ObservationError) -> npt.NDArray[Any]:
    """Converts `value` to an array of numbers.

    Raises:
        AgentError: of `error_type`: `value` cannot be converted, or holds elements that are not numbers.
    """
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError, OverflowError, AttributeError) as error:
        raise error_type(f"{name}: expected an array, got {type(value).__name__}: {error}") from error
    if array.dtype.kind not in "biufc":
        raise error_type(f"{name}: expected an array of numbers, got {type(value).__name__} of {array.dtype}")
    return array


def to_number(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> float:
    """Checks that an argument is a number within limits.

    Args:
        name: of the argument, for the error message.
        value: an int or a float, of Python or NumPy.
        low: smallest value accepted.
        high: largest value accepted.
        whole: accept whole numbers only, and return an int.

    Raises:
        ObservationError: it is not a number, not whole, or out of range.
    """
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
        found = repr(value) if isinstance(value, int | float | str) else type(value).__name__
        expected = "a whole number" if whole else "a number"
        raise ObservationError(f"{name}: got {found[:50]}, expected {expected} from {low:g} to {high:g}")
    return int(value) if whole else float(value)


def seeds_of_rows(seed: int | Sequence[int] | None, rows: int) -> list[int | None]:
    """One seed for each row: the given ones, or s, s + 1, ...; None keeps each row's own.

    Raises:
        ObservationError: the seeds are not whole numbers of at least 0, or their number is not `rows`.
    """
    if seed is None:
        return [None] * rows
    given = to_array("seed", seed)
    if given.dtype.kind not in "iu" or given.ndim > 1 or bool((given < 0).any()):
        raise ObservationError(f"seed: expected a whole number of at least 0, or one for each row, got {seed!r}")
    if not given.ndim:
        return [int(given) + index for index in range(rows)]
    if len(given) != rows:
        raise ObservationError(f"seed: {len(given)} were given for {rows} rows")
    return [int(value) for value in given]
