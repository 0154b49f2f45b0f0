"""SPL: success weighted by how much longer the path was than the shortest one; and success alone."""

from __future__ import annotations

from embodio.datasets.metrics.parts.episodes import EpisodeOutcome
from embodio.datasets.metrics.parts.metric import MeanMetric, MetricError, given, higher


class Spl(MeanMetric[EpisodeOutcome]):
    """Success weighted by path length (Anderson et al., arXiv 1807.06757, section 3.2)."""

    figures = higher("spl", "success")
    reads = ("success", "path", "shortest")

    def measure(self, found: EpisodeOutcome | None, truth: EpisodeOutcome) -> dict[str, float]:
        """The weighted success of one episode.

        Raises:
            MetricError: the length of the shortest path is not positive, or that of the path is negative.
        """
        shortest = float(given(truth, "shortest"))
        if shortest <= 0:
            raise MetricError(f"shortest: got {shortest} m, expected a positive length")
        if found is None or not given(found, "success"):
            return {"spl": 0.0, "success": 0.0}
        if found.path < 0:
            raise MetricError(f"path: got {found.path} m, expected at least 0")
        return {"spl": shortest / max(found.path, shortest), "success": 1.0}


METRIC = Spl()
