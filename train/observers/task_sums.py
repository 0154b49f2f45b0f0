"""What each task of a mixture learns: its share of the stream, bits per token and accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch

from embodio.datasets.stream.loader import BatchMaker
from embodio.train.observers.observer import StepReport
from embodio.train.observers.token_sums import TokenSums


class TaskSums:
    """Sums since the last lines, by task; nothing for batches that do not say which places of the stream they are.

    Args:
        batches: knows the task at each place of the stream, if it is a `NumberedBatches` of a mixture.
    """

    def __init__(self, batches: BatchMaker) -> None:
        self._task_at: Callable[[int], str] | None = getattr(batches, "task_at", None)
        self._restart()

    def _restart(self) -> None:
        self._examples, self._sums = Counter[str](), dict[str, TokenSums]()

    def add(self, report: StepReport) -> None:
        """Adds a step."""
        if self._task_at is None:
            return
        names = [self._task_at(position) for position in report.positions]
        self._examples.update(names)
        rows = {name: torch.tensor([other == name for other in names]) for name in dict.fromkeys(names) if name}
        for modality, found in report.outcome.rows.items():
            sums = found.sums.double().cpu()
            for name, chosen in rows.items():
                if len(sums) == len(names):
                    self._sums.setdefault(name, TokenSums()).add_sums(modality, sums[chosen].sum(0))

    def lines(self) -> dict[str, dict[str, float]]:
        """Task -> `share` of the examples and its figures, where there are several tasks; the sums begin again."""
        total = sum(self._examples.values())
        found = {
            name: {"share": count / total} | (self._sums[name].line() if name in self._sums else {})
            for name, count in sorted(self._examples.items())
            if name
        }
        self._restart()
        return found
