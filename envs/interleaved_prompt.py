"""Interleaved prompts of words and images: built from a text with {placeholders}, with a gymnasium space."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from embodio.envs.errors import EnvError

Image = npt.NDArray[np.uint8]
InterleavedPrompt = list[str | Image]
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_SPACE_BEFORE_SIGN = re.compile(r" (?=[.,:])")


def placeholders(text: str) -> list[str]:
    """Names in braces, in order, with repeats."""
    return _PLACEHOLDER.findall(text)


def interleave(text: str, images: Mapping[str, Image]) -> InterleavedPrompt:
    """Replaces {placeholders} by their images; the texts between them are stripped of spaces.

    Args:
        text: text with placeholders.
        images: placeholder -> uint8 [H, W, 3].

    Raises:
        EnvError: the names in text and images differ.
    """
    names = set(placeholders(text))
    if names != set(images):
        raise EnvError(f"prompt {text!r}: placeholders {sorted(names)} do not fit the images {sorted(images)}")
    parts: InterleavedPrompt = []
    for index, piece in enumerate(_PLACEHOLDER.split(text)):
        if index % 2:
            parts.append(images[piece])
        elif piece.strip():
            parts.append(piece.strip())
    return parts


def as_text(prompt: InterleavedPrompt) -> tuple[str, dict[str, Image]]:
    """A prompt as one text with {0}, {1} ... for its images, and these; `interleave` reverses it."""
    images: dict[str, Image] = {}
    words: list[str] = []
    for part in prompt:
        if isinstance(part, str):
            words.append(part)
        else:
            words.append(f"{{{len(images)}}}")
            images[str(len(images))] = part
    return _SPACE_BEFORE_SIGN.sub("", " ".join(words)), images


class PromptSpace(spaces.Space[Any]):
    """Lists of words and images, uint8 [height, width, 3], in any order and number.

    Vector environments return a tuple of such lists; AsyncVectorEnv needs `shared_memory=False` for them.
    """

    def __init__(self, height: int, width: int, seed: int | None = None) -> None:
        self._image = spaces.Box(0, 255, (height, width, 3), np.uint8)
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: a prompt cannot be flattened into one array."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> InterleavedPrompt:
        """A random prompt: a text and one image."""
        pixels = self.np_random.integers(0, 256, self._image.shape, dtype=np.uint8)
        return ["look at", pixels]

    def contains(self, x: Any) -> bool:
        """Whether `x` is a non-empty list of texts and images of this size."""
        return isinstance(x, list) and bool(x) and all(isinstance(p, str) or self._image.contains(p) for p in x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PromptSpace) and self._image == other._image

    def __repr__(self) -> str:
        return f"PromptSpace{self._image.shape[:2]}"
