"""Plan: from the first moment of an episode, predict all of its actions at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.tasks.parts.moment_task import MomentTask
from embodio.datasets.tasks.parts.scene import Scene
from embodio.datasets.tasks.parts.task_config import TaskConfig, require_at_least_one
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.plan import PlanFamily, Planned

_WHOLE_EPISODE = 1 << 40  # steps


@dataclass(frozen=True, kw_only=True)
class PlanConfig(TaskConfig):
    """Settings of Plan.

    Attributes:
        longest: most tokens of an answer; longer episodes make no record.
    """

    longest: int = 255

    def __post_init__(self) -> None:
        """Checks the range; raises DatasetError."""
        require_at_least_one(self, "plan", "longest")


class Plan(MomentTask[PlanConfig]):
    """First frame and instruction in, the actions of the whole episode out, as in VIMA (paper, section D.10).

    Images and sounds of the instruction become the image and audio history, if the policy has slots for them.
    """

    name = "plan"
    settings = PlanConfig
    family = PlanFamily()

    def _records(self, length: int) -> int:
        return int(self._policy_format.answer_length(length) <= self.config.longest)

    def _ahead(self) -> int:
        return _WHOLE_EPISODE

    def _annotation(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> Planned:
        given, prompt = self._given(scene, 0, generator), scene.instruction_parts()
        # At the first moment there are no earlier frames, so the history holds the images of the instruction.
        media = InputMedia(image=scene.picture(0), image_history=prompt.images, audio_history=prompt.sounds)
        return Planned(media=media, instruction=prompt.parts, actions=scene.action_ids(), **given.fields)


TASK = Plan
