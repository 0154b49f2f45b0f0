"""BLEU: n-grams of a text that its references have too, over all items, with a penalty for short texts."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import Combined, Doubles, SumsMetric, higher
from embodio.datasets.metrics.parts.words import answer_text, caption_tokens, ngrams, references
from embodio.model.tasks.base.text_family import TextItem

_MOST = 4
_TINY, _SMALL = 1e-15, 1e-9  # as in the COCO caption evaluation, so that a text without a match has a value


class Bleu(SumsMetric[TextItem]):
    """BLEU of up to 4 words over all items, as in the COCO caption evaluation (Papineni et al., 2002).

    The reference closest in length counts for the penalty, the shorter one of two equally close ones.
    """

    figures = higher("bleu_4", "bleu_3", "bleu_2", "bleu_1")
    reads = ("text",)

    def measure(self, found: TextItem | None, truth: TextItem) -> list[float]:
        """Length, length of the closest reference, matches for n = 1..4, n-grams for n = 1..4."""
        tokens = caption_tokens(answer_text(found))
        right = [caption_tokens(one) for one in references(truth)]
        closest = min((len(one) for one in right), key=lambda length: (abs(length - len(tokens)), length))
        counts = [ngrams(one, _MOST) for one in right]
        matches, totals = [], []
        for size, own in enumerate(ngrams(tokens, _MOST)):
            matches.append(sum(min(count, max(one[size][gram] for one in counts)) for gram, count in own.items()))
            totals.append(max(0, len(tokens) - size))
        return [float(value) for value in (len(tokens), closest, *matches, *totals)]

    def of_sums(self, sums: Doubles) -> Combined:
        """The geometric mean of the shares of matches, times the penalty."""
        length, closest = sums[:, 0], sums[:, 1]
        shares = (sums[:, 2 : 2 + _MOST] + _TINY) / (sums[:, 2 + _MOST :] + _SMALL)
        relative = (length + _TINY) / (closest + _SMALL)
        penalty = np.exp(np.minimum(0.0, 1 - 1 / relative))
        means = np.exp(np.cumsum(np.log(shares), axis=1) / np.arange(1, _MOST + 1))
        return {f"bleu_{size}": means[:, size - 1] * penalty for size in range(1, _MOST + 1)}


METRIC = Bleu()
