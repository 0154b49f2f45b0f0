"""Changes to the sound of an annotation that has no pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from embodio.datasets.augment.augment import Augmentation
from embodio.datasets.augment.config import AugmentConfig
from embodio.model.processing.audio import SEGMENT_SAMPLES
from embodio.model.tasks.base.family import Annotation, InputMedia


@dataclass(frozen=True)
class HeardChange:
    """Draws a change to what is heard, where nothing is seen that it must stay in step with.

    Attributes:
        config: how much may change; what it says of pictures and words does not matter.
        segment: samples that the network hears at once.
    """

    config: AugmentConfig
    segment: int = SEGMENT_SAMPLES

    def __call__(self, annotation: Annotation, generator: np.random.Generator) -> Annotation:
        """The annotation with its sound changed; itself, and nothing is drawn, where it has no sound or pictures.

        Raises:
            MediaError: if the background sound cannot be read.
        """
        sound = annotation.media.audio
        alone = not (annotation.media.has_images or annotation.media.audio_history)
        if not (self.config.changes_sounds and alone and isinstance(sound, np.ndarray)):
            return annotation
        changed = Augmentation(self.config, generator, ()).whole_sound(sound, self.segment)
        return replace(annotation, media=InputMedia(audio=changed))
