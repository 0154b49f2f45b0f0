"""GoalImage: from one moment and the instruction, draw the end of the episode."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from embodio.datasets.tasks.parts.moment_task import MomentTask
from embodio.datasets.tasks.parts.scene import Scene
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.goal_image import Goal, GoalImageFamily

ConfigT = TypeVar("ConfigT", bound=TaskConfig)


class GoalImage(MomentTask[ConfigT]):
    """Frame and instruction in, goal image out (paper, section D.10). The last step makes no record."""

    name = "goal_image"
    family = GoalImageFamily()
    intermediate = False

    def _records(self, length: int) -> int:
        return length - 1

    def _annotation(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> Goal:
        goal = self._goal(len(scene), step, generator)
        given = self._given(scene, step, generator)
        return Goal(
            media=InputMedia(image=scene.picture(step), image_history=given.history),
            instruction=scene.instruction,
            intermediate=self.intermediate,
            drawn=scene.picture(goal),
            **given.fields,
        )

    def _goal(self, length: int, step: int, generator: np.random.Generator | None) -> int:
        """The step that is drawn."""
        return length - 1


TASK = GoalImage
