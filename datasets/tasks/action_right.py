"""ActionRight: judge whether an action is the one to take now; wrong ones come from another moment of the episode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks.parts.moment_task import MomentTask
from embodio.datasets.tasks.parts.scene import Scene
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.judge_action import ActionJudged, JudgeAction
from embodio.model.tokens.vocabulary import VALUE_BINS


@dataclass(frozen=True, kw_only=True)
class ActionRightConfig(TaskConfig):
    """Settings of ActionRight.

    Attributes:
        right: probability that the action is the right one.
        apart: value bins (of 1000) by which at least one number of a wrong action must differ from the right one.
    """

    right: float = 0.5
    apart: int = 50

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        if not 0.0 <= self.right <= 1.0:
            raise DatasetError(f"tasks.action_right.right: got {self.right}, expected 0 to 1")
        if not 1 <= self.apart < VALUE_BINS:
            raise DatasetError(f"tasks.action_right.apart: got {self.apart}, expected 1 to {VALUE_BINS - 1} bins")


class ActionRight(MomentTask[ActionRightConfig]):
    """Frame, instruction and an action in, "yes" or "no" out (paper, section D.11).

    Without a generator, records with even numbers show the right action, the others the first wrong one. If no action
    of the episode differs enough, the right one is shown.
    """

    name = "action_right"
    settings = ActionRightConfig
    family = JudgeAction()

    def _records(self, length: int) -> int:
        return length

    def _annotation(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> ActionJudged:
        bins = self._policy_format.codec.units(scene.actions_around(step)) * (VALUE_BINS - 1)
        right = index % 2 == 0 if generator is None else bool(generator.random() < self.config.right)
        wrong = np.flatnonzero(np.rint(np.abs(bins - bins[step])).max(axis=1) >= self.config.apart)
        shown = step
        if not right and len(wrong):
            shown = int(wrong[0] if generator is None else generator.choice(wrong))
        given = self._given(scene, step, generator)
        return ActionJudged(
            media=InputMedia(image=scene.picture(step), image_history=given.history),
            instruction=scene.instruction,
            actions=scene.action_ids([shown]),
            right=shown == step,
            **given.fields,
        )


TASK = ActionRight
