"""NextState: from one moment and the robot's actions, predict its state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.tasks.parts.moment_task import MomentTask
from embodio.datasets.tasks.parts.scene import Scene
from embodio.datasets.tasks.parts.task_config import TaskConfig, require_at_least_one
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.next_state import NextStateFamily, StateAhead


@dataclass(frozen=True, kw_only=True)
class NextStateConfig(TaskConfig):
    """Settings of NextState.

    Attributes:
        ahead: number of steps ahead.
        with_actions: whether the actions that lead there are given.
    """

    ahead: int = 1
    with_actions: bool = True

    def __post_init__(self) -> None:
        """Checks the range; raises DatasetError."""
        require_at_least_one(self, "next_state", "ahead")


class NextState(MomentTask[NextStateConfig]):
    """Frame, instruction and actions in, the state as value tokens out. Steps too near the end make no record."""

    name = "next_state"
    settings = NextStateConfig
    family = NextStateFamily()
    reads_state = True

    def _records(self, length: int) -> int:
        return max(0, length - self.config.ahead)

    def _ahead(self) -> int:
        return self.config.ahead

    def _annotation(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> StateAhead:
        later = step + self.config.ahead
        given = self._given(scene, step, generator)
        return StateAhead(
            media=InputMedia(image=scene.picture(step), image_history=given.history),
            instruction=scene.instruction,
            following_actions=scene.action_ids(range(step, later)) if self.config.with_actions else (),
            count=self.config.ahead,
            later=scene.state_ids(later, recorded=True),
            **given.fields,
        )


TASK = NextState
