"""Goal images: the camera image after an instruction is carried out, or on the way there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.image_family import ImageFamily, ImageItem
from embodio.model.tasks.base.robot_item import WORDS_OF_ROBOT, RobotItem, robot_clauses
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Goal(RobotItem, ImageItem):
    """A robot step with its instruction, and the image of its goal.

    Attributes:
        intermediate: whether the image is of a sub-goal on the way to the goal.
    """

    intermediate: bool = False


class GoalImageFamily(ImageFamily[Goal]):
    """Goal generation (paper, appendix D.10): frame and instruction in, image of the goal or of a sub-goal out."""

    name = "goal_image"
    annotation = Goal
    groups = groups_of(goal={"instruction": "lift the cube"}, sub_goal={"instruction": "lift the cube"})
    may_be_empty = WORDS_OF_ROBOT
    metrics = ("psnr", "ssim")

    def group(self, annotation: Goal) -> str:
        """`goal` or `sub_goal`."""
        return "sub_goal" if annotation.intermediate else "goal"

    def slots(self, annotation: Goal, codec: TaskCodec) -> Mapping[str, Filling]:
        """The instruction."""
        return {"instruction": annotation.instruction}

    def clauses(self, annotation: Goal, codec: TaskCodec) -> Sequence[str | int]:
        """The clauses of the robot."""
        return robot_clauses(annotation)


FAMILY = GoalImageFamily()
