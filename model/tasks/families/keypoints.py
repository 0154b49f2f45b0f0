"""Keypoints: the 17 body parts of the person in a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.generation import Constraint, allow_by_step
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import keypoint_steps
from embodio.model.tasks.locations.labelled import Keypoints, write_keypoints
from embodio.model.tasks.locations.places import Box
from embodio.model.tasks.parsers import parse_keypoints
from embodio.model.tasks.prompts.filling import BOX, Filling, groups_of
from embodio.model.tokens.vocabulary import Prompt


@dataclass(frozen=True, eq=False, kw_only=True)
class Person(Annotation):
    """A person and their keypoints.

    Attributes:
        box: the region, float [4] as (y1, x1, y2, x2) in pixels of the image.
        keypoints: the keypoints; None in a request.
        forced: whether an answer gives a location for every part, in order (paper, appendix E.3).
    """

    box: Box
    keypoints: Keypoints | None = None
    forced: bool = True


class FindKeypoints(Family[Person]):
    """Keypoint estimation (paper, appendix D.5): image and box in, locations and names of body parts out."""

    name = "keypoints"
    annotation = Person
    needs = ("image",)
    groups = groups_of(plain={"box": BOX})
    answer = ("keypoints",)
    metrics = ("grit_keypoints",)

    def slots(self, annotation: Person, codec: TaskCodec) -> Mapping[str, Filling]:
        """The region."""
        return {"box": codec.box_ids(annotation.box, annotation.media.image)}

    def target(self, annotation: Person, codec: TaskCodec) -> Prompt | None:
        """Two value tokens and a name for each body part."""
        if annotation.keypoints is None:
            return None
        return write_keypoints(codec.locations, annotation.keypoints, codec.fit(annotation.media.image))

    def form(self, asked: Sequence[Person], codec: TaskCodec, longest: int) -> Constraint | None:
        """A location for every part in order; free text unless that is forced in all rows."""
        return allow_by_step(keypoint_steps(codec.vocabulary)) if all(one.forced for one in asked) else None

    def longest(self, asked: Sequence[Person], codec: TaskCodec) -> int | None:
        """The number of tokens of the forced format."""
        return len(keypoint_steps(codec.vocabulary)) if all(one.forced for one in asked) else None

    def read(self, written: Output, asked: Person, codec: TaskCodec) -> Person | AnswerError:
        """The body parts in pixels of the image."""
        found = parse_keypoints(codec.locations, token_ids(written), codec.fit(asked.media.image))
        return found if isinstance(found, AnswerError) else with_answer(asked, keypoints=found)


FAMILY = FindKeypoints()
