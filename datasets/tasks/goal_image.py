"""GoalImage: from one moment and the instruction, draw the end of the episode or a moment on the way to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks.hindsight import later_step
from embodio.datasets.tasks.moment_task import MomentTask, TaskConfig
from embodio.datasets.tasks.scene import Scene
from embodio.model.tasks.base.family import Media
from embodio.model.tasks.families.goal_image import Goal
from embodio.model.tasks.families.goal_image import GoalImage as GoalFamily


@dataclass(frozen=True, kw_only=True)
class GoalImageConfig(TaskConfig):
    """Settings of GoalImage.

    Attributes:
        farthest: None draws the last frame; a number draws a frame at most this many steps ahead (hindsight sub-goal).
    """

    farthest: int | None = None

    def __post_init__(self) -> None:
        """Checks the range; raises DatasetError."""
        if self.farthest is not None and self.farthest < 1:
            raise DatasetError(f"farthest: got {self.farthest}, expected at least 1 step ahead, or None for the end")


@dataclass(frozen=True, kw_only=True)
class SubGoalImageConfig(GoalImageConfig):
    """Settings of GoalImage where it draws a moment on the way."""

    farthest: int | None = 8


class GoalImage(MomentTask[GoalImageConfig]):
    """Frame and instruction in, goal or sub-goal image out (paper, section D.10). The last step makes no record."""

    family = GoalFamily()

    def _records(self, length: int) -> int:
        return length - 1

    def _annotation(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> Goal:
        farthest = self.config.farthest
        goal = len(scene) - 1 if farthest is None else later_step(len(scene), step, farthest, generator)
        given = self._given(scene, step, generator)
        return Goal(
            media=Media(image=scene.picture(step), image_history=given.history),
            instruction=scene.instruction,
            intermediate=farthest is not None,
            drawn=scene.picture(goal),
            **given.fields,
        )
