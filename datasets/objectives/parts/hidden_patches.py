"""Hidden patches of an image or a sound, drawn for denoising ([R], paper, section 3.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.material import unusable
from embodio.datasets.records.record import Record
from embodio.model.example import Image, Waveform
from embodio.model.processing.audio import fit_length
from embodio.model.processing.audio_features import mel_power, segment_samples
from embodio.model.processing.image import GeometryError, ImageFit

Bools = npt.NDArray[np.bool_]


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
    try:
        valid = ImageFit.of((image.shape[0], image.shape[1]), config.image_size).patch_mask(config.image_patch_size)
    except GeometryError as error:
        raise unusable(record, str(error)) from error
    grid = valid.astype(np.bool_).reshape(config.patch_grids["image"])
    return _drawn(record, grid, share, config.sampling.image_patches, generator)


def hidden_in_sound(
    record: Record, sound: Waveform, share: float, context: ObjectiveContext, generator: np.random.Generator
) -> Bools:
    """The hidden patches of a segment, bool [rows, columns]; raises UnusableRecord if there is only one to hear."""
    size, patch = context.config.audio_size, context.config.audio_patch_size
    middles = slice(patch // 2, None, patch)  # a patch shows something where its middle does
    power = mel_power(fit_length(sound, segment_samples(size[0])), size[1], middles)
    return _drawn(record, power[:, middles] != 0, share, context.config.sampling.audio_patches, generator)


def _drawn(record: Record, valid: Bools, share: float, most: int, generator: np.random.Generator) -> Bools:
    if np.count_nonzero(valid) < 2:
        raise unusable(record, "too little of an image or a sound to hide a part of it")
    return draw_hidden(valid, share, most, generator)
