"""One example as a person would name it: what the model is given and the one thing it should answer, not yet tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.model.vocabulary import Prompt

Image = npt.NDArray[np.uint8] | npt.NDArray[np.floating[Any]]
"""RGB, upright: uint8 [H, W, 3], or float [H, W, 3] in [0, 1]."""

Waveform = npt.NDArray[np.float32]
"""Mono sound at 16 kHz: float32 [samples] in [-1, 1]."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Example:
    """Inputs and target of the model. Leave out what an example does not have.

    Attributes:
        text: the prompt: plain text, or texts and token ids in sequence (`Vocabulary.encode`).
        image: the main image, any size.
        image_history: earlier frames, oldest first, any size, at most as many as the model has frame slots.
        audio: the main sound.
        audio_history: earlier sounds, oldest first.
        text_target: the answer as a prompt; None for inference or when the target is not text.
        image_target: an image to draw.
        audio_target: a sound to make.
    """

    text: Prompt
    image: Image | None = None
    image_history: Sequence[Image] = ()
    audio: Waveform | None = None
    audio_history: Sequence[Waveform] = ()
    text_target: Prompt | None = None
    image_target: Image | None = None
    audio_target: Waveform | None = None
