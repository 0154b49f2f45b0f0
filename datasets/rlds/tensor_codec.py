"""Arrays stored in a record as bytes instead of as a list of numbers."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import decode_grey16, encode_grey16
from embodio.datasets.episodes.features import TensorFeature
from embodio.datasets.errors import FeatureError


def encode_tensor(feature: TensorFeature, array: npt.NDArray[Any]) -> bytes:
    """Returns an array of the declared shape as bytes; `feature.encoding` is "bytes", "zlib" or "png"."""
    if feature.encoding == "png":
        return encode_grey16(np.asarray(array, np.uint16))
    data = np.ascontiguousarray(array, feature.numpy_dtype).tobytes()
    return zlib.compress(data) if feature.encoding == "zlib" else data


def decode_tensor(name: str, feature: TensorFeature, data: bytes) -> npt.NDArray[Any]:
    """Inverse of `encode_tensor`.

    Args:
        name: of the field, for the error.
        feature: declares dtype and shape.
        data: the bytes in the record.

    Raises:
        FeatureError: the bytes cannot be unpacked, or are of another size than declared.
    """
    if feature.encoding == "png":
        return decode_grey16(data, feature.shape[0], feature.shape[1])
    size = feature.numpy_dtype.itemsize * int(np.prod(feature.shape))
    if feature.encoding == "zlib":
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(data, size + 1)  # never more memory than was declared
        except zlib.error as error:
            raise FeatureError(f"{name}: bytes that cannot be unpacked ({error}). Fetch the data set again") from error
    if len(data) != size:
        raise FeatureError(f"{name}: {len(data)} bytes where {size} were declared. Fetch the data set again")
    return np.frombuffer(data, feature.numpy_dtype).reshape(feature.shape)
