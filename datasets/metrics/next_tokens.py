"""Next tokens: how often the tokens of an action or of a plan are the right ones, all of them or each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from embodio.datasets.metrics.parts.metric import MeanMetric, MetricError, higher
from embodio.model.tasks.base.robot_item import RobotItem

_FIELDS = ("action", "actions", "later")


class NextTokens(MeanMetric[RobotItem]):
    """Exact matches of token ids, and the share of places with the right id; missing and further ids are wrong."""

    figures = higher("tokens_exact", "tokens_right")
    reads = ()

    def measure(self, found: RobotItem | None, truth: RobotItem) -> dict[str, float]:
        """Both figures of one answer."""
        right = _ids(truth)
        own = [] if found is None else _ids(found)
        same = sum(one == other for one, other in zip(own, right, strict=False))
        exact = found is not None and list(own) == list(right)
        return {"tokens_exact": float(exact), "tokens_right": same / max(len(own), len(right), 1)}


def _ids(item: Any) -> Sequence[int]:
    for field in _FIELDS:
        ids: Sequence[int] | None = getattr(item, field, None)
        if ids is not None:
            return ids
    raise MetricError(f"{type(item).__name__} has none of {', '.join(_FIELDS)}; next_tokens compares one of these")


METRIC = NextTokens()
