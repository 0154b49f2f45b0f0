"""Sound for a policy: converts recordings of any rate to mono at 16 kHz and keeps the last segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import ObservationError
from embodio.agent.format.arrays import to_array
from embodio.agent.format.policy_config import LONGEST_HISTORY
from embodio.model.processing.audio import SEGMENT_SAMPLES
from embodio.model.processing.audio_features import SAMPLE_RATE, AudioError
from embodio.model.processing.recordings import rate_of, read_recording

Waveform = npt.NDArray[np.float32]


def read_sound(name: str, value: Any, rate: int = SAMPLE_RATE, channels: int | None = None) -> Waveform:
    """Converts a recording to float32 [samples] at 16 kHz; see `read_recording`, whose AudioError it raises as its own.

    Raises:
        ObservationError: the shape, dtype, rate or range is wrong, or there are no samples.
    """
    try:
        return np.array(read_recording(value, name, rate, channels))
    except AudioError as error:
        raise ObservationError(str(error)) from error


def latest_segments(sound: Waveform) -> list[Waveform]:
    """The sound split from its end into segments of 4.08 s, oldest first; the oldest may be shorter."""
    ends = range(len(sound), 0, -SEGMENT_SAMPLES)
    pieces = [sound[max(0, end - SEGMENT_SAMPLES) : end] for end in ends]
    return pieces[: 1 + LONGEST_HISTORY][::-1]


def heard_segments(sound: Waveform) -> list[Waveform]:
    """The segments of a microphone that a policy hears: earlier ones, then the last 4.08 s.

    Earlier segments are counted from the start of `sound`, so they stay the same while it grows and each is encoded
    once. The newest of them may overlap the last 4.08 s.

    Args:
        sound: from `recent`.
    """
    begun = range(0, len(sound) - SEGMENT_SAMPLES, SEGMENT_SAMPLES)
    return [*(sound[begin : begin + SEGMENT_SAMPLES] for begin in begun), sound[-SEGMENT_SAMPLES:]]


def recent(sound: Waveform) -> Waveform:
    """The sound without its oldest segments, where it is too long for the policy."""
    return sound[forgotten(len(sound)) :]


def forgotten(samples: int) -> int:
    """Number of samples at the start of `samples` that are no longer heard, in whole segments."""
    return max(0, -(-samples // SEGMENT_SAMPLES) - 1 - LONGEST_HISTORY) * SEGMENT_SAMPLES


def sound_length(name: str, value: Any, rate: int) -> int:
    """Number of samples of a recording at 16 kHz, without converting it; arguments and errors as in `read_sound`."""
    try:
        samples, rate = rate_of(value, name, rate)
    except AudioError as error:
        raise ObservationError(str(error)) from error
    array = to_array(name, samples)
    return -(-len(array) * SAMPLE_RATE // rate) if array.ndim else 0
