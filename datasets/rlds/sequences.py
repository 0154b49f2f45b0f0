"""Sequences as tfds stores them: one list of all values, and one of the number at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import decode_image
from embodio.datasets.episodes.features import ImageFeature, TensorFeature, TextFeature, as_declared
from embodio.datasets.errors import FeatureError
from embodio.datasets.rlds.example_proto import ExampleValue, ExampleValues

VALUES, LENGTHS = "ragged_flat_values", "ragged_row_lengths_0"
Item = ImageFeature | TensorFeature | TextFeature


@dataclass(frozen=True)
class StoredSequence:
    """The values of all steps, or of the whole episode.

    Attributes:
        path: of the field in the record.
        item: one value.
        values: numbers [N, *shape], or N byte strings.
        ends: one past the last value of each step, int64 [steps].
    """

    path: str
    item: Item
    values: Any
    ends: npt.NDArray[np.int64]

    @classmethod
    def find(cls, example: ExampleValues, path: str, item: Item, steps: int = 1) -> StoredSequence:
        """Takes it from a record.

        Args:
            example: the record.
            path: of the field in it.
            item: one value.
            steps: how many there are; 1 for a field of the episode.

        Raises:
            FeatureError: lengths and values are inconsistent.
        """
        ragged = f"{path}/{LENGTHS}" in example.names()
        name = f"{path}/{VALUES}" if ragged else path
        values: Any
        if isinstance(item, TensorFeature):
            stored = example.floats(name) if item.is_float else example.integers(name)
            size = max(1, int(np.prod(item.shape)))
            values = as_declared(path, stored, item.numpy_dtype)[: len(stored) // size * size].reshape(-1, *item.shape)
            values.setflags(write=False)
        else:
            values = example.blobs(name)
        if ragged:
            ends = np.cumsum(example.integers(f"{path}/{LENGTHS}"))
        else:
            ends = np.arange(1, steps + 1) * (len(values) // steps)
        if len(ends) != steps or ends[-1] != len(values) or (np.diff(ends, prepend=0) < 0).any():
            raise FeatureError(f"{path}: {len(values)} values do not fit {steps} steps. Fetch the data set again")
        return cls(path, item, values, ends)

    def at(self, step: int = 0) -> npt.NDArray[Any] | tuple[Any, ...]:
        """The values of one step: numbers as an array [n, *shape], read-only, texts and images as a tuple."""
        mine = self.values[int(self.ends[step - 1]) if step else 0 : int(self.ends[step])]
        if isinstance(self.item, ImageFeature):
            return tuple(decode_image(data, self.item.channels) for data in mine)
        return _texts(self.path, mine) if isinstance(self.item, TextFeature) else mine


def stored_as(path: str, values: ExampleValue, counts: Sequence[int] | None) -> dict[str, ExampleValue]:
    """The entries of a record for concatenated values.

    Args:
        path: of the field in the record.
        values: of all steps, or of the episode.
        counts: number at each step; None for a field of the episode.
    """
    if counts is None:
        return {path: values}
    return {f"{path}/{VALUES}": values, f"{path}/{LENGTHS}": np.array(counts, np.int64)}


def _texts(path: str, blobs: Any) -> tuple[str, ...]:
    try:
        return tuple(data.decode("utf-8") for data in blobs)
    except UnicodeDecodeError as error:
        raise FeatureError(f"{path}: bytes that are not UTF-8 text ({error}). Fetch the data again") from error
