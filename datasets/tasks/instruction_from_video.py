"""InstructionFromVideo: from frames of an episode, write its instruction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.tasks.parts.moment_task import MomentTask
from embodio.datasets.tasks.parts.scene import Scene
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.base.text_family import TextItem
from embodio.model.tasks.families.describe_task import DescribeTask
from embodio.model.tokens.vocabulary import HISTORY_SLOTS


@dataclass(frozen=True, kw_only=True)
class InstructionFromVideoConfig(TaskConfig):
    """Settings of InstructionFromVideo; the shared inputs are not given, only frames.

    Attributes:
        frames: frames before the last one, as image history, 1 to 8; fewer for shorter episodes.
    """

    frames: int = 4

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        if not 1 <= self.frames <= HISTORY_SLOTS:
            raise DatasetError(f"tasks.instruction_from_video.frames: got {self.frames}, expected 1 to {HISTORY_SLOTS}")

    @property
    def earlier_frames(self) -> int:
        """All but the last one."""
        return self.frames


class InstructionFromVideo(MomentTask[InstructionFromVideoConfig]):
    """Frames in, instruction out (paper, section D.10); one record for each episode.

    The frames before the last one come from equal parts of the episode: the first of each part, or a random one.
    """

    name = "instruction_from_video"
    settings = InstructionFromVideoConfig
    family = DescribeTask()

    def _records(self, length: int) -> int:
        return 1

    def _annotation(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> TextItem:
        if not scene.recorded_instruction.strip():
            raise FeatureError("the episode has no instruction; leave this data set out of instruction_from_video")
        last = len(scene) - 1
        cuts = np.linspace(0, last, min(self.config.frames, last) + 1).astype(np.int64)
        steps = cuts[:-1] if generator is None else generator.integers(cuts[:-1], cuts[1:])
        earlier = tuple(scene.picture(int(one)) for one in steps)
        return TextItem(
            media=InputMedia(image=scene.picture(last), image_history=earlier), text=scene.recorded_instruction
        )


TASK = InstructionFromVideo
