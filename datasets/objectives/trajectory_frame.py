"""TrajectoryFrame: draw what an agent sees next (paper, appendix C.1: ProcTHOR, Habitat).

The wordings are those of the family `next_frame`; the state and the actions that lead to the frame follow as text:

    prompt   [Image] [S] Draw what the camera sees next. Task: find the sofa State: <512> <498> Actions now: turn left
    history  frames 0 to 3
    image    frame 4
    target   frame 5, an image
"""

from __future__ import annotations

import numpy as np

from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, asked
from embodio.datasets.objectives.parts.steps import StepsConfig, action_ids, has_steps, seen, state_ids, steps_of
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.tasks.families.next_frame import FAMILY, FrameAhead


class TrajectoryFrame(ConfiguredObjective[StepsConfig]):
    """Frames, state and actions in, the next frame out."""

    settings = StepsConfig

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with a trajectory, for networks that read and write images."""
        return has_steps(record, context, self.config.ahead + 1) and able(context, writes="image")

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """A step is drawn, then the wording."""
        trajectory, ahead = steps_of(record), self.config.ahead
        step = int(generator.integers(len(trajectory.images) - ahead))
        item = FrameAhead(
            media=seen(record, context, step, self.config),
            instruction=trajectory.instruction,
            robot=bool(trajectory.instruction.strip()),
            state=state_ids(record, context, step),
            following_actions=action_ids(record, context, step, ahead),
            drawn=trajectory.images[step + ahead].load(),
        )
        return asked(FAMILY, item, context, generator)


OBJECTIVE = TrajectoryFrame
