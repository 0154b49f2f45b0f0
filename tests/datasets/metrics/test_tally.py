"""Tallies: figures with intervals, clusters, unreadable answers; and what holds for every metric."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from embodio.datasets.metrics import UnknownMetricError, metric_names, metric_summaries, named_metric, tally
from embodio.datasets.metrics.parts.metric import Metric, MetricError
from embodio.datasets.metrics.parts.tally import Tally
from embodio.model.tasks.base.text_family import TextItem
from embodio.model.tasks.families import families


def answers(right: list[bool], groups: list[Any] | None = None) -> Tally[TextItem]:
    scores: Tally[TextItem] = tally("exact_match")
    for place, one in enumerate(right):
        group = None if groups is None else groups[place]
        scores.update(TextItem(text="yes" if one else "no"), TextItem(text="yes"), group=group)
    return scores


def test_nothing_to_measure_is_an_error() -> None:
    for empty in (tally("exact_match").result, tally("cider_d").scores):
        with pytest.raises(MetricError, match="nothing to measure"):
            empty()


def test_the_interval_of_a_share_is_that_of_the_normal_law() -> None:
    found = answers([place % 10 < 7 for place in range(400)]).result(resamples=4000).estimates["exact_match"]
    spread = 1.96 * (0.7 * 0.3 / 400) ** 0.5
    assert found.value == pytest.approx(0.7)
    assert found.low == pytest.approx(0.7 - spread, abs=0.006) and found.high == pytest.approx(0.7 + spread, abs=0.006)


def test_items_of_one_image_are_drawn_together() -> None:
    """40 images of 10 items with equal answers know as much as 40 items."""
    right, groups = [place // 10 % 2 == 0 for place in range(400)], [f"image {place // 10}" for place in range(400)]
    alone, together = answers(right).result(), answers(right, groups).result()
    assert (alone.clusters, together.clusters) == (400, 40)
    wide = [one.estimates["exact_match"].high - one.estimates["exact_match"].low for one in (alone, together)]
    assert wide[1] / wide[0] == pytest.approx(10**0.5, rel=0.2)


def test_one_cluster_has_no_interval() -> None:
    found = answers([True, False], ["image", "image"]).result().estimates["exact_match"]
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_the_same_seed_gives_the_same_interval() -> None:
    one, other = (answers([True, False, True], ["a", "b", "c"]).result(seed=3) for _ in range(2))
    assert one == other


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(UnknownMetricError, match="did you mean 'cider_d'"):
        named_metric("cider")


@pytest.mark.parametrize("name", metric_names())
def test_every_metric_says_what_it_is(name: str) -> None:
    metric = named_metric(name)
    assert isinstance(metric, Metric) and metric.figures and set(metric.figures.values()) <= {"higher", "lower"}
    assert metric_summaries()[name].endswith(".")


@pytest.mark.parametrize("name", ["exact_match", "cider_d", "bleu", "rouge_l", "wer", "vqa_accuracy"])
def test_a_weight_is_a_repetition_and_measures_pass_through_json(name: str) -> None:
    pairs = [("a red cup", "a red mug"), ("two dogs run", "two dogs run fast"), ("a cat", "a cat sits")]
    metric, scores = named_metric(name), tally(name)
    for own, right in pairs:
        scores.update(TextItem(text=own), TextItem(text=right))
    measures = json.loads(json.dumps(scores.measures))
    weighted = metric.combine(measures, np.array([[2.0, 0.0, 1.0]]))
    if name == "cider_d":  # rarity is that of all items
        assert weighted[name][0] == pytest.approx(float(np.dot(scores.scores(), [2, 0, 1]) / 3))
        return
    repeated = metric.combine([measures[0], measures[0], measures[2]], np.ones((1, 3)))
    for figure in metric.figures:
        assert weighted[figure][0] == pytest.approx(repeated[figure][0])


@pytest.mark.parametrize("name", families())
def test_the_metrics_of_a_family_read_its_annotations(name: str) -> None:
    fields = {one.name for one in dataclasses.fields(families()[name].annotation)}
    for metric in families()[name].metrics:
        assert set(named_metric(metric).reads) <= fields


def test_every_family_has_a_metric() -> None:
    assert [name for name, family in families().items() if not family.metrics] == []
