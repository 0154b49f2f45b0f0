"""Marks: whether an answer is right, by the main metric of its family, and how far off it is in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embodio.datasets.metrics import named_metric
from embodio.model.tasks.base.family import Annotation
from embodio.model.tasks.errors import AnswerError


@dataclass(frozen=True)
class Mark:
    """A mark.

    Attributes:
        right: whether the answer counts as right.
        words: how near it is; "" where right and wrong are all there is.
    """

    right: bool
    words: str = ""


@dataclass(frozen=True)
class MarkRule:
    """How answers of a family are marked.

    Attributes:
        metric: name of the metric.
        figure: of it.
        limit: the least figure that counts as right, or the greatest where lower ones are better.
        words: a format of the figure.
    """

    metric: str
    figure: str
    limit: float
    words: str = ""


RULES: Mapping[str, MarkRule] = {
    "answer_question": MarkRule("exact_match", "exact_match", 1),
    "depth": MarkRule("depth_errors", "depth_within_1.25", 0.75, "{:.0%} of pixels within a quarter"),
    "detect": MarkRule("box_ap", "ap_50", 0.99, "average precision {:.0%} of boxes that overlap by half"),
    "normals": MarkRule("normal_angles", "mean_angle", 30, "{:.0f}° off on average"),
    "point": MarkRule("point_distance", "point_distance", 0.05, "{:.1%} of the diagonal from the middle"),
    "refer": MarkRule("box_accuracy", "mean_iou", 0.5, "boxes overlap by {:.0%}"),
    "segment": MarkRule("mask_iou", "mask_iou", 0.5, "masks overlap by {:.0%}"),
    "transcribe": MarkRule("wer", "wer", 0, "{:.0%} of words wrong"),
}


def mark_of(family: str, answer: Any, truth: Annotation) -> Mark | None:
    """The mark of an answer; None where the family has no rule, such as for captions.

    Args:
        family: its name.
        answer: an annotation, or an AnswerError, which is wrong.
        truth: the annotation with the right answer.
    """
    rule = RULES.get(family)
    if rule is None:
        return None
    if isinstance(answer, AnswerError):
        return Mark(right=False)
    metric = named_metric(rule.metric)
    figure = float(metric.combine([metric.measure(answer, truth)], np.ones((1, 1)))[rule.figure][0])
    lower = metric.figures[rule.figure] == "lower"
    return Mark(figure <= rule.limit if lower else figure >= rule.limit, rule.words.format(figure))
