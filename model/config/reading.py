"""Reading and writing of configurations as plain dictionaries, checked field by field."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from embodio.model.errors import ConfigError

ConfigType = TypeVar("ConfigType")

_BEFORE = "before"
_SAME = object()


def added_later(default: Any, *, before: Any = _SAME) -> Any:
    """A dataclass field that the agent shipped with embodio does not have in its files.

    Args:
        default: what new configurations have.
        before: what a file without the field means, where that is not the default.
    """
    return dataclasses.field(default=default, metadata={_BEFORE: default if before is _SAME else before})


_FORMER_SWITCHES = {
    "dropout_form": "broadcast",
    "empty_text_target": "masked",
    "initialisation": "jax",
    "stacked_images": "refused",
}
"""Switches that checkpoints were written with; the value is what every network does now."""


def without_former_switches(data: Any) -> Any:
    """A written configuration without switches that are no longer a choice; one with another value stays in it."""
    if not isinstance(data, Mapping):
        return data
    kept = {key: value for key, value in data.items() if (key, value) not in _FORMER_SWITCHES.items()}
    if "transformer" in kept:
        kept["transformer"] = without_former_switches(kept["transformer"])
    return kept


def to_plain(value: Any) -> Any:
    """A config as nested dictionaries, lists and numbers."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value


def from_plain(cls: type[ConfigType], data: Any, where: str) -> ConfigType:
    """Read what `to_plain` gave as a dataclass.

    Args:
        cls: the dataclass.
        data: a dictionary with all of its fields; those made by `added_later` may be absent.
        where: what to call it in messages.

    Raises:
        ConfigError: a field is unknown, missing or ill-typed.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} must be a dictionary, found {type(data).__name__}")
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(typing.cast(Any, cls))
    names = [item.name for item in fields]
    for key in data:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1)
            raise ConfigError(
                f"{where} has no field {key!r}" + (f"; did you mean {near[0]!r}?" if near else f"; it has {names}")
            )
    data = {item.name: item.metadata[_BEFORE] for item in fields if _BEFORE in item.metadata} | dict(data)
    missing = [name for name in names if name not in data]
    if missing:
        raise ConfigError(f"{where} lacks {missing}; write it with to_dict(), which gives every field")
    return cls(**{name: read_value(hints[name], data[name], f"{where}.{name}") for name in names})


def read_value(hint: Any, value: Any, where: str) -> Any:
    """Check `value` against the type hint of its field, turning lists into tuples and dictionaries into dataclasses.

    Raises:
        ConfigError: it is of another type; `where` is what the message calls it.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return read_value(next(item for item in arguments if item is not type(None)), value, where)
    if dataclasses.is_dataclass(hint):
        return from_plain(typing.cast(type, hint), value, where)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{where} is {value!r}; choose one of {arguments}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or (arguments[-1] is not Ellipsis and len(value) != len(arguments)):
            raise ConfigError(f"{where} is {value!r}; expected a list like {hint}")
        return tuple(read_value(arguments[0], item, where) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where} is {value!r}; expected {hint.__name__}")
    return value
