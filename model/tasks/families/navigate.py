"""Navigation: the next word of movement on the way to a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.generation import Constraint, allow_by_step
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.locations.codec import ValueRange
from embodio.model.tasks.locations.spatial import POSITION_TOKENS, read_position, write_position
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import Filling, groups_of
from embodio.model.tokens.vocabulary import EOS_ID

MOVES = ("forward", "left", "right", "stop")
HEADING = ValueRange("heading in radians", -np.pi, np.pi)


@dataclass(frozen=True, eq=False, kw_only=True)
class Navigated(Annotation):
    """A step on the way to a point; the views so far are the image history, the current one is the main image.

    Attributes:
        goal: float [3], x, y (up) and z of the point in metres.
        position: float [3], of the agent, in the same axes.
        heading: of the agent in radians, -pi to pi about the y axis.
        moves: the words of the steps so far.
        with_state: whether the position after the move is asked for as well.
        move: the next word; None in a request.
        next_position: float [3], after the move; None in a request or if it is not asked for.
    """

    goal: npt.NDArray[np.floating]
    position: npt.NDArray[np.floating]
    heading: float
    moves: tuple[str, ...] = ()
    with_state: bool = False
    move: str | None = None
    next_position: npt.NDArray[np.floating] | None = None


class Navigate(Family[Navigated]):
    """PointNav (paper, appendix D.10): views, goal and state in; a word, and the next position if asked for, out."""

    name = "navigate"
    annotation = Navigated
    groups = groups_of(
        **{
            group: {"goal": "[x z y]", "position": "[x z y]", "heading": "[angle]", "moves": "forward left"}
            for group in ("move", "move_and_state")
        }
    )
    answer = ("move", "next_position")
    fixed_answers = MOVES
    tokens = 16
    metrics = ("move_accuracy",)

    def group(self, annotation: Navigated) -> str:
        """`move`, or `move_and_state` where the next position is asked for."""
        return "move_and_state" if annotation.with_state else "move"

    def slots(self, annotation: Navigated, codec: TaskCodec) -> Mapping[str, Filling]:
        """Goal, position and heading as value tokens, and the words so far."""
        heading = codec.locations.numbers_to_ids([annotation.heading], HEADING)
        return {
            "goal": write_position(codec.locations, annotation.goal).tolist(),
            "position": write_position(codec.locations, annotation.position).tolist(),
            "heading": heading.tolist(),
            "moves": " ".join(annotation.moves) or "none",
        }

    def target(self, annotation: Navigated, codec: TaskCodec) -> list[str | int] | None:
        """The word, and the next position as three value tokens if it is asked for.

        Raises:
            TaskError: the word is not a move, or the next position is missing.
        """
        if annotation.move is None:
            return None
        if annotation.move not in MOVES:
            raise TaskError(f"move: got {annotation.move!r}, expected one of {', '.join(MOVES)}")
        if not annotation.with_state:
            return [annotation.move]
        if annotation.next_position is None:
            raise TaskError("next_position: with_state asks for it; give it, or set with_state=False")
        return [annotation.move, *write_position(codec.locations, annotation.next_position).tolist()]

    def form(self, asked: Sequence[Navigated], codec: TaskCodec, longest: int) -> Constraint | None:
        """One of the words where nothing else is asked for and each is one token; otherwise free."""
        words = [codec.vocabulary.encode(move) for move in MOVES]
        if any(one.with_state for one in asked) or any(len(ids) > 1 for ids in words):
            return None
        return allow_by_step([[ids[0] for ids in words], [EOS_ID]])

    def read(self, written: Output, asked: Navigated, codec: TaskCodec) -> Navigated | AnswerError:
        """The word, and the position."""
        ids = token_ids(written)
        values = [token for token in ids if any(run for run, _ in codec.locations.split([token]))]
        word = parse_text(codec.locations, [token for token in ids if token not in values])
        if word not in MOVES or len(values) != (POSITION_TOKENS if asked.with_state else 0):
            state = " and three values" if asked.with_state else ""
            reason = f"a move is one of {', '.join(MOVES)}{state}"
            return AnswerError(reason, parse_text(codec.locations, ids))
        position = read_position(codec.locations, values) if asked.with_state else None
        return with_answer(asked, move=word, next_position=position)


FAMILY = Navigate()
