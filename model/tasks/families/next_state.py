"""Next states: the state of a robot some steps ahead, as value tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.family import Family, Output, token_ids, with_answer
from embodio.model.tasks.base.robot_item import WORDS_OF_ROBOT, RobotItem, robot_clauses
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class StateAhead(RobotItem):
    """A robot step, and the state of the robot some steps later.

    Attributes:
        count: steps ahead.
        later: value ids of the later state; None in a request.
    """

    count: int = 1
    later: Sequence[int] | None = None


class NextStateFamily(Family[StateAhead]):
    """State prediction (paper, appendix D.10): frame, instruction and actions in, value tokens out."""

    name = "next_state"
    annotation = StateAhead
    groups = groups_of(plain={"instruction": "lift the cube", "count": "4"})
    answer = ("later",)
    may_be_empty = WORDS_OF_ROBOT
    metrics = ("state_error",)

    def slots(self, annotation: StateAhead, codec: TaskCodec) -> Mapping[str, Filling]:
        """The instruction and the number of steps."""
        return {"instruction": annotation.instruction, "count": str(annotation.count)}

    def clauses(self, annotation: StateAhead, codec: TaskCodec) -> Sequence[str | int]:
        """The clauses of the robot, including the actions that lead to the state."""
        return robot_clauses(annotation)

    def target(self, annotation: StateAhead, codec: TaskCodec) -> list[int] | None:
        """The value ids."""
        return None if annotation.later is None else list(annotation.later)

    def read(self, written: Output, asked: StateAhead, codec: TaskCodec) -> StateAhead | AnswerError:
        """The value ids; an AnswerError if anything else was written."""
        ids = token_ids(written)
        parts = codec.locations.split(ids)
        if len(parts) != 1 or not parts[0][0] or parts[0][1]:
            return AnswerError("a state is values and nothing else", parse_text(codec.locations, ids))
        return with_answer(asked, later=parts[0][0])


FAMILY = NextStateFamily()
