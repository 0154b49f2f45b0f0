"""Sound for a policy: converts recordings of any rate to mono at 16 kHz and keeps the last segments."""

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
"""Lowest and highest accepted sampling rates in Hz."""


def is_sound(value: Any) -> bool:
    """Whether `value` looks like a recording with its rate: a pair of an array and a number."""
    if not isinstance(value, tuple | list) or len(value) != 2 or isinstance(value[1], bool):
        return False
    return isinstance(value[0], np.ndarray) and isinstance(value[1], int | float | np.number)


def read_sound(name: str, value: Any, rate: int | None = None, channels: int | None = None) -> Waveform:
    """Converts a recording to float32 [samples] at 16 kHz.

    Args:
        name: of the field, for the error message.
        value: [samples] or [samples, channels], float in [-1, 1] or signed integers; or a pair of such an array and its
            rate in Hz.
        rate: rate in Hz where `value` has none.
        channels: expected number of channels; None for any.

    Raises:
        ObservationError: the shape, dtype, rate or range is wrong, or there are no samples.
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
    if is_sound(value):
        value, rate = value[0], _rate(name, value[1])
    array = to_array(name, value)
    return -(-len(array) * SAMPLE_RATE // rate) if array.ndim else 0
