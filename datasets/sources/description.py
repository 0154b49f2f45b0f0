"""Description: a data set described in one YAML file, with its place, fields, robot, instruction and filters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from embodio.datasets.episodes.feature_text import parse_features
from embodio.datasets.episodes.features import EpisodeFeatures
from embodio.datasets.errors import DatasetError
from embodio.datasets.sources.guesses import KEYS
from embodio.datasets.sources.layouts import kinds
from embodio.envs.embodiment import Camera, Embodiment
from embodio.envs.errors import EmbodimentError

_KEYS = {
    "name", "about", "kind", "folder", "origin", "split", "observation", "action", "fields", "instruction",
    "filters", "embodiment", "guessed", "features", "see", "bgr",
}  # fmt: skip
_PART = re.compile(r"^(?P<path>[^\[\]]+?)(?:\[(?P<first>\d*)(?P<colon>:?)(?P<last>\d*)\])?$")


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Reads plain values; a few lines of anchors and aliases could expand to more than fits into memory."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A value; raises YAMLError for an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read; write the value itself")
        return super().compose_node(parent, index)


class DescriptionError(DatasetError):
    """A description of a data set has to be corrected; the message names the key."""


@dataclass(frozen=True)
class FieldPart:
    """A field of the source, or some of its numbers.

    Attributes:
        path: of the field.
        first: first number.
        last: one past the last number; None takes all.
    """

    path: str
    first: int = 0
    last: int | None = None

    @classmethod
    def parse(cls, text: object, where: str) -> FieldPart:
        """Reads "path", "path[3]" or "path[0:6]"; raises DescriptionError."""
        found = _PART.match(text) if isinstance(text, str) else None
        if found is None or (found["colon"] is not None and not found["colon"] and not found["first"]):
            raise DescriptionError(f"{where}: {text!r} is not a field. Write path, path[3] or path[0:6]")
        if found["colon"] is None:
            return cls(found["path"])
        first = int(found["first"] or 0)
        last = (int(found["last"]) if found["last"] else None) if found["colon"] else first + 1
        if last is not None and last <= first:
            raise DescriptionError(f"{where}: {text!r} takes no number")
        return cls(found["path"], first, last)


@dataclass(frozen=True)
class InstructionFields:
    """Where the instruction is.

    Attributes:
        keys: groups of text fields of a step or of the episode. The first group with a text counts; the texts of its
            fields, and the several texts of one field, are paraphrases of the same instruction.
        text: the instruction itself, if the data set has none (or the fields are empty).
        encoding: "text"; "bytes" if a field holds the bytes of UTF-8 text, "codepoints" if it holds the numbers of the
            characters, both padded with zeros.
    """

    keys: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    encoding: str = "text"


@dataclass(frozen=True)
class Filters:
    """The selection of episodes.

    Attributes:
        min_steps: shortest episode.
        max_steps: longest episode; None for any.
        values: field of the episode -> the value that it must have.
        first: number of the first episode.
        last: one past the number of the last one; None for all.
    """

    min_steps: int = 1
    max_steps: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    first: int = 0
    last: int | None = None


@dataclass(frozen=True)
class Description:
    """The content of one YAML file.

    Attributes:
        name: of the data set.
        about: a description, and the meaning of its action.
        kind: layout of the files, one of `layouts.kinds()`.
        folder: where the files are, relative to the YAML file or to the folder of all data sets.
        origin: where to get it.
        split: name of the split; None takes the layout's default.
        fields: our path -> the parts that make it; several are joined.
        instruction: where the instruction is.
        filters: which episodes to take.
        embodiment: the robot, except for its cameras; None takes that of the files.
        guessed: unconfirmed values, named as in `Embodiment.guessed`.
        features: the content of the files, if the description states it.
        see: sources of the facts.
        bgr: cameras whose red and blue are swapped in the files.
        path: of the YAML file.
    """

    name: str
    about: str
    kind: str
    folder: str
    origin: str
    split: str | None
    fields: Mapping[str, tuple[FieldPart, ...]]
    instruction: InstructionFields
    filters: Filters
    embodiment: Embodiment | None
    guessed: tuple[str, ...]
    features: EpisodeFeatures | None
    see: tuple[str, ...]
    bgr: tuple[str, ...]
    path: Path

    @classmethod
    def load(cls, path: str | Path) -> Description:
        """Reads a YAML file.

        Raises:
            DescriptionError: it is not YAML, a key is missing, unknown or holds something else.
        """
        path = Path(path)
        try:
            data = yaml.load(path.read_text(encoding="utf-8"), _PlainLoader)
        except OSError as error:
            raise DescriptionError(f"{path} cannot be read: {error}") from error
        except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:  # invalid dates and numbers
            raise DescriptionError(f"{path} is not YAML: {error}") from error
        if not isinstance(data, dict):
            raise DescriptionError(
                f"{path} holds no keys. Begin with `embodio-data inspect`, which proposes such a file"
            )
        try:
            return cls.from_dict(data, path)
        except (DescriptionError, EmbodimentError) as error:
            raise DescriptionError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], path: Path) -> Description:
        """Reads the content of a YAML file; raises DescriptionError or EmbodimentError."""
        _check(data, "the file", _KEYS, ("name", "kind", "instruction"))
        if data["kind"] not in kinds():
            raise DescriptionError(f"kind: {data['kind']!r}, expected one of {', '.join(kinds())}")
        fields = {f"observation/{name}": parts for name, parts in _mapping(data, "observation").items()}
        fields |= _mapping(data, "fields")
        if "action" in data:
            fields["action"] = data["action"]
        features = data.get("features")
        embodiment = data.get("embodiment")
        return cls(
            name=str(data["name"]),
            about=str(data.get("about", "")).strip(),
            kind=data["kind"],
            folder=str(data.get("folder", "")),
            origin=str(data.get("origin", "")),
            split=None if data.get("split") is None else str(data["split"]),
            fields={name: _parts(parts, name) for name, parts in fields.items()},
            instruction=_instruction(data["instruction"]),
            filters=_filters(_mapping(data, "filters")),
            embodiment=None if embodiment is None else _embodiment(embodiment, str(data["name"])),
            guessed=_guessed(data),
            features=None if features is None else parse_features(features),
            see=tuple(str(place) for place in _list(data, "see")),
            bgr=tuple(f"observation/{camera}" for camera in _list(data, "bgr")),
            path=path,
        )


def _check(data: object, where: str, known: set[str], needed: tuple[str, ...] = ()) -> None:
    if not isinstance(data, Mapping):
        raise DescriptionError(f"{where}: expected keys with values, got {data!r}")
    unknown, missing = sorted(set(data) - known, key=str), [key for key in needed if key not in data]
    if unknown:
        raise DescriptionError(f"{where}: {unknown[0]!r} is not known; known: {', '.join(sorted(known))}")
    if missing:
        raise DescriptionError(f"{where}: {missing[0]!r} is missing")


def _mapping(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key) or {}
    if not isinstance(found, dict):
        raise DescriptionError(f"{key}: expected keys with values, got {found!r}")
    return found


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    found = data.get(key) or []
    if not isinstance(found, list):
        raise DescriptionError(f"{key}: expected a list, got {found!r}")
    return found


def _guessed(data: Mapping[str, Any]) -> tuple[str, ...]:
    keys = _list(data, "guessed")
    unknown = [key for key in keys if key not in KEYS]
    if unknown:
        raise DescriptionError(f"guessed: {unknown[0]!r} is not one of {', '.join(KEYS)}")
    return tuple(KEYS[key] for key in keys)


def _parts(value: object, where: str) -> tuple[FieldPart, ...]:
    return tuple(FieldPart.parse(item, where) for item in (value if isinstance(value, list) else [value]))


def _instruction(data: object) -> InstructionFields:
    _check(data, "instruction", {"keys", "text", "encoding"})
    given = dict(data) if isinstance(data, Mapping) else {}
    keys, encoding = given.get("keys", []), given.get("encoding", "text")
    if not isinstance(keys, list) or encoding not in ("text", "bytes", "codepoints"):
        raise DescriptionError(
            "instruction: keys is a list of fields, or of lists of fields with wordings; encoding is text, bytes or "
            "codepoints"
        )
    if not keys and not given.get("text"):
        raise DescriptionError("instruction: give `keys` (fields that hold it) or `text` (the instruction itself)")
    groups = tuple(tuple(map(str, key)) if isinstance(key, list) else (str(key),) for key in keys)
    return InstructionFields(groups, str(given.get("text", "")), encoding)


def _filters(data: Mapping[str, Any]) -> Filters:
    _check(data, "filters", {"min_steps", "max_steps", "values", "episodes"})
    first, _, last = str(data.get("episodes", "0:")).partition(":")
    try:
        return Filters(
            min_steps=int(data.get("min_steps", 1)),
            max_steps=None if data.get("max_steps") is None else int(data["max_steps"]),
            values=_mapping(data, "values"),
            first=int(first or 0),
            last=int(last) if last else None,
        )
    except ValueError as error:
        raise DescriptionError(f"filters: steps are whole numbers and episodes are written 0:100 ({error})") from error


def _embodiment(data: object, name: str) -> Embodiment:
    """The robot; cameras are added when the files are opened, except those that are upside down."""
    _check(
        data, "embodiment", {"name", "control_hz", "action", "state", "flipped", "microphone"}, ("control_hz", "action")
    )
    given = dict(data) if isinstance(data, Mapping) else {}
    action = given["action"]
    known = {"dimensions", "mode", "frame", "rotation", "gripper", "controller"}
    _check(action, "embodiment.action", known, tuple(sorted(known)))
    spec = {**action, "dimensions": _dimensions(action["dimensions"], "embodiment.action.dimensions")}
    plain = {
        "name": str(given.get("name", name)),
        "action": spec,
        "state": _dimensions(given.get("state", []), "embodiment.state"),
        "cameras": [],
        "microphone": given.get("microphone"),
        "control_hz": given["control_hz"],
    }
    embodiment = Embodiment.from_dict(plain)
    flipped = tuple(Camera(str(camera), 1, 1, 3, "flipped") for camera in given.get("flipped", []))
    return replace(embodiment, cameras=flipped)


def _dimensions(data: object, where: str) -> list[dict[str, Any]]:
    """Rows of name, unit, low, high and perhaps "binary", or "word" and the list of words."""
    rows: list[dict[str, Any]] = []
    for row in data if isinstance(data, list) else [None]:
        if not isinstance(row, list) or len(row) not in (4, 5, 6):
            raise DescriptionError(
                f"{where}: {row!r} is not a dimension. Write [name, unit, low, high] or with `binary`"
            )
        keys = ("name", "unit", "low", "high", "kind", "words")
        rows.append({"kind": "continuous", **dict(zip(keys, row, strict=False))})
    return rows
