"""Augmentation of an example: one random change shared by all its frames, its state, words and sound."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.augment.images import PictureChange
from embodio.datasets.augment.sounds import SoundChange
from embodio.datasets.augment.words import WordChange
from embodio.datasets.errors import DatasetError
from embodio.model.processing.audio import SEGMENT_SAMPLES
from embodio.model.processing.image import crop, moved

__all__ = ["AugmentConfig", "Augmentation", "EvaluationView"]

# Kinds of change, each with its own random stream. The numbers are part of the meaning of a seed: only append.
_STREAMS = {
    **{"crop": 0, "blur": 1, "noise": 2, "cutout": 3, "colours": 4, "state": 5, "words": 6, "sound": 7, "slide": 8},
    "speed": 9,
}


class Augmentation:
    """One draw of the changes, applied to any number of frames of one example.

    Args:
        config: how much may change.
        generator: source of the draw.
        cameras: names; each camera is shifted separately, all other changes are the same for all of them.

    Attributes:
        config: how much may change.
        slide: the draws of `draw_slide`; None where nothing slides.
    """

    def __init__(self, config: AugmentConfig, generator: np.random.Generator, cameras: tuple[str, ...]) -> None:
        self._shifts = {
            name: tuple(int(x) for x in generator.integers(-config.shift, config.shift, 2, endpoint=True))
            for name in cameras
        }
        gain = 1.0 + config.brightness * generator.uniform(-1, 1)
        self._gain = gain * (1.0 + config.colour * generator.uniform(-1, 1, 3))
        self._contrast = 1.0 + config.contrast * generator.uniform(-1, 1)
        self._light = bool(config.brightness or config.contrast or config.colour)
        self.config = config
        self._picture: PictureChange | None = None
        self._words: WordChange | None = None
        self._sound: SoundChange | None = None
        self.slide: tuple[float, float] | None = None
        if config.changes_more:
            self._draw_more(config, int(generator.integers(2**63)))

    def _draw_more(self, config: AugmentConfig, key: int) -> None:
        def stream(kind: str) -> np.random.Generator:
            return np.random.Generator(np.random.Philox(key=(key, _STREAMS[kind])))

        if config.changes_pictures:
            self._picture = PictureChange(config, stream)
        if config.changes_words:
            self._words = WordChange(config, stream("words"))
        if config.changes_sounds:
            self._sound = SoundChange(config, stream)
        if config.slide:
            down, right = stream("slide").random(2)
            self.slide = float(down), float(right)
        self._state_key = key

    def __call__(self, camera: str, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Changes one frame, uint8 [H, W, 3] -> uint8 [H, W, 3]."""
        frame = moved(frame, *self._shifts[camera])
        if self._light:
            frame = self._relight(frame)
        return frame if self._picture is None else self._picture(frame)

    def prompt_image(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Changes light and colours of an image in the instruction, so that it still looks like what frames show.

        Args:
            image: uint8 [H, W, 3].

        Returns:
            uint8 [H, W, 3]; nothing in it has moved.
        """
        if self._light:
            image = self._relight(image)
        return image if self._picture is None else self._picture.recoloured(image)

    def state(self, state: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Adds sensor noise to a state [S]; the same offset for all steps of the example, the type is kept.

        Raises:
            DatasetError: if the state has a different number of dimensions from `state_noise`.
        """
        noise = np.asarray(self.config.state_noise)
        if not noise.any():
            return state
        if len(noise) not in (1, len(state)):
            raise DatasetError(f"augment.state_noise: got {len(noise)} numbers, expected 1 or {len(state)}")
        generator = np.random.Generator(np.random.Philox(key=(self._state_key, _STREAMS["state"])))
        return np.asarray(state + noise * generator.standard_normal(len(state)), dtype=state.dtype)

    def instruction(self, instruction: str, own: bool = True) -> str:
        """The instruction in other words, or nothing; see `WordChange`."""
        return instruction if self._words is None else self._words(instruction, own)

    def sound(self, sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Changes the sound so far, float32 [samples] at 16 kHz -> float32 [samples]."""
        return sound if self._sound is None else self._sound(sound)

    def whole_sound(self, sound: npt.NDArray[np.float32], segment: int = SEGMENT_SAMPLES) -> npt.NDArray[np.float32]:
        """Changes a sound that goes with no pictures; see `SoundChange.whole`."""
        return sound if self._sound is None else self._sound.whole(sound, segment)

    def _relight(self, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        # y = (x * gain - mean) * contrast + mean, looked up per channel for the 256 possible values of x.
        mean = float(frame[::4, ::4].mean())
        levels = np.arange(256, dtype=np.float32)[:, None] * self._gain.astype(np.float32)
        table = np.clip((levels - mean) * self._contrast + mean + 0.5, 0, 255).astype(np.uint8)
        return np.stack([table[:, c][frame[..., c]] for c in range(3)], axis=-1)


class EvaluationView:
    """The changes without random draws: frames are cropped to the middle, everything else stays.

    Args:
        config: of the training; see `AugmentConfig.view`.

    Attributes:
        config: of the training.
        slide: None, as nothing slides.
    """

    slide = None

    def __init__(self, config: AugmentConfig) -> None:
        self.config, self._area = config, config.view

    def __call__(self, camera: str, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Changes one frame, uint8 [H, W, 3] -> uint8 [H, W, 3]; the same for every camera."""
        return frame if self._area == 1.0 else crop(frame, self._area)

    def prompt_image(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The image as it is."""
        return image

    def state(self, state: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """The state as it is."""
        return state

    def instruction(self, instruction: str, own: bool = True) -> str:
        """The instruction as it is."""
        return instruction

    def sound(self, sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The sound as it is."""
        return sound

    def whole_sound(self, sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The sound as it is."""
        return sound
