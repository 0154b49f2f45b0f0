"""Prompts of words and images in order: made of a text with {placeholders}, and a gymnasium space for them."""

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


def placeholders(text: str) -> list[str]:
    """Names in braces, in the order of the text; one may come several times."""
    return _PLACEHOLDER.findall(text)


def interleave(text: str, images: Mapping[str, Image]) -> InterleavedPrompt:
    """Puts images where their {placeholders} are; words keep their order, blanks at the joints are dropped.

    Args:
        text: with placeholders.
        images: placeholder -> uint8 [H, W, 3].

    Raises:
        EnvError: text and images do not have the same names.
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


class PromptSpace(spaces.Space[Any]):
    """Lists of words and images, uint8 [height, width, 3], in any order and number.

    Vector environments give a tuple of such lists; AsyncVectorEnv needs `shared_memory=False` for them.
    """

    def __init__(self, height: int, width: int, seed: int | None = None) -> None:
        self._image = spaces.Box(0, 255, (height, width, 3), np.uint8)
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Whether a prompt can be made one array: no."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> InterleavedPrompt:
        """A sentence with one image."""
        pixels = self.np_random.integers(0, 256, self._image.shape, dtype=np.uint8)
        return ["look at", pixels]

    def contains(self, x: Any) -> bool:
        """Whether `x` is such a list, with something in it."""
        return isinstance(x, list) and bool(x) and all(isinstance(p, str) or self._image.contains(p) for p in x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PromptSpace) and self._image == other._image

    def __repr__(self) -> str:
        return f"PromptSpace{self._image.shape[:2]}"
