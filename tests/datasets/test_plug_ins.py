"""Plug-ins of one's own, named as module:NAME."""

from __future__ import annotations

from pathlib import Path

import pytest

from embodio.datasets.metrics import UnknownMetricError, named_metric, tally
from embodio.model.tasks.base.text_family import TextItem

METRIC = """
from embodio.datasets.metrics.parts.metric import MeanMetric, higher

class Longest(MeanMetric):
    figures = higher("longest")
    reads = ("text",)

    def measure(self, found, truth):
        return {"longest": float(len(found.text) >= len(truth.text))}

METRIC = Longest()
"""


def test_a_metric_of_ones_own_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_metrics.py").write_text(METRIC)
    monkeypatch.syspath_prepend(str(tmp_path))
    scores = tally("own_metrics:METRIC")
    scores.update(TextItem(text="a cup"), TextItem(text="cup"))
    scores.update(TextItem(text="cup"), TextItem(text="a cup"))
    assert scores.result().estimates["longest"].value == 0.5
    for name, said in {
        "own_metrics:OTHER": "metric 'own_metrics:OTHER': .* no attribute 'OTHER'; expected module:NAME",
        "no_metrics:METRIC": "No module named 'no_metrics'",
        "own_metrics:Longest": "it is a .*, not an instance of Metric",
    }.items():
        with pytest.raises(UnknownMetricError, match=said):
            named_metric(name)
