"""ROUGE-L: the longest common subsequence of a text and its references, as an F value."""

from __future__ import annotations

from embodio.datasets.metrics.parts.metric import MeanMetric, higher
from embodio.datasets.metrics.parts.words import answer_text, caption_tokens, common_length, references
from embodio.model.tasks.base.text_family import TextItem

_BETA = 1.2


class RougeL(MeanMetric[TextItem]):
    """ROUGE-L as in the COCO caption evaluation (Lin, 2004): the best precision and recall, the latter 1.2 times."""

    figures = higher("rouge_l")
    reads = ("text",)

    def measure(self, found: TextItem | None, truth: TextItem) -> dict[str, float]:
        """The F value."""
        tokens = caption_tokens(answer_text(found))
        right = [caption_tokens(one) for one in references(truth)]
        shared = [common_length(tokens, one) for one in right]
        precision = max(shared) / len(tokens) if tokens else 0.0
        recall = max(length / len(one) if one else 0.0 for length, one in zip(shared, right, strict=True))
        if not precision or not recall:
            return {"rouge_l": 0.0}
        return {"rouge_l": (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)}


METRIC = RougeL()
