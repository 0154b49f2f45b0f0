"""Pictures and sounds of a page: images with patches marked, spectrograms, WAV files."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.pages.episode_page import Medium
from embodio.model.example import Image
from embodio.model.processing.image import pixels_on_canvas, resize_nearest
from embodio.model.tasks.base.image_family import to_pixels

Pixels = npt.NDArray[np.uint8]

_SMALLEST = 192  # pixels of the longer side, to which small pictures are enlarged
_GREY, _TINT = np.array([128, 128, 128]), np.array([255, 190, 60])
# Colours of a spectrogram from silence to loud, RGB.
_COLOURS = np.array([[8, 8, 40], [90, 20, 110], [220, 70, 60], [255, 200, 80], [255, 255, 230]], dtype=np.float64)


def picture(image: Image) -> Medium:
    """An image as PNG; small ones are enlarged without blur."""
    pixels = to_pixels(image)
    factor = max(1, _SMALLEST // max(pixels.shape[:2]))
    return Medium("image/png", encode_image(pixels.repeat(factor, axis=0).repeat(factor, axis=1), "png"))


def on_canvas(image: Image, canvas: tuple[int, int]) -> Pixels:
    """An image as the network gets it: fitted onto the canvas, with black padding; uint8 [H, W, 3]."""
    return pixels_on_canvas(to_pixels(image), canvas)


def with_patches(pixels: Pixels, hidden: npt.NDArray[np.bool_], left_out: npt.NDArray[np.bool_]) -> Pixels:
    """A picture with hidden patches in grey, and those left out by sub-sampling under a grid of orange lines.

    Args:
        pixels: uint8 [H, W, 3].
        hidden: bool [rows, columns] over the patches.
        left_out: the same.
    """
    out = pixels.astype(np.float64)
    size = pixels.shape[0], pixels.shape[1]
    grey, tinted = (resize_nearest(mask[..., None].astype(np.float32), size)[..., 0] > 0 for mask in (hidden, left_out))
    rows, columns = np.indices(size)
    lines = tinted & ((rows + columns) % 4 == 0)
    out[tinted] = 0.45 * out[tinted] + 0.55 * 255
    out[lines] = _TINT
    out[grey] = _GREY
    return out.astype(np.uint8)


def spectrogram(log_mel: npt.NDArray[Any]) -> Pixels:
    """A log-mel spectrogram [T, M] as a picture, time to the right and high bands on top; uint8 [M, T, 3]."""
    values = np.asarray(log_mel, dtype=np.float64).T[::-1]
    low, high = np.quantile(values, 0.02), np.quantile(values, 0.999)
    shares = np.clip((values - low) / max(1e-6, high - low), 0, 1) * (len(_COLOURS) - 1)
    channels = [np.interp(shares, np.arange(len(_COLOURS)), _COLOURS[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def sound(samples: npt.NDArray[Any], rate: int) -> Medium:
    """Samples [n] or [n, channels] in [-1, 1] as a WAV file of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(samples.shape[1] if samples.ndim == 2 else 1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes((np.clip(np.nan_to_num(samples), -1, 1) * 32767).astype("<i2").tobytes())
    return Medium("audio/wav", file.getvalue())
