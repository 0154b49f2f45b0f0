"""Observations of a policy: their required fields, and the conversion of every accepted layout to one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import ObservationError
from embodio.agent.format.arrays import to_array
from embodio.agent.format.sound import read_sound
from embodio.envs.embodiment import Camera, Dimension, Microphone

Observation = Mapping[str, Any]
THINNEST = 50
"""Largest aspect ratio of an image."""


@dataclass(frozen=True)
class ObservationSpec:
    """What a policy reads: its cameras, the state (empty if it is not read), a goal image, a microphone."""

    cameras: tuple[Camera, ...]
    state: tuple[Dimension, ...]
    goal_image: bool = False
    microphone: Microphone | None = None

    @property
    def keys(self) -> list[str]:
        """The required keys."""
        keys = [camera.name for camera in self.cameras]
        keys += ["state"] if self.state else []
        keys += ["goal"] if self.goal_image else []
        return keys + (["microphone"] if self.microphone else [])

    @property
    def expected(self) -> dict[str, str]:
        """The expected content of each key, for error messages."""
        found = {c.name: f"uint8 or float in [0, 1] ({c.height}, {c.width}, {c.channels})" for c in self.cameras}
        if self.state:
            found["state"] = f"float ({len(self.state)},): {', '.join(d.name for d in self.state)}"
        if self.goal_image:
            found["goal"] = "RGB image of any size, uint8 or float in [0, 1]"
        if self.microphone:
            found["microphone"] = f"sound at {self.microphone.rate} Hz, float in [-1, 1] or signed integers"
        return found

    def describe(self) -> str:
        """All expected fields in one line."""
        return "; ".join(f"{key} {content}" for key, content in self.expected.items())

    @property
    def first(self) -> tuple[str, int]:
        """The key that tells a batch from a single observation by its dimensions, and their number in a single one."""
        if self.cameras:
            return self.cameras[0].name, 3
        return ("state", 1) if self.state else ("goal", 3)


def blank_observation(spec: ObservationSpec) -> dict[str, Any]:
    """A valid observation without content: grey images, a mid-range state, silence."""
    blank: dict[str, Any] = {c.name: np.full((c.height, c.width, c.channels), 128, np.uint8) for c in spec.cameras}
    if spec.state:
        blank["state"] = np.array([(d.low + d.high) / 2 for d in spec.state], dtype=np.float32)
    if spec.goal_image:
        blank["goal"] = np.full((64, 64, 3), 128, np.uint8)
    if spec.microphone is not None:
        blank["microphone"] = np.zeros(1600, dtype=np.float32)
    return blank


def read_observation(spec: ObservationSpec, observation: Observation) -> dict[str, Any]:
    """Checks one observation and converts it: copies, images uint8 [H, W, C], the state as given.

    Images may be uint8, or float in [0, 1]; [H, W, C], or [C, H, W] where that is unambiguous.

    Raises:
        ObservationError: names the field, what is expected, and what was found.
    """
    require_keys(spec, observation)
    read: dict[str, Any] = {camera.name: _camera(camera, observation[camera.name]) for camera in spec.cameras}
    if spec.state:
        read["state"] = _state(spec.state, observation["state"])
    if spec.goal_image:
        read["goal"] = read_image("goal", observation["goal"])
    if spec.microphone is not None:
        rate, channels = spec.microphone.rate, spec.microphone.channels
        read["microphone"] = read_sound("microphone", observation["microphone"], rate, channels)
    return read


def require_keys(spec: ObservationSpec, observation: object) -> None:
    """Raises ObservationError unless all keys are present; suggests similar keys for missing ones."""
    if not isinstance(observation, Mapping):
        found = type(observation).__name__
        raise ObservationError(f"observation: expected a mapping of names to arrays, got {found}")
    missing = [key for key in spec.keys if key not in observation]
    if missing:
        others = [str(key) for key in observation if key not in spec.keys]
        near = [f"{key!r} looks like {m!r}" for m in missing for key in difflib.get_close_matches(m, others, n=1)]
        hint = f" ({', '.join(near)})" if near else ""
        raise ObservationError(f"observation: {missing} missing{hint}; this policy reads {spec.describe()}")


def batch_size(spec: ObservationSpec, observation: Observation) -> int | None:
    """N for a batch of N observations, as from a vector environment; None for a single observation."""
    require_keys(spec, observation)
    name, dimensions = spec.first
    if name not in spec.keys:
        return None
    array = _array(name, observation[name])
    if array.ndim != dimensions + 1:
        return None
    if not len(array):
        raise ObservationError(f"{name}: a batch of no observations, {list(array.shape)}; give at least one")
    return len(array)


def split_batch(spec: ObservationSpec, observation: Observation, rows: int) -> list[dict[str, Any]]:
    """Splits a batch, with arrays [N, ...], into its N observations.

    Raises:
        ObservationError: the first dimension of an array is not N.
    """
    for key in spec.keys:
        count = _length(observation[key])
        if count != rows:
            raise ObservationError(f"{key}: expected {rows} rows, one for each observation of the batch, got {count}")
    return [{key: observation[key][row] for key in spec.keys} for row in range(rows)]


def read_rows(spec: ObservationSpec, observation: Observation, rows: int) -> list[dict[str, Any]]:
    """Applies `read_observation` to each of the N observations of a batch.

    Raises:
        ObservationError: names the row and the field.
    """
    read = []
    for row, part in enumerate(split_batch(spec, observation, rows)):
        with about_row(row):
            read.append(read_observation(spec, part))
    return read


@contextmanager
def about_row(row: int | None) -> Iterator[None]:
    """Prefixes error messages with the row; None adds nothing."""
    try:
        yield
    except ObservationError as error:
        if row is None:
            raise
        raise ObservationError(f"row {row}: {error}") from error


def _length(value: Any) -> int:
    """The length of a sequence, array or tensor; 0 for anything else."""
    try:
        return len(value) if isinstance(value, Sequence) or hasattr(value, "__array__") else 0
    except TypeError:  # an array without axes
        return 0


def read_image(name: str, value: Any) -> npt.NDArray[np.uint8]:
    """Converts an RGB image of any size, uint8 or float, [H, W, 3] or [3, H, W], to uint8 [H, W, 3].

    Raises:
        ObservationError: the value is not such an image.
    """
    array = to_array(name, value)
    if array.ndim == 3 and array.shape[2] != 3 and array.shape[0] == 3:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ObservationError(f"{name}: expected an RGB image (height, width, 3), got {array.dtype} {array.shape}")
    if max(array.shape[:2]) > THINNEST * min(array.shape[:2]):
        raise ObservationError(f"{name}: {array.shape} is too thin; one side may be {THINNEST} times the other")
    return _pixels(name, array, "(height, width, 3)")


def _array(name: str, value: Any) -> npt.NDArray[Any]:
    """A numeric array unchanged; anything else converted by `to_array`."""
    is_numbers = isinstance(value, np.ndarray) and value.dtype.kind in "biufc"
    return value if is_numbers else to_array(name, value)


def _camera(camera: Camera, value: Any) -> npt.NDArray[np.uint8]:
    shape = (camera.height, camera.width, camera.channels)
    array = _array(camera.name, value)
    if array.shape != shape and array.shape == (shape[2], shape[0], shape[1]):
        array = array.transpose(1, 2, 0)
    if array.shape != shape:
        raise ObservationError(
            f"{camera.name}: expected uint8 of shape {shape}, got {array.dtype} of shape {array.shape}"
        )
    return _pixels(camera.name, array, f"of shape {shape}")


def _pixels(name: str, array: npt.NDArray[Any], shape: str) -> npt.NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return np.array(array, order="C")
    if array.dtype.kind != "f":
        raise ObservationError(f"{name}: expected uint8 {shape}, or float in [0, 1], got {array.dtype}")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0.0 and high <= 1.0):
        found = "NaN" if np.isnan(low) or np.isnan(high) else f"{low:g} to {high:g}"
        raise ObservationError(f"{name}: float pixels must lie in [0, 1], found {found}; divide by 255 or give uint8")
    return np.ascontiguousarray(np.rint(array.astype(np.float64) * 255.0).astype(np.uint8))


def _state(dimensions: tuple[Dimension, ...], value: Any) -> npt.NDArray[Any]:
    state = np.array(_array("state", value))
    if state.shape != (len(dimensions),) or state.dtype.kind != "f":
        raise ObservationError(
            f"state: expected float of shape {(len(dimensions),)} ({', '.join(d.name for d in dimensions)}), "
            f"got {state.dtype} of shape {state.shape}"
        )
    finite = np.isfinite(state)
    if not finite.all():
        names = [d.name for d, ok in zip(dimensions, finite, strict=True) if not ok]
        raise ObservationError(f"state: {', '.join(names)} is not finite; check the robot's sensors")
    for number, d in zip(state.tolist(), dimensions, strict=True):
        if not d.low - (d.high - d.low) <= number <= d.high + (d.high - d.low):
            raise ObservationError(
                f"state: {d.name} is {number:g}, far outside {d.low:g} to {d.high:g} {d.unit}; check its unit"
            )
    return state
