"""Task descriptions: the instruction that a robot carries out, inferred from frames."""

from __future__ import annotations

from embodio.model.tasks.base.text_family import TextFamily, TextItem


class DescribeTask(TextFamily[TextItem]):
    """Task description (paper, appendix D.10): frames of a robot in, its instruction out."""

    name = "describe_task"
    annotation = TextItem
    tokens = 64
    metrics = ("exact_match", "rouge_l")


FAMILY = DescribeTask()
