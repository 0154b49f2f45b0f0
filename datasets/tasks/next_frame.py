"""NextFrame: from one moment and the robot's actions, draw the next camera frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks.parts.moment_task import MomentTask
from embodio.datasets.tasks.parts.scene import Scene
from embodio.datasets.tasks.parts.task_config import TaskConfig, require_at_least_one
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.next_frame import FrameAhead, NextFrameFamily


@dataclass(frozen=True, kw_only=True)
class NextFrameConfig(TaskConfig):
    """Settings of NextFrame.

    Attributes:
        frames: number of frames to draw; several are laid out on one sheet (`mosaic`).
        stride: steps from one to the next.
        with_actions: whether the actions that lead there are given.
    """

    frames: int = 1
    stride: int = 1
    with_actions: bool = True

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        require_at_least_one(self, "next_frame", "frames", "stride")


class NextFrame(MomentTask[NextFrameConfig]):
    """Frame, instruction and actions in, the next frames out. Steps too near the end make no record."""

    name = "next_frame"
    settings = NextFrameConfig
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
            media=InputMedia(image=scene.picture(step), image_history=given.history),
            instruction=scene.instruction,
            following_actions=scene.action_ids(range(step, last)) if config.with_actions else (),
            count=config.frames,
            robot=True,
            drawn=mosaic([scene.picture(later) for later in ahead]),
            **given.fields,
        )


def mosaic(frames: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Lays frames out in rows, left to right, on a sheet as square as possible; unused places are black.

    Args:
        frames: N >= 1 images uint8 [H, W, 3] of one size.

    Returns:
        uint8 [rows * H, columns * W, 3] with columns = ceil(sqrt(N)).

    Raises:
        DatasetError: there is no frame, or their sizes differ.
    """
    if not frames:
        raise DatasetError("mosaic: no frames given")
    if len({frame.shape for frame in frames}) > 1:
        raise DatasetError(f"mosaic: frames of one size are needed, got {sorted({f.shape for f in frames})}")
    columns = math.ceil(math.sqrt(len(frames)))
    rows = math.ceil(len(frames) / columns)
    height, width, channels = frames[0].shape
    sheet = np.zeros((rows * height, columns * width, channels), dtype=np.uint8)
    for place, frame in enumerate(frames):
        top, left = place // columns * height, place % columns * width
        sheet[top : top + height, left : left + width] = frame
    return sheet


TASK = NextFrame
