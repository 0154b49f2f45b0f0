"""Captions of each of several images: CIDEr-D and ROUGE-L over all captions of all items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from embodio.datasets.metrics import cider_d, rouge_l
from embodio.datasets.metrics.parts.metric import Combined, Doubles, Metric, MetricError, given, higher
from embodio.model.tasks.base.text_family import TextItem
from embodio.model.tasks.families.caption_several import SeveralCaptions


class CaptionsEach(Metric[SeveralCaptions]):
    """`cider_d` and `rouge_l`, each caption as if it were an item; of an unreadable answer all captions are empty."""

    figures = higher("captions_cider_d", "captions_rouge_l")
    reads = ("captions",)
    unbounded = ("captions_cider_d",)

    def measure(self, found: SeveralCaptions | None, truth: SeveralCaptions) -> list[list[Any]]:
        """The measures of both metrics of each caption; raises MetricError if the numbers of captions differ."""
        right = given(truth, "captions")
        own = ("",) * len(right) if found is None else given(found, "captions")
        if len(own) != len(right):
            raise MetricError(f"captions: the answer has {len(own)}, the annotation {len(right)}")
        pairs = [(TextItem(text=one), TextItem(text=other)) for one, other in zip(own, right, strict=True)]
        return [[metric.METRIC.measure(*pair) for pair in pairs] for metric in (cider_d, rouge_l)]

    def combine(self, measures: Sequence[list[list[Any]]], weights: Doubles) -> Combined:
        """The figures over captions, which count as often as their items."""
        counts = [len(one[0]) for one in measures]
        spread = np.repeat(weights, counts, axis=1)
        ciders, rouges = ([caption for one in measures for caption in one[place]] for place in (0, 1))
        cider = cider_d.METRIC.combine(ciders, spread)["cider_d"]
        return {"captions_cider_d": cider, "captions_rouge_l": rouge_l.METRIC.combine(rouges, spread)["rouge_l"]}

    def scores(self, measures: Sequence[list[list[Any]]]) -> Doubles:
        """The mean CIDEr-D of the captions of each item."""
        every = cider_d.METRIC.scores([caption for one in measures for caption in one[0]])
        ends = np.cumsum([len(one[0]) for one in measures])[:-1]
        return np.array([own.mean() for own in np.split(every, ends)])


METRIC = CaptionsEach()
