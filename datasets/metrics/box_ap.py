"""Box AP: average precision of boxes with names, over overlaps from 0.5 to 0.95, as in COCO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.metrics.parts.metric import (
    Combined,
    Doubles,
    Metric,
    MetricError,
    given,
    higher,
    mean_of_known,
)
from embodio.datasets.metrics.parts.overlap import box_overlaps, boxes_of
from embodio.model.tasks.base.boxes_family import BoxesItem

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
_MOST = 100  # boxes of one name in one image that count


@dataclass(frozen=True)
class _Class:
    """The boxes of one name over all images, most certain first.

    Attributes:
        items: int [D], the item of each box found.
        right: bool [T, D], whether it was matched at each threshold.
        there: float64 [N], boxes of this name in each item.
    """

    items: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]
    there: Doubles


class BoxAp(Metric[BoxesItem]):
    """Average precision as in COCO: 101 recalls, mean over ten overlaps and over names.

    Boxes without scores count as less certain the later they are written, as networks write the most certain first.
    """

    figures = higher("ap", "ap_50", "ap_75")
    reads = ("boxes",)

    def measure(self, found: BoxesItem | None, truth: BoxesItem) -> dict[str, Any]:
        """Boxes, names and scores; boxes and names there are."""
        there = _listed(given(truth, "boxes"), truth.labels)
        seen = {"boxes": [], "labels": []} if found is None else _listed(given(found, "boxes"), found.labels)
        given_scores = None if found is None else found.scores
        scores = [-float(rank) for rank in range(len(seen["boxes"]))] if given_scores is None else list(given_scores)
        if len(scores) != len(seen["boxes"]):
            raise MetricError(f"scores: {len(scores)} scores for {len(seen['boxes'])} boxes; give one for each")
        return {"found": seen, "scores": [float(score) for score in scores], "truth": there}

    def combine(self, measures: Sequence[Mapping[str, Any]], weights: Doubles) -> Combined:
        """Means over names and overlaps; NaN where there is not one box."""
        undefined = np.full((len(weights), len(THRESHOLDS)), np.nan)
        values = np.stack([_precisions(one, weights) for one in _classes(measures)] or [undefined], axis=1)
        parts = {"ap": values.reshape(len(weights), -1), "ap_50": values[..., 0], "ap_75": values[..., 5]}
        return {name: mean_of_known(part) for name, part in parts.items()}

    def scores(self, measures: Sequence[Mapping[str, Any]]) -> Doubles:
        """The value of each item as if it were the only one; 0 for boxes found where there are none."""
        alone = [float(self.combine([one], np.ones((1, 1)))["ap"][0]) for one in measures]
        empty = [float(not one["found"]["boxes"]) for one in measures]
        return np.where(np.isfinite(alone), alone, empty)


def _listed(boxes: npt.ArrayLike, labels: Sequence[str]) -> dict[str, Any]:
    found = boxes_of(boxes, "boxes").tolist()
    return {"boxes": found, "labels": [one.strip().lower() for one in labels] or [""] * len(found)}


def _classes(measures: Sequence[Mapping[str, Any]]) -> list[_Class]:
    """The boxes of each name that occurs in the annotations."""
    names = sorted({label for one in measures for label in one["truth"]["labels"]})
    return [_of_name(measures, name) for name in names]


def _of_name(measures: Sequence[Mapping[str, Any]], name: str) -> _Class:
    items, scores, matched = [], [], []
    there = np.zeros(len(measures))
    for number, one in enumerate(measures):
        right = _own(one["truth"], name)
        there[number] = len(right)
        labelled = zip(one["scores"], one["found"]["labels"], strict=True)
        own_scores = np.array([score for score, label in labelled if label == name])
        order = np.argsort(-own_scores, kind="stable")[:_MOST]
        boxes = _own(one["found"], name)[order]
        matched.append(_matches(box_overlaps(boxes, right)))
        items += [number] * len(order)
        scores += own_scores[order].tolist()
    ranking = np.argsort(-np.array(scores, dtype=np.float64), kind="stable")
    return _Class(np.array(items, dtype=np.int64)[ranking], np.concatenate(matched, axis=1)[:, ranking], there)


def _own(listed: Mapping[str, Any], name: str) -> Doubles:
    boxes = [box for box, label in zip(listed["boxes"], listed["labels"], strict=True) if label == name]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def _matches(overlaps: Doubles) -> npt.NDArray[np.bool_]:
    """Which boxes of one image find one that no earlier box has, bool [T, N], of overlaps [N, M]."""
    right = np.zeros((len(THRESHOLDS), len(overlaps)), dtype=bool)
    for level, threshold in enumerate(THRESHOLDS):
        free = np.ones(overlaps.shape[1], dtype=bool)
        for row, values in enumerate(overlaps):
            usable = np.where(free & (values >= min(threshold, 1 - 1e-10)), values, -1.0)
            if usable.size and usable.max() >= 0:
                best = usable.size - 1 - int(np.argmax(usable[::-1]))  # the last one of equals, as in COCO
                free[best], right[level, row] = False, True
    return right


def _precisions(one: _Class, weights: Doubles) -> Doubles:
    """The average precision of one name, float64 [R, T]; NaN where no box of that name counts."""
    total = weights @ one.there
    out = np.full((len(weights), len(THRESHOLDS)), np.nan)
    if not len(one.items):
        out[total > 0] = 0.0
        return out
    own = weights[:, one.items]
    everything = np.cumsum(own, axis=1)
    for level, right in enumerate(one.right):
        hits = np.cumsum(own * right, axis=1)
        precision = np.divide(hits, everything, out=np.zeros_like(hits), where=everything > 0)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        for row in np.flatnonzero(total > 0):
            places = np.searchsorted(hits[row] / total[row], RECALLS, side="left")
            out[row, level] = np.append(envelope[row], 0.0)[places].mean()
    return out


METRIC = BoxAp()
