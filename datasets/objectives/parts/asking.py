"""Objectives in the words of the task families: training asks as the task runner does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np

from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.model.example import Example
from embodio.model.tasks.base.family import Annotation, Family
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.wording import shipped_wordings

Item = TypeVar("Item", bound=Annotation)


def asked(family: Family[Item], item: Item, context: ObjectiveContext, generator: np.random.Generator) -> Example:
    """The example of an annotation in one of the family's wordings, which is drawn.

    Raises:
        TaskError, LocationError: the annotation does not fit its image.
    """
    wording = shipped_wordings()[f"{family.name}.{family.group(item)}"].draw(generator)
    return family.write(item, wording, TaskCodec.of(context.config, context.vocabulary))


def able(context: ObjectiveContext, reads: Iterable[str] = (), writes: str = "text") -> bool:
    """Whether the network reads all of some modalities, and writes one."""
    return set(reads) <= set(context.config.input_modalities) and writes in context.config.target_modalities


def frame_slots(context: ObjectiveContext) -> int:
    """How many images the network takes in its image history."""
    return context.config.sampling.num_frames if able(context, ["image_history"]) else 0
