"""The order of training: the record at each position of the stream, a pure function of (seed, position)."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError

_DRAWS, _MASKS, _SPARES = 0xA09, 0x3A5C, 0xDA3A  # the purpose of a generator; part of its key
_WORD = 0xFFFFFFFFFFFFFFFF
_ROUNDS = 4


@functools.lru_cache(maxsize=4)
def permutation(seed: int, epoch: int, records: int) -> npt.NDArray[np.int64]:
    """The order of all records in one epoch, int64 [records]."""
    return np.random.Generator(np.random.Philox(key=(seed, epoch))).permutation(records)


def record_at(seed: int, position: int, records: int) -> int:
    """The record at `position` (0, 1, ...) of an endless stream that visits every record once an epoch.

    Raises:
        DatasetError: if there are no records.
    """
    _require(records)
    epoch, offset = divmod(position, records)
    return int(permutation(seed, epoch, records)[offset])


def records_at(seed: int, positions: range, records: int) -> npt.NDArray[np.int64]:
    """`record_at` for successive positions, int64 [N]; errors as there."""
    _require(records)
    parts, position = [np.zeros(0, np.int64)], positions.start
    while position < positions.stop:
        epoch, offset = divmod(position, records)
        parts.append(permutation(seed, epoch, records)[offset : offset + positions.stop - position])
        position += len(parts[-1])
    return np.concatenate(parts)


def scattered(key: tuple[int, ...], position: int, size: int) -> int:
    """Where `position` goes in a pseudo-random permutation of 0 ... size - 1; takes no memory, whatever the size.

    A balanced Feistel network over the next even number of bits is walked until it comes back into range (Black and
    Rogaway, 2002), which takes less than four walks on average.

    Args:
        key: any whole numbers; another key is another permutation.
        position: from 0 to size - 1.
        size: of the permutation.
    """
    if not 0 <= position < size:
        raise DatasetError(f"position {position} of a permutation of {size}")
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    low = (1 << half) - 1
    keys = _round_keys(key)
    value = position
    while True:
        left, right = value >> half, value & low
        for round_key in keys:
            left, right = right, left ^ (_mixed(right ^ round_key) & low)
        value = left << half | right
        if value < size:
            return value


def generator_at(seed: int, position: int, attempt: int = 0) -> np.random.Generator:
    """The random generator for everything that a task draws at one place of the stream.

    Spare records (`attempt` 1, 2, ...) have draws of their own: what is drawn to a record may be what is damaged.
    """
    return np.random.Generator(np.random.Philox(key=(seed, _DRAWS), counter=(0, 0, attempt, position)))


def mask_generator_at(seed: int, position: int) -> np.random.Generator:
    """The random generator for the processor's draws there: the patches that are seen."""
    return np.random.Generator(np.random.Philox(key=(seed, _MASKS), counter=(0, 0, 0, position)))


def spare_record_at(seed: int, position: int, attempt: int, records: int) -> int:
    """The record that replaces a damaged one at `position`; `attempt` (1, 2, ...) counts the spares tried."""
    generator = np.random.Generator(np.random.Philox(key=(seed, _SPARES), counter=(0, 0, attempt, position)))
    return int(generator.integers(records))


def _require(records: int) -> None:
    if records < 1:
        raise DatasetError("the data set has no record to train on; collect some, or loosen the filters")


@functools.lru_cache(maxsize=1024)
def _round_keys(key: tuple[int, ...]) -> tuple[int, ...]:
    state = 0
    for number in key:
        state = _mixed(state ^ _mixed(number & _WORD))
    return tuple(_mixed(state + round_number) for round_number in range(1, _ROUNDS + 1))


def _mixed(value: int) -> int:
    """The finaliser of SplitMix64: every bit of the result depends on every bit of the value."""
    value = (value + 0x9E3779B97F4A7C15) & _WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _WORD
    return value ^ (value >> 31)
