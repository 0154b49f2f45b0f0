"""Requirements met: the share of what is required of captions, such as a length or words, that they fulfil."""

from __future__ import annotations

from embodio.datasets.metrics.parts.metric import MeanMetric, higher
from embodio.datasets.metrics.parts.words import answer_text
from embodio.model.tasks.families.caption_constrained import ConstrainedCaption, requirements, unmet


class RequirementsMet(MeanMetric[ConstrainedCaption]):
    """The share of the requirements of each caption, and how often all of them are met."""

    figures = higher("requirements_met", "all_met")
    reads = ("text",)

    def measure(self, found: ConstrainedCaption | None, truth: ConstrainedCaption) -> dict[str, float]:
        """The figures of one caption."""
        number = len(requirements(truth))
        missed = number if found is None else len(unmet(truth, answer_text(found)))
        return {"requirements_met": 1 - missed / number, "all_met": float(not missed)}


METRIC = RequirementsMet()
