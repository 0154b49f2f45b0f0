"""Demonstrations in HDF5 as robomimic and robosuite write them: one group per episode under `data`."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import (
    INSTRUCTION,
    METADATA,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    TextFeature,
)
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.files.remote import fetch, folder_of, name_of
from embodio.datasets.sources.columns import ColumnEpisode, feature_of
from embodio.datasets.sources.layouts import Layout
from embodio.envs.embodiment import Embodiment

_REMEDY = "Fetch the file again"
# What robomimic calls a field -> what RLDS calls it.
_RENAMED = {"actions": "action", "rewards": "reward", "dones": "is_terminal"}


class HDF5Source:
    """Episodes of a robomimic or robosuite HDF5 file, in the order of their numbers.

    Observations keep their names ("observation/agentview_image", "observation/robot0_eef_pos"); actions, rewards and
    dones get the names of RLDS; the filter keys of `mask` that an episode is in are its metadata.

    Attributes:
        name: of the data set, from the file's name or its environment.
        features: what an episode holds.
    """

    def __init__(self, path: str | Path, *, instruction: str = "", split: str | None = None) -> None:
        """Opens a file.

        Args:
            path: the file.
            instruction: what the robot was told; robomimic does not record it.
            split: name of a filter key ("train", "valid", "50_percent"); None takes all episodes.

        Raises:
            DatasetError: h5py is missing, the file is not there or of another layout, or has no such filter key.
            CorruptRecordError: the file is damaged.
            FeatureError: an episode holds fields of a kind that cannot be read.
        """
        self.path = Path(path)
        self.split = split
        self._instruction = instruction
        self._file: Any = None
        with _readable(self.path, 0):
            data = self._data()
            self._env = _env_of(data)
            self.name = re.sub(r"\W+", "_", str(self._env.get("env_name") or self.path.stem)).lower().strip("_")
            self._masks = {key: frozenset(_names(value)) for key, value in self._open().get("mask", {}).items()}
            self._keys = sorted(data, key=_number)
            if split is not None:
                if split not in self._masks:
                    known = ", ".join(sorted(self._masks)) or "none"
                    raise DatasetError(f"{self.path} has no filter key {split!r}; it has {known}")
                self._keys = [key for key in self._keys if key in self._masks[split]]
            if not self._keys:
                raise DatasetError(f"{self.path} holds no episode")
            _require_observations(self.path, data[self._keys[0]])
            self._paths = dict(_fields(data[self._keys[0]]))
            self.features = self._features(data[self._keys[0]])
            self._lengths = [self._length_of(data, index) for index in range(len(self._keys))]

    def __len__(self) -> int:
        """Returns the number of episodes."""
        return len(self._keys)

    @property
    def embodiment(self) -> Embodiment:
        """Raises DatasetError: HDF5 files do not describe the robot; a YAML file does."""
        raise DatasetError(
            f"{self.path} does not describe its robot. Open it through a YAML file; `embodio-data inspect` proposes one"
        )

    @property
    def environment(self) -> dict[str, Any]:
        """What the file says of its environment (`env_args`); empty if nothing."""
        return dict(self._env)

    def episode_length(self, index: int) -> int:
        """Returns the number of steps of one episode."""
        self._require(index)
        return self._lengths[index]

    def episode(self, index: int) -> ColumnEpisode:
        """Returns one episode; its fields are read when they are asked for.

        Raises:
            CorruptRecordError: a field is missing or damaged (when it is read).
            IndexError: there is no such episode.
        """
        self._require(index)
        key, length = self._keys[index], self._lengths[index]
        columns: dict[str, Callable[[], npt.NDArray[Any]]] = {}
        frames: dict[str, Callable[[int], npt.NDArray[np.uint8]]] = {}
        for path, feature in self.features.steps.items():
            if isinstance(feature, ImageFeature):
                frames[path] = lambda step, path=path: self._read(index, path, step)  # type: ignore[misc]
            elif not isinstance(feature, TextFeature):
                columns[path] = lambda path=path: self._column(index, path)  # type: ignore[misc]
        texts = {INSTRUCTION: lambda step: self._instruction}
        values: dict[str, Any] = {f"{METADATA}/episode_id": key}
        values |= {f"{METADATA}/{_plain(mask)}": key in members for mask, members in self._masks.items()}
        return ColumnEpisode(self.features, length, columns=columns, frames=frames, texts=texts, episode=values)

    def close(self) -> None:
        """Closes the file; it opens again when it is needed."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the open file behind: a copy opens its own."""
        return self.__dict__ | {"_file": None}

    def _open(self) -> Any:
        if self._file is None:
            try:
                import h5py
            except ImportError as error:
                raise DatasetError("HDF5 files need h5py: pip install 'embodio[hdf5]'") from error
            if not self.path.is_file():
                raise DatasetError(f"{self.path} is no file. Give the .hdf5 file itself")
            try:
                self._file = h5py.File(self.path, "r")
            except OSError as error:
                raise CorruptRecordError(self.path, 0, f"not an HDF5 file, or cut off ({error})", _REMEDY) from error
        return self._file

    def _data(self) -> Any:
        file = self._open()
        if "data" not in file:
            raise DatasetError(f"{self.path} has no group 'data' with one group per demonstration, as robomimic writes")
        return file["data"]

    def _length_of(self, data: Any, index: int) -> int:
        group = data[self._keys[index]]
        if "actions" not in group:
            raise CorruptRecordError(self.path, index, f"{self._keys[index]} has no actions", _REMEDY)
        return int(group["actions"].shape[0])

    def _features(self, group: Any) -> EpisodeFeatures:
        length = int(group["actions"].shape[0]) if "actions" in group else 0
        steps: dict[str, Feature] = {}
        for path, name in self._paths.items():
            field = group[name]
            if not length or field.shape[:1] != (length,):
                raise FeatureError(f"{self.path}: {name} has shape {field.shape} in an episode of {length} steps")
            if field.dtype.kind not in "fiub":
                raise FeatureError(f"{self.path}: {name} is of {field.dtype}; only numbers and images can be read")
            steps[path] = feature_of(tuple(field.shape[1:]), field.dtype)
        if "is_terminal" in steps:
            steps["is_terminal"] = feature_of((), np.dtype(bool))
        steps |= {name: feature_of((), np.dtype(bool)) for name in ("is_first", "is_last")}
        steps[INSTRUCTION] = TextFeature()
        masks = {f"{METADATA}/{_plain(mask)}": feature_of((), np.dtype(bool)) for mask in self._masks}
        return EpisodeFeatures(steps, {f"{METADATA}/episode_id": TextFeature(), **masks})

    def _column(self, index: int, path: str) -> npt.NDArray[Any]:
        length = self._lengths[index]
        if path == "is_first":
            return np.arange(length) == 0
        if path == "is_last":
            return np.arange(length) == length - 1
        return self._read(index, path, slice(None))

    def _read(self, index: int, path: str, place: int | slice) -> npt.NDArray[Any]:
        name = self._paths[path]
        with _readable(self.path, index, name):
            values: npt.NDArray[Any] = self._data()[self._keys[index]][name][place]
        return values.astype(bool) if path == "is_terminal" else values

    def _require(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a data set of {len(self)}")


@contextlib.contextmanager
def _readable(path: Path, index: int, name: str = "the file") -> Iterator[None]:
    """Turns what h5py raises on damaged files into CorruptRecordError."""
    try:
        yield
    except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise CorruptRecordError(path, index, f"{name} cannot be read ({error})", _REMEDY) from error


def _require_observations(path: Path, group: Any) -> None:
    if "obs" not in group and "states" in group:
        raise DatasetError(
            f"{path} holds states of the simulator and no observations, as robosuite records demonstrations. Let "
            f"robomimic's dataset_states_to_obs.py play them and write what the cameras see, then give that file"
        )


def _fields(group: Any) -> Iterator[tuple[str, str]]:
    """Pairs of our path and the name in the group; `next_obs` repeats `obs` and is left out."""
    for name in group:
        if name == "obs":
            for key in group["obs"]:
                yield f"observation/{key}", f"obs/{key}"
        elif name != "next_obs" and hasattr(group[name], "dtype"):
            yield _RENAMED.get(name, name), name


def _env_of(data: Any) -> dict[str, Any]:
    text = data.attrs.get("env_args", "{}")
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _names(values: Any) -> list[str]:
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values[:]]


def _number(key: str) -> tuple[int, str]:
    digits = re.search(r"\d+$", key)
    return (int(digits.group()) if digits else -1, key)


def _plain(name: str) -> str:
    return f"filter_{name}"


def _opened(place: Path | str, split: str | None, instruction: str) -> HDF5Source:
    if isinstance(place, str):
        place = fetch(place, folder_of(place))
    return HDF5Source(place, split=split, instruction=instruction)


_SUFFIXES = (".hdf5", ".h5")
LAYOUT = Layout(
    "hdf5",
    f"HDF5 ({', '.join(_SUFFIXES)})",
    lambda path: path.is_file() and path.suffix.lower() in _SUFFIXES,
    _opened,
    behind=lambda url: Path(name_of(url)).suffix.lower() in _SUFFIXES,
)
