"""Choice accuracy: how often the right one of several options is chosen, and how far that is above chance."""

from __future__ import annotations

from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher
from embodio.model.tasks.families.multiple_choice import ChoiceQuestion


class ChoiceAccuracy(MeanMetric[ChoiceQuestion]):
    """Accuracy, and the mean of (right - chance) / (1 - chance), which is 0 for guessing whatever the options."""

    figures = higher("choice_accuracy", "above_chance")
    reads = ("chosen", "options")

    def measure(self, found: ChoiceQuestion | None, truth: ChoiceQuestion) -> dict[str, float]:
        """Whether one choice is right."""
        right = found is not None and given(found, "chosen") == given(truth, "chosen")
        chance = 1 / len(truth.options)
        return {"choice_accuracy": float(right), "above_chance": (right - chance) / (1 - chance)}


METRIC = ChoiceAccuracy()
