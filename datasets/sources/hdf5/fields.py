"""The data sets of episodes as step fields: the contents of each, or why it is not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embodio.datasets.episodes.features import (
    FLOATS,
    INTEGERS,
    Feature,
    SequenceFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.errors import FeatureError
from embodio.datasets.sources.hdf5.dialect import Dialect, is_group
from embodio.datasets.sources.hdf5.images import Pixels, array_pixels, encoded_pixels, file_bytes, is_image_file

_MOST_CAMERAS = 8  # in one data set
_OTHER_FILES = {
    "WebP": (8, b"WEBP"),
    "GIF": (0, b"GIF8"),
    "BMP": (0, b"BM"),
    "TIFF": (0, b"II*\0"),
    "AVIF": (4, b"ftyp"),
}
_ERRORS = (FeatureError, AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Field:
    """One field of the steps.

    Attributes:
        name: of the data set in an episode's group.
        feature: the feature of a step: one value, or several texts.
        pixels: how an image is read.
    """

    name: str
    feature: Feature | SequenceFeature
    pixels: Pixels | None = None


@dataclass(frozen=True)
class Seen:
    """An inspected episode.

    Attributes:
        group: of the file.
        length: T.
        dialect: of the file.
        swapped: whether red and blue are swapped in its compressed images.
        facts: names of the data sets that belong to the whole episode.
    """

    group: Any
    length: int
    dialect: Dialect
    swapped: bool
    facts: frozenset[str] = frozenset()


def fields_of(seen: Sequence[Seen]) -> tuple[dict[str, Field], dict[str, str]]:
    """Fields by our path, and why others are not read, as in most of the inspected episodes."""
    found: dict[str, list[Field | str]] = {}
    for episode in seen:
        for name, item in data_sets(episode.group):
            path = episode.dialect.field(name)
            if path is None or name in episode.facts or (item is not None and item.shape == ()):
                continue
            field = _field(name, item, episode)
            for one, own in _one_by_one(path, field):
                found.setdefault(one, []).append(own)
    fields, unread = dict[str, Field](), dict[str, str]()
    for path, several in found.items():
        chosen = _most(several)
        if isinstance(chosen, str):
            unread[path] = chosen
        elif 2 * len(several) <= len(seen):
            unread[path] = f"only {len(several)} of {len(seen)} episodes that were looked at have it"
        else:
            fields[path] = chosen
    for path in [path for path in fields if any(other.startswith(f"{path}/") for other in fields)]:
        unread[path] = "there are fields below a field of this name"
        del fields[path]
    return fields, unread


def data_sets(group: Any, prefix: str = "", around: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Names and data sets of a group and of those in it; a link to nothing is given as None.

    Args:
        group: of the file.
        prefix: of the names.
        around: groups that hold this one; a link back to one of them is not followed.
    """
    for name in group:
        item = group.get(name)
        if is_group(item):
            if item != group and item not in around:
                yield from data_sets(item, f"{prefix}{name}/", (*around, group))
        elif item is None or hasattr(item, "dtype"):
            yield f"{prefix}{name}", item


def text_of(value: Any) -> str | None:
    """Text of a string or of UTF-8 bytes; None for anything else."""
    if isinstance(value, bytes | np.bytes_):
        try:
            return bytes(value).decode("utf-8").strip("\0").strip()
        except UnicodeDecodeError:
            return None
    return str(value).strip() if isinstance(value, str | np.str_) else None


def _one_by_one(path: str, field: Field | str) -> Iterator[tuple[str, Field | str]]:
    """The field, or the cameras that one data set stacks, [n, H, W, C], each under a name of its own."""
    feature = field.feature if isinstance(field, Field) else None
    if isinstance(field, Field) and isinstance(feature, TensorFeature) and feature.dtype == "uint8":
        shape = feature.shape
        pixels = array_pixels(field.name, shape[1:], np.dtype(np.uint8), ()) if len(shape) == 4 else None
        if pixels is not None and shape[0] <= _MOST_CAMERAS:
            for number in range(shape[0]):
                own = replace(pixels, stacked=number)
                yield f"{path}_{number}", Field(field.name, own.feature, own)
            return
    yield path, field


def _most(several: Sequence[Field | str]) -> Field | str:
    """The field as in most of the episodes; images of several sizes count as images of any size."""
    read = [one for one in several if isinstance(one, Field)]
    if 2 * len(read) < len(several):
        return next(one for one in several if isinstance(one, str))
    images = [one for one in read if one.pixels is not None]
    if len(images) == len(read):
        sizes = {(one.pixels.feature.height, one.pixels.feature.width) for one in images if one.pixels}
        first = read[0]
        if len(sizes) > 1 and first.pixels is not None:
            feature = replace(first.pixels.feature, height=None, width=None)
            return replace(first, feature=feature, pixels=replace(first.pixels, feature=feature))
        widest = Counter(one.pixels.values for one in images if one.pixels).most_common()
        return next(one for one in images if one.pixels and one.pixels.values == widest[0][0])
    return Counter(read).most_common(1)[0][0]


def _field(name: str, item: Any, episode: Seen) -> Field | str:
    """One field as one episode has it, or why it cannot be read."""
    if item is None:
        return "a link to nothing"
    if not item.shape:
        return "empty"
    more = episode.dialect.one_more
    rows, length = item.shape[0], episode.length
    if rows != length and not (rows == length + 1 and any(name == top or name.startswith(f"{top}/") for top in more)):
        return f"{rows} values in an episode of {length} steps"
    try:
        return _read_as(name, item, episode)
    except _ERRORS as error:
        return str(error) or type(error).__name__


def _read_as(name: str, item: Any, episode: Seen) -> Field | str:
    import h5py

    dtype, shape = item.dtype, tuple(item.shape[1:])
    samples = [item[step] for step in sorted({0, (episode.length - 1) // 2, episode.length - 1})]
    if h5py.check_string_dtype(dtype) is not None or dtype.kind in "SV" or h5py.check_vlen_dtype(dtype) is not None:
        return _of_bytes(name, dtype, shape, samples, episode.swapped)
    if dtype == np.uint8 and len(shape) == 1 and any(map(is_image_file, samples)):
        return _image(name, encoded_pixels(samples, episode.swapped))
    plain = dtype.newbyteorder("=")
    if plain.name not in (*FLOATS, *INTEGERS):
        return f"{dtype}; numbers, texts and images are read"
    if 0 in shape:
        return f"no numbers in a step, of shape {shape}"
    pixels = array_pixels(name, shape, plain, samples)
    return _image(name, pixels) if pixels is not None else Field(name, TensorFeature(plain.name, shape))


def _of_bytes(name: str, dtype: Any, shape: tuple[int, ...], samples: list[Any], swapped: bool) -> Field | str:
    """Strings, opaque values and rows of any length: images in files, or texts."""
    if not shape and any(map(is_image_file, samples)):
        return _image(name, encoded_pixels(samples, swapped))
    texts = [text_of(value) for sample in samples for value in (np.ravel(sample) if shape else [sample])]
    if dtype.kind == "V" and dtype.names:
        return "records of several values"
    if None in texts or dtype.kind == "V":
        kind = _kind_of_image(samples[0])
        return f"{kind} images; JPEG and PNG are read" if kind else "values that are neither text nor a JPEG or PNG"
    if len(shape) > 1:
        return f"texts of shape {shape}"
    return Field(name, SequenceFeature(TextFeature()) if shape else TextFeature())


def _kind_of_image(sample: Any) -> str:
    """The other image format of bytes; empty for anything else."""
    try:
        data = file_bytes(sample)
    except (TypeError, ValueError):
        return ""
    found = (kind for kind, (place, mark) in _OTHER_FILES.items() if data[place : place + len(mark)] == mark)
    return next(found, "")


def _image(name: str, pixels: Pixels) -> Field:
    return Field(name, pixels.feature, pixels)
