"""Changes to sound: louder or softer, with another sound in the background."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.config import AugmentConfig
from embodio.model.processing.sound_files import read_sound


class SoundChange:
    """One draw of the changes, for any part of the recording of an example.

    Args:
        config: how much may change.
        generator: source of the draw.
    """

    def __init__(self, config: AugmentConfig, generator: np.random.Generator) -> None:
        self._gain = float(10.0 ** (config.sound_gain * generator.uniform(-1, 1) / 20.0))
        self._level = config.background_level * generator.random()
        self._start = generator.random()
        self._file = ""
        if self._level:
            self._file = config.background_sounds[int(generator.integers(len(config.background_sounds)))]

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


@functools.lru_cache(maxsize=8)
def _background(file: str) -> npt.NDArray[np.float32]:
    return np.asarray(read_sound(file), dtype=np.float32)
