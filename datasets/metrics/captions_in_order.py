"""Captions in order: ROUGE-L of each of several captions, as a mean over those of an item."""

from __future__ import annotations

from embodio.datasets.metrics.parts.metric import MeanMetric, MetricError, given, higher
from embodio.datasets.metrics.rouge_l import METRIC as ROUGE_L
from embodio.model.tasks.base.text_family import TextItem
from embodio.model.tasks.families.caption_several import SeveralCaptions


class CaptionsInOrder(MeanMetric[SeveralCaptions]):
    """Each caption is compared with that of the same image; an unreadable answer is 0."""

    figures = higher("captions_rouge_l")
    reads = ("captions",)

    def measure(self, found: SeveralCaptions | None, truth: SeveralCaptions) -> dict[str, float]:
        """The mean F value; raises MetricError if the numbers of captions differ."""
        right = given(truth, "captions")
        if found is None:
            return {"captions_rouge_l": 0.0}
        own = given(found, "captions")
        if len(own) != len(right) or not right:
            raise MetricError(f"captions: {len(own)} found for {len(right)} true ones; give one for each image")
        values = [
            ROUGE_L.measure(TextItem(text=one), TextItem(text=other))["rouge_l"]
            for one, other in zip(own, right, strict=True)
        ]
        return {"captions_rouge_l": sum(values) / len(values)}


METRIC = CaptionsInOrder()
