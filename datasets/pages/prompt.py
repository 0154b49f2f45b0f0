"""The instruction and sounds of an episode as words, PNG and WAV for its page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.episodes.features import MICROPHONE, MICROPHONE_RATE
from embodio.datasets.episodes.recorded.images import prompt_of
from embodio.datasets.episodes.recorded.sound import FASTEST
from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.pages.episode_page import Medium
from embodio.datasets.pages.pictures import sound


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
    return {"microphone": sound(np.concatenate(pieces), rate)}


def _part(part: Any) -> str | Medium:
    if isinstance(part, str):
        return part
    return sound(*part) if isinstance(part, tuple) else Medium("image/png", encode_image(part, "png"))
