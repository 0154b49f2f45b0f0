"""NextFrame: from one moment and what the robot does, draw what the cameras see next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks.moment_task import MomentTask, TaskConfig
from embodio.datasets.tasks.mosaic import mosaic
from embodio.datasets.tasks.scene import Scene
from embodio.model.tasks.base.family import Media
from embodio.model.tasks.families.next_frame import FrameAhead
from embodio.model.tasks.families.next_frame import NextFrame as NextFrameFamily


@dataclass(frozen=True, kw_only=True)
class NextFrameConfig(TaskConfig):
    """Settings of NextFrame.

    Attributes:
        frames: how many frames are drawn; more than one are laid out on one sheet (`mosaic`).
        stride: steps from one to the next.
        with_actions: the actions that lead there are given.
    """

    frames: int = 1
    stride: int = 1
    with_actions: bool = True

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        if self.frames < 1 or self.stride < 1:
            raise DatasetError(f"frames: got {self.frames} every {self.stride} steps, expected at least 1 of each")


class NextFrame(MomentTask[NextFrameConfig]):
    """Frame, instruction and actions in, the next frames out. Steps too near the end make no record."""

    family = NextFrameFamily()

    def _records(self, length: int) -> int:
        return max(0, length - self.config.frames * self.config.stride)

    def _ahead(self) -> int:
        return self.config.frames * self.config.stride if self.config.with_actions else 0

    def _annotation(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> FrameAhead:
        config = self.config
        last = step + config.frames * config.stride
        given = self._given(scene, step, generator)
        ahead = range(step + config.stride, last + 1, config.stride)
        return FrameAhead(
            media=Media(image=scene.picture(step), image_history=given.history),
            instruction=scene.instruction,
            following_actions=scene.action_ids(range(step, last)) if config.with_actions else (),
            count=config.frames,
            robot=True,
            drawn=mosaic([scene.picture(later) for later in ahead]),
            **given.fields,
        )
