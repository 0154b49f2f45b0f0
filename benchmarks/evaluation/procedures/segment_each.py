"""Instance segmentation: finds the things of a name, then segments each in its box; stuff is segmented by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from embodio.benchmarks.evaluation.procedures.parts.procedure import Procedure, Run, answers_of_each, boxes_of_each
from embodio.datasets.metrics.parts.instances import Instances
from embodio.model.tasks.base.family import with_answer
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.families.segment import Segmented


class SegmentEach(Procedure):
    """As the networks segment instances (paper, appendix D.6): one mask for each object named by class and box.

    Masks in which nothing is white are none; nor is one that could not be read.
    """

    name = "segment_each"
    annotation = Instances
    answer = ("masks",)
    metrics = ("grit_instances",)

    def ask(
        self, run: Run, asked: Sequence[Instances], seeds: Sequence[int], options: Mapping[str, Mapping[str, Any]]
    ) -> list[Instances | AnswerError]:
        """The masks of all things."""
        things = [place for place, one in enumerate(asked) if not one.stuff]
        own = [asked[place] for place in things]
        found = boxes_of_each(
            run, own, [one.name for one in own], [seeds[place] for place in things], options.get("find", {})
        )
        boxes = dict(zip(things, found, strict=True))
        masks = answers_of_each(
            run,
            "segment",
            [_questions(one, boxes.get(place)) for place, one in enumerate(asked)],
            seeds,
            options.get("each", {}),
        )
        answers: list[Instances | AnswerError] = []
        for place, (one, drawn) in enumerate(zip(asked, masks, strict=True)):
            failed = boxes.get(place)
            known = [mask.mask for mask in drawn if not isinstance(mask, AnswerError) and mask.mask.any()]
            answers.append(failed if isinstance(failed, AnswerError) else with_answer(one, masks=tuple(known)))
        return answers


def _questions(one: Instances, boxes: Any) -> list[Segmented]:
    """What is asked about one image: its stuff, or each of the boxes found; nothing if those could not be read."""
    if one.stuff:
        return [Segmented(media=one.media, name=one.name)]
    known = [] if isinstance(boxes, AnswerError) else boxes
    return [Segmented(media=one.media, name=one.name, box=box) for box in known]


PROCEDURE = SegmentEach()
