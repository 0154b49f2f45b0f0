"""SubGoalImage: from one moment and the instruction, draw a moment on the way to the end (hindsight relabelling)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.tasks.goal_image import GoalImage
from embodio.datasets.tasks.parts.hindsight import later_step
from embodio.datasets.tasks.parts.task_config import TaskConfig, require_at_least_one


@dataclass(frozen=True, kw_only=True)
class SubGoalImageConfig(TaskConfig):
    """Settings of SubGoalImage.

    Attributes:
        farthest: largest number of steps to the drawn moment.
    """

    farthest: int = 8

    def __post_init__(self) -> None:
        """Checks the range; raises DatasetError."""
        require_at_least_one(self, "sub_goal_image", "farthest")


class SubGoalImage(GoalImage[SubGoalImageConfig]):
    """Frame and instruction in, the image of a later moment out. The last step makes no record."""

    name = "sub_goal_image"
    settings = SubGoalImageConfig
    intermediate = True

    def _goal(self, length: int, step: int, generator: np.random.Generator | None) -> int:
        return later_step(length, step, self.config.farthest, generator)


TASK = SubGoalImage
