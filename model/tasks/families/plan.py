"""Plans: all actions of a robot from the first step to the end of the episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.family import Family, Output, ids_before_end, with_answer
from embodio.model.tasks.base.robot_item import WORDS_OF_ROBOT, RobotItem, robot_clauses
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Planned(RobotItem):
    """A robot step with its instruction, and all following actions.

    Attributes:
        actions: token ids of the actions in the robot's format; None in a request.
    """

    actions: Sequence[int] | None = None


class PlanFamily(Family[Planned]):
    """Planning, as in VIMA (paper, appendix D.10): first frame and instruction in, the actions of an episode out."""

    name = "plan"
    annotation = Planned
    groups = groups_of(plain={"instruction": "lift the cube"})
    answer = ("actions",)
    may_be_empty = WORDS_OF_ROBOT
    metrics = ("next_tokens",)

    def slots(self, annotation: Planned, codec: TaskCodec) -> Mapping[str, Filling]:
        """The instruction."""
        return {"instruction": annotation.instruction}

    def clauses(self, annotation: Planned, codec: TaskCodec) -> Sequence[str | int]:
        """The clauses of the robot."""
        return robot_clauses(annotation)

    def target(self, annotation: Planned, codec: TaskCodec) -> list[int] | None:
        """The token ids."""
        return None if annotation.actions is None else list(annotation.actions)

    def read(self, written: Output, asked: Planned, codec: TaskCodec) -> Planned:
        """The token ids up to the end; the robot's format decodes them to actions."""
        return with_answer(asked, actions=ids_before_end(written))


FAMILY = PlanFamily()
