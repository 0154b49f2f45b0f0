"""AugmentConfig: the range of random changes to the examples of a data set in training."""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property

from embodio.datasets.errors import DatasetError

_SLOT = "{instruction}"
_SHARES = ("slide", "brightness", "contrast", "colour", "crop", "cutout", "sound_speed")
_PROBABILITIES = ("probability", "wordings", "paraphrase", "instruction_dropout")
_AMOUNTS = ("crop_ratio", "blur", "noise", "hue", "saturation", "sound_gain", "background_level")


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """Ranges of the random changes to examples; zeros and empty lists switch a change off.

    Each change is drawn once for an example and is the same for all its frames; only `shift` differs by camera. Images
    in an instruction change their light and colours as the frames do, and nothing else.

    Attributes:
        shift: largest displacement in pixels, per axis and camera; uncovered pixels repeat the border.
        slide: s, everything that a camera sees which looks straight down moves by up to a share s of its height and
            width, and the actions with it, within their limits; uncovered pixels repeat the border.
        slide_down: dimensions of the action that grow from the top of the picture to its bottom, from low to high.
        slide_right: those that grow from its left to its right.
        brightness: b, pixels are scaled by a factor in [1 - b, 1 + b].
        contrast: c, distances from the mean grey are scaled by a factor in [1 - c, 1 + c].
        colour: c, each channel is scaled by its own factor in [1 - c, 1 + c].
        crop: c, a rectangle with a share in [1 - c, 1] of the area is cut out and resized to the frame size. Validation
            and the trained agent see the middle of each frame with the mean share, 1 - c / 2, kept in the checkpoint.
        crop_ratio: r, the rectangle is wider or narrower than the frame by a factor in [exp(-r), exp(r)].
        blur: largest standard deviation of a Gaussian blur, in pixels.
        noise: largest standard deviation of the noise of pixels, in grey levels.
        cutout: c, a square (in a square frame) of a share in [0, c] of the area is made grey.
        hue: h, hues are rotated by an angle in [-h, h], in degrees; greys stay, and so do words for colours.
        saturation: s, colours are scaled by a factor in [1 - s, 1 + s]; greys stay.
        probability: of each of blur, noise, cutout, and hue with saturation, drawn separately.
        state_noise: standard deviation of the noise added to the state, in its units; one for each number of the
            state, or one for all.
        wordings: probability that the instruction is one of its wordings in `envs/prompts` that may be trained on.
        templates: sentences with {instruction} in it, such as "please {instruction}".
        synonyms: interchangeable words, such as "pick up|grasp|take"; whole words are replaced.
        paraphrase: probability that the instruction is reworded by `templates` and `synonyms`.
        instruction_dropout: probability that the instruction is left out.
        sound_gain: g, sound is made louder or softer by up to g decibels.
        background_sounds: sound files, one of which is mixed into the sound.
        background_level: l, the background sound is scaled by a factor in [0, l].
        sound_speed: s, spoken instructions, and sounds of annotations without pictures, are played faster by a factor
            in [1 / (1 + s), 1 + s], uniform in its logarithm, in whole percents; pitch and length change together. A
            sound is not slowed beyond the segments that it fills. Recordings and prompts of episodes keep their speed.
    """

    shift: int = 0
    slide: float = 0.0
    slide_down: tuple[str, ...] = ()
    slide_right: tuple[str, ...] = ()
    brightness: float = 0.0
    contrast: float = 0.0
    colour: float = 0.0
    crop: float = 0.0
    crop_ratio: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0
    hue: float = 0.0
    saturation: float = 0.0
    probability: float = 1.0
    state_noise: tuple[float, ...] = ()
    wordings: float = 0.0
    templates: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    paraphrase: float = 0.0
    instruction_dropout: float = 0.0
    sound_gain: float = 0.0
    background_sounds: tuple[str, ...] = ()
    background_level: float = 0.0
    sound_speed: float = 0.0

    def __post_init__(self) -> None:
        if self.shift < 0:
            raise DatasetError(f"augment.shift: got {self.shift}, expected 0 or more pixels")
        for name in _SHARES:
            if not 0.0 <= getattr(self, name) < 1.0:
                raise DatasetError(f"augment.{name}: got {getattr(self, name)}, expected 0 or more and less than 1")
        for name in _PROBABILITIES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise DatasetError(f"augment.{name}: got {getattr(self, name)}, expected 0 to 1")
        for name in _AMOUNTS:
            if not 0.0 <= getattr(self, name) < math.inf:
                raise DatasetError(f"augment.{name}: got {getattr(self, name)}, expected 0 or a positive number")
        if not all(0.0 <= value < math.inf for value in self.state_noise):
            raise DatasetError(f"augment.state_noise: got {self.state_noise}, expected 0 or positive numbers")
        if self.crop_ratio and not self.crop:
            raise DatasetError("augment.crop_ratio: it needs a crop; give augment.crop as well")
        if bool(self.slide) != bool(self.slide_down and self.slide_right):
            raise DatasetError("augment.slide: give slide, slide_down and slide_right, or none of them")
        self._check_lists()

    def _check_lists(self) -> None:
        for template in self.templates:
            if template.count(_SLOT) != 1:
                raise DatasetError(f"augment.templates: {template!r} must hold {_SLOT} once")
        for group in self.synonyms:
            words = [word.strip() for word in group.split("|")]
            if len(words) < 2 or not all(words):
                raise DatasetError(f"augment.synonyms: {group!r} must be two or more words with | between them")
        if self.paraphrase and not (self.templates or self.synonyms):
            raise DatasetError("augment.paraphrase: there is nothing to reword with; give templates or synonyms")
        if self.background_level and not self.background_sounds:
            raise DatasetError("augment.background_level: there is no sound to mix in; give background_sounds")

    @property
    def view(self) -> float:
        """Share of a frame's area, around its middle, that replaces the random crops if nothing is drawn."""
        return 1.0 - self.crop / 2.0

    @cached_property
    def changes_pictures(self) -> bool:
        """Whether any change of images is on, apart from shift, brightness, contrast and colour."""
        return bool(self.crop or self.blur or self.noise or self.cutout or self.colours)

    @cached_property
    def colours(self) -> bool:
        """Whether hue or saturation change."""
        return bool(self.hue or self.saturation)

    @cached_property
    def changes_more(self) -> bool:
        """Whether anything is on, apart from shift, brightness, contrast and colour."""
        inputs = self.changes_pictures or self.changes_words or self.changes_sounds
        return bool(inputs or self.slide or any(self.state_noise))

    @cached_property
    def changes_sounds(self) -> bool:
        """Whether any change of sounds is on."""
        return bool(self.sound_gain or self.background_level or self.sound_speed)

    @cached_property
    def changes_words(self) -> bool:
        """Whether the instruction may change."""
        return bool(self.wordings or self.paraphrase or self.instruction_dropout)
