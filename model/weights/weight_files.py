"""Weight files as lazy mappings from names to tensors: safetensors or torch, whole or sharded.

Reading a safetensors file this way puts each tensor straight into memory of its own. Nothing of the file stays mapped,
so a network of fused tensors takes no more memory than its weights and one of its tensors.
"""

from __future__ import annotations

import errno
import json
import math
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from embodio.model.errors import WeightsError
from embodio.model.memory import allocate
from embodio.model.writing import WriteError, replacing

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""File names of weights in a folder, in the order in which they are looked for."""

_LONGEST_HEADER = 100_000_000  # bytes, as in the library safetensors

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def open_weights(folder: Path) -> Mapping[str, Tensor]:
    """The weights in a folder, whichever of `WEIGHT_FILES` they are in.

    Raises:
        WeightsError: there are none, or they are damaged or unsafe to read.
    """
    name = weight_file_names(folder)[0]
    return ShardedWeights(folder / name) if name.endswith(".json") else open_weight_file(folder / name)


def open_weight_file(path: Path) -> Mapping[str, Tensor]:
    """The tensors of one safetensors or torch file; raises WeightsError naming it if it cannot be read."""
    return SafetensorsFile(path) if path.suffix == ".safetensors" else read_torch_file(path)


def shapes_of(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of each tensor; of safetensors files only the table of contents is read."""
    if isinstance(weights, SafetensorsFile | ShardedWeights):
        return weights.shapes
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}


def weight_file_names(folder: Path) -> list[str]:
    """The names of the files that `open_weights` reads; raises WeightsError as it does."""
    for name in WEIGHT_FILES:
        if (folder / name).exists():
            return [name, *sorted(set(_homes(folder / name).values()))] if name.endswith(".json") else [name]
    raise WeightsError(f"{folder} holds no weights; one of {list(WEIGHT_FILES)} must be there")


@dataclass(frozen=True)
class _Place:
    """Where a tensor is in a file: first byte and number of bytes."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    size: int


class SafetensorsFile(Mapping[str, Tensor]):
    """A safetensors file; looking up a name reads that tensor from the disk, each time again."""

    def __init__(self, path: Path) -> None:
        """Read the table of contents; raises WeightsError if the file is damaged."""
        self.path = path
        if not path.is_file():
            raise WeightsError(f"{path} does not exist; give the folder of a saved model")
        try:
            self._places = _contents(path)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError, struct.error) as error:
            raise WeightsError(
                f"{path} is damaged or not a safetensors file ({error}); fetch or save it again"
            ) from error

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of each tensor, without reading any."""
        return {name: place.shape for name, place in self._places.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, name: str) -> Tensor:
        place = self._places[name]
        tensor = allocate(place.shape, place.dtype)
        if place.size == 0:
            return tensor
        target = tensor.reshape(-1).view(torch.uint8).numpy().data
        with self.path.open("rb", buffering=0) as file:
            file.seek(place.start)
            done = 0
            while done < place.size:
                count = file.readinto(target[done:])
                if not count:
                    raise WeightsError(f"{self.path} ends inside {name}; fetch or save it again")
                done += count
        return tensor


def _contents(path: Path) -> dict[str, _Place]:
    """The header of a safetensors file: its length as a 64-bit number, then JSON, then the tensors' bytes."""
    total = path.stat().st_size
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(total - 8, _LONGEST_HEADER):
            raise ValueError("the header is longer than the file, or than any header")
        header = json.loads(file.read(length))
    places = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype, shape, (start, end) = _DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
        if not all(type(number) is int and number >= 0 for number in (*shape, start, end)):
            raise ValueError(f"{name} has a shape or place that is not a row of whole numbers")
        if end - start != math.prod(shape) * dtype.itemsize or start < 0 or 8 + length + end > total:
            raise ValueError(f"{name} does not fit into the file")
        places[name] = _Place(dtype, shape, 8 + length + start, end - start)
    return places


class ShardedWeights(Mapping[str, Tensor]):
    """Weights spread over several files, with an index that says which tensor is in which."""

    def __init__(self, index: Path) -> None:
        """Open every file of the index; raises WeightsError where the index and the files disagree."""
        self._homes = _homes(index)
        self._files: dict[str, Mapping[str, Tensor]] = {}
        for name in sorted(set(self._homes.values())):
            self._files[name] = open_weight_file(index.parent / name)
        found = {(tensor, name) for name, file in self._files.items() for tensor in file}
        if found != set(self._homes.items()):
            wrong = sorted(tensor for tensor, _ in found.symmetric_difference(self._homes.items()))
            raise WeightsError(f"{index} and its files disagree about {wrong}; fetch or save them again")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of each tensor."""
        return {name: shape for file in self._files.values() for name, shape in shapes_of(file).items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)

    def __getitem__(self, name: str) -> Tensor:
        return self._files[self._homes[name]][name]


def _homes(index: Path) -> dict[str, str]:
    """Name of a tensor -> name of its file, from an index; raises WeightsError where it is damaged or leads out."""
    try:
        homes = dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise WeightsError(f"{index} is not an index of weight files ({error}); fetch or save it again") from error
    for name in homes.values():
        if not isinstance(name, str) or Path(name).name != name or "\0" in name:
            raise WeightsError(f"{index} points outside of its folder: {name!r}")
    return homes


def read_torch_file(path: Path, entry: str | None = None) -> dict[str, Tensor]:
    """A state dict from a file of `torch.save`, without executing anything in it.

    Args:
        path: the file; where its format allows, its tensors stay on disk until they are used.
        entry: the key of the state dict in the file, if it is inside of another dictionary.

    Raises:
        WeightsError: the file is damaged, holds more than tensors, or lacks the entry.
    """
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; give the folder of a saved model")
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(
            f"{path} is damaged, or holds more than tensors and would have to be executed to be read; fetch it again, "
            "or save it again as safetensors where you trust it"
        ) from error
    if entry is not None and isinstance(loaded, dict):
        if entry not in loaded:
            raise WeightsError(f"{path} has no entry {entry!r}, only {sorted(map(str, loaded))}")
        loaded = loaded[entry]
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise WeightsError(f"{path} is not a state dict: a dictionary from names to tensors is expected")
    return {str(name): value for name, value in loaded.items()}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Writes a safetensors file in one step.

    Args:
        path: the file.
        tensors: by name, contiguous and none a part of another.
        metadata: for the header.

    Raises:
        WriteError: the disk is full, or the folder cannot be written.
    """
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # as the umask says; safetensors lets only the owner read what it writes
        try:
            save_file(dict(tensors), temporary, metadata=metadata)
            temporary.chmod(mode)
        except SafetensorError as error:  # it wraps the system's error in text
            number = re.search(r"os error (\d+)", str(error))
            reason = os.strerror(int(number[1])) if number else str(error)
            raise WriteError(int(number[1]) if number else errno.EIO, reason, str(path)) from error
