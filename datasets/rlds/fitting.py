"""Whether numbers of one type can be stored as another one without becoming other numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import FeatureError


def fits(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether numbers keep their values, rounding apart: whole ones are in range, finite ones stay finite."""
    if dtype.kind in "iu" and array.dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return not array.size or bool(limits.min <= int(array.min()) and int(array.max()) <= limits.max)
    if dtype.kind == "b" and array.dtype.kind in "iu":
        return bool(((array == 0) | (array == 1)).all())
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        return False
    if array.dtype.kind != "f" or array.dtype.itemsize <= dtype.itemsize:
        return True
    with np.errstate(over="ignore"):
        return np.array_equal(np.isfinite(array), np.isfinite(array.astype(dtype)))


def as_declared(name: str, stored: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Numbers as a record holds them, float32 or int64, in the declared type; raises FeatureError as `fits` says."""
    if dtype != np.uint64 and not fits(stored, dtype):  # its larger half is stored as numbers below zero
        raise FeatureError(f"{name}: values that are not {dtype}. Its features.json does not belong to it")
    return stored.astype(dtype)
