"""TrajectoryState: write the state of an agent some steps ahead (paper, appendix C.1: the next position as text).

The wordings are those of the family `next_state`; the state now and the actions that lead to the next one follow:

    prompt   [Text] [S] Give the state of the robot 1 steps from now. Task: find the sofa State: <512> <498>
             Actions now: turn left
    image    frame 4, with frames 0 to 3 as history
    target   <512> <503>
"""

from __future__ import annotations

import numpy as np

from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, asked
from embodio.datasets.objectives.parts.steps import (
    StepsConfig,
    action_ids,
    has_states,
    has_steps,
    seen,
    state_ids,
    steps_of,
)
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.tasks.families.next_state import FAMILY, StateAhead


class TrajectoryState(ConfiguredObjective[StepsConfig]):
    """Frames, state and actions in, a later state out."""

    settings = StepsConfig

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with a trajectory whose states can be written."""
        return has_steps(record, context, self.config.ahead + 1) and has_states(steps_of(record)) and able(context)

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """A step is drawn, then the wording."""
        trajectory, ahead = steps_of(record), self.config.ahead
        step = int(generator.integers(len(trajectory.images) - ahead))
        item = StateAhead(
            media=seen(record, context, step, self.config),
            instruction=trajectory.instruction,
            count=ahead,
            state=state_ids(record, context, step),
            following_actions=action_ids(record, context, step, ahead),
            later=state_ids(record, context, step + ahead),
        )
        return asked(FAMILY, item, context, generator)


OBJECTIVE = TrajectoryState
