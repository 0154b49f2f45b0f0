"""Pictures from files, flattened on white and made small; SVG files are drawn by resvg."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from embodio.datasets.corpus.source import LeftOut
from embodio.datasets.records.settings import RecordSettings
from embodio.model.example import Image

SMALLEST_SIDE = RecordSettings.smallest_side
"""Pixels; smaller pictures are damaged records to the readers."""
_MOST_PIXELS = 40_000_000


class SvgError(Exception):
    """An SVG file cannot be drawn, because the extra `corpus` is not installed."""


def on_white(path: Path, longest_side: int) -> Image | None:
    """A picture with its transparent parts white.

    Args:
        path: an SVG file, or one that Pillow reads.
        longest_side: pixels; larger pictures are made smaller, smaller ones stay.

    Returns:
        uint8 [H, W, 3]; None if the file is damaged, gigantic, or shows one colour only.

    Raises:
        SvgError: it is an SVG file, and resvg is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            picture = Pillow.open(io.BytesIO(_drawn(path)) if path.suffix == ".svg" else path)
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            layers = picture.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, Pillow.DecompressionBombError, Warning):
        return None
    flat = Pillow.alpha_composite(Pillow.new("RGBA", layers.size, "white"), layers).convert("RGB")
    flat.thumbnail((longest_side, longest_side), Pillow.Resampling.LANCZOS)
    pixels = np.asarray(flat)
    return pixels if pixels.min() < pixels.max() else None


def described_picture(path: Path, longest_side: int) -> Image:
    """A picture that goes into the corpus, as `on_white` makes it.

    Raises:
        LeftOut: the file is damaged, shows nothing, or is smaller than readers of records take.
        SvgError: as `on_white`.
    """
    picture = on_white(path, longest_side)
    if picture is None:
        raise LeftOut("pictures that cannot be decoded, or show nothing")
    if min(picture.shape[:2]) < SMALLEST_SIDE:
        raise LeftOut(f"pictures of less than {SMALLEST_SIDE} pixels a side")
    return picture


def _drawn(path: Path) -> bytes:
    """An SVG file as PNG, without fonts of this machine and without files that it refers to."""
    try:
        import resvg_py
    except ImportError as error:
        raise SvgError("SVG pictures need resvg: pip install embodio[corpus]") from error
    drawing = path.read_text(encoding="utf-8", errors="replace")
    return bytes(resvg_py.svg_to_bytes(svg_string=drawing, skip_system_fonts=True))
