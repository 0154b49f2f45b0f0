"""Success: the share of episodes that reach their goal."""

from __future__ import annotations

from embodio.datasets.metrics.parts.episodes import EpisodeOutcome
from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher


class Success(MeanMetric[EpisodeOutcome]):
    """The success rate; of the annotation nothing is read."""

    figures = higher("success")
    reads = ("success",)

    def measure(self, found: EpisodeOutcome | None, truth: EpisodeOutcome) -> dict[str, float]:
        """1 or 0."""
        return {"success": float(found is not None and bool(given(found, "success")))}


METRIC = Success()
