"""Action judgements: whether an action is the right one at a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.family import Family, Output, token_ids, with_answer
from embodio.model.tasks.base.robot_item import WORDS_OF_ROBOT, RobotItem, robot_clauses
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import Filling, groups_of

YES, NO = "yes", "no"


@dataclass(frozen=True, eq=False, kw_only=True)
class ActionJudged(RobotItem):
    """A robot step, an action, and whether it is right.

    Attributes:
        actions: token ids of the action.
        right: the judgement; None in a request.
    """

    actions: Sequence[int] = ()
    right: bool | None = None


class JudgeAction(Family[ActionJudged]):
    """Action judgement (paper, appendix D.11): frame, instruction and action in, "yes" or "no" out."""

    name = "judge_action"
    annotation = ActionJudged
    groups = groups_of(plain={"instruction": "lift the cube", "actions": "[values]"})
    answer = ("right",)
    tokens = 4
    fixed_answers = (YES, NO)
    may_be_empty = WORDS_OF_ROBOT
    metrics = ("judgement",)

    def slots(self, annotation: ActionJudged, codec: TaskCodec) -> Mapping[str, Filling]:
        """The instruction and the action."""
        return {"instruction": annotation.instruction, "actions": list(annotation.actions)}

    def clauses(self, annotation: ActionJudged, codec: TaskCodec) -> Sequence[str | int]:
        """The clauses of the robot."""
        return robot_clauses(annotation)

    def target(self, annotation: ActionJudged, codec: TaskCodec) -> str | None:
        """One word."""
        return None if annotation.right is None else (YES if annotation.right else NO)

    def choices(self, annotation: ActionJudged) -> tuple[str, ...]:
        """Both words."""
        return self.fixed_answers

    def read(self, written: Output, asked: ActionJudged, codec: TaskCodec) -> ActionJudged | AnswerError:
        """Whether the word is "yes"."""
        word = parse_text(codec.locations, token_ids(written))
        if word not in (YES, NO):
            return AnswerError(f"a judgement is {YES!r} or {NO!r}", word)
        return with_answer(asked, right=word == YES)


FAMILY = JudgeAction()
