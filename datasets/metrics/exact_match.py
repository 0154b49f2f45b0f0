"""Exact match: whether a text is one of the right answers, apart from case and spaces."""

from __future__ import annotations

from embodio.datasets.metrics.parts.metric import MeanMetric, higher
from embodio.datasets.metrics.parts.words import answer_text, references
from embodio.model.tasks.base.text_family import TextItem


class ExactMatch(MeanMetric[TextItem]):
    """The share of answers that are right; also the categorisation accuracy of GRIT."""

    figures = higher("exact_match")
    reads = ("text",)

    def measure(self, found: TextItem | None, truth: TextItem) -> dict[str, float]:
        """1 or 0; an unreadable answer is wrong even where nothing is right."""
        right = {plain(one) for one in references(truth)}
        return {"exact_match": float(found is not None and plain(answer_text(found)) in right)}


def plain(text: str) -> str:
    """Lower case with single spaces."""
    return " ".join(text.lower().split())


METRIC = ExactMatch()
