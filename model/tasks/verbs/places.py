"""Verbs that are answered with places: referring expressions, localisation, detection, keypoints, objects in space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar, Unpack

import numpy as np
import numpy.typing as npt

from embodio.model.example import Image
from embodio.model.generation import GREEDY, GenerationOptions
from embodio.model.generation.sampling import part_seed, row_seeds
from embodio.model.tasks.base.boxes_family import BoxesItem
from embodio.model.tasks.base.family import Media
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
"""Above which probability of a further value places are written on; those for one name are the reference's, that for
everything is the paper's (appendix E.3)."""
OVERLAP = 0.8
PERSON = "person"

Given = TypeVar("Given")


class PlaceVerbs(Engine):
    """Verbs whose answers are places in an image, in pixels of the image as it was given, y before x.

    `TextHow` says what all of them may be told. An answer that cannot be read is an `AnswerError` in its place. While
    forms are forced (`constrained`), there are hardly any. All raise TaskError where nothing is given or counts differ,
    PromptError for a prompt with wrong slots, and ProcessorError for an image that does not fit the model.
    """

    def refer(
        self, images: Sequence[Image], expressions: Sequence[str], **how: Unpack[TextHow]
    ) -> list[FoundBox | AnswerError]:
        """Finds the one region of each image that an expression describes; the slot is {expression}."""
        given = self._require_pairs("expressions", expressions, len(self._images(images)))
        asked = [
            Reference(media=Media(image=image), expression=expression)
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
            threshold: boxes are written on while a further value is more probable than this; 1 turns the rule off.
            overlap: of boxes that overlap more than this, the one that was written first stays.
            named: the model writes the name after each box, as most of its training data do.
            at_least_one: the answer may not be empty.
            how: see `TextHow`; a prompt has the slot {name}.
        """
        given = self._require_pairs("names", names, len(self._images(images)))
        asked = [
            Localised(media=Media(image=image), name=name, named=named, at_least_one=at_least_one)
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
            names: objects of these names only; None: of any.
            threshold: see `localise`.
            overlap: of boxes that overlap more than this, the one that was written first stays.
            overlap_within: which boxes may suppress one another: "all" of an image, as in the references, so that one
                object does not stay under two names; or those of one "name".
            how: see `TextHow`.

        Raises:
            TaskError: `overlap_within` is not known; see the class for more.
        """
        if overlap_within not in ("all", "name"):
            raise TaskError(f"overlap_within {overlap_within!r} is not known; choose 'all' or 'name'")
        if names is not None:
            self._require_some("names", names)
        asked = [Detected(media=Media(image=image), names=tuple(names or ())) for image in self._images(images)]
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
            forced: a point is written for every part, in their order (paper, appendix E.3); otherwise parts may be
                missing, and `Keypoints.filled` puts the mean of the others in their place.
            how: see `TextHow`; a prompt has the slot {box}.
        """
        asked = [
            Person(media=Media(image=image), box=box, forced=forced)
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
        """Finds the people in each image and the keypoints of each; an error where the people could not be read."""
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
        """Finds all objects of one name in each image as boxes in space; arguments as those of `localise`."""
        given = self._require_pairs("names", names, len(self._images(images)))
        asked = [Objects3D(media=Media(image=image), name=name) for image, name in zip(images, given, strict=True)]
        found = self._ask(FindCuboids(), asked, threshold=threshold, **how)
        return [one if isinstance(one, AnswerError) else FoundCuboids(one.cuboids or (), one.skipped) for one in found]

    def camera_poses(
        self, images: Sequence[Image], earlier: Sequence[Image], **how: Unpack[TextHow]
    ) -> list[ViewChange | AnswerError]:
        """Says how the camera moved from an earlier image to each image."""
        before = self._require_pairs("earlier", earlier, len(self._images(images)))
        asked = [
            Movement(media=Media(image=image, image_history=[old])) for image, old in zip(images, before, strict=True)
        ]
        found = self._ask(EstimatePose(), asked, **how)
        return [one if isinstance(one, AnswerError) else ViewChange(_given(one.pose)) for one in found]


def _given(answer: Given | None) -> Given:
    """A part of an answer, which `read` has set."""
    if answer is None:
        raise TaskError("the family read an answer without setting it; mend its `read`")
    return answer


def _kept(found: BoxesItem | AnswerError, overlap: float, *, by_name: bool = True) -> FoundBoxes | AnswerError:
    """The boxes that were written, without those that lie on earlier ones."""
    if isinstance(found, AnswerError):
        return found
    boxes = np.asarray(found.boxes)
    kept = suppress(boxes, overlap, found.labels if by_name else None)
    return FoundBoxes(boxes[kept], tuple(found.labels[index] for index in kept.tolist()), found.skipped)
