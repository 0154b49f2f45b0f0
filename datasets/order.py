"""The order of training: which record stands at which place of the stream, a pure function of (seed, position)."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError


@functools.lru_cache(maxsize=4)
def permutation(seed: int, epoch: int, records: int) -> npt.NDArray[np.int64]:
    """The order of all records in one epoch, int64 [records]."""
    return np.random.Generator(np.random.Philox(key=(seed, epoch))).permutation(records)


def record_at(seed: int, position: int, records: int) -> int:
    """The record at `position` (0, 1, ...) of an endless stream that visits every record once an epoch.

    Raises:
        DatasetError: if there are no records.
    """
    if records < 1:
        raise DatasetError("the data set has no record to train on; collect some, or loosen the filters")
    epoch, offset = divmod(position, records)
    return int(permutation(seed, epoch, records)[offset])


def generator_at(seed: int, position: int) -> np.random.Generator:
    """The random generator for everything that is drawn at one place of the stream."""
    return np.random.Generator(np.random.Philox(key=(seed, 0xA09), counter=(0, 0, 0, position)))
