"""Values that a step has in any number, as tfds stores them: one list of all, and one of how many each step has."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import FeatureError
from embodio.datasets.rlds.example_proto import ExampleValues
from embodio.datasets.rlds.features import ImageFeature, TensorFeature, TextFeature
from embodio.datasets.rlds.image_codec import decode_image

_VALUES, _LENGTHS = "ragged_flat_values", "ragged_row_lengths_0"


def read_sequence(
    example: ExampleValues,
    path: str,
    item: ImageFeature | TensorFeature | TextFeature,
    *,
    step: int = 0,
    steps: int = 1,
) -> npt.NDArray[Any] | tuple[Any, ...]:
    """The values of one step, or of the whole episode.

    Args:
        example: the record.
        path: of the field in it.
        item: one value.
        step: which step.
        steps: how many there are.

    Raises:
        FeatureError: lengths and values do not fit.
    """
    ragged = f"{path}/{_LENGTHS}" in example.names()
    name = f"{path}/{_VALUES}" if ragged else path
    values: Any
    if isinstance(item, TensorFeature):
        stored = example.floats(name) if item.is_float else example.integers(name)
        size = max(1, int(np.prod(item.shape)))
        values = stored.astype(item.numpy_dtype)[: len(stored) // size * size].reshape(-1, *item.shape)
    else:
        values = example.blobs(name)
    if ragged:
        ends = np.cumsum(example.integers(f"{path}/{_LENGTHS}"))
    else:
        ends = np.arange(1, steps + 1) * (len(values) // steps)
    if len(ends) != steps or ends[-1] != len(values) or (np.diff(ends, prepend=0) < 0).any():
        raise FeatureError(f"{path}: {len(values)} values do not fit {steps} steps. Fetch the data set again")
    mine = values[int(ends[step - 1]) if step else 0 : int(ends[step])]
    if isinstance(item, ImageFeature):
        return tuple(decode_image(data, item.channels) for data in mine)
    return _texts(path, mine) if isinstance(item, TextFeature) else mine


def _texts(path: str, blobs: Any) -> tuple[str, ...]:
    try:
        return tuple(data.decode("utf-8") for data in blobs)
    except UnicodeDecodeError as error:
        raise FeatureError(f"{path}: bytes that are not UTF-8 text ({error}). Fetch the data again") from error
