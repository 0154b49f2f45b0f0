"""Relations found: precision, recall and their harmonic mean of relationships to objects of an image."""

from __future__ import annotations

from embodio.datasets.metrics.parts.metric import Combined, Doubles, SumsMetric, given, higher, ratio
from embodio.datasets.metrics.parts.overlap import box_overlaps, boxes_of
from embodio.model.tasks.families.relations import Relations


class RelationsFound(SumsMetric[Relations]):
    """A pair is right if relationship and name are, and each of its boxes overlaps the true one by more than a half."""

    figures = higher("relations_f1", "relations_recall", "relations_precision")
    reads = ("relations", "objects", "names")

    def measure(self, found: Relations | None, truth: Relations) -> list[float]:
        """Pairs that are right, found and true."""
        right = _pairs(truth)
        own = [] if found is None else _pairs(found)
        if found is None or not own or not right:
            return [0.0, float(len(own)), float(len(right))]
        fits = _overlap(found, truth, "objects") > 0.5
        if truth.box is None:
            fits &= _overlap(found, truth, "subjects") > 0.5
        free = set(range(len(right)))
        hits = 0
        for row, pair in enumerate(own):
            same = next((place for place in sorted(free) if right[place] == pair and fits[row, place]), None)
            if same is not None:
                free.remove(same)
                hits += 1
        return [float(hits), float(len(own)), float(len(right))]

    def of_sums(self, sums: Doubles) -> Combined:
        """Ratios of sums."""
        hits, own, right = sums.T
        precision, recall = ratio(hits, own), ratio(hits, right)
        return {
            "relations_f1": ratio(2 * hits, own + right),
            "relations_recall": recall,
            "relations_precision": precision,
        }


def _pairs(one: Relations) -> list[tuple[str, str]]:
    relations = given(one, "relations")
    return [(a.strip().lower(), b.strip().lower()) for a, b in zip(relations, one.names, strict=True)]


def _overlap(found: Relations, truth: Relations, field: str) -> Doubles:
    return box_overlaps(boxes_of(given(found, field), field), boxes_of(given(truth, field), field))


METRIC = RelationsFound()
