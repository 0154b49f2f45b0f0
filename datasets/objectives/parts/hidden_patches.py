"""Hidden patches of an image or a sound, drawn for denoising ([R], paper, section 3.3)."""

from __future__ import annotations

import numpy as np

from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.material import unusable
from embodio.datasets.objectives.parts.perceived import Bools, heard_in_input, seen_patches
from embodio.datasets.records.record import Record
from embodio.model.example import Image, Waveform


def draw_hidden(valid: Bools, share: float, most: int, generator: np.random.Generator) -> Bools:
    """Which patches are hidden.

    Args:
        valid: bool [rows, columns], the patches that show something; at least two.
        share: of the valid patches, hidden ones; rounded, at least one is hidden and one is given.
        most: how many patches the network takes; as many more are hidden.
        generator: of the draws.

    Returns:
        bool [rows, columns]; False where there is nothing to hide.
    """
    places = np.flatnonzero(valid)
    count = int(np.clip(max(round(share * len(places)), len(places) - most), 1, len(places) - 1))
    hidden = np.zeros(valid.shape, dtype=np.bool_)
    hidden.reshape(-1)[generator.choice(places, count, replace=False)] = True
    return hidden


def hidden_in_image(
    record: Record, image: Image, share: float, context: ObjectiveContext, generator: np.random.Generator
) -> Bools:
    """The hidden patches of an image, bool [rows, columns]; raises UnusableRecord if there is only one to see."""
    config = context.config
    seen = seen_patches(image, config.image_size, config.image_patch_size)
    return _drawn(record, seen, share, config.sampling.image_patches, generator)


def hidden_in_sound(
    record: Record, sound: Waveform, share: float, context: ObjectiveContext, generator: np.random.Generator
) -> Bools:
    """The hidden patches of a segment, bool [rows, columns]; raises UnusableRecord if there is only one to hear."""
    config = context.config
    return _drawn(record, heard_in_input(sound, config), share, config.sampling.audio_patches, generator)


def _drawn(record: Record, valid: Bools, share: float, most: int, generator: np.random.Generator) -> Bools:
    if np.count_nonzero(valid) < 2:
        raise unusable(record, "too little of an image or a sound to hide a part of it")
    return draw_hidden(valid, share, most, generator)
