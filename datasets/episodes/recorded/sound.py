"""Recorded sound: the float32 samples of a microphone at each step, and the whole sound up to a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import MICROPHONE
from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import CollectionError, FeatureError
from embodio.envs.embodiment import Microphone

FASTEST = 1_000_000
"""The highest plausible rate of a sound, in Hz."""


def microphone_samples(value: Any, microphone: Microphone) -> npt.NDArray[np.float32]:
    """The sound of one step as recorded.

    Args:
        value: samples [n] or [n, channels] of the observation, float in [-1, 1] or signed integers over their full
            range; or a pair of samples and their rate.
        microphone: of the robot.

    Returns:
        float32 [n], or [n, channels] with several channels.

    Raises:
        CollectionError: another rate, type or number of channels.
    """
    if isinstance(value, tuple | list) and len(value) == 2 and not np.isscalar(value[0]) and np.isscalar(value[1]):
        value, rate = value
        if rate != microphone.rate:
            raise CollectionError(
                f"microphone: sound at {rate} Hz, but the embodiment says {microphone.rate}. Correct one of them"
            )
    samples, channels = np.asarray(value), microphone.channels
    if samples.dtype.kind == "i":
        samples = samples / 2.0 ** (8 * samples.dtype.itemsize - 1)
    found = samples.shape[1] if samples.ndim == 2 else 1
    if samples.ndim not in (1, 2) or samples.dtype.kind != "f" or found not in (1, channels):
        raise CollectionError(
            f"microphone: {samples.dtype} {samples.shape}, expected float or signed samples [n] or [n, {channels}]"
        )
    columns = np.broadcast_to(samples.reshape(len(samples), found), (len(samples), channels)).astype(np.float32)
    return columns if channels > 1 else columns[:, 0]


def heard(episode: EpisodeView, step: int) -> list[npt.NDArray[Any]]:
    """The microphone's samples up to a step, oldest first.

    Args:
        episode: has "observation/microphone": a sequence, or an array with the same number of samples at each step.
        step: from 0 to T - 1.

    Raises:
        FeatureError: there is no such field, or no sound so far.
    """
    if MICROPHONE in episode.features.sequences:
        pieces = [np.asarray(episode.sequence(MICROPHONE, earlier)) for earlier in range(step + 1)]
    else:
        pieces = list(episode.array("observation/microphone")[: step + 1])
    pieces = [piece for piece in pieces if len(piece)]
    if not pieces:
        raise FeatureError(f"observation/microphone gave nothing up to step {step}. Train without that step")
    return pieces
