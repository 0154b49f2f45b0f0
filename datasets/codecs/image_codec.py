"""Image codecs: JPEG at a quality that preserves colours, PNG where every bit counts."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from embodio.datasets.errors import FeatureError

PNG = b"\x89PNG\r\n\x1a\n"  # how such files begin
_HEAD = struct.Struct(">I4s")
_CRC = struct.Struct(">I")


def require_whole_png(data: bytes) -> None:
    """Checks every chunk up to the last one, IEND; raises FeatureError if one is damaged or missing."""
    memory, place, kind = memoryview(data), len(PNG), b""
    while kind != b"IEND":
        if place + _HEAD.size + _CRC.size > len(data):
            raise FeatureError(f"a PNG image that ends after {len(data)} bytes, too early. Fetch the data again")
        size, kind = _HEAD.unpack_from(data, place)
        end = place + _HEAD.size + size
        if end + _CRC.size > len(data) or zlib.crc32(memory[place + 4 : end]) != _CRC.unpack_from(data, end)[0]:
            raise FeatureError(f"a PNG image that is damaged or cut off at byte {place}. Fetch the data again")
        place = end + _CRC.size


cv2: ModuleType | None
try:  # comes with the simulators; decodes twice as fast as Pillow, to the same pixels
    import cv2
except ImportError:
    cv2 = None
try:  # a third faster still, to the same pixels; JPEG only
    import simplejpeg
except ImportError:
    simplejpeg = None  # type: ignore[assignment]

JPEG_QUALITY = 95
_JPEG = b"\xff\xd8"  # how such files begin
# libjpeg-turbo decodes carefully where fewer bytes are left than six blocks can take, which for small images is most of
# them. Behind the end of a file it reads nothing; one without an end is damaged with or without these.
_TAIL = bytes(6 * 512)


def encode_image(image: npt.NDArray[np.uint8], encoding: str) -> bytes:
    """Compresses one image.

    Args:
        image: uint8 [H, W, C], C is 1 or 3 (RGB).
        encoding: "jpeg" (quality 95, colours at full resolution) or "png".

    Returns:
        The bytes of an image file.
    """
    buffer = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    if encoding == "jpeg":
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def decode_image(data: bytes, channels: int = 3) -> npt.NDArray[np.uint8]:
    """Decompresses one image.

    The inverse cosine transform is the accurate integer one, so the pixels of a JPEG equal those of
    `tf.io.decode_jpeg(..., dct_method="INTEGER_ACCURATE")`; TensorFlow's default is the fast one, which differs from it
    by about one grey value on average.

    Args:
        data: the bytes of a JPEG or PNG file.
        channels: 1 (grey) or 3 (RGB).

    Returns:
        uint8 [H, W, channels].

    Raises:
        FeatureError: the bytes are not an image.
    """
    if simplejpeg is not None and channels == 3 and data.startswith(_JPEG):
        try:
            decoded: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data + _TAIL, "RGB")
        except ValueError:  # damaged, or of a kind that only the others read
            pass
        else:
            return decoded
    if data.startswith(PNG):
        require_whole_png(data)
    if cv2 is not None and channels == 3 and data.startswith((_JPEG, PNG)):  # it would read other formats, too
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if pixels is not None:
            rgb: npt.NDArray[np.uint8] = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
            return rgb
    return _decode_with_pillow(data, channels)


def decode_image_into(data: bytes, out: npt.NDArray[np.uint8]) -> None:
    """As `decode_image`, into an array.

    Args:
        data: the bytes of a JPEG or PNG file.
        out: uint8 [H, W, channels], contiguous.

    Raises:
        FeatureError: the bytes are not an image, or it has another size.
    """
    if out.shape[-1] == 3 and data.startswith(_JPEG) and _decoded(data + _TAIL, out):
        return
    pixels = decode_image(data, out.shape[-1])
    if pixels.shape != out.shape:
        raise FeatureError(
            f"an image of shape {pixels.shape}, where {out.shape} was declared. Fetch the data set again"
        )
    out[...] = pixels


def decode_images_into(frames: Sequence[bytes], out: npt.NDArray[np.uint8]) -> list[int]:
    """As `decode_image_into` for N images.

    Args:
        frames: the bytes of JPEG or PNG files.
        out: uint8 [N, H, W, channels], contiguous.

    Returns:
        The numbers of those for which `decode_image_into` raises an error.
    """
    failed = []
    for row, frame in enumerate(frames):
        try:
            decode_image_into(frame, out[row])
        except FeatureError:
            failed.append(row)
    return failed


def _decoded(data: bytes, out: npt.NDArray[np.uint8]) -> bool:
    """Whether simplejpeg could put an image into an array [H, W, 3]."""
    if simplejpeg is None:
        return False
    try:
        found = simplejpeg.decode_jpeg(data, "RGB", buffer=out)
    except ValueError:  # damaged, of another size, or of a kind that only the others read
        return False
    return bool(found.shape == out.shape)


def _decode_with_pillow(data: bytes, channels: int) -> npt.NDArray[np.uint8]:
    mode = "L" if channels == 1 else "RGB"
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            deep = picture.mode.startswith("I")  # 16 bits, which Pillow would clip
            plain = Image.fromarray((np.array(picture) >> 8).astype(np.uint8)) if deep else picture
            pixels = np.array(plain if plain.mode == mode else plain.convert(mode))
    except (UnidentifiedImageError, OSError) as error:
        raise FeatureError(f"{len(data)} bytes cannot be decoded as a JPEG or PNG image: {error}") from error
    return pixels.reshape(pixels.shape[0], pixels.shape[1], channels)


def encode_depth(image: npt.NDArray[np.float32]) -> bytes:
    """Compresses a float32 image [H, W, 1] without loss: the bytes of each number are the four channels of a PNG."""
    buffer = io.BytesIO()
    bytes_of = np.ascontiguousarray(image, "<f4").view(np.uint8)
    Image.fromarray(bytes_of.reshape(*image.shape[:2], 4), "RGBA").save(buffer, "PNG")
    return buffer.getvalue()


def decode_depth(data: bytes, height: int, width: int) -> npt.NDArray[np.float32]:
    """Inverse of `encode_depth`, float32 [height, width, 1].

    Raises:
        FeatureError: the bytes are not such an image.
    """
    _, channels = _plain_png(data)
    if channels.shape != (height, width, 4) or channels.dtype != np.uint8:
        raise FeatureError(f"a depth image of shape {channels.shape}, where {(height, width, 4)} bytes were declared")
    return np.ascontiguousarray(channels).view("<f4").reshape(height, width, 1)


def encode_grey16(image: npt.NDArray[np.uint16]) -> bytes:
    """Compresses a uint16 image [H, W, 1] as a grey PNG, without loss."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image[..., 0])).save(buffer, "PNG")
    return buffer.getvalue()


def decode_grey16(data: bytes, height: int, width: int) -> npt.NDArray[np.uint16]:
    """Inverse of `encode_grey16`, uint16 [height, width, 1].

    Raises:
        FeatureError: the bytes are not such an image.
    """
    mode, pixels = _plain_png(data)
    if pixels.shape != (height, width) or not mode.startswith("I"):
        raise FeatureError(f"an image {mode} of shape {pixels.shape}, where 16 bits of {(height, width)} were declared")
    return pixels.astype(np.uint16).reshape(height, width, 1)


def _plain_png(data: bytes) -> tuple[str, npt.NDArray[Any]]:
    """Pillow's mode of the pixels, and the pixels as stored in the file."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            require_whole_png(data)
            return picture.mode, np.array(picture)
    except (UnidentifiedImageError, OSError) as error:
        raise FeatureError(f"{len(data)} bytes cannot be decoded as a PNG image: {error}") from error
