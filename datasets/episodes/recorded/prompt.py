"""Recorded prompts of words, pictures and sounds, part by part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from embodio.datasets.episodes.features import (
    METADATA,
    EpisodeFeatures,
    ImageFeature,
    SequenceFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.episodes.recorded.sound import FASTEST
from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import CollectionError, FeatureError
from embodio.model.processing.audio import to_mono
from embodio.model.processing.audio_features import AudioError

RecordedInstruction = str | list[Any]
"""Words; or words, pictures (uint8 [H, W, 3]) and sounds (float32 [samples] with their rate in Hz) in order."""

_PARTS, _IMAGES = f"{METADATA}/prompt_parts", f"{METADATA}/prompt_images"
_SAMPLES, _LENGTHS, _RATES = (f"{METADATA}/prompt_sound_{name}" for name in ("samples", "lengths", "rates"))
_MARK = re.compile(r"\{(image|sound)_(\d+)\}")


def has_prompts(space: gymnasium.Space[Any]) -> bool:
    """Whether the instructions of an environment with this observation space may hold more than words."""
    return isinstance(space, spaces.Dict) and not isinstance(space.get("instruction", spaces.Text(1)), spaces.Text)


def prompt_sequences() -> dict[str, SequenceFeature]:
    """The fields: parts (words, or a mark such as "{image_1}"), pictures, and the mono samples of all sounds."""
    number = SequenceFeature(TensorFeature("int64"))
    return {
        _PARTS: SequenceFeature(TextFeature()),
        _IMAGES: SequenceFeature(ImageFeature(None, None, 3, "png")),
        _SAMPLES: SequenceFeature(TensorFeature("float32")),
        _LENGTHS: number,
        _RATES: number,
    }


def with_prompts(features: EpisodeFeatures) -> EpisodeFeatures:
    """The features of episodes whose instructions may hold more than words."""
    return replace(features, sequences={**features.sequences, **prompt_sequences()})


def prompt_values(instruction: Any) -> dict[str, Any]:
    """The values of these fields for an environment's instruction; all are empty for words alone.

    Raises:
        CollectionError: a part is neither words, nor a uint8 picture [H, W, 3], nor samples with their rate.
    """
    parts, images, sounds = _parts(instruction)
    return {
        _PARTS: [] if isinstance(instruction, str) else parts,
        _IMAGES: images,
        _SAMPLES: np.concatenate([np.zeros(0, np.float32), *(samples for samples, _ in sounds)]),
        _LENGTHS: np.array([len(samples) for samples, _ in sounds], np.int64),
        _RATES: np.array([rate for _, rate in sounds], np.int64),
    }


def prompt_text(instruction: Any) -> str:
    """An environment's instruction as words, with a mark for each picture and sound; raises as `prompt_values`."""
    return (
        instruction
        if isinstance(instruction, str)
        else " ".join(part.strip() for part in _parts(instruction)[0] if part.strip())
    )


def recorded_prompt(episode: EpisodeView, *, images: bool = True, sounds: bool = True) -> RecordedInstruction | None:
    """The instruction given to the agent in a recorded episode.

    Args:
        episode: of any data set.
        images: whether to include pictures; otherwise their marks stay.
        sounds: whether to include sounds; otherwise their marks stay.

    Returns:
        None if the episode lacks these fields; equal pictures or sounds are the same object.

    Raises:
        FeatureError: the fields are inconsistent.
    """
    if _PARTS not in episode.features.sequences:
        return None
    parts = episode.sequence(_PARTS)
    wanted: dict[str, Sequence[Any]] = {}
    if images and any(part.startswith("{image_") for part in parts):
        wanted["image"] = tuple(episode.sequence(_IMAGES))
    if sounds and any(part.startswith("{sound_") for part in parts):
        wanted["sound"] = _sounds(episode)
    instruction = [_content(part, wanted) for part in parts]
    return episode.instruction if all(isinstance(part, str) for part in instruction) else instruction


def _content(part: str, wanted: Mapping[str, Sequence[Any]]) -> Any:
    mark = _MARK.fullmatch(part)
    if mark is None or mark[1] not in wanted:
        return part
    contents, place = wanted[mark[1]], int(mark[2])
    if not 1 <= place <= len(contents):
        raise FeatureError(f"the prompt shows {part}, but the episode has {len(contents)}. Record it again")
    return contents[place - 1]


def _sounds(episode: EpisodeView) -> list[tuple[Any, int]]:
    samples, lengths, rates = (episode.sequence(path) for path in (_SAMPLES, _LENGTHS, _RATES))
    ends = np.cumsum(lengths)
    fits = len(lengths) == len(rates) and np.min(lengths, initial=0) >= 0 and (np.diff(ends, prepend=0) >= 0).all()
    if not fits or (ends[-1] if len(ends) else 0) != len(samples) or not all(0 < rate <= FASTEST for rate in rates):
        raise FeatureError("the lengths and rates of the prompt's sounds do not fit its samples. Record it again")
    pieces = np.split(samples, ends[:-1])[: len(rates)]  # none at all are split into one
    return [(piece, int(rate)) for piece, rate in zip(pieces, rates, strict=True)]


def _parts(instruction: Any) -> tuple[list[str], list[Any], list[tuple[Any, int]]]:
    """Words and marks in order, the pictures, and the sounds with their rates; each once."""
    if isinstance(instruction, str):
        return [instruction], [], []
    parts, images, sounds = list[str](), list[Any](), list[tuple[Any, int]]()
    for part in [instruction] if _is_sound(instruction) else instruction:
        if isinstance(part, str):
            if _MARK.fullmatch(part):
                raise CollectionError(f"instruction: the word {part!r} is a mark of recordings; say it differently")
            parts.append(part)
        elif _is_sound(part):
            parts.append(f"{{sound_{_place((_mono(part[0]), int(part[1])), sounds)}}}")
        elif isinstance(part, np.ndarray) and part.dtype == np.uint8 and part.ndim == 3 and part.shape[2] == 3:
            parts.append(f"{{image_{_place(part, images)}}}")
        else:
            what = f"{getattr(part, 'dtype', type(part).__name__)} {np.shape(part)}"
            raise CollectionError(
                f"instruction: {what} cannot be recorded. Give words, uint8 pictures [H, W, 3] and (samples, rate)"
            )
    return parts, images, sounds


def _is_sound(value: Any) -> bool:
    pair = isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], np.ndarray)
    return pair and isinstance(value[1], int | float | np.number) and int(value[1]) == value[1]


def _mono(samples: Any) -> Any:
    try:
        return to_mono(samples)
    except AudioError as error:
        raise CollectionError(f"instruction: {error}") from error


def _place(content: Any, found: list[Any]) -> int:
    """The 1-based place among those found so far, to which new content is added."""
    for place, other in enumerate(found, start=1):
        same = zip(content, other, strict=True) if isinstance(content, tuple) else [(content, other)]
        if all(np.array_equal(one, two) for one, two in same):
            return place
    found.append(content)
    return len(found)
