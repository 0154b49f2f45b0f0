"""Images as stored in arrays: any order of axes, floats, an alpha channel, bytes of JPEG and PNG files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import decode_image
from embodio.datasets.episodes.features import ImageFeature
from embodio.datasets.errors import FeatureError

Values = Literal["bytes", "0 to 1", "-1 to 1", "0 to 255", "0 to 65535"]
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_CHANNELS = (1, 3, 4)
_SMALLEST = 4  # pixels on a side
_OVERSHOOT = 0.1  # of the range, which resizing may add
_CAMERA = re.compile(r"rgb|image|img|cam|colou?r|picture|pixels|view|frame|video", re.IGNORECASE)
_OTHER = re.compile(r"depth|normal|position|xyz|point|flow|mask|seg|label|feature|embed|heat|latent|map", re.IGNORECASE)


@dataclass(frozen=True)
class Pixels:
    """The conversion of a stored value into an image, uint8 [H, W, 1 or 3].

    Attributes:
        feature: the image.
        values: range of the numbers; "bytes" for those of a JPEG or PNG file.
        channels_first: stored as [C, H, W].
        alpha: the fourth channel is left out.
        flat: stored as [H, W].
        swapped: red and blue are swapped in the compressed image.
        stacked: number of the camera where one field holds several; None where it holds one.
    """

    feature: ImageFeature
    values: Values
    channels_first: bool = False
    alpha: bool = False
    flat: bool = False
    swapped: bool = False
    stacked: int | None = None

    @property
    def in_words(self) -> str:
        """The changes made on reading; empty if there are none."""
        changes = {
            "bytes of an image file, decoded": self.values == "bytes",
            "red and blue swapped, as the recorder's own reader does": self.swapped,
            f"camera {self.stacked} of several in one field": self.stacked is not None,
            "no channels, taken as grey": self.flat,
            "channels first, moved to the end": self.channels_first,
            "alpha channel left out": self.alpha,
            f"numbers from {self.values}, as uint8": self.values not in ("bytes", "0 to 255"),
        }
        return ", ".join(words for words, made in changes.items() if made)

    def image(self, stored: Any) -> npt.NDArray[np.uint8]:
        """Returns the image; raises FeatureError if the bytes are not one, or numbers are out of range."""
        if self.values == "bytes":
            found = decode_image(file_bytes(stored), self.feature.channels)
            return found[..., ::-1].copy() if self.swapped else found
        array = np.asarray(stored if self.stacked is None else stored[self.stacked])
        if self.flat:
            array = array[..., None]
        if self.channels_first:
            array = np.moveaxis(array, 0, -1)
        if self.alpha:
            array = array[..., :3]
        return np.ascontiguousarray(_as_uint8(array, self.values))


def file_bytes(stored: Any) -> bytes:
    """The bytes of a compressed image: a row of numbers padded with zeros, a byte string, or an opaque value."""
    if isinstance(stored, str):
        data = stored.encode("latin-1", errors="replace")
    elif isinstance(stored, np.ndarray):
        data = stored.tobytes()
    else:
        data = bytes(stored)
    return data.rstrip(b"\0")  # no JPEG or PNG ends with a zero


def is_image_file(stored: Any) -> bool:
    """Whether bytes begin as a JPEG or PNG does."""
    try:
        return file_bytes(stored).startswith((_JPEG, _PNG))
    except (TypeError, ValueError):
        return False


def encoded_pixels(samples: Sequence[Any], swapped: bool) -> Pixels:
    """How compressed images are read.

    Args:
        samples: some of them, at least one.
        swapped: whether red and blue are.

    Raises:
        FeatureError: none of them can be decoded, or one holds 16 bits a pixel.
    """
    sizes, damage = set[tuple[int, ...]](), list[FeatureError]()
    encoding: Literal["jpeg", "png"] = "jpeg"
    for data in map(file_bytes, samples):
        if data.startswith(_PNG) and len(data) > 24 and data[24] == 16:
            raise FeatureError("PNG files of 16 bits, such as depth, are not read; store the numbers themselves")
        try:
            sizes.add(decode_image(data).shape[:2])
            encoding = "png" if data.startswith(_PNG) else encoding
        except FeatureError as error:
            damage.append(error)
    if not sizes:
        raise damage[0]
    height, width = next(iter(sizes)) if len(sizes) == 1 else (None, None)
    return Pixels(ImageFeature(height, width, 3, encoding), "bytes", swapped=swapped)


def array_pixels(
    name: str, shape: tuple[int, ...], dtype: np.dtype[Any], samples: Sequence[npt.NDArray[Any]]
) -> Pixels | None:
    """How arrays are read as images; None where they are numbers.

    Args:
        name: of the field, which tells masks and depth from images.
        shape: of one step.
        dtype: of the numbers.
        samples: some steps.
    """
    flat = len(shape) == 2 and min(shape) > 4 * _SMALLEST and bool(_CAMERA.search(name)) and not _OTHER.search(name)
    first = _channels_first(shape)
    if first is None and not (flat and dtype == np.uint8):
        return None
    channels = 1 if flat else shape[0] if first else shape[-1]
    height, width = shape if flat else shape[1:] if first else shape[:2]
    values = _values(name, channels, dtype, samples)
    if values is None:
        return None
    feature = ImageFeature(height, width, min(channels, 3), "png")
    return Pixels(feature, values, channels_first=bool(first), alpha=channels == 4, flat=flat)


def _channels_first(shape: tuple[int, ...]) -> bool | None:
    """Whether an image begins with its channels; None where a shape is not that of an image."""
    if len(shape) != 3:
        return None
    if shape[-1] in _CHANNELS and min(shape[:2]) >= _SMALLEST:
        return False
    return True if shape[0] in _CHANNELS and min(shape[1:]) > _SMALLEST else None


def _values(name: str, channels: int, dtype: np.dtype[Any], samples: Sequence[npt.NDArray[Any]]) -> Values | None:
    """The range of an image's numbers; None if they do not form an image."""
    if dtype == np.uint8:
        return "0 to 255"
    named = bool(_CAMERA.search(name))
    if dtype.kind not in "fiu" or _OTHER.search(name) or (channels == 1 and not named) or not samples:
        return None
    low, high = (float(pick([pick(sample) for sample in samples])) for pick in (np.min, np.max))
    if not np.isfinite([low, high]).all():
        return None
    if dtype.kind == "f" and low >= 0 and high <= 1:
        return "0 to 1"
    if dtype.kind == "f" and low >= -1 and high <= 1:
        return "-1 to 1" if named else None
    whole = named or all(np.array_equal(sample, np.rint(sample)) for sample in samples)
    if low >= 0 and high <= 255 and whole:
        return "0 to 255"
    return "0 to 65535" if dtype == np.uint16 and named else None


def _as_uint8(array: npt.NDArray[Any], values: Values) -> npt.NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if values == "0 to 65535":
        return (array >> 8).astype(np.uint8)
    low, high = {"0 to 1": (0.0, 1.0), "-1 to 1": (-1.0, 1.0)}.get(values, (0.0, 255.0))
    part = (array.astype(np.float64) - low) / (high - low)
    if not (part.size and part.min() >= -_OVERSHOOT and part.max() <= 1 + _OVERSHOOT):
        raise FeatureError(f"an image with numbers from {array.min()} to {array.max()}, where {values} was expected")
    return np.asarray(np.rint(np.clip(part, 0, 1) * 255), np.uint8)
