"""CIDEr-D: agreement of a caption with references in n-grams weighted by how rare they are in the references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from embodio.datasets.metrics.parts.metric import Combined, Doubles, Metric, higher
from embodio.datasets.metrics.parts.words import answer_text, caption_tokens, ngrams, references
from embodio.model.tasks.base.text_family import TextItem

_MOST, _SIGMA = 4, 6.0

Counts = list[Counter[tuple[str, ...]]]


class CiderD(Metric[TextItem]):
    """CIDEr-D as in the COCO caption evaluation (Vedantam et al., arXiv 1411.5726, section 4 and appendix).

    The weights of n-grams come from the references of all items, also for the intervals; one item alone gives 0.
    """

    figures = higher("cider_d")
    reads = ("text",)
    unbounded = ("cider_d",)

    def measure(self, found: TextItem | None, truth: TextItem) -> dict[str, list[str] | str]:
        """The caption and its references as tokens joined by spaces."""
        joined = [" ".join(caption_tokens(one)) for one in references(truth)]
        return {"found": " ".join(caption_tokens(answer_text(found))), "references": joined}

    def combine(self, measures: Sequence[Mapping[str, list[str] | str]], weights: Doubles) -> Combined:
        """Weighted means of the items' values."""
        return {"cider_d": weights @ self.scores(measures) / weights.sum(axis=1)}

    def scores(self, measures: Sequence[Mapping[str, list[str] | str]]) -> Doubles:
        """The value of each item, 0 to 10."""
        right = [[ngrams(str(one).split(), _MOST) for one in item["references"]] for item in measures]
        documents = Counter(gram for item in right for gram in {gram for one in item for own in one for gram in own})
        corpus = _Corpus(documents, float(np.log(len(measures))))
        found = [ngrams(str(item["found"]).split(), _MOST) for item in measures]
        return np.array([corpus.score(one, own) for one, own in zip(found, right, strict=True)])


class _Corpus:
    """The number of items whose references have each n-gram, and the logarithm of the number of items."""

    def __init__(self, documents: Counter[tuple[str, ...]], log_items: float) -> None:
        self._documents, self._log_items = documents, log_items

    def score(self, found: Counts, right: Sequence[Counts]) -> float:
        """The value of one caption, the mean over its references."""
        own = self._vectors(found)
        values = []
        for reference in right:
            gap = sum(found[1].values()) - sum(reference[1].values())
            pairs = zip(own, self._vectors(reference), strict=True)
            similarity = sum(_clipped_cosine(one, other) for one, other in pairs) / _MOST
            values.append(similarity * float(np.exp(-(gap**2) / (2 * _SIGMA**2))))
        return 10.0 * float(np.mean(values))

    def _vectors(self, counts: Counts) -> list[dict[tuple[str, ...], float]]:
        """The weight of each n-gram: its count times the logarithm of its rarity."""
        return [
            {gram: count * (self._log_items - np.log(max(1, self._documents[gram]))) for gram, count in own.items()}
            for own in counts
        ]


def _clipped_cosine(one: Mapping[tuple[str, ...], float], other: Mapping[tuple[str, ...], float]) -> float:
    product = sum(min(value, other[gram]) * other[gram] for gram, value in one.items() if gram in other)
    length = np.sqrt(sum(value**2 for value in one.values()) * sum(value**2 for value in other.values()))
    return float(product / length) if length else 0.0


METRIC = CiderD()
