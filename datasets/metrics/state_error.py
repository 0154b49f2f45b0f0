"""State error: mean absolute difference of states written as value tokens, in shares of their range."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, given, lower
from embodio.model.tasks.families.next_state import StateAhead
from embodio.model.tokens.vocabulary import VALUE_BINS


class StateError(MeanMetric[StateAhead]):
    """One bin is 1/999 of the range of a number; an answer of another length, or unreadable, is off by the range."""

    figures = lower("state_error")
    reads = ("later",)

    def measure(self, found: StateAhead | None, truth: StateAhead) -> dict[str, float]:
        """The error of one state."""
        right = np.asarray(given(truth, "later"), dtype=np.float64)
        own = None if found is None else np.asarray(given(found, "later"), dtype=np.float64)
        if own is None or own.shape != right.shape:
            return {"state_error": 1.0}
        return {"state_error": float(np.abs(own - right).mean() / (VALUE_BINS - 1))}


METRIC = StateError()
