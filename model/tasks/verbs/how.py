"""Common keyword arguments of the verbs of one modality."""

from __future__ import annotations

from typing import TypedDict

from embodio.model.generation import GenerationOptions
from embodio.model.tasks.engine import Seeds
from embodio.model.tasks.prompts.filling import Template


class TextHow(TypedDict, total=False):
    """Arguments of verbs that generate text.

    Keys:
        prompt: replaces the task's wording; has the same slots.
        options: how to choose tokens, greedily by default.
        seeds: seeds of sampling, one for each example, or s for s, s + 1, ...
    """

    prompt: Template | None
    options: GenerationOptions
    seeds: Seeds


class DrawHow(TypedDict, total=False):
    """Arguments of verbs that generate images.

    Keys:
        prompt: replaces the task's wording; has the same slots.
        options: how to choose codes, by default as in the paper.
        seeds: seeds of sampling, one for each example, or s for s, s + 1, ...
    """

    prompt: Template | None
    options: GenerationOptions | None
    seeds: Seeds
