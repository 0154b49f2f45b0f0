"""Frames: images and sounds that the network may meet several times, with what was computed from them so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from embodio.model.processing.processor import Features


@dataclass(eq=False)
class Frame:
    """One image, uint8 [H, W, 3], or one segment of sound, float32 [samples], and what is known of it.

    Attributes:
        content: the pixels or samples; not to be changed.
        main: features and tokens as the main image or sound, once they were needed.
        history: the same as a frame of the history.
    """

    content: npt.NDArray[Any]
    main: Encoded = field(default_factory=lambda: Encoded())
    history: Encoded = field(default_factory=lambda: Encoded())

    def same_as(self, content: npt.NDArray[Any]) -> bool:
        """Whether these are the same pixels or samples."""
        return np.array_equal(self.content, content)


@dataclass(eq=False)
class Encoded:
    """Features of a frame in one role, and its tokens [N, D] inside the network."""

    features: Features | None = None
    tokens: Tensor | None = None


def reuse(frame: Frame | None, content: npt.NDArray[Any]) -> Frame:
    """The frame if it shows the same, else a new one."""
    return frame if frame is not None and frame.same_as(content) else Frame(content)
