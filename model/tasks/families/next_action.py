"""Next actions: what an agent does at one step, as a word or as value tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.family import Family, Output, ids_before_end, with_answer
from embodio.model.tasks.base.robot_item import WORDS_OF_ROBOT, RobotItem, robot_clauses
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class ActionAhead(RobotItem):
    """A step of an agent, and its action there.

    Attributes:
        action: token ids of the action, values or the text of a word; None in a request.
    """

    action: Sequence[int] | None = None


class NextActionFamily(Family[ActionAhead]):
    """Action prediction in pre-training (paper, appendix C.1): goal and observations in, the next action out.

    A policy that acts is asked in the words of its own format, see `embodio.agent.format`.
    """

    name = "next_action"
    annotation = ActionAhead
    groups = groups_of(plain={"instruction": "lift the cube"})
    answer = ("action",)
    may_be_empty = WORDS_OF_ROBOT
    metrics = ("next_tokens",)

    def slots(self, annotation: ActionAhead, codec: TaskCodec) -> Mapping[str, Filling]:
        """The instruction."""
        return {"instruction": annotation.instruction}

    def clauses(self, annotation: ActionAhead, codec: TaskCodec) -> Sequence[str | int]:
        """The clauses of the robot."""
        return robot_clauses(annotation)

    def target(self, annotation: ActionAhead, codec: TaskCodec) -> list[int] | None:
        """The token ids."""
        return None if annotation.action is None else list(annotation.action)

    def read(self, written: Output, asked: ActionAhead, codec: TaskCodec) -> ActionAhead:
        """The token ids up to the end."""
        return with_answer(asked, action=ids_before_end(written))


FAMILY = NextActionFamily()
