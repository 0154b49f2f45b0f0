"""Embodiment: the action, state, cameras, microphone and control frequency of a robot, as plain data.

Environments, data sets and checkpoints each have an `Embodiment`. Acting is refused if they differ, so a policy never
silently drives a robot with different axes, units or cameras.
"""

from __future__ import annotations

import dataclasses
import json
import math
import reprlib
import types
import typing
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from embodio.envs.errors import EmbodimentError, EmbodimentMismatch

_ABSENT = "<absent>"
_MOST_SHOWN = 100
_SHORT = reprlib.Repr()
_SHORT.maxlist, _SHORT.maxstring, _SHORT.maxother = 32, 200, 200
"""Shortens long values in error messages."""
_OMITTED = "omitted when empty"
"""Metadata key of fields that are omitted from files when empty."""
GUESSABLE = (
    "control_hz", "action", "action.mode", "action.frame", "action.rotation", "action.gripper", "action.controller",
    "action.dimensions", "state", "cameras", "microphone", "instruction",
)  # fmt: skip
"""The parts that an embodiment may list as guessed: its own, and the instruction of the data it was guessed from."""


@dataclass(frozen=True)
class Dimension:
    """One number of an action or of a state.

    Attributes:
        name: unique name within its vector.
        unit: meaning of the value 1.0, e.g. "m", or "0.05 m" for a normalised axis.
        low: smallest legal value.
        high: largest legal value.
        kind: "continuous"; "binary" if a policy may only choose `low` or `high`; "word" if it chooses one of `words`,
            and the number is its index.
        words: the choices, such as ("forward", "left", "right", "stop"); low is 0 and high the last index.
    """

    name: str
    unit: str
    low: float
    high: float
    kind: Literal["continuous", "binary", "word"] = "continuous"
    words: tuple[str, ...] = dataclasses.field(default=(), metadata={_OMITTED: True})

    @classmethod
    def of_words(cls, name: str, words: Sequence[str]) -> Dimension:
        """A choice among words."""
        return cls(name, "", 0.0, float(len(words) - 1), "word", tuple(words))

    def __str__(self) -> str:
        """Name, limits and unit in one line."""
        if self.words:
            return f"{self.name:<12} one of {', '.join(self.words)}"
        either = "or" if self.kind == "binary" else "to"
        return f"{self.name:<12} {self.low:g} {either} {self.high:g}{f', unit {self.unit}' if self.unit else ''}"

    def __post_init__(self) -> None:
        if not self.name:
            raise EmbodimentError("dimension.name is empty; give every dimension a name")
        self._require_words()
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise EmbodimentError(f"dimension {self.name!r}: need finite low < high, got {self.low} and {self.high}")

    def _require_words(self) -> None:
        if (self.kind == "word") != bool(self.words):
            raise EmbodimentError(f"dimension {self.name!r}: kind 'word' and `words` go together; give both or neither")
        if not self.words:
            return
        if len(self.words) < 2 or len(set(self.words)) < len(self.words) or not all(map(str.strip, self.words)):
            raise EmbodimentError(f"dimension {self.name!r}: need at least 2 different words, got {self.words}")
        if (self.low, self.high) != (0.0, len(self.words) - 1.0):
            raise EmbodimentError(
                f"dimension {self.name!r}: {len(self.words)} words go from 0 to {len(self.words) - 1}"
            )


@dataclass(frozen=True)
class ActionSpec:
    """The meaning of the numbers of an action.

    Attributes:
        dimensions: one per number, in order.
        mode: "delta" (relative to the current pose) or "absolute".
        frame: the frame in which translations and rotations are expressed, e.g. "base".
        rotation: parametrisation of rotations; "yaw" is the angle about the vertical.
        gripper: which end of the gripper's axis closes it.
        controller: name of the low-level controller that executes the action.
    """

    dimensions: tuple[Dimension, ...]
    mode: Literal["delta", "absolute"]
    frame: str
    rotation: Literal["axis_angle", "quaternion", "euler_xyz", "euler_zyx", "yaw", "none"]
    gripper: Literal["closed_is_high", "closed_is_low", "none"]
    controller: str

    def __post_init__(self) -> None:
        _require_unique("action.dimensions", self.dimensions)


@dataclass(frozen=True)
class Camera:
    """One camera: a uint8 image [height, width, channels] under `name` in every observation."""

    name: str
    height: int
    width: int
    channels: int = 3
    orientation: Literal["upright", "flipped"] = "upright"

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.channels) < 1:
            raise EmbodimentError(f"camera {self.name!r}: height, width and channels must be at least 1")


@dataclass(frozen=True)
class Microphone:
    """A microphone: sampling rate in Hz and number of channels."""

    rate: int
    channels: int

    def __post_init__(self) -> None:
        if min(self.rate, self.channels) < 1:
            raise EmbodimentError("microphone: rate and channels must be at least 1")


@dataclass(frozen=True)
class Difference:
    """One field in which two embodiments differ; `field` is dotted, e.g. "cameras.wrist.height"."""

    field: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.field}: expected {_SHORT.repr(self.expected)}, found {_SHORT.repr(self.found)}"


def in_short(differences: Sequence[Difference], most: int = 4) -> str:
    """The number of differences and the first few of them, in one line."""
    named = [str(difference) for difference in differences[:most]]
    rest = [f"and {len(differences) - most} more"] if len(differences) > most else []
    return f"{len(differences)} field{'s' * (len(differences) > 1)}: {'; '.join([*named, *rest])}"


@dataclass(frozen=True)
class Embodiment:
    """A robot as a policy sees it.

    Attributes:
        name: e.g. "robosuite/panda-osc-pose".
        action: meaning of the action vector, float32 [A].
        state: meaning of the proprioceptive vector "state" of an observation, float32 [S].
        cameras: the images of an observation, in the order in which a policy reads them.
        microphone: the microphone, if there is one.
        control_hz: actions per second.
        guessed: the `GUESSABLE` parts that a program guessed and nobody has confirmed yet. They do not affect
            equality, but are stored with the embodiment and cause warnings.
    """

    name: str
    action: ActionSpec
    state: tuple[Dimension, ...]
    cameras: tuple[Camera, ...]
    microphone: Microphone | None
    control_hz: float
    guessed: tuple[str, ...] = dataclasses.field(default=(), compare=False, metadata={_OMITTED: True})

    def __post_init__(self) -> None:
        unknown = [name for name in self.guessed if name not in GUESSABLE]
        if unknown:
            raise EmbodimentError(f"guessed: {unknown[0]!r} is not one of {', '.join(GUESSABLE)}")
        _require_unique("state", self.state)
        _require_unique("cameras", self.cameras)
        if not (math.isfinite(self.control_hz) and self.control_hz > 0):
            raise EmbodimentError(f"control_hz must be a positive number of actions per second, got {self.control_hz}")

    def __str__(self) -> str:
        """A readable table of actions, state and sensors."""
        action = self.action
        about = f"{action.mode} in {action.frame}, rotation {action.rotation}, gripper {action.gripper}"
        lines = [f"{self.name}, {self.control_hz:g} Hz", f"  action [{len(action.dimensions)}]  {about}"]
        lines += [f"    {dimension}" for dimension in action.dimensions]
        lines += [f"  state [{len(self.state)}]"] if self.state else []
        lines += [f"    {dimension}" for dimension in self.state]
        lines += [
            f"  camera {c.name}  uint8 ({c.height}, {c.width}, {c.channels}), {c.orientation}" for c in self.cameras
        ]
        if self.microphone is not None:
            lines.append(f"  microphone  {self.microphone.rate} Hz, channels {self.microphone.channels}")
        lines += [f"  guessed, confirmed by nobody: {', '.join(self.guessed)}"] if self.guessed else []
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The embodiment as JSON-ready dicts, lists, strings and numbers."""
        return typing.cast(dict[str, Any], _to_plain(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Embodiment:
        """Inverse of `to_dict`.

        Raises:
            EmbodimentError: a key is missing, unknown, or its value has the wrong type; the message names it.
        """
        return typing.cast(Embodiment, _from_plain(cls, data, "embodiment"))

    def save(self, path: str | Path) -> None:
        """Write the embodiment to a JSON file."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Embodiment:
        """Read an embodiment from a JSON file.

        Raises:
            EmbodimentError: the file is missing, is not JSON, or does not describe an embodiment.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise EmbodimentError(f"cannot read an embodiment from {path}: {error}") from error
        return cls.from_dict(data)

    def differences(self, other: Embodiment) -> list[Difference]:
        """Fields in which `other` (found) differs from this embodiment (expected); empty if they are equal.

        A dimension or camera that only one of them has appears in the `order` of its list only, not with its fields.
        """
        expected, found = (_flatten(dataclasses.replace(one, guessed=()).to_dict()) for one in (self, other))
        fields = list(expected) + [field for field in found if field not in expected]
        pairs = ((field, expected.get(field, _ABSENT), found.get(field, _ABSENT)) for field in fields)
        alone = _items_of_one(expected, found)
        return [Difference(*pair) for pair in pairs if pair[1] != pair[2] and alone.isdisjoint(_beginnings(pair[0]))]

    def require_same(self, other: Embodiment, remedy: str) -> None:
        """Raise an error if an embodiment differs.

        Args:
            other: the embodiment that was found.
            remedy: remedy for the error message.

        Raises:
            EmbodimentMismatch: lists the differing fields with both values, then the remedy.
        """
        differences = self.differences(other)
        if differences:
            lines = "\n  ".join(str(difference) for difference in differences[:_MOST_SHOWN])
            if len(differences) > _MOST_SHOWN:
                lines += f"\n  and {len(differences) - _MOST_SHOWN} more"
            raise EmbodimentMismatch(f"embodiment {self.name!r} was expected but differs:\n  {lines}\n{remedy}")


def _require_unique(field: str, items: tuple[Dimension, ...] | tuple[Camera, ...]) -> None:
    repeated = sorted(name for name, count in Counter(item.name for item in items).items() if count > 1)
    if repeated:
        raise EmbodimentError(f"{field}: name {repeated[0]!r} is used more than once; names must be unique")


def _items_of_one(expected: Mapping[str, Any], found: Mapping[str, Any]) -> set[str]:
    """Prefixes of the fields of named list items that only one of two flattened embodiments has."""
    beginnings = set()
    for field in expected.keys() & found.keys():
        if field.endswith(".order"):
            beginnings |= {f"{field[: -len('order')]}{name}." for name in {*expected[field]} ^ {*found[field]}}
    return beginnings


def _beginnings(field: str) -> Iterator[str]:
    """All prefixes that end with a dot: "a." and "a.b." of "a.b.c"."""
    return (field[: place + 1] for place, sign in enumerate(field) if sign == ".")


def _to_plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = [f for f in dataclasses.fields(value) if getattr(value, f.name) or not f.metadata.get(_OMITTED)]
        return {field.name: _to_plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    return value


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dicts and lists to {dotted field: leaf}. List items are keyed by name; their order is a field too."""
    flat: dict[str, Any] = {}
    if isinstance(value, dict):
        for key, item in value.items():
            flat |= _flatten(item, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list):
        named = all(isinstance(item, dict) for item in value)
        flat[f"{prefix}.order" if named else prefix] = [item["name"] for item in value] if named else value
        for item in value if named else ():
            flat |= _flatten(item, f"{prefix}.{item['name']}")
    else:
        flat[prefix] = value
    return flat


def _from_plain(annotation: Any, value: Any, where: str) -> Any:
    """Build a value of type `annotation` from JSON data, strictly; `where` is its dotted name for the errors."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if dataclasses.is_dataclass(annotation):
        return _dataclass_from_plain(typing.cast(type, annotation), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise EmbodimentError(f"{where}: expected a list, got {value!r}")
        return tuple(_from_plain(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is Literal:
        if value not in arguments:
            raise EmbodimentError(f"{where}: expected one of {', '.join(map(repr, arguments))}, got {value!r}")
        return value
    if origin is types.UnionType:
        return None if value is None else _from_plain(arguments[0], value, where)
    accepted = (int, float) if annotation is float else annotation
    if not isinstance(value, accepted) or isinstance(value, bool):
        raise EmbodimentError(f"{where}: expected {annotation.__name__}, got {value!r}")
    return annotation(value)


@lru_cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _dataclass_from_plain(cls: type, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise EmbodimentError(f"{where}: expected an object with named fields, got {value!r}")
    annotations = _hints(cls)
    optional = {field.name for field in dataclasses.fields(cls) if field.metadata.get(_OMITTED)}
    for name in annotations:
        if name not in value and name not in optional:
            raise EmbodimentError(f"{where}.{name} is missing; record the embodiment again with this version")
    for name in value:
        if name not in annotations:
            raise EmbodimentError(f"{where}.{name} is not a known field; known: {', '.join(annotations)}")
    given = {name: hint for name, hint in annotations.items() if name in value}
    return cls(**{name: _from_plain(hint, value[name], f"{where}.{name}") for name, hint in given.items()})
