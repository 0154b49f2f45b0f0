"""The metrics, found by listing this folder: how well answers fit annotations.

A metric is one module with the metric's name and an instance `METRIC` of `Metric`. It measures one answer at a time and
combines what it measured; `tally` adds up the items of an evaluation and gives each figure with an interval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embodio.datasets.plug_ins import PlugIns, UnknownPlugInError

if TYPE_CHECKING:
    from embodio.datasets.metrics.parts.metric import Metric
    from embodio.datasets.metrics.parts.tally import Tally


class UnknownMetricError(UnknownPlugInError):
    """An unknown metric name; the message lists the known ones."""


_METRICS = PlugIns(__name__, "METRIC", kind="metric", error=UnknownMetricError)


def metric_names() -> list[str]:
    """The names of all metrics, in alphabetical order; nothing is imported."""
    return _METRICS.names()


def metric_summaries() -> dict[str, str]:
    """Name of a metric -> the first sentence of its module; nothing is imported."""
    return _METRICS.summaries()


def named_metric(name: str) -> Metric[Any]:
    """A metric by its name; raises UnknownMetricError."""
    from embodio.datasets.metrics.parts.metric import Metric

    found = _METRICS.named(name)
    if not isinstance(found, Metric):
        raise UnknownMetricError(f"metric {name!r}: it is a {type(found).__name__}, not an instance of Metric")
    return found


def tally(name: str) -> Tally[Any]:
    """An empty tally of the metric of a name; raises UnknownMetricError."""
    from embodio.datasets.metrics.parts.tally import Tally

    return Tally(named_metric(name))
