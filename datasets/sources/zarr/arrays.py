"""Arrays of a zarr store, version 2: some rows at a time, chunk by chunk."""

from __future__ import annotations

import itertools
import json
import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.sources.zarr.store import REMEDY, ZarrStore

_LARGEST = 1 << 31  # bytes of one chunk
_KEPT = 2  # chunks of one array
# Codecs of numcodecs from bytes to numbers and texts; without `pickle`, which runs what it reads.
_CODECS = frozenset(
    [
        "adler32",
        "astype",
        "bitround",
        "blosc",
        "bz2",
        "crc32",
        "crc32c",
        "delta",
        "fixedscaleoffset",
        "fletcher32",
        "gzip",
        "json2",
        "lz4",
        "lzma",
        "packbits",
        "quantize",
        "shuffle",
        "vlen-bytes",
        "vlen-utf8",
        "zlib",
        "zstd",
    ]
)
_IMAGES = "imagecodecs_"
_DECODING = (ValueError, TypeError, RuntimeError, OSError, EOFError, KeyError, IndexError, MemoryError)


class ZarrArray:
    """One array.

    Attributes:
        key: of the array in the store.
        shape: of all of it.
        dtype: of its numbers; `object` for texts.
        missing: number of chunks that are not there.
    """

    def __init__(self, store: ZarrStore, key: str) -> None:
        """Reads what describes the array.

        Raises:
            FeatureError: it is of a kind that cannot be read, or nothing of it is there; says why.
            CorruptRecordError: the description is damaged.
        """
        self.key, self._store = key, store
        described = _json(store, f"{key}/.zarray")
        if described.get("zarr_format") != 2:
            raise FeatureError(f"{key}: zarr format {described.get('zarr_format')}; version 2 is read")
        self.shape, self._chunks = (_sizes(store, key, described, name) for name in ("shape", "chunks"))
        if len(self.shape) != len(self._chunks) or 0 in self._chunks:
            raise _damaged(store, key, "chunks do not fit the shape")
        self.dtype = _dtype(key, described.get("dtype"))
        self._order = "F" if described.get("order") == "F" else "C"
        self._separator = "/" if described.get("dimension_separator") == "/" else "."
        configs = [
            config for config in (described.get("compressor"), *reversed(described.get("filters") or [])) if config
        ]
        self._codecs = [_codec(key, config) for config in configs]  # in the order in which they unpack
        if self.dtype.hasobject and not {"vlen-utf8", "json2"} & {config["id"] for config in configs}:
            raise FeatureError(f"{key}: Python objects; numbers and texts (vlen-utf8) are read")
        if math.prod(self._chunks) * self.dtype.itemsize > _LARGEST:
            raise _damaged(store, key, f"chunks of {self._chunks}")
        self._read: OrderedDict[tuple[int, ...], npt.NDArray[Any]] = OrderedDict()
        grid = [-(-size // chunk) for size, chunk in zip(self.shape, self._chunks, strict=True)]
        there, wanted = self._count_chunks(), math.prod(grid)
        if wanted and not there:  # zarr would give its fill value, which nobody recorded
            raise FeatureError(f"{key}: none of its {wanted} chunks is there")
        self.missing = max(0, wanted - there)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return self.shape[0] if self.shape else 0

    def rows(self, first: int, last: int) -> npt.NDArray[Any]:
        """Rows `first` to `last - 1`, [last - first, *shape[1:]].

        Raises:
            CorruptRecordError: a chunk is missing or damaged.
        """
        out = np.empty((last - first, *self.shape[1:]), self.dtype)
        size = self._chunks[0]
        grid = [range(first // size, -(-last // size))]
        grid += [range(-(-n // chunk)) for n, chunk in zip(self.shape[1:], self._chunks[1:], strict=True)]
        for place in itertools.product(*grid) if last > first else ():
            chunk = self._chunk(place)
            begin = [number * chunk_size for number, chunk_size in zip(place, self._chunks, strict=True)]
            ends = [min(b + c, n) for b, c, n in zip(begin, self._chunks, (last, *self.shape[1:]), strict=True)]
            skip = max(first - begin[0], 0)
            inside = (
                slice(skip, ends[0] - begin[0]),
                *(slice(0, e - b) for b, e in zip(begin[1:], ends[1:], strict=True)),
            )
            target = (slice(begin[0] + skip - first, ends[0] - first), *map(slice, begin[1:], ends[1:]))
            out[target] = chunk[inside]
        return out

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without decoded chunks."""
        return self.__dict__ | {"_read": OrderedDict()}

    def _chunk(self, place: tuple[int, ...]) -> npt.NDArray[Any]:
        if place not in self._read:
            self._read[place] = self._decoded(place)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        self._read.move_to_end(place)
        return self._read[place]

    def _decoded(self, place: tuple[int, ...]) -> npt.NDArray[Any]:
        name = self._separator.join(map(str, place))
        data: Any = self._store.read(f"{self.key}/{name}")
        if data is None:
            raise _damaged(self._store, self.key, f"chunk {name} is missing")
        try:
            for codec in self._codecs:
                data = codec.decode(data)
            if self.dtype.hasobject:
                return np.asarray(data, object).reshape(self._chunks, order=self._order)  # type: ignore[call-overload]
            array = np.frombuffer(data, self.dtype) if isinstance(data, bytes | bytearray) else np.asarray(data)
            array = array.reshape(-1).view(self.dtype) if array.dtype != self.dtype else array.reshape(-1)
            return array.reshape(self._chunks, order=self._order)  # type: ignore[call-overload]
        except _DECODING as error:
            raise _damaged(self._store, self.key, f"chunk {name} cannot be decoded ({error})") from error

    def _count_chunks(self) -> int:
        names = self._store.children(self.key)
        depth = len(self.shape) - 1 if self._separator == "/" else 0
        keys = [self.key]
        for _ in range(depth):
            keys = [f"{key}/{name}" for key in keys for name in self._store.children(key) if name.isdigit()]
        names = [name for key in keys for name in self._store.children(key)] if depth else names
        return sum(name.replace(".", "").isdigit() for name in names)


def attributes_of(store: ZarrStore, key: str) -> dict[str, Any]:
    """The attributes of a group or array; empty if there are none."""
    name = f"{key}/.zattrs" if key else ".zattrs"
    return _json(store, name) if store.read(name) is not None else {}


def _json(store: ZarrStore, key: str) -> dict[str, Any]:
    try:
        found = json.loads(store.read(key) or b"null")
    except (ValueError, RecursionError) as error:
        raise _damaged(store, key, f"not JSON ({error})") from error
    if not isinstance(found, dict):
        raise _damaged(store, key, "missing, or not an object")
    return found


def _sizes(store: ZarrStore, key: str, described: Mapping[str, Any], name: str) -> tuple[int, ...]:
    sizes = described.get(name)
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise _damaged(store, key, f"{name} is {sizes!r}")
    return tuple(sizes)


def _dtype(key: str, text: Any) -> np.dtype[Any]:
    try:
        dtype = np.dtype(text) if isinstance(text, str) else None
    except TypeError:
        dtype = None
    if dtype is None or dtype.kind not in "biufUSO":
        raise FeatureError(f"{key}: values of {text!r}; numbers and texts are read")
    return dtype


def _codec(key: str, config: Any) -> Any:
    """The codec that a description asks for."""
    try:
        from numcodecs.registry import get_codec
    except ImportError as error:
        raise DatasetError("zarr data needs numcodecs: pip install 'numcodecs<0.16'") from error
    name = str(config.get("id")) if isinstance(config, dict) else repr(config)
    try:
        if name.startswith(_IMAGES):
            from imagecodecs.numcodecs import register_codecs

            register_codecs(name, verbose=False)
        elif name not in _CODECS:
            raise FeatureError(f"{key}: packed by {name}, which is not read")
        return get_codec(dict(config))
    except ImportError as error:
        raise FeatureError(f"{key}: images packed by {name} need imagecodecs: pip install imagecodecs") from error
    except (ValueError, TypeError) as error:
        raise FeatureError(f"{key}: packed by {name}, which cannot be unpacked here ({error})") from error


def _damaged(store: ZarrStore, key: str, problem: str) -> CorruptRecordError:
    return CorruptRecordError(store.path, 0, f"{key}: {problem}", REMEDY)
