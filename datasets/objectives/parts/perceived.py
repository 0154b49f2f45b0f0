"""Patches of images and sounds in which something is perceived; without any, a network is asked about nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embodio.model.config.model import ModelConfig
from embodio.model.config.parts import Size
from embodio.model.example import Example, Image, Sound
from embodio.model.processing.audio import fit_length
from embodio.model.processing.audio_features import mel_power, segment_samples
from embodio.model.processing.image import GeometryError, ImageFit

Bools = npt.NDArray[np.bool_]


def seen_patches(image: Image, canvas: Size, patch: int) -> Bools:
    """Which patches of an image on a canvas show something, bool [rows, columns]; none of an image that is too thin."""
    grid = (canvas[0] // patch, canvas[1] // patch)
    try:
        mask = ImageFit.of((image.shape[0], image.shape[1]), canvas).patch_mask(patch)
    except GeometryError:
        return np.zeros(grid, dtype=np.bool_)
    return mask.astype(np.bool_).reshape(grid)


def heard_patches(sound: Sound, size: Size, patch: Size) -> Bools:
    """Which patches of a segment hold sound, bool [rows, columns] over time and mel bands.

    Args:
        sound: at most a segment.
        size: cells of its spectrogram, time and mel bands.
        patch: cells of a patch.
    """
    times, bands = (slice(side // 2, None, side) for side in patch)  # a patch holds sound where its middle does
    if isinstance(sound, np.ndarray):
        power = mel_power(fit_length(sound, segment_samples(size[0])), size[1], times)
    else:
        power = sound.power[times]
    heard: Bools = power[:, bands] != 0
    return heard


def heard_in_input(sound: Sound, config: ModelConfig) -> Bools:
    """Which patches of a sound of the network's input hold sound, bool [rows, columns]."""
    return heard_patches(sound, config.audio_size, (config.audio_patch_size, config.audio_patch_size))


def fault_of(example: Example, config: ModelConfig) -> str:
    """What of an example shows or holds nothing; "" where each image is seen, and sounds are heard.

    Of several sounds, as of the parts of a film, one that is heard is enough; the one to be written must be.
    """
    for name, images in (("image", [example.image]), ("image_history", example.image_history)):
        for image in images:
            if image is not None and not seen_patches(image, _canvas(config, name), config.image_patch_size).any():
                return (
                    f"an image of {image.shape[1]} x {image.shape[0]} pixels is too thin: no patch shows anything of it"
                )
    drawn, codes = example.image_target, config.image_tokenizer
    if drawn is not None and codes is not None and not seen_patches(drawn, codes.image_size, codes.patch_size[0]).any():
        return f"an image of {drawn.shape[1]} x {drawn.shape[0]} pixels is too thin: no code would draw anything of it"
    sounds = [sound for sound in (example.audio, *example.audio_history) if sound is not None]
    if sounds and not any(heard_in_input(sound, config).any() for sound in sounds):
        return "the sound holds nothing in any patch"
    if example.audio_target is not None and config.audio_tokenizer is not None:
        bands, time = config.audio_tokenizer.spectrogram_size
        mel, steps = config.audio_tokenizer.patch_size
        if not heard_patches(example.audio_target, (time, bands), (steps, mel)).any():
            return "the sound has nothing to write in any code"
    return ""


def _canvas(config: ModelConfig, modality: str) -> Size:
    size: Size = getattr(config, f"{modality}_size")
    return size
