"""Mixture: several tasks in one endless stream at given rates; each record depends on its position alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.stream.mixture_config import MixtureConfig
from embodio.datasets.stream.order import scattered, spare_record_at
from embodio.datasets.tasks.parts.record_task import RecordTask

BLOCK = 1 << 16
"""Positions in which every task has its exact share; rates are multiples of 1 / BLOCK."""


@dataclass(frozen=True)
class MixtureEntry:
    """One task of a mixture.

    Attributes:
        name: for messages and reports.
        task: its records.
        weight: its rate, up to a common factor.
        category: the tasks of a category share its rate.
    """

    name: str
    task: RecordTask
    weight: float = 1.0
    category: str = ""


class Mixture:
    """Tasks with rates. It is stateless: a position determines everything, so workers, ranks and resuming need no care.

    Args:
        entries: the tasks.
        config: how they share the stream.

    Raises:
        DatasetError: no tasks, a task without records, two of one name, or weights or categories that give no rates.
    """

    def __init__(self, entries: Sequence[MixtureEntry], config: MixtureConfig) -> None:
        if not entries:
            raise DatasetError("mixture: it has no tasks; give at least one")
        names = [entry.name for entry in entries]
        if len(set(names)) < len(names):
            raise DatasetError(f"mixture: names must differ, got {', '.join(names)}")
        empty = [entry.name for entry in entries if not len(entry.task)]
        if empty:
            raise DatasetError(f"mixture: {', '.join(empty)} has no records; leave it out, or loosen its filters")
        self.entries, self.config = tuple(entries), config
        self._sizes = [len(entry.task) for entry in entries]
        self._ends = np.cumsum(self._sizes)
        self._quotas = quotas(self.rates(), BLOCK)
        self._quota_ends = np.cumsum(self._quotas)

    def __len__(self) -> int:
        """Records of all tasks."""
        return int(self._ends[-1])

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Episodes that the tasks left out because they are damaged."""
        return tuple(error for entry in self.entries for error in entry.task.damaged)

    def rates(self) -> npt.NDArray[np.float64]:
        """The share of each task in the stream, float64 [tasks], sum 1 (before rounding to 1 / BLOCK)."""
        sizes = np.array(self._sizes, dtype=np.float64)
        if self.config.mode == "epoch":
            return sizes / sizes.sum()
        exponent = 1.0 / self.config.temperature if self.config.temperature else 0.0
        weights = np.array([checked_weight(entry.name, entry.weight) for entry in self.entries])
        weights = weights / weights.max() * sizes**exponent
        categories = self.config.categories
        if not categories:
            return weights / weights.sum()
        wrong = sorted({entry.category for entry in self.entries} ^ set(categories))
        if wrong:
            raise DatasetError(f"categories: {wrong} are only in the config or only in the tasks; they must agree")
        total = sum(checked_weight(name, rate) for name, rate in categories.items())
        rates = np.zeros(len(self.entries))
        for name, rate in categories.items():
            inside = np.array([entry.category == name for entry in self.entries])
            rates[inside] = weights[inside] / weights[inside].sum() * (rate / total)
        return rates

    def draw(self, seed: int, position: int, attempt: int = 0) -> tuple[RecordTask, int]:
        """The task and the record at a place of the stream.

        Args:
            seed: of the order.
            position: 0, 1, ...
            attempt: 0, or the number of a spare record of the same task, where those before were damaged.
        """
        number, record = self.place(seed, position)
        if attempt:
            record = spare_record_at(seed, position, attempt, self._sizes[number])
        return self.entries[number].task, record

    def place(self, seed: int, position: int) -> tuple[int, int]:
        """The number of the task and the record in it, at a place of the stream."""
        if self.config.mode == "epoch":
            epoch, offset = divmod(position, len(self))
            index = scattered((seed, epoch), offset, len(self))
            number = int(np.searchsorted(self._ends, index, side="right"))
            return number, index - int(self._ends[number]) + self._sizes[number]
        block, offset = divmod(position, BLOCK)
        slot = scattered((seed, block, BLOCK), offset, BLOCK)
        number = int(np.searchsorted(self._quota_ends, slot, side="right"))
        quota = self._quotas[number]
        drawn = block * quota + slot - int(self._quota_ends[number]) + quota
        epoch, turn = divmod(drawn, self._sizes[number])
        return number, scattered((seed, epoch, number, self._sizes[number]), turn, self._sizes[number])


def quotas(rates: npt.NDArray[np.float64], total: int) -> list[int]:
    """Whole numbers that share `total` as `rates` do: largest remainders get the rest, and each gets at least one."""
    if len(rates) > total:
        raise DatasetError(f"mixture: {len(rates)} tasks, at most {total} are possible")
    exact = rates * total
    counts = np.maximum(np.floor(exact).astype(np.int64), 1)
    missing = total - int(counts.sum())
    order = np.argsort(counts - exact, kind="stable")
    if missing >= 0:
        for place in range(missing):
            counts[order[place % len(order)]] += 1
    else:  # some rates were rounded up to one slot, at the cost of the largest
        for _ in range(-missing):
            counts[int(np.argmax(counts))] -= 1
    return [int(count) for count in counts]


def checked_weight(name: str, weight: float) -> float:
    """The weight of something; raises DatasetError unless it is a positive number."""
    if not (math.isfinite(weight) and weight > 0):
        raise DatasetError(
            f"weight of {name!r}: got {weight}, expected a positive number; leave out what shall not count"
        )
    return weight
