"""The data sets of episodes as fields of steps: what each of them holds, or why it is not read."""

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
from embodio.datasets.sources.hdf5.images import Pixels, array_pixels, encoded_pixels, is_image_file

_DEEPEST = 12  # groups in groups, so that a group that links to itself ends
_ERRORS = (FeatureError, AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Field:
    """One field of the steps.

    Attributes:
        name: of the data set in an episode's group.
        feature: what a step holds: one value, or several texts.
        pixels: how an image is read.
    """

    name: str
    feature: Feature | SequenceFeature
    pixels: Pixels | None = None


@dataclass(frozen=True)
class Seen:
    """An episode that was looked at.

    Attributes:
        group: of the file.
        length: T.
        dialect: of the file.
        swapped: whether red and blue are swapped in its compressed images.
    """

    group: Any
    length: int
    dialect: Dialect
    swapped: bool


def fields_of(seen: Sequence[Seen]) -> tuple[dict[str, Field], dict[str, str]]:
    """Fields by our path, and why others are not read, both as most of the episodes that were looked at have them."""
    found: dict[str, list[Field | str]] = {}
    for episode in seen:
        for name, item in data_sets(episode.group):
            path = episode.dialect.field(name)
            if path is not None and (item is None or item.shape != ()):
                found.setdefault(path, []).append(_field(name, item, episode))
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


def data_sets(group: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Names and data sets of a group and of those in it; a link to nothing is given as None."""
    for name in group:
        item = group.get(name)
        if is_group(item):
            if depth < _DEEPEST:
                yield from data_sets(item, f"{prefix}{name}/", depth + 1)
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


def _most(several: Sequence[Field | str]) -> Field | str:
    """What most of the episodes have; images of several sizes are images of any size."""
    read = [one for one in several if isinstance(one, Field)]
    if 2 * len(read) <= len(several):
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
    if dtype == np.uint8 and len(shape) == 1 and all(map(is_image_file, samples)):
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
    if not shape and all(map(is_image_file, samples)):
        return _image(name, encoded_pixels(samples, swapped))
    texts = [text_of(value) for sample in samples for value in (np.ravel(sample) if shape else [sample])]
    if dtype.kind == "V" and dtype.names:
        return "records of several values"
    if None in texts or dtype.kind == "V":
        return "bytes that are neither text nor a JPEG or PNG" if dtype.kind in "SV" else f"{dtype} of any length"
    if len(shape) > 1:
        return f"texts of shape {shape}"
    return Field(name, SequenceFeature(TextFeature()) if shape else TextFeature())


def _image(name: str, pixels: Pixels) -> Field:
    return Field(name, pixels.feature, pixels)
