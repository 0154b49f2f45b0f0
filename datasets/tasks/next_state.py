"""NextState: from one moment and what the robot does, say what its state will be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks.moment_task import MomentTask, TaskConfig
from embodio.datasets.tasks.prompts import CLAUSES, fill
from embodio.datasets.tasks.scene import Scene
from embodio.model.example import Example


@dataclass(frozen=True, kw_only=True)
class NextStateConfig(TaskConfig):
    """Settings of NextState.

    Attributes:
        ahead: how many steps ahead.
        with_actions: the actions that lead there are given.
    """

    ahead: int = 1
    with_actions: bool = True

    def __post_init__(self) -> None:
        """Checks the range; raises DatasetError."""
        if self.ahead < 1:
            raise DatasetError(f"ahead: got {self.ahead}, expected at least 1 step")


class NextState(MomentTask[NextStateConfig]):
    """Frame, instruction and actions in, the state as value tokens out. Steps too near the end make no record."""

    reads_state = True

    def _records(self, length: int) -> int:
        return max(0, length - self.config.ahead)

    def _ahead(self) -> int:
        return self.config.ahead

    def _example(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> Example:
        later = step + self.config.ahead
        given = self._given(scene, step, generator)
        clauses = list(given.clauses)
        if self.config.with_actions:
            clauses += fill(CLAUSES["following_actions"], {"actions": scene.action_ids(range(step, later))})
        slots = {"instruction": scene.instruction, "count": str(self.config.ahead)}
        return Example(
            text=self._prompt("text", "next_state", slots, clauses, generator),
            image=scene.picture(step),
            image_history=given.history,
            text_target=scene.state_ids(later, recorded=True),
        )
