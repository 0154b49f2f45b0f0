"""Sound for a policy: recordings of any rate become mono at 16 kHz, of which the last segments are heard."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import ObservationError
from embodio.model.audio_features import AudioError
from embodio.model.audio_resample import resample, to_mono
from embodio.model.audio_segments import SEGMENT_SAMPLES

Waveform = npt.NDArray[np.float32]
LONGEST_HISTORY = 4
"""Segments before the last one that are kept."""


def read_sound(name: str, value: Any, rate: int) -> Waveform:
    """A recording as float32 [samples] at 16 kHz.

    Args:
        name: of the field, for the error.
        value: [samples] or [samples, channels], float in [-1, 1] or integer; or a pair of such an array and its rate.
        rate: samples per second where no rate is given.

    Raises:
        ObservationError: another shape, type or range, or no samples.
    """
    if isinstance(value, tuple) and len(value) == 2:
        value, rate = value[0], int(value[1])
    try:
        return resample(to_mono(np.asarray(value)), rate)
    except AudioError as error:
        raise ObservationError(f"{name}: {error}") from error


def latest_segments(sound: Waveform) -> list[Waveform]:
    """The sound cut backwards from its end into segments of 4.08 s, oldest first; the oldest may be shorter."""
    ends = range(len(sound), 0, -SEGMENT_SAMPLES)
    pieces = [sound[max(0, end - SEGMENT_SAMPLES) : end] for end in ends]
    return pieces[: 1 + LONGEST_HISTORY][::-1]


def longest_sound() -> int:
    """Samples that are worth remembering."""
    return (1 + LONGEST_HISTORY) * SEGMENT_SAMPLES
