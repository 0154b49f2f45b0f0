"""Counters and histograms of a server, in the Prometheus text format."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Histogram:
    """Counts of values up to each bound.

    Args:
        bounds: ascending upper bounds.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds, self._counts, self._sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        """Counts a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, help_text: str) -> list[str]:
        """The lines of the Prometheus text format."""
        total, found = 0, _head(name, "histogram", help_text)
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            found.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*found, f"{name}_sum {self._sum:.6f}", f"{name}_count {total}"]


class Metrics:
    """All metrics of a server."""

    def __init__(self) -> None:
        self.answers: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.refused: defaultdict[str, int] = defaultdict(int)
        self.waited, self.computed = Histogram(BUCKETS), Histogram(BUCKETS)
        self.rows = Histogram(ROWS)

    def text(self, **gauges: float) -> str:
        """All metrics and the given current gauges in the Prometheus text format."""
        lines = _head("embodio_answers_total", "counter", "Requests that were answered, and how.")
        for (verb, outcome), count in sorted(self.answers.items()):
            lines.append(f'embodio_answers_total{{verb="{verb}",outcome="{outcome}"}} {count}')
        lines += _head("embodio_refused_total", "counter", "Connections that were refused or cut off, and why.")
        lines += [f'embodio_refused_total{{reason="{name}"}} {count}' for name, count in sorted(self.refused.items())]
        lines += self.waited.lines("embodio_queue_seconds", "How long requests waited.")
        lines += self.computed.lines("embodio_compute_seconds", "How long requests were computed.")
        lines += self.rows.lines("embodio_batch_requests", "Requests to act that were computed together.")
        for name, value in gauges.items():
            lines += [*_head(f"embodio_{name}", "gauge", "Just now."), f"embodio_{name} {value:g}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, help_text: str) -> list[str]:
    return [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
