"""Text spotting: precision, recall and F of words in an image, by box and transcript, and by box alone."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import Combined, Doubles, SumsMetric, given, higher, ratio
from embodio.datasets.metrics.parts.overlap import box_overlaps, boxes_of
from embodio.model.tasks.base.boxes_family import BoxesItem

_OVERLAP = 0.5


class TextSpotting(SumsMetric[BoxesItem]):
    """As in ICDAR 2015, end to end without a lexicon: a word is right if its box overlaps by more than 0.5 and it is
    written the same, whatever the case; words and boxes are paired once, in the order written.

    Figures are over the words of all items together; undefined where there is no word on either side.
    """

    figures = higher("spotting_f", "spotting_precision", "spotting_recall", "detection_f")
    reads = ("boxes", "labels")

    def measure(self, found: BoxesItem | None, truth: BoxesItem) -> list[float]:
        """Words found, words there, pairs of boxes, pairs with the same word; an unreadable answer has no word."""
        there, words = boxes_of(given(truth, "boxes"), "boxes"), truth.labels
        seen = np.zeros((0, 4)) if found is None else boxes_of(given(found, "boxes"), "boxes")
        read = () if found is None else found.labels
        overlaps = box_overlaps(seen, there)
        pairs = _paired(overlaps)
        same = sum(read[row].strip().casefold() == words[column].strip().casefold() for row, column in pairs)
        return [float(len(seen)), float(len(there)), float(len(pairs)), float(same)]

    def of_sums(self, sums: Doubles) -> Combined:
        """Quotients of the sums."""
        found, there, boxes, words = sums.T
        return {
            "spotting_f": ratio(2 * words, found + there),
            "spotting_precision": ratio(words, found),
            "spotting_recall": ratio(words, there),
            "detection_f": ratio(2 * boxes, found + there),
        }


def _paired(overlaps: Doubles) -> list[tuple[int, int]]:
    """Boxes found and boxes there, each pair the first free one that overlaps enough."""
    pairs: list[tuple[int, int]] = []
    for column in range(overlaps.shape[1]):
        taken = {row for row, _ in pairs}
        free = [row for row in range(len(overlaps)) if row not in taken and overlaps[row, column] > _OVERLAP]
        pairs += [(free[0], column)] if free else []
    return pairs


METRIC = TextSpotting()
