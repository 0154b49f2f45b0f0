"""Keypoints of all people: finds the people, then the keypoints of each in its box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from embodio.benchmarks.evaluation.procedures.parts.procedure import Procedure, Run, answers_of_each, boxes_of_each
from embodio.datasets.metrics.parts.instances import PeoplePoses
from embodio.model.tasks.base.family import with_answer
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.families.keypoints import Person
from embodio.model.tasks.verbs.places import PERSON


class KeypointsEach(Procedure):
    """As the networks find keypoints (paper, appendix D.5): each person in a box; unreadable poses are none."""

    name = "keypoints_each"
    annotation = PeoplePoses
    answer = ("people",)
    metrics = ("grit_people",)

    def ask(
        self, run: Run, asked: Sequence[PeoplePoses], seeds: Sequence[int], options: Mapping[str, Mapping[str, Any]]
    ) -> list[PeoplePoses | AnswerError]:
        """The keypoints of all people."""
        boxes = boxes_of_each(run, asked, [PERSON] * len(asked), seeds, options.get("find", {}))
        people = [
            [] if isinstance(found, AnswerError) else [Person(media=one.media, box=box) for box in found]
            for one, found in zip(asked, boxes, strict=True)
        ]
        poses = answers_of_each(run, "keypoints", people, seeds, options.get("each", {}))
        answers: list[PeoplePoses | AnswerError] = []
        for one, found, own in zip(asked, boxes, poses, strict=True):
            known = tuple(pose.keypoints for pose in own if not isinstance(pose, AnswerError))
            answers.append(found if isinstance(found, AnswerError) else with_answer(one, people=known))
        return answers


PROCEDURE = KeypointsEach()
