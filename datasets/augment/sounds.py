"""Changes to sound: louder or softer, with another sound in the background, faster or slower."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.config import AugmentConfig
from embodio.model.processing.audio import count_segments, fit_length, resample
from embodio.model.processing.sound_files import read_sound

# Speeds are whole percents, and there are few of them, so that the filters of `resample` are made once.
_WHOLE = 100
_STEPS = 10  # from the usual speed to the highest, and to the lowest


class SoundChange:
    """One draw of the changes, for any part of the recording of an example.

    The recording of an episode, with the sounds of its prompt, keeps its speed, as its frames go with it. Only sounds
    that are given as a whole, such as instructions read aloud in place of the recorded ones, or the sound of an
    annotation without pictures, are played faster or slower.

    Args:
        config: how much may change.
        stream: kind of change -> source of its draw.
    """

    def __init__(self, config: AugmentConfig, stream: Callable[[str], np.random.Generator]) -> None:
        generator = stream("sound")
        self._gain = float(10.0 ** (config.sound_gain * generator.uniform(-1, 1) / 20.0))
        self._level = config.background_level * generator.random()
        self._start = generator.random()
        self._file = ""
        if self._level:
            self._file = config.background_sounds[int(generator.integers(len(config.background_sounds)))]
        step = int(stream("speed").integers(-_STEPS, _STEPS, endpoint=True))
        self._percent, self._slower = _percent(config.sound_speed, abs(step)), step < 0

    def __call__(self, sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Changes sound that starts with the recording, float32 [samples] in [-1, 1] at 16 kHz -> the same.

        The background sound is repeated where it is too short; what is too loud is clipped.

        Raises:
            MediaError: if the background sound cannot be read.
        """
        if self._gain == 1.0 and not self._level:
            return sound
        changed = sound * np.float32(self._gain)
        if self._level:
            background = _background(self._file)
            first = int(self._start * len(background))
            places = np.arange(first, first + len(sound))
            changed = changed + background.take(places, mode="wrap") * np.float32(self._level)
        return np.clip(changed, -1.0, 1.0).astype(np.float32)

    def whole(self, sound: npt.NDArray[np.float32], segment: int) -> npt.NDArray[np.float32]:
        """Changes a sound that goes with no pictures: its speed first (Ko et al. 2015), then the rest.

        It fills as many segments as before, so that cutting it into segments loses no more: a sound that would need
        more is slowed less, and one that would need fewer is followed by silence.

        Args:
            sound: float32 [samples] in [-1, 1] at 16 kHz.
            segment: samples that the network hears at once.

        Returns:
            float32 [samples / speed], rounded up; of sounds of several segments at least as many segments.

        Raises:
            MediaError: if the background sound cannot be read.
        """
        return self(self._played(sound, segment))

    def _played(self, sound: npt.NDArray[np.float32], segment: int) -> npt.NDArray[np.float32]:
        """The sound at the drawn speed."""
        room = count_segments(len(sound), segment) * segment
        percent = max(_WHOLE, min(self._percent, _WHOLE * room // len(sound))) if self._slower else self._percent
        if percent == _WHOLE:
            return sound
        rates = (_WHOLE, percent) if self._slower else (percent, _WHOLE)
        played = np.clip(resample(sound, *rates), -1.0, 1.0)
        return fit_length(played, max(len(played), room)) if len(sound) > segment else played


def _percent(most: float, step: int) -> int:
    """A speed from 100 to 100 (1 + most), in equal steps of its logarithm."""
    highest = math.floor(_WHOLE * (1 + most) + 1e-6)
    return min(highest, round(_WHOLE * (1 + most) ** (step / _STEPS)))


@functools.lru_cache(maxsize=8)
def _background(file: str) -> npt.NDArray[np.float32]:
    return np.asarray(read_sound(file), dtype=np.float32)
