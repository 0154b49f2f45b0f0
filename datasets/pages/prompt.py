"""The instruction and sounds of an episode as words, PNG and WAV for its page."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.episodes.features import MICROPHONE, MICROPHONE_RATE
from embodio.datasets.episodes.recorded.images import prompt_of
from embodio.datasets.episodes.recorded.sound import FASTEST
from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.pages.episode_page import Medium


def instruction_parts(episode: EpisodeView) -> Sequence[str | Medium]:
    """The instruction in order: words, the pictures of a prompt, its sounds."""
    try:
        parts = prompt_of(episode)
    except DatasetError:
        return ["(no instruction)"]
    return [_part(part) for part in ([parts] if isinstance(parts, str) else parts)]


def sounds(episode: EpisodeView) -> dict[str, Medium]:
    """The whole sound of an episode's microphone; empty if none was recorded."""
    if MICROPHONE not in episode.features.sequences or MICROPHONE_RATE not in episode.features.episode:
        return {}
    rate = int(episode.value(MICROPHONE_RATE))
    if not 0 < rate <= FASTEST:
        raise FeatureError(f"{MICROPHONE_RATE} is {rate}. Record the episode again")
    pieces = [np.asarray(episode.sequence(MICROPHONE, step)) for step in range(len(episode))]
    return {"microphone": _wav(np.concatenate(pieces), rate)}


def _part(part: Any) -> str | Medium:
    if isinstance(part, str):
        return part
    return _wav(*part) if isinstance(part, tuple) else Medium("image/png", encode_image(part, "png"))


def _wav(samples: npt.NDArray[Any], rate: int) -> Medium:
    """Samples [n] or [n, channels] as 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(samples.shape[1] if samples.ndim == 2 else 1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes((np.clip(np.nan_to_num(samples), -1, 1) * 32767).astype("<i2").tobytes())
    return Medium("audio/wav", file.getvalue())
