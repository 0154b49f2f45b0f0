"""Example: the inputs and targets of the model as plain media and text, before they become tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.model.processing.audio_features import Spectrogram
from embodio.model.tokens.vocabulary import Prompt

Image = npt.NDArray[np.uint8] | npt.NDArray[np.floating[Any]]
"""RGB, upright: uint8 [H, W, 3], or float [H, W, 3] in [0, 1]."""

Waveform = npt.NDArray[np.float32]
"""Mono sound at 16 kHz: float32 [samples] in [-1, 1]."""

Sound = Waveform | Spectrogram
"""A waveform, or the mel power spectrogram of one segment."""


NEUTRAL_PROMPTS: Mapping[str, str] = {
    "image": "An image of a random picture.",
    "audio": "A video of a random audio.",
}
"""The prompt of each modality that asks for nothing in particular, placed after the modality's prefix.

Training replaces some prompts by it, and classifier-free guidance moves away from what it gives (paper, appendix D.2).
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Example:
    """Inputs and targets of the model; absent ones keep their defaults.

    Attributes:
        text: the prompt: plain text, or texts and token ids in sequence (`Vocabulary.encode`).
        image: the main image, any size.
        image_hidden: bool [rows, columns] over the patches of the model's main image (`ModelConfig.patch_grids`), True
            where a patch is left out of the encoder, as in denoising (paper, section 3.3); None hides nothing. An
            `image_target` is then the same picture, whole, and its codes in hidden patches are marked as such.
        image_history: earlier frames, oldest first, any size, at most as many as the model has frame slots.
        audio: the main sound. A waveform longer than a segment (4.08 s in the released models) is cut into segments,
            the last of which is the main sound; those before it are then the history.
        audio_hidden: the same for the main sound, over time and mel bands; `audio_target` is then the same segment.
        audio_history: earlier sounds, oldest first, each at most a segment, at most as many as the model has slots.
        text_target: the answer as a prompt; None for inference or when the target is not text.
        other_answers: further correct answers besides `text_target`; each is trained as if it were the only one, and
            all share one pass of the encoder.
        image_target: an image to generate.
        audio_target: a sound to generate, at most a segment.

    An example may have several targets; they do not see each other in the decoder.
    """

    text: Prompt
    image: Image | None = None
    image_hidden: npt.NDArray[np.bool_] | None = None
    image_history: Sequence[Image] = ()
    audio: Sound | None = None
    audio_hidden: npt.NDArray[np.bool_] | None = None
    audio_history: Sequence[Sound] = ()
    text_target: Prompt | None = None
    other_answers: Sequence[Prompt] = ()
    image_target: Image | None = None
    audio_target: Sound | None = None
