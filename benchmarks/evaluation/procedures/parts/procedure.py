"""The interface of a procedure, and the questions that several share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np

from embodio.model.generation.sampling import part_seed
from embodio.model.tasks.base.family import Annotation
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.families.localise import Localised
from embodio.model.tasks.suppression import suppress
from embodio.model.tasks.verbs.places import OVERLAP

Run = Callable[..., Sequence[Any]]
"""As `TaskRunner.run`."""


class Procedure(ABC):
    """A task that asks a model several questions about one item. An instance is stateless.

    Attributes:
        name: its name, that of its module.
        annotation: the class of its annotations.
        answer: the fields of the annotation that are the answer; a request has their defaults.
        metrics: names of the metrics by which answers are judged; the first is the main one.
    """

    name: ClassVar[str]
    annotation: ClassVar[type[Annotation]]
    answer: ClassVar[tuple[str, ...]]
    metrics: ClassVar[tuple[str, ...]]

    def request(self, annotation: Any) -> Any:
        """The annotation without its answer."""
        return replace(annotation, **{one.name: one.default for one in fields(annotation) if one.name in self.answer})

    @abstractmethod
    def ask(
        self, run: Run, asked: Sequence[Any], seeds: Sequence[int], options: Mapping[str, Mapping[str, Any]]
    ) -> list[Any]:
        """The annotations with their answers, or an AnswerError for what could not be read.

        Args:
            run: of the model.
            asked: annotations without answers.
            seeds: of each.
            options: of the suite: "find" and "each", the arguments of `run` for finding things and for each of them.
        """


def boxes_of_each(
    run: Run, asked: Sequence[Annotation], names: Sequence[str], seeds: Sequence[int], options: Mapping[str, Any]
) -> list[Any]:
    """The boxes float32 [N, 4] of all things of a name in each image, without overlapping ones; or an AnswerError."""
    questions = [Localised(media=one.media, name=name) for one, name in zip(asked, names, strict=True)]
    found = run("localise", questions, seeds=list(seeds), **options) if questions else []
    return [one if isinstance(one, AnswerError) else _kept(one.boxes) for one in found]


def answers_of_each(
    run: Run, family: str, questions: Sequence[Sequence[Any]], seeds: Sequence[int], options: Mapping[str, Any]
) -> list[list[Any]]:
    """The answers to several questions about each item, all asked at once; question i of an item has its own seed."""
    flat = [one for own in questions for one in own]
    pairs = zip(seeds, questions, strict=True)
    numbers = [part_seed(seed, place + 1) for seed, own in pairs for place in range(len(own))]
    answers = iter(run(family, flat, seeds=numbers, **options) if flat else [])
    return [[next(answers) for _ in own] for own in questions]


def _kept(boxes: Any) -> Any:
    every = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    return every[suppress(every, OVERLAP)]
