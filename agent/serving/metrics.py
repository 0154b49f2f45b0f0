"""Counts and times of a server, as text for Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Histogram:
    """How often values fell below each bound.

    Args:
        bounds: rising.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds, self._counts, self._sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        """Counts a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> list[str]:
        """In Prometheus' text format."""
        total, found = 0, [f"# TYPE {name} histogram"]
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            found.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*found, f"{name}_sum {self._sum:.6f}", f"{name}_count {total}"]


class Metrics:
    """Everything that a server counts."""

    def __init__(self) -> None:
        self.answers: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.refused: defaultdict[str, int] = defaultdict(int)
        self.waited, self.computed = Histogram(BUCKETS), Histogram(BUCKETS)
        self.rows = Histogram(ROWS)

    def text(self, **gauges: float) -> str:
        """All of it in Prometheus' text format, and what is true just now."""
        lines = ["# TYPE embodio_answers_total counter"]
        for (verb, outcome), count in sorted(self.answers.items()):
            lines.append(f'embodio_answers_total{{verb="{verb}",outcome="{outcome}"}} {count}')
        lines.append("# TYPE embodio_refused_total counter")
        lines += [f'embodio_refused_total{{reason="{name}"}} {count}' for name, count in sorted(self.refused.items())]
        lines += self.waited.lines("embodio_queue_seconds") + self.computed.lines("embodio_compute_seconds")
        lines += self.rows.lines("embodio_batch_rows")
        for name, value in gauges.items():
            lines += [f"# TYPE embodio_{name} gauge", f"embodio_{name} {value:g}"]
        return "\n".join(lines) + "\n"
