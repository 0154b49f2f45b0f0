"""Meters: means of losses and figures over batches, and how fast the batches went by."""

from __future__ import annotations

import time

from embodio.train.objective import Outcome


class Means:
    """Means over batches: of the loss by weight, of each figure by its own count."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, float]] = {}

    def add(self, outcome: Outcome, weight: float = 1.0) -> None:
        """Takes in a batch, whose loss counts `weight` times."""
        self._add("loss", outcome.loss.item() * weight, weight)
        for name, figure in outcome.figures.items():
            self._add(name, figure.total.item(), figure.divisor.item())

    def _add(self, name: str, total: float, count: float) -> None:
        before, counted = self._sums.get(name, (0.0, 0.0))
        self._sums[name] = before + total, counted + count

    def values(self) -> dict[str, float]:
        """Name -> mean, "loss" first; without those that nothing was counted for."""
        return {name: total / count for name, (total, count) in self._sums.items() if count}


class Meter:
    """Means and speed of training since the last line of the log."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._means, self._steps, self._examples = Means(), 0, 0
        self._since = time.monotonic()

    def add(self, outcome: Outcome, examples: int) -> None:
        """Takes in one step."""
        self._means.add(outcome)
        self._steps += 1
        self._examples += examples

    def line(self, step: int) -> dict[str, float]:
        """The means, examples per second, and seconds per step; the meter starts again."""
        seconds = time.monotonic() - self._since
        values = {
            "step": step,
            **self._means.values(),
            "examples_per_second": self._examples / max(1e-9, seconds),
            "seconds_per_step": seconds / max(1, self._steps),
        }
        self._restart()
        return values
