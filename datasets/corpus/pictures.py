"""Pictures from files, flattened on white and made small."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from embodio.model.example import Image

_MOST_PIXELS = 40_000_000


def on_white(path: Path, longest_side: int) -> Image | None:
    """A picture with its transparent parts white.

    Args:
        path: of a file that Pillow reads.
        longest_side: pixels; larger pictures are made smaller, smaller ones stay.

    Returns:
        uint8 [H, W, 3]; None if the file is damaged, gigantic, or shows one colour only.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            picture = Pillow.open(path)
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            layers = picture.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, Pillow.DecompressionBombError, Warning):
        return None
    flat = Pillow.alpha_composite(Pillow.new("RGBA", layers.size, "white"), layers).convert("RGB")
    flat.thumbnail((longest_side, longest_side), Pillow.Resampling.LANCZOS)
    pixels = np.asarray(flat)
    return pixels if pixels.min() < pixels.max() else None
