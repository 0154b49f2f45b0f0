"""Sound for a policy: recordings of any rate become mono at 16 kHz, of which the last segments are heard."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import ObservationError
from embodio.agent.format.arrays import to_array
from embodio.agent.format.policy_config import LONGEST_HISTORY
from embodio.model.processing.audio import SEGMENT_SAMPLES, resample, to_mono
from embodio.model.processing.audio_features import SAMPLE_RATE, AudioError

Waveform = npt.NDArray[np.float32]
SLOWEST, FASTEST = 1_000, 192_000
"""Rates of recordings in Hz that are taken."""


def is_sound(value: Any) -> bool:
    """Whether this looks like a recording with its rate: a pair of an array and a number."""
    if not isinstance(value, tuple | list) or len(value) != 2 or isinstance(value[1], bool):
        return False
    return isinstance(value[0], np.ndarray) and isinstance(value[1], int | float | np.number)


def read_sound(name: str, value: Any, rate: int | None = None, channels: int | None = None) -> Waveform:
    """A recording as float32 [samples] at 16 kHz.

    Args:
        name: of the field, for the error.
        value: [samples] or [samples, channels], float in [-1, 1] or signed integers; or a pair of such an array and its
            rate in Hz.
        rate: samples per second where none is given.
        channels: how many are expected; None for any.

    Raises:
        ObservationError: another shape, type, rate or range, or no samples.
    """
    if is_sound(value):
        value, rate = value[0], _rate(name, value[1])
    if rate is None:
        raise ObservationError(f"{name}: expected sound with its rate, (samples, rate), got {type(value).__name__}")
    array = to_array(name, value)
    expected = f"[samples] or [samples, {channels or 'channels'}], float in [-1, 1] or signed integers"
    if array.ndim not in (1, 2) or 0 in array.shape or array.dtype.kind not in "fi":
        raise ObservationError(f"{name}: expected sound {expected}, got {array.dtype} {array.shape}")
    found = array.shape[1] if array.ndim == 2 else 1
    if channels is not None and found not in (1, channels):
        raise ObservationError(f"{name}: expected {channels} channels, got {found}; expected {expected}")
    if array.dtype.kind == "f":
        array = array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64, copy=False)
    try:
        return np.array(resample(to_mono(array), rate))
    except AudioError as error:
        raise ObservationError(f"{name}: {error}") from error


def _rate(name: str, rate: Any) -> int:
    if not (rate == rate and SLOWEST <= rate <= FASTEST and int(rate) == rate):
        raise ObservationError(f"{name}: the rate must be a whole number of {SLOWEST} to {FASTEST} Hz, got {rate}")
    return int(rate)


def latest_segments(sound: Waveform) -> list[Waveform]:
    """The sound cut backwards from its end into segments of 4.08 s, oldest first; the oldest may be shorter."""
    ends = range(len(sound), 0, -SEGMENT_SAMPLES)
    pieces = [sound[max(0, end - SEGMENT_SAMPLES) : end] for end in ends]
    return pieces[: 1 + LONGEST_HISTORY][::-1]


def heard_segments(sound: Waveform) -> list[Waveform]:
    """What a microphone gave, as a policy hears it: the last 4.08 s, after the segments before.

    Those are counted from the beginning of `sound`, so that they stay the same while it grows, and each has to be
    encoded once. The newest of them may have its end in common with the last 4.08 s.

    Args:
        sound: from `recent`.
    """
    begun = range(0, len(sound) - SEGMENT_SAMPLES, SEGMENT_SAMPLES)
    return [*(sound[begin : begin + SEGMENT_SAMPLES] for begin in begun), sound[-SEGMENT_SAMPLES:]]


def recent(sound: Waveform) -> Waveform:
    """Sound without the oldest segments, where it is too long to be heard whole."""
    return sound[forgotten(len(sound)) :]


def forgotten(samples: int) -> int:
    """Of that many samples, how many of the first are no longer heard: whole segments."""
    return max(0, -(-samples // SEGMENT_SAMPLES) - 1 - LONGEST_HISTORY) * SEGMENT_SAMPLES


def sound_length(name: str, value: Any, rate: int) -> int:
    """Samples at 16 kHz of a recording, without reading it; arguments and errors as of `read_sound`."""
    if is_sound(value):
        value, rate = value[0], _rate(name, value[1])
    array = to_array(name, value)
    return -(-len(array) * SAMPLE_RATE // rate) if array.ndim else 0
