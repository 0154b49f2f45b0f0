"""Verbs answered with locations: referring expressions, localisation, detection, keypoints, cuboids, poses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar, Unpack

import numpy as np
import numpy.typing as npt

from embodio.model.example import Image
from embodio.model.generation import GREEDY, GenerationOptions
from embodio.model.generation.sampling import part_seed, row_seeds
from embodio.model.tasks.base.boxes_family import BoxesItem
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.engine import Engine, Seeds
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.families.camera_pose import EstimatePose, Movement
from embodio.model.tasks.families.cuboids import FindCuboids, Objects3D
from embodio.model.tasks.families.detect import Detect, Detected
from embodio.model.tasks.families.keypoints import FindKeypoints, Person
from embodio.model.tasks.families.localise import Localise, Localised
from embodio.model.tasks.families.refer import Refer, Reference
from embodio.model.tasks.locations.labelled import Keypoints
from embodio.model.tasks.results import FoundBox, FoundBoxes, FoundCuboids, People, PersonPose, ViewChange
from embodio.model.tasks.suppression import suppress
from embodio.model.tasks.verbs.how import TextHow

LOCALISE_THRESHOLD, PERSON_THRESHOLD, DETECT_THRESHOLD = 0.3, 0.5, 0.5
"""Probability of a further value above which more locations are written; those for one name are the reference's, that
for all objects is the paper's (appendix E.3)."""
OVERLAP = 0.8
PERSON = "person"

Given = TypeVar("Given")


class PlaceVerbs(Engine):
    """Verbs answered with locations in pixels of the given image, y before x.

    `TextHow` lists their common arguments. An unreadable answer is replaced by an `AnswerError`; with constrained
    decoding there are hardly any. All raise TaskError if nothing is given or counts differ, PromptError for a prompt
    with wrong slots, and ProcessorError for an image that does not fit the model.
    """

    def refer(
        self, images: Sequence[Image], expressions: Sequence[str], **how: Unpack[TextHow]
    ) -> list[FoundBox | AnswerError]:
        """Finds the one region of each image that an expression describes; the slot is {expression}."""
        given = self._require_pairs("expressions", expressions, len(self._images(images)))
        asked = [
            Reference(media=InputMedia(image=image), expression=expression)
            for image, expression in zip(images, given, strict=True)
        ]
        found = self._ask(Refer(), asked, **how)
        return [one if isinstance(one, AnswerError) else FoundBox(np.asarray(one.box)) for one in found]

    def localise(
        self,
        images: Sequence[Image],
        names: Sequence[str],
        *,
        threshold: float = LOCALISE_THRESHOLD,
        overlap: float = OVERLAP,
        named: bool = True,
        at_least_one: bool = False,
        **how: Unpack[TextHow],
    ) -> list[FoundBoxes | AnswerError]:
        """Finds all objects of one name in each image.

        Args:
            images: RGB, of any size.
            names: what to find in each image.
            threshold: more boxes are written while a further value is more probable than this; 1 turns the rule off.
            overlap: of boxes that overlap more than this, the first one is kept.
            named: whether the model writes the name after each box, as in most of its training data.
            at_least_one: whether the answer must not be empty.
            how: see `TextHow`; the slot of a prompt is {name}.
        """
        given = self._require_pairs("names", names, len(self._images(images)))
        asked = [
            Localised(media=InputMedia(image=image), name=name, named=named, at_least_one=at_least_one)
            for image, name in zip(images, given, strict=True)
        ]
        return [_kept(one, overlap) for one in self._ask(Localise(), asked, threshold=threshold, **how)]

    def detect(
        self,
        images: Sequence[Image],
        *,
        names: Sequence[str] | None = None,
        threshold: float = DETECT_THRESHOLD,
        overlap: float = OVERLAP,
        overlap_within: Literal["all", "name"] = "all",
        **how: Unpack[TextHow],
    ) -> list[FoundBoxes | AnswerError]:
        """Finds all objects in each image.

        Args:
            images: RGB, of any size.
            names: the permitted names; None for any.
            threshold: see `localise`.
            overlap: of boxes that overlap more than this, the first one is kept.
            overlap_within: which boxes may suppress one another: "all" of an image, as in the references, so that one
                object is not kept under two names; or those of one "name".
            how: see `TextHow`.

        Raises:
            TaskError: `overlap_within` is unknown; see the class for more.
        """
        if overlap_within not in ("all", "name"):
            raise TaskError(f"overlap_within {overlap_within!r} is not known; choose 'all' or 'name'")
        if names is not None:
            self._require_some("names", names)
        asked = [Detected(media=InputMedia(image=image), names=tuple(names or ())) for image in self._images(images)]
        found = self._ask(Detect(), asked, threshold=threshold, **how)
        return [_kept(one, overlap, by_name=overlap_within == "name") for one in found]

    def keypoints_in_boxes(
        self,
        images: Sequence[Image],
        boxes: Sequence[npt.ArrayLike],
        *,
        forced: bool = True,
        **how: Unpack[TextHow],
    ) -> list[Keypoints | AnswerError]:
        """Finds the 17 keypoints of one person in a region of each image.

        Args:
            images: RGB, of any size.
            boxes: a region (y1, x1, y2, x2) in pixels of each image.
            forced: whether a point is written for every part, in order (paper, appendix E.3); otherwise parts may be
                missing, and `Keypoints.filled` replaces them by the mean of the others.
            how: see `TextHow`; the slot of a prompt is {box}.
        """
        asked = [
            Person(media=InputMedia(image=image), box=box, forced=forced)
            for image, box in zip(self._images(images), self._boxes(boxes, len(images)), strict=True)
        ]
        found = self._ask(FindKeypoints(), asked, **how)
        return [one if isinstance(one, AnswerError) else _given(one.keypoints) for one in found]

    def keypoints(
        self,
        images: Sequence[Image],
        *,
        threshold: float = PERSON_THRESHOLD,
        overlap: float = OVERLAP,
        forced: bool = True,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[People | AnswerError]:
        """Finds the people in each image and their keypoints; an error if the people could not be read."""
        names = [PERSON] * self._require_some("images", images)
        found = self.localise(images, names, threshold=threshold, overlap=overlap, options=options, seeds=seeds)
        places = [
            (row, index, box)
            for row, one in enumerate(found)
            if not isinstance(one, AnswerError)
            for index, box in enumerate(one.boxes)
        ]
        people: list[list[PersonPose | AnswerError]] = [[] for _ in found]
        if places:
            numbers = row_seeds(seeds, len(images))
            poses = self.keypoints_in_boxes(
                [images[row] for row, _, _ in places],
                [box for _, _, box in places],
                forced=forced,
                options=options,
                seeds=[part_seed(numbers[row], index + 1) for row, index, _ in places],
            )
            for (row, _, box), pose in zip(places, poses, strict=True):
                people[row].append(pose if isinstance(pose, AnswerError) else PersonPose(box, pose))
        return [
            one if isinstance(one, AnswerError) else People(tuple(own)) for one, own in zip(found, people, strict=True)
        ]

    def cuboids(
        self,
        images: Sequence[Image],
        names: Sequence[str],
        *,
        threshold: float = LOCALISE_THRESHOLD,
        **how: Unpack[TextHow],
    ) -> list[FoundCuboids | AnswerError]:
        """Finds all objects of one name in each image as 3D boxes; arguments as in `localise`."""
        given = self._require_pairs("names", names, len(self._images(images)))
        asked = [Objects3D(media=InputMedia(image=image), name=name) for image, name in zip(images, given, strict=True)]
        found = self._ask(FindCuboids(), asked, threshold=threshold, **how)
        return [one if isinstance(one, AnswerError) else FoundCuboids(one.cuboids or (), one.skipped) for one in found]

    def camera_poses(
        self, images: Sequence[Image], earlier: Sequence[Image], **how: Unpack[TextHow]
    ) -> list[ViewChange | AnswerError]:
        """Estimates the camera's movement from an earlier image to each image."""
        before = self._require_pairs("earlier", earlier, len(self._images(images)))
        asked = [
            Movement(media=InputMedia(image=image, image_history=[old]))
            for image, old in zip(images, before, strict=True)
        ]
        found = self._ask(EstimatePose(), asked, **how)
        return [one if isinstance(one, AnswerError) else ViewChange(_given(one.pose)) for one in found]


def _given(answer: Given | None) -> Given:
    """A field of an answer that `read` must have set."""
    if answer is None:
        raise TaskError("the family read an answer without setting it; fix its `read`")
    return answer


def _kept(found: BoxesItem | AnswerError, overlap: float, *, by_name: bool = True) -> FoundBoxes | AnswerError:
    """The boxes without those that overlap earlier ones."""
    if isinstance(found, AnswerError):
        return found
    boxes = np.asarray(found.boxes)
    kept = suppress(boxes, overlap, found.labels if by_name else None)
    return FoundBoxes(boxes[kept], tuple(found.labels[index] for index in kept.tolist()), found.skipped)
