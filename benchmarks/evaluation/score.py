"""The score of a suite: the mean over its tasks of the mean of the main figure over some parts of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from embodio.benchmarks.evaluation.answers import AnsweredItem
from embodio.benchmarks.evaluation.suite import Suite, SuiteTask
from embodio.datasets.metrics import named_metric
from embodio.datasets.metrics.parts.clusters import Clusters, percentile_interval
from embodio.datasets.metrics.parts.metric import Doubles, combined_draws
from embodio.datasets.metrics.parts.tally import Estimate


def suite_score(suite: Suite, answered: Mapping[str, Sequence[AnsweredItem]], resamples: int) -> Estimate | None:
    """The score, as GRIT's overall accuracy, with a bootstrap interval over the groups of each task.

    Args:
        suite: with the parts that count.
        answered: task -> its items.
        resamples: draws of the bootstrap.

    Returns:
        The score; None if the suite has none, a task was left out, or a task has no item of a part.
    """
    if not suite.balanced or set(answered) != {task.name for task in suite.tasks}:
        return None
    if any(not _of_part(answered[task.name], part).any() for task in suite.tasks for part in suite.balanced):
        return None
    value = np.mean([_scores(suite, task, answered[task.name])[0] for task in suite.tasks])
    draws = [_draws(suite, task, answered[task.name], resamples, seed) for seed, task in enumerate(suite.tasks)]
    low, high = percentile_interval(np.mean(draws, axis=0)) or (None, None)
    return Estimate(float(value), low, high, named_metric(suite.tasks[0].main[0]).figures[suite.tasks[0].main[1]])


def _scores(suite: Suite, task: SuiteTask, items: Sequence[AnsweredItem], weights: Doubles | None = None) -> Doubles:
    """The mean over the parts, float64 [R], of weights float64 [R, N]; NaN where a part has no item."""
    metric, figure = task.main
    given = np.ones((1, len(items))) if weights is None else weights
    found = []
    for part in suite.balanced:
        inside = _of_part(items, part)
        measures = [item.measures[metric] for item, wanted in zip(items, inside, strict=True) if wanted]
        found.append(combined_draws(named_metric(metric).combine, measures, given[:, inside])[figure])
    return np.asarray(np.mean(found, axis=0))


def _draws(suite: Suite, task: SuiteTask, items: Sequence[AnsweredItem], resamples: int, seed: int) -> Doubles:
    clusters = Clusters.of([item.group for item in items])
    return np.concatenate([_scores(suite, task, items, weights) for weights in clusters.resampled(resamples, seed)])


def _of_part(items: Sequence[AnsweredItem], part: str) -> np.ndarray:
    """Which items belong to a part, bool [N]."""
    return np.array([part in item.parts for item in items])
