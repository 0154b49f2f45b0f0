"""Tasks that are answered with places: referring expressions, localisation, detection, keypoints, objects in space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from embodio.model.example import Example, Image
from embodio.model.generation import GREEDY, Constraint, GenerationOptions, allow_by_step
from embodio.model.generation.sampling import part_seed, row_seeds
from embodio.model.processing.image_geometry import ImageFit
from embodio.model.tasks.engine import Engine, Seeds, Written
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.grammar import BOX_VALUES, ItemsRule, by_row, keypoint_steps, values_steps
from embodio.model.tasks.locations.labelled import Keypoints
from embodio.model.tasks.locations.spatial import CUBOID_TOKENS, POSE_TOKENS
from embodio.model.tasks.parsers import (
    parse_box,
    parse_boxes,
    parse_cuboids,
    parse_keypoints,
    parse_pose,
)
from embodio.model.tasks.prompts import Template
from embodio.model.tasks.results import FoundBox, FoundBoxes, FoundCuboids, People, PersonPose, ViewChange
from embodio.model.tasks.suppression import suppress

PLACES_TOKENS = 256
LOCALISE_THRESHOLD, PERSON_THRESHOLD, DETECT_THRESHOLD = 0.3, 0.5, 0.5
"""Above which probability of a further value places are written on; those for one name are the reference's, that for
everything is the paper's (appendix E.3)."""
OVERLAP = 0.8
PERSON = "person"


class PlaceTasks(Engine):
    """Tasks whose answers are places in an image, in pixels of the image as it was given, y before x.

    Arguments that all of them have: `prompt` replaces the task's words and has the same slots; `options` says how to
    choose tokens, greedily by default; `seeds` are those of sampling, one for each image, or s for s, s + 1, ...

    An answer that cannot be read is an `AnswerError` in its place. While forms are forced (`constrained`), there are
    hardly any. All raise TaskError where nothing is given or counts differ, PromptError for a prompt with wrong slots,
    and ProcessorError for an image that does not fit the model.
    """

    def refer(
        self,
        images: Sequence[Image],
        expressions: Sequence[str],
        *,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[FoundBox | AnswerError]:
        """Finds the one region of each image that an expression describes; the slot is {expression}."""
        fits = self._image_fits(images)
        given = self._require_pairs("expressions", expressions, len(fits))
        template = self.prompts.refer if prompt is None else prompt
        examples = [
            Example(text=self.prompt_of(template, expression=expression), image=image)
            for expression, image in zip(given, images, strict=True)
        ]
        longest = BOX_VALUES + 1
        rule = ItemsRule(self.vocabulary, longest, (), at_least_one=True)
        form = by_row([rule] * len(fits), self.vocabulary.size)
        written = self._write(examples, options, seeds, self._longest(options, longest), form)
        return [parse_box(self.codec, one.ids, fit) for one, fit in zip(written, fits, strict=True)]

    def localise(
        self,
        images: Sequence[Image],
        names: Sequence[str],
        *,
        threshold: float = LOCALISE_THRESHOLD,
        overlap: float = OVERLAP,
        named: bool = True,
        at_least_one: bool = False,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[FoundBoxes | AnswerError]:
        """Finds all objects of one name in each image.

        Args:
            images: RGB, of any size.
            names: what to find in each image.
            threshold: boxes are written on while a further value is more probable than this; 1 turns the rule off.
            overlap: of boxes that overlap more than this, the one that was written first stays.
            named: the model writes the name after each box, as most of its training data do.
            at_least_one: the answer may not be empty.
            prompt: has the slot {name}.
            options: see the class.
            seeds: see the class.
        """
        fits = self._image_fits(images)
        given = self._require_pairs("names", names, len(fits))
        template = (self.prompts.localise if named else self.prompts.localise_unnamed) if prompt is None else prompt
        examples = [
            Example(text=self.prompt_of(template, name=name), image=image)
            for name, image in zip(given, images, strict=True)
        ]
        longest = self._longest(options, PLACES_TOKENS)
        rules = [
            ItemsRule(self.vocabulary, longest, self._names([name] if named else []), at_least_one=at_least_one)
            for name in given
        ]
        form = by_row(rules, self.vocabulary.size)
        written = self._write(examples, options, seeds, longest, form, threshold)
        return self._found(written, fits, named, overlap)

    def detect(
        self,
        images: Sequence[Image],
        *,
        names: Sequence[str] | None = None,
        threshold: float = DETECT_THRESHOLD,
        overlap: float = OVERLAP,
        overlap_within: Literal["all", "name"] = "all",
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[FoundBoxes | AnswerError]:
        """Finds all objects in each image.

        Args:
            images: RGB, of any size.
            names: objects of these names only; None: of any.
            threshold: see `localise`.
            overlap: of boxes that overlap more than this, the one that was written first stays.
            overlap_within: which boxes may suppress one another: "all" of an image, as in the references, so that one
                object does not stay under two names; or those of one "name".
            prompt: see the class.
            options: see the class.
            seeds: see the class.

        Raises:
            TaskError: `overlap_within` is not known; see the class for more.
        """
        fits = self._image_fits(images)
        if overlap_within not in ("all", "name"):
            raise TaskError(f"overlap_within {overlap_within!r} is not known; choose 'all' or 'name'")
        if names is not None:
            self._require_some("names", names)
        text = self.prompt_of(self.prompts.detect if prompt is None else prompt)
        longest = self._longest(options, PLACES_TOKENS)
        rule = ItemsRule(self.vocabulary, longest, None if names is None else self._names(names))
        form = by_row([rule] * len(fits), self.vocabulary.size)
        examples = [Example(text=text, image=image) for image in images]
        written = self._write(examples, options, seeds, longest, form, threshold)
        return self._found(written, fits, True, overlap, by_name=overlap_within == "name")

    def keypoints_in_boxes(
        self,
        images: Sequence[Image],
        boxes: Sequence[npt.ArrayLike],
        *,
        forced: bool = True,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[Keypoints | AnswerError]:
        """Finds the 17 keypoints of one person in a region of each image.

        Args:
            images: RGB, of any size.
            boxes: a region (y1, x1, y2, x2) in pixels of each image.
            forced: a point is written for every part, in their order (paper, appendix E.3); otherwise parts may be
                missing, and `Keypoints.filled` puts the mean of the others in their place.
            prompt: has the slot {box}.
            options: see the class.
            seeds: see the class.
        """
        template = self.prompts.keypoints if prompt is None else prompt
        texts = [self.prompt_of(template, box=ids) for ids in self._box_ids(images, boxes)]
        examples = [Example(text=text, image=image) for text, image in zip(texts, images, strict=True)]
        steps = keypoint_steps(self.vocabulary)
        form: Constraint | None = allow_by_step(steps) if forced else None
        longest = self._longest(options, len(steps) if forced and self.constrained else None)
        written = self._write(examples, options, seeds, longest, form)
        fits = self._image_fits(images)
        return [parse_keypoints(self.codec, one.ids, fit) for one, fit in zip(written, fits, strict=True)]

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
        found = self.localise(
            images,
            [PERSON] * self._require_some("images", images),
            threshold=threshold,
            overlap=overlap,
            options=options,
            seeds=seeds,
        )
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
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[FoundCuboids | AnswerError]:
        """Finds all objects of one name in each image as boxes in space; arguments as those of `localise`."""
        fits = self._image_fits(images)
        given = self._require_pairs("names", names, len(fits))
        template = self.prompts.cuboids if prompt is None else prompt
        examples = [
            Example(text=self.prompt_of(template, name=name), image=image)
            for name, image in zip(given, images, strict=True)
        ]
        longest = self._longest(options, PLACES_TOKENS)
        rules = [
            ItemsRule(self.vocabulary, longest, self._names([name]), CUBOID_TOKENS, ordered=False) for name in given
        ]
        form = by_row(rules, self.vocabulary.size)
        written = self._write(examples, options, seeds, longest, form, threshold)
        return [parse_cuboids(self.codec, one.ids, fit) for one, fit in zip(written, fits, strict=True)]

    def camera_poses(
        self,
        images: Sequence[Image],
        earlier: Sequence[Image],
        *,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[ViewChange | AnswerError]:
        """Says how the camera moved from an earlier image to each image."""
        self._image_fits(images)
        before = self._require_pairs("earlier", earlier, len(images))
        text = self.prompt_of(self.prompts.camera_pose if prompt is None else prompt)
        examples = [
            Example(text=text, image=image, image_history=[old]) for image, old in zip(images, before, strict=True)
        ]
        form = allow_by_step(values_steps(self.vocabulary, POSE_TOKENS))
        written = self._write(examples, options, seeds, self._longest(options, POSE_TOKENS + 1), form)
        return [parse_pose(self.codec, one.ids) for one in written]

    # ------------------------------------------------------------------ shared

    def _names(self, names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(self.vocabulary.encode(name.strip())) for name in names)

    def _found(
        self, written: Sequence[Written], fits: Sequence[ImageFit], named: bool, overlap: float, by_name: bool = False
    ) -> list[FoundBoxes | AnswerError]:
        """The boxes that each row wrote, without those that lie on earlier ones."""
        answers: list[FoundBoxes | AnswerError] = []
        for one, fit in zip(written, fits, strict=True):
            found = parse_boxes(self.codec, one.ids, fit, named)
            if not isinstance(found, AnswerError):
                kept = suppress(found.boxes, overlap, found.labels if by_name else None).tolist()
                labels = tuple(found.labels[index] for index in kept)
                found = FoundBoxes(found.boxes[np.array(kept, dtype=np.intp)], labels, found.skipped)
            answers.append(found)
        return answers
