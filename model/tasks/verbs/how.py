"""How a verb asks: what all verbs of one modality may be told besides their inputs."""

from __future__ import annotations

from typing import TypedDict

from embodio.model.generation import GenerationOptions
from embodio.model.tasks.engine import Seeds
from embodio.model.tasks.prompts.filling import Template


class TextHow(TypedDict, total=False):
    """For answers in text.

    Keys:
        prompt: takes the place of the task's words and has the same slots.
        options: how to choose tokens, greedily by default.
        seeds: of sampling, one for each example, or s for s, s + 1, ...
    """

    prompt: Template | None
    options: GenerationOptions
    seeds: Seeds


class DrawHow(TypedDict, total=False):
    """For images.

    Keys:
        prompt: takes the place of the task's words and has the same slots.
        options: how to choose codes, by default as the paper does.
        seeds: of sampling, one for each example, or s for s, s + 1, ...
    """

    prompt: Template | None
    options: GenerationOptions | None
    seeds: Seeds
