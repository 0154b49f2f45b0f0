"""The recorded prompt of an episode: words, and the images at their {placeholders}, one array per view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import METADATA, Feature, TensorFeature
from embodio.datasets.episodes.recorded.prompt import RecordedInstruction, recorded_prompt
from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import FeatureError
from embodio.envs.interleaved_prompt import interleave, placeholders

SLOTS = 12
"""Images in the field of one view; unused ones are black."""
_FIELD = f"{METADATA}/prompt_"


def prompt_features(views: Mapping[str, tuple[int, int]]) -> dict[str, Feature]:
    """The fields for prompt images; `views` are names with height and width."""
    return {f"{_FIELD}{view}": TensorFeature("uint8", (SLOTS, *size, 3), "zlib") for view, size in views.items()}


def prompt_field(text: str, view: str, images: Mapping[str, npt.NDArray[np.uint8]]) -> dict[str, Any]:
    """The value of one such field.

    Args:
        text: the prompt.
        view: name of the view.
        images: placeholder -> uint8 [H, W, 3], all of one size; one for each name in the text.

    Raises:
        FeatureError: the prompt has no image, or more than `SLOTS`.
    """
    names = list(dict.fromkeys(placeholders(text)))
    if not 1 <= len(names) <= SLOTS:
        raise FeatureError(f"prompt {text!r}: {len(names)} images, where 1 to {SLOTS} can be kept")
    field = np.zeros((SLOTS, *images[names[0]].shape), np.uint8)
    for slot, name in enumerate(names):
        field[slot] = images[name]
    return {f"{_FIELD}{view}": field}


def instruction_for(episode: EpisodeView, images: int, sounds: int = 0) -> RecordedInstruction:
    """The instruction for a policy with that many slots for the images and sounds of a prompt.

    Kinds without slots keep their {placeholders}; without any slots the result is words only.

    Raises:
        FeatureError: the prompt shows more different images than there are slots.
    """
    if not images and not sounds:
        return episode.instruction
    instruction = recorded_prompt(episode, images=bool(images), sounds=bool(sounds))
    if instruction is None:
        instruction = prompt_of(episode) if images else episode.instruction
    shown: list[Any] = []
    for part in [] if isinstance(instruction, str) else instruction:
        if isinstance(part, np.ndarray) and not any(part is other for other in shown):
            shown.append(part)
    if len(shown) > images:
        raise FeatureError(
            f"the prompt has {len(shown)} images, the policy slots for {images}; raise policy.prompt_images"
        )
    return instruction


def prompt_of(episode: EpisodeView, view: str | None = None) -> RecordedInstruction:
    """The instruction: words, images and sounds in order if the episode has them, else the words.

    Args:
        episode: of any data set.
        view: view of the images; None takes the first one.

    Raises:
        FeatureError: there is no such view of the images.
    """
    recorded = recorded_prompt(episode) if view is None else None
    if recorded is not None:
        return recorded
    views = [path.removeprefix(_FIELD) for path in episode.features.episode if path.startswith(_FIELD)]
    if view is not None and view not in views:
        raise FeatureError(f"prompt images are not seen from {view!r}; there are {', '.join(views) or 'none'}")
    text = episode.instruction
    names = list(dict.fromkeys(placeholders(text)))
    if not views or not names:
        return text
    images = episode.value(f"{_FIELD}{view or views[0]}")
    return interleave(text, {name: images[slot] for slot, name in enumerate(names)})
