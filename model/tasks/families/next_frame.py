"""Next frames: the next camera images of a film or of a robot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.image_family import ImageFamily, ImageItem
from embodio.model.tasks.base.robot_item import WORDS_OF_ROBOT, RobotItem, robot_clauses
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameAhead(RobotItem, ImageItem):
    """Frames so far, the last of them the main image, and the next frames.

    Attributes:
        count: number of next frames; several are laid out on one sheet.
        robot: whether it is a robot with an instruction; otherwise any film.
    """

    count: int = 1
    robot: bool = False


class NextFrameFamily(ImageFamily[FrameAhead]):
    """Future frame prediction (paper, appendix D.10): frames, optional instruction and actions in, next frames out."""

    name = "next_frame"
    annotation = FrameAhead
    groups = groups_of(
        film={}, robot={"instruction": "lift the cube"}, robot_sheet={"instruction": "lift the cube", "count": "4"}
    )
    may_be_empty = WORDS_OF_ROBOT
    metrics = ("psnr", "ssim")

    def group(self, annotation: FrameAhead) -> str:
        """`film`, `robot` for one frame of a robot, or `robot_sheet` for several."""
        if not annotation.robot:
            return "film"
        return "robot" if annotation.count == 1 else "robot_sheet"

    def slots(self, annotation: FrameAhead, codec: TaskCodec) -> Mapping[str, Filling]:
        """The instruction and the number of frames."""
        slots: dict[str, Filling] = {} if not annotation.robot else {"instruction": annotation.instruction}
        return slots if self.group(annotation) != "robot_sheet" else slots | {"count": str(annotation.count)}

    def clauses(self, annotation: FrameAhead, codec: TaskCodec) -> Sequence[str | int]:
        """The clauses of the robot, including the actions that lead to the frames."""
        return robot_clauses(annotation)


FAMILY = NextFrameFamily()
