"""Tag ranking: average precision and area under the ROC curve of scored tags, as means over tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from embodio.datasets.metrics.parts.metric import (
    Combined,
    Doubles,
    Metric,
    MetricError,
    higher,
    mean_of_known,
    ratio,
)
from embodio.datasets.metrics.parts.words import references
from embodio.model.tasks.families.tag import Tagged


class TagRanking(Metric[Tagged]):
    """Mean average precision (mAP) and ROC area (AUC) over tags, as in AudioSet; one item may have several tags.

    Each tag ranks all items by their scores. A tag without a right item has no precision, and one without a wrong item
    no area; those are left out of the means. A tag that an answer does not score counts as its lowest.
    """

    figures = higher("tag_map", "tag_auc")
    reads = ("text", "scores")

    def measure(self, found: Tagged | None, truth: Tagged) -> dict[str, object]:
        """The right tags, and the scores of tags.

        Raises:
            MetricError: the answer has no scores.
        """
        scores = {} if found is None else found.scores
        if scores is None:
            raise MetricError("scores: the answer scores no tags; ask for the score of every choice")
        return {"right": list(references(truth)), "scores": {name: float(value) for name, value in scores.items()}}

    def combine(self, measures: Sequence[Mapping[str, object]], weights: Doubles) -> Combined:
        """Means over tags."""
        right, scores = _tables(measures)
        found = [_curves(scores[:, tag], right[:, tag], weights) for tag in range(right.shape[1])]
        return {
            name: mean_of_known(np.stack([one[place] for one in found], axis=1))
            for place, name in enumerate(self.figures)
        }

    def scores(self, measures: Sequence[Mapping[str, object]]) -> Doubles:
        """The average precision of the tags of each item, ranked within the item."""
        right, scores = _tables(measures)
        one = np.ones((1, right.shape[1]))
        return np.array([_curves(*pair, one)[0][0] for pair in zip(scores, right, strict=True)])


def _tables(measures: Sequence[Mapping[str, object]]) -> tuple[Doubles, Doubles]:
    """Whether each tag is right, and its score, both float64 [N, K]."""
    rights = [set(_as_list(one["right"])) for one in measures]
    given = [one["scores"] for one in measures]
    mappings = [scores if isinstance(scores, Mapping) else {} for scores in given]
    names = sorted(set().union(*rights, *mappings))
    lowest = [min(scores.values(), default=0.0) - 1.0 for scores in mappings]
    right = np.array([[float(name in own) for name in names] for own in rights])
    table = [[scores.get(name, low) for name in names] for scores, low in zip(mappings, lowest, strict=True)]
    return right, np.array(table, dtype=np.float64)


def _as_list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _curves(scores: Doubles, right: Doubles, weights: Doubles) -> tuple[Doubles, Doubles]:
    """Average precision and ROC area of one ranking, both float64 [R]; equal scores are one step."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(weights[:, order] * right[order], axis=1)[:, ends]
    false = np.cumsum(weights[:, order] * (1 - right[order]), axis=1)[:, ends]
    new_hits, new_false = (np.diff(some, axis=1, prepend=0.0) for some in (hits, false))
    precision = np.divide(hits, hits + false, out=np.zeros_like(hits), where=hits + false > 0)
    area = (new_false * (hits - new_hits / 2)).sum(axis=1)
    return ratio((new_hits * precision).sum(axis=1), hits[:, -1]), ratio(area, hits[:, -1] * false[:, -1])


METRIC = TagRanking()
