"""Word error rate: words inserted, left out or replaced, over the words of all transcripts; the same of characters."""

from __future__ import annotations

import re

from embodio.datasets.metrics.parts.metric import Combined, Doubles, SumsMetric, given, lower, ratio
from embodio.datasets.metrics.parts.words import answer_text, edit_distance
from embodio.model.tasks.base.text_family import TextItem

_NOT_SPOKEN = re.compile(r"[^\w\s']|_")


class WordErrorRate(SumsMetric[TextItem]):
    """Errors over the number of words, and of characters, of lower-case text without punctuation."""

    figures = lower("wer", "cer")
    reads = ("text",)

    def measure(self, found: TextItem | None, truth: TextItem) -> list[float]:
        """Wrong words, words, wrong characters, characters."""
        right, heard = spoken(given(truth, "text")), spoken(answer_text(found))
        words = edit_distance(right.split(), heard.split()), len(right.split())
        return [float(value) for value in (*words, edit_distance(right, heard), len(right))]

    def of_sums(self, sums: Doubles) -> Combined:
        """Ratios of sums."""
        return {"wer": ratio(sums[:, 0], sums[:, 1]), "cer": ratio(sums[:, 2], sums[:, 3])}


def spoken(text: str) -> str:
    """A text as it is said: lower case, without punctuation other than apostrophes, with single spaces."""
    return " ".join(_NOT_SPOKEN.sub(" ", text.lower().replace("\u2019", "'")).split())


METRIC = WordErrorRate()
