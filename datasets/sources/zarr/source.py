"""Replay buffers in zarr, as Diffusion Policy and UMI write them: data/*, all episodes one after the other."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import (
    FLOATS,
    INSTRUCTION,
    INTEGERS,
    METADATA,
    EpisodeFeatures,
    Feature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError, RobotNotDescribed
from embodio.datasets.sources.columns import ColumnEpisode
from embodio.datasets.sources.hdf5.images import Pixels, array_pixels
from embodio.datasets.sources.zarr.arrays import ZarrArray, attributes_of
from embodio.datasets.sources.zarr.store import ENDS, REMEDY, ZarrStore
from embodio.envs.embodiment import Embodiment

# Name of a field in buffers -> its name in RLDS.
_RENAMED = {"actions": "action", "rewards": "reward", "done": "is_terminal", "dones": "is_terminal"}
_STEP_FIELDS = ("action", "reward", "is_terminal")
_RATES = ("fps", "control_hz", "control_freq", "frequency")
_DEEPEST = 5  # groups inside each other
_MOST_STEPS = 1 << 40
_LOOKED_AT = 5  # steps, to tell images from other numbers
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Field:
    """A field of the steps, or of the episodes.

    Attributes:
        array: where it is.
        feature: what it holds.
        pixels: the conversion of stored values into an image.
    """

    array: ZarrArray
    feature: Feature
    pixels: Pixels | None = None


class ZarrSource:
    """Episodes of a replay buffer, in their order.

    The arrays of `data` are the fields of the steps ("observation/img"; `action` keeps its name). Those of `meta` with
    one value for each episode are its metadata, and so are texts and numbers among the attributes of the buffer, of
    `data` and of `meta`.

    Attributes:
        name: of the data set, from the file's name.
        features: what an episode holds.
        fps: steps per second, where the attributes say so.
        missing: arrays with missing parts, one line each.
    """

    def __init__(self, path: str | Path, *, instruction: str = "", split: str | None = None) -> None:
        """Opens a buffer.

        Args:
            path: the folder or zip.
            instruction: instruction for buffers without one.
            split: must be None; a buffer has no splits.

        Raises:
            DatasetError: numcodecs is missing, there is no buffer, it holds no episode, or a split was requested.
            CorruptRecordError: what describes the buffer is damaged.
        """
        self.path = Path(path)
        if split is not None:
            raise DatasetError(f"{path} has no splits, so none is called {split!r}; take some with filters.episodes")
        try:
            self._store = ZarrStore(self.path)
        except OSError as error:
            raise DatasetError(f"{path} holds no replay buffer (zarr with data/* and {ENDS}): {error}") from error
        self.name = re.sub(r"\.zarr|\.zip", "", self.path.name) or "zarr"
        self._instruction = instruction
        self._ends = self._read_ends()
        attributes = (
            attributes_of(self._store, "meta") | attributes_of(self._store, "data") | attributes_of(self._store, "")
        )
        self._attributes = {name: value for name, value in attributes.items() if _is_plain(value)}
        self.fps = next((float(self._attributes[key]) for key in _RATES if _is_number(self._attributes.get(key))), None)
        unread: dict[str, str] = {}
        self._steps = dict(self._step_fields(unread))
        self._values = dict(self._episode_fields(unread))
        self.features = self._features(unread)
        self.missing = tuple(self._incomplete())
        for line in self.missing:
            _log.warning("%s: %s", path, line)

    def __len__(self) -> int:
        """Returns the number of episodes."""
        return len(self._ends)

    @property
    def embodiment(self) -> Embodiment:
        """Raises RobotNotDescribed: replay buffers do not describe the robot; a YAML file does."""
        raise RobotNotDescribed(self.path)

    def episode_length(self, index: int) -> int:
        """Returns the number of steps of one episode."""
        first, last = self._span(index)
        return last - first

    def episode(self, index: int) -> ColumnEpisode:
        """Returns one episode; its fields are read on demand.

        Raises:
            CorruptRecordError: a part of a field is missing or damaged (when it is read).
            IndexError: there is no such episode.
        """
        first, last = self._span(index)
        columns: dict[str, Callable[[], npt.NDArray[Any]]] = {
            "is_first": lambda: np.arange(last - first) == 0,
            "is_last": lambda: np.arange(last - first) == last - first - 1,
        }
        frames: dict[str, Callable[[int], npt.NDArray[np.uint8]]] = {}
        texts: dict[str, Callable[[int], str]] = {INSTRUCTION: lambda step: self._instruction}
        for path, field in self._steps.items():
            if field.pixels is not None:
                frames[path] = lambda step, field=field: self._image(index, field, first + step)  # type: ignore[misc]
            elif isinstance(field.feature, TextFeature):
                texts[path] = lambda step, field=field: _text(self._rows(index, field, first + step)[0])  # type: ignore[misc]
            else:
                columns[path] = lambda path=path: self._column(index, path, first, last)  # type: ignore[misc]
        values: dict[str, Any] = {f"{METADATA}/{name}": value for name, value in self._attributes.items()}
        for path, field in self._values.items():
            (value,) = self._rows(index, field, index)
            values[path] = _text(value) if isinstance(field.feature, TextFeature) else value
        return ColumnEpisode(self.features, last - first, columns=columns, frames=frames, texts=texts, episode=values)

    def close(self) -> None:
        """Closes the zip; it opens again when it is needed."""
        self._store.close()

    def _read_ends(self) -> list[int]:
        """Where the episodes end, in steps from the beginning of the buffer."""
        array = ZarrArray(self._store, ENDS)
        ends = array.rows(0, len(array))
        whole = ends.dtype.kind in "iu" or (ends.dtype.kind == "f" and bool((np.floor(ends) == ends).all()))
        if ends.ndim != 1 or not whole or (np.diff(ends, prepend=0) < 0).any() or (ends > _MOST_STEPS).any():
            raise CorruptRecordError(self.path, 0, f"{ENDS} does not hold numbers of steps, going up", REMEDY)
        if not len(ends):
            raise DatasetError(f"{self.path} holds no episode")
        return [int(end) for end in ends]

    def _step_fields(self, unread: dict[str, str]) -> Iterator[tuple[str, _Field]]:
        for name in self._arrays("data", _DEEPEST):
            short = name.removeprefix("obs/")
            path = _RENAMED.get(short, short)
            path = path if path in _STEP_FIELDS or path.startswith("action/") else f"observation/{path}"
            try:
                array = ZarrArray(self._store, f"data/{name}")
                if len(array) < self._ends[-1]:
                    raise FeatureError(f"data/{name}: {len(array)} values, where there are {self._ends[-1]} steps")
                yield path, self._field(array, name)
            except FeatureError as error:
                unread[f"steps/{path}"] = str(error)

    def _episode_fields(self, unread: dict[str, str]) -> Iterator[tuple[str, _Field]]:
        for name in self._arrays("meta", _DEEPEST):
            path = f"{METADATA}/{name}"
            if f"meta/{name}" == ENDS:
                continue
            try:
                array = ZarrArray(self._store, f"meta/{name}")
                if len(array) != len(self._ends):
                    raise FeatureError(f"meta/{name}: {len(array)} values, where there are {len(self._ends)} episodes")
                yield path, _Field(array, _feature(array))
            except FeatureError as error:
                unread[path] = str(error)

    def _arrays(self, group: str, depth: int) -> Iterator[str]:
        """Names of the arrays in a group and in those below."""
        for name in self._store.children(group):
            if name.startswith("."):
                continue
            if self._store.read(f"{group}/{name}/.zarray") is not None:
                yield name
            elif depth:
                yield from (f"{name}/{below}" for below in self._arrays(f"{group}/{name}", depth - 1))

    def _field(self, array: ZarrArray, name: str) -> _Field:
        if array.dtype.kind in "biuf" and len(array.shape) in (3, 4):
            samples = [] if array.dtype == np.uint8 else self._samples(array)
            pixels = array_pixels(name, array.shape[1:], array.dtype.newbyteorder("="), samples)
            if pixels is not None:
                return _Field(array, pixels.feature, pixels)
        return _Field(array, _feature(array))

    def _samples(self, array: ZarrArray) -> list[npt.NDArray[Any]]:
        """Some steps, those that can be read."""
        samples = []
        for step in np.unique(np.linspace(0, self._ends[-1] - 1, _LOOKED_AT).astype(int)) if self._ends[-1] else ():
            with contextlib.suppress(CorruptRecordError):  # reading that episode will tell
                samples.append(array.rows(step, step + 1)[0])
        return samples

    def _features(self, unread: Mapping[str, str]) -> EpisodeFeatures:
        steps: dict[str, Feature] = {path: field.feature for path, field in self._steps.items()}
        if "is_terminal" in steps:
            steps["is_terminal"] = TensorFeature("bool")
        steps |= {name: TensorFeature("bool") for name in ("is_first", "is_last")}
        steps[INSTRUCTION] = TextFeature()
        episode: dict[str, Feature] = {
            f"{METADATA}/{name}": TextFeature() if isinstance(value, str) else TensorFeature("float64")
            for name, value in self._attributes.items()
        }
        episode |= {path: field.feature for path, field in self._values.items()}
        return EpisodeFeatures(steps, episode, unread=dict(unread))

    def _incomplete(self) -> Iterator[str]:
        for field in (*self._steps.values(), *self._values.values()):
            if field.array.missing:
                yield f"{field.array.key}: {field.array.missing} chunks are missing, which damages their episodes"
        longest = max((len(field.array) for field in self._steps.values()), default=0)
        if longest > self._ends[-1]:
            yield f"{longest - self._ends[-1]} steps after the end of the last episode belong to none and are left out"

    def _column(self, index: int, path: str, first: int, last: int) -> npt.NDArray[Any]:
        values = self._rows(index, self._steps[path], first, last)
        return values.reshape(len(values)).astype(bool) if path == "is_terminal" else values

    def _image(self, index: int, field: _Field, row: int) -> npt.NDArray[np.uint8]:
        if field.pixels is None:
            raise FeatureError(f"{field.array.key} is not an image")
        return field.pixels.image(self._rows(index, field, row)[0])

    def _rows(self, index: int, field: _Field, first: int, last: int | None = None) -> npt.NDArray[Any]:
        try:
            return field.array.rows(first, first + 1 if last is None else last)
        except CorruptRecordError as error:
            raise CorruptRecordError(self.path, index, str(error), REMEDY) from error

    def _span(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a data set of {len(self)}")
        return (self._ends[index - 1] if index else 0), self._ends[index]


def _feature(array: ZarrArray) -> Feature:
    """The feature of an array other than images; raises FeatureError if it cannot be read."""
    if array.dtype.kind in "USO":
        if len(array.shape) != 1:
            raise FeatureError(f"{array.key}: texts of shape {array.shape[1:]}")
        return TextFeature()
    plain = array.dtype.newbyteorder("=").name
    if plain not in (*FLOATS, *INTEGERS) or 0 in array.shape[1:]:
        raise FeatureError(f"{array.key}: {plain} of shape {array.shape[1:]}")
    return TensorFeature(plain, array.shape[1:])


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace").rstrip("\0") if isinstance(value, bytes) else str(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) or _is_number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
