"""KeptSteps: a task without the records of steps that the filter leaves out."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from embodio.datasets.episodes.step_filter import NOT_FINITE, REASONS, StepFilter
from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.tasks.parts.record_task import Place, RecordTask
from embodio.model.example import Example


class StepTask(RecordTask, Protocol):
    """A RecordTask that knows the steps whose numbers a record reads."""

    def reads(self, index: int) -> range:
        """Steps whose numbers record `index` reads or writes; they may reach beyond the end of the episode."""


class KeptSteps:
    """A task without the records of excluded steps, and without those that read a non-finite step.

    Args:
        task: whose records are filtered.
        steps: the filter of its data set.

    Attributes:
        dropped: number of excluded records.

    Raises:
        DatasetError: no record remains.
    """

    def __init__(self, task: StepTask, steps: StepFilter) -> None:
        self._task = task
        self._kept = np.array([index for index in range(len(task)) if _is_kept(task, index, steps)], dtype=np.int64)
        self.dropped = len(task) - len(self._kept)
        if not len(self._kept):
            why = ", ".join(f"{count} steps are {reason}" for reason, count in steps.counts.items())
            raise DatasetError(
                f"{task.place(0).dataset}: the filter for steps leaves none of {len(task)} records ({why}). Loosen it: "
                "task.idle_action, task.idle_state, task.lowest, task.highest"
            )

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Episodes that were left out because they are damaged."""
        return self._task.damaged

    def __len__(self) -> int:
        """Records that are left."""
        return len(self._kept)

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return self._task.place(self._record(index))

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        """The Example of record `index`."""
        return self._task.example(self._record(index), generator)

    def _record(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise DatasetError(f"record {index}: there are {len(self)}")
        return int(self._kept[index])


def _is_kept(task: StepTask, index: int, steps: StepFilter) -> bool:
    place = task.place(index)
    reasons = steps.left_out.get(place.episode)
    if reasons is None:
        return True
    read = task.reads(index)
    not_finite = reasons[max(0, read.start) : read.stop] == 1 + REASONS.index(NOT_FINITE)
    return not reasons[place.step] and not not_finite.any()
