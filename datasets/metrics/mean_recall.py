"""Mean recall: exact matches of each right answer, averaged over the right answers, so that rare ones count as much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.metrics.exact_match import METRIC as EXACT_MATCH
from embodio.datasets.metrics.parts.metric import Combined, Doubles, Metric, higher, mean_of_known, ratio
from embodio.datasets.metrics.parts.words import references
from embodio.model.tasks.base.text_family import TextItem


class MeanRecall(Metric[TextItem]):
    """The mean over answers of the share that is right, as mean recall at 1 of relationships (arXiv 1812.01880).

    The class of an item is its first right answer, in lower case.
    """

    figures = higher("mean_recall")
    reads = ("text",)

    def measure(self, found: TextItem | None, truth: TextItem) -> list[float | str]:
        """Whether the answer is right, and the class of the item."""
        return [EXACT_MATCH.measure(found, truth)["exact_match"], references(truth)[0].strip().lower()]

    def combine(self, measures: Sequence[Sequence[float | str]], weights: Doubles) -> Combined:
        """Means over the classes that occur."""
        right, names = self.scores(measures), np.array([str(one[1]) for one in measures])
        table = []
        for name in np.unique(names):
            own = names == name
            table.append(ratio(weights[:, own] @ right[own], weights[:, own].sum(axis=1)))
        return {"mean_recall": mean_of_known(np.stack(table, axis=1))}

    def scores(self, measures: Sequence[Sequence[float | str]]) -> Doubles:
        """Whether each answer is right."""
        return np.array([float(one[0]) for one in measures])


METRIC = MeanRecall()
