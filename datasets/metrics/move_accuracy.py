"""Move accuracy: how often the next word of movement is the right one, and how far the next position is off."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher, lower
from embodio.model.tasks.families.navigate import Navigated
from embodio.model.tasks.locations.spatial import POSITION

_RANGE = POSITION.high - POSITION.low


class MoveAccuracy(MeanMetric[Navigated]):
    """Accuracy of moves; distances in metres between next positions, 0 where they are not asked for.

    An unreadable answer is wrong, and off by the range in which positions are written.
    """

    figures = higher("move_accuracy") | lower("position_error")
    reads = ("move",)
    unbounded = ("position_error",)

    def measure(self, found: Navigated | None, truth: Navigated) -> dict[str, float]:
        """The figures of one step."""
        right = given(truth, "move")
        if found is None:
            return {"move_accuracy": 0.0, "position_error": _RANGE if truth.with_state else 0.0}
        off = 0.0
        if truth.with_state:
            both = (np.asarray(given(one, "next_position"), dtype=np.float64) for one in (found, truth))
            off = float(np.linalg.norm(next(both) - next(both)))
        return {"move_accuracy": float(given(found, "move") == right), "position_error": off}


METRIC = MoveAccuracy()
