"""Recordings: sounds as people give them, of any rate and number of channels, converted to mono at 16 kHz."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from embodio.model.errors import is_within
from embodio.model.example import Example, Sound, Waveform
from embodio.model.processing.audio import resample, to_mono
from embodio.model.processing.audio_features import SAMPLE_RATE, AudioError, Spectrogram

SLOWEST, FASTEST = 1_000, 192_000
"""Lowest and highest accepted sampling rates in Hz."""


def has_rate(value: Any) -> bool:
    """Whether `value` looks like a recording with its rate: a pair of an array and a number."""
    if not isinstance(value, tuple | list) or len(value) != 2 or isinstance(value[1], bool):
        return False
    return isinstance(value[0], np.ndarray) and isinstance(value[1], int | float | np.number)


def is_recording(value: Any) -> bool:
    """Whether `value` looks like a sound: an array of one or two dimensions of samples, alone or with its rate."""
    samples = isinstance(value, np.ndarray) and value.ndim in (1, 2) and value.dtype.kind in "fi"
    return samples or has_rate(value)


def rate_of(value: Any, name: str, rate: int = SAMPLE_RATE) -> tuple[Any, int]:
    """The samples of a recording and their rate in Hz; `rate` where it has none of its own.

    Raises:
        AudioError: the rate is not a whole number of 1 to 192 kHz.
    """
    if not has_rate(value):
        return value, rate
    samples, own = value
    if not is_within(own, SLOWEST, FASTEST) or int(own) != own:
        raise AudioError(f"{name}: the rate must be a whole number of {SLOWEST} to {FASTEST} Hz, got {own}")
    return samples, int(own)


def read_recording(value: Any, name: str, rate: int = SAMPLE_RATE, channels: int | None = None) -> Waveform:
    """Converts a recording to float32 [samples] at 16 kHz.

    Args:
        value: [samples] or [samples, channels], float in [-1, 1] or signed integers; or a pair of such an array and its
            rate in Hz.
        name: of the field, for the error message.
        rate: rate in Hz where `value` has none.
        channels: expected number of channels, or one; None for any.

    Raises:
        AudioError: the shape, dtype, rate or range is wrong, or there are no samples.
    """
    samples, rate = rate_of(value, name, rate)
    expected = f"[samples] or [samples, {channels or 'channels'}], float in [-1, 1] or signed integers"
    try:
        array = np.asarray(samples)
    except (ValueError, TypeError, RuntimeError) as error:
        raise AudioError(f"{name}: expected sound {expected}, got {type(samples).__name__}") from error
    if array.ndim not in (1, 2) or 0 in array.shape or array.dtype.kind not in "fi":
        found = f"{array.dtype} {array.shape}" if array.ndim else type(samples).__name__
        raise AudioError(f"{name}: expected sound {expected}, alone or with its rate in Hz, got {found}")
    found_channels = array.shape[1] if array.ndim == 2 else 1
    if channels is not None and found_channels not in (1, channels):
        raise AudioError(f"{name}: expected {channels} channels, got {found_channels}; expected {expected}")
    if array.dtype.kind == "f":
        array = array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64, copy=False)
    try:
        return resample(to_mono(array), rate)
    except AudioError as error:
        raise AudioError(f"{name}: {error}") from error


def with_sounds_read(example: Example) -> Example:
    """The example with each of its recordings as a waveform at 16 kHz; spectrograms stay.

    Raises:
        AudioError: as `read_recording`.
    """
    if example.audio is None and not len(example.audio_history):
        return example
    audio = None if example.audio is None else _read(example.audio, "audio")
    earlier = [_read(one, f"audio_history[{index}]") for index, one in enumerate(example.audio_history)]
    return replace(example, audio=audio, audio_history=earlier)


def _read(sound: Sound, name: str) -> Sound:
    return sound if isinstance(sound, Spectrogram) else read_recording(sound, name)
