"""Camera poses: the movement of the camera between two images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from embodio.model.generation import Constraint, allow_by_step
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import values_steps
from embodio.model.tasks.locations.spatial import POSE_TOKENS, CameraPose, write_pose
from embodio.model.tasks.parsers import parse_pose


@dataclass(frozen=True, eq=False, kw_only=True)
class Movement(Annotation):
    """Two images, the earlier one in the history, and the movement of the camera.

    Attributes:
        pose: the change; None in a request.
    """

    pose: CameraPose | None = None


class EstimatePose(Family[Movement]):
    """Camera pose estimation (paper, appendix B.1): two images in, four value tokens out."""

    name = "camera_pose"
    annotation = Movement
    needs = ("image",)
    answer = ("pose",)
    tokens = POSE_TOKENS + 1
    metrics = ("pose_error",)

    def target(self, annotation: Movement, codec: TaskCodec) -> list[int] | None:
        """The pose as four value tokens."""
        return None if annotation.pose is None else write_pose(codec.locations, annotation.pose).tolist()

    def form(self, asked: Sequence[Movement], codec: TaskCodec, longest: int) -> Constraint:
        """Four values."""
        return allow_by_step(values_steps(codec.vocabulary, POSE_TOKENS))

    def read(self, written: Output, asked: Movement, codec: TaskCodec) -> Movement | AnswerError:
        """The pose."""
        found = parse_pose(codec.locations, token_ids(written))
        return found if isinstance(found, AnswerError) else with_answer(asked, pose=found.pose)


FAMILY = EstimatePose()
