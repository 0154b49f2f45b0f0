"""TrajectoryAction: write the next action of an agent (paper, appendix C.1: from goal and observations).

The wordings are those of the family `next_action`; the state and the last action follow as text:

    prompt   [Text] [S] What does the agent do next? Goal: find the sofa State: <512> <498> Actions so far: forward
    image    frame 4, with frames 0 to 3 as history
    target   turn left
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, asked
from embodio.datasets.objectives.parts.steps import (
    StepsConfig,
    action_ids,
    has_actions,
    has_steps,
    seen,
    state_ids,
    steps_of,
)
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.tasks.families.next_action import FAMILY, ActionAhead


@dataclass(frozen=True, kw_only=True)
class TrajectoryActionConfig(StepsConfig):
    """Settings of TrajectoryAction.

    Attributes:
        ahead: number of actions that are asked for.
        previous: number of actions before this step that are given.
    """

    previous: int = 1

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        super().__post_init__()
        if self.previous < 0:
            raise DatasetError(f"previous: got {self.previous}, expected 0 or more")


class TrajectoryAction(ConfiguredObjective[TrajectoryActionConfig]):
    """Goal, frames, state and earlier actions in, the next actions out."""

    settings = TrajectoryActionConfig

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with a trajectory whose actions can be written."""
        return has_steps(record, context, self.config.ahead) and has_actions(steps_of(record)) and able(context)

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """A step is drawn, then the wording."""
        trajectory, ahead = steps_of(record), self.config.ahead
        step = int(generator.integers(len(trajectory.images) - ahead + 1))
        given = min(step, self.config.previous)
        item = ActionAhead(
            media=seen(record, context, step, self.config),
            instruction=trajectory.instruction,
            state=state_ids(record, context, step),
            previous_actions=action_ids(record, context, step - given, given) if given else (),
            action=action_ids(record, context, step, ahead),
        )
        return asked(FAMILY, item, context, generator)


OBJECTIVE = TrajectoryAction
