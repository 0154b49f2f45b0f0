"""Settings built from plain values, each checked against its type in the schema."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embodio.train.command_line.arguments import hint, mistyped
from embodio.train.command_line.help import MISSING, show
from embodio.train.command_line.schema import (
    NAMED,
    Key,
    NamedElements,
    SchemaError,
    UsageError,
    is_open,
    is_schema,
    keys_of,
    nearest,
    plain_type,
    value_type,
)

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class SettingError(UsageError):
    """One setting that cannot be used.

    Attributes:
        name: Its dotted name.
        problem: What is wrong, without a full stop.
        remedy: What to write instead; begins with the full stop.
    """

    def __init__(self, name: str, problem: str, remedy: str = ".") -> None:
        self.name, self.problem, self.remedy = name, problem, remedy
        super().__init__(problem + remedy)


def plain_defaults(schema: type) -> dict[str, Any]:
    """The defaults of a schema as nested plain values; `MISSING` for required ones."""
    return {field.name: _default(field) for field in dataclasses.fields(schema)}


def checked(schema: type, values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested plain values, each checked against its type in the schema; missing ones take their defaults.

    Args:
        schema: The dataclass that describes them.
        values: Field name -> value; `MISSING` stays what it is.
        prefix: Put before the names in errors.

    Raises:
        SettingError: A name is not in the schema, or a value has another type.
    """
    if not isinstance(values, Mapping):
        name = prefix.removesuffix(".")
        known = f": {', '.join(keys_of(schema))}."
        raise SettingError(name, f"'{name}' is a group of keys; set {prefix}<key>=value", known)
    annotations = typing.get_type_hints(schema)
    names = [field.name for field in dataclasses.fields(schema)]
    for name in values:
        if name not in names:
            known = ", ".join(names) if prefix else ""
            guess = nearest(str(name), names if prefix else keys_of(schema))
            raise SettingError(f"{prefix}{name}", f"There is no key '{prefix}{name}'", hint(guess, known=known))
    found = {}
    for field in dataclasses.fields(schema):
        name, value = f"{prefix}{field.name}", values.get(field.name, _default(field))
        found[field.name] = _checked(annotations[field.name], value, name, field.metadata.get(NAMED))
    return found


def build(schema: type, values: Mapping[str, Any]) -> Any:
    """The instance of a schema that checked values describe, nested ones included.

    Raises:
        UsageError: Keys without default are missing; or an error of the schemas' own checks.
    """
    missing = [_must_be_given(name, keys_of(schema)) for name, value in flat(values).items() if value == MISSING]
    if missing:
        raise UsageError("\n".join(missing))
    return _build(schema, values)


def _build(annotation: Any, value: Any, named: NamedElements | None = None) -> Any:
    plain = plain_type(annotation)
    if value is None:
        return None
    if named is not None:
        try:
            return {name: _build(named.schema(name), item) for name, item in value.items()}
        except named.errors as error:
            raise UsageError(str(error)) from error
    if is_schema(plain):
        annotations = typing.get_type_hints(plain)
        kinds = {field.name: field.metadata.get(NAMED) for field in dataclasses.fields(plain)}
        return plain(**{name: _build(annotations[name], item, kinds[name]) for name, item in value.items()})
    if is_open(plain):
        return {name: _build(value_type(plain), item) for name, item in value.items()}
    return value


def _must_be_given(name: str, keys: Mapping[str, Key]) -> str:
    key = keys.get(name) or keys.get(re.sub(r"\.[^.]+\.", ".<name>.", name, count=1))
    return f"'{name}' must be given: {name}=..." + (f" ({key.doc})" if key else "")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted name -> value of nested settings, including those that hold others."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found[prefix + name] = value
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
    return found


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return to_plain(field.default)
    return MISSING if field.default_factory is dataclasses.MISSING else to_plain(field.default_factory())


def to_plain(value: Any) -> Any:
    """A value as YAML can hold it: dataclasses become mappings, tuples lists, paths text."""
    if dataclasses.is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: to_plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _checked(annotation: Any, value: Any, name: str, named: NamedElements | None = None) -> Any:
    plain = plain_type(annotation)
    if plain is Any or (isinstance(value, str) and value == MISSING):
        return value
    wrong = SettingError(name, mistyped(name, annotation, show(value)))
    if value is None:
        if plain is annotation:
            raise wrong
        return None
    if is_schema(plain):
        return checked(plain, value, f"{name}.")
    if is_open(plain):
        if not isinstance(value, Mapping):
            braces = f"'{name}={{<name>:value,...}}' in quotes: shells take braces apart."
            raise SettingError(name, wrong.problem, f". Write {name}.<name>=value, or {braces}")
        entries = {str(key): (item, f"{name}.{key}") for key, item in value.items()}
        if named is None:
            return {key: _checked(value_type(plain), item, full) for key, (item, full) in entries.items()}
        return {key: _named(named, key, item, full) for key, (item, full) in entries.items()}
    if typing.get_origin(plain) in (list, tuple):
        if not isinstance(value, list | tuple):
            raise wrong
        try:
            items = [_checked(typing.get_args(plain)[0], item, name) for item in value]
        except SettingError as error:
            raise wrong from error
        return typing.get_origin(plain)(items)
    try:
        return _one(plain, value)
    except ValueError as error:
        raise wrong from error


def _named(named: NamedElements, key: str, value: Any, name: str) -> dict[str, Any]:
    """The settings of one value of a mapping with known names; a plain value is that of its short field."""
    names = named.names()
    if key not in names:
        meant = hint(nearest(key, names), known=", ".join(names), prefix=name.removesuffix(key))
        raise SettingError(name, f"There is no key '{name}'", meant)
    return checked(named.schema(key), value if isinstance(value, Mapping) else {named.short: value}, f"{name}.")


def _one(kind: Any, value: Any) -> Any:
    """A single value as the type `kind`; text is read as that type where it can be.

    Raises:
        ValueError: It is not such a value.
    """
    if typing.get_origin(kind) is typing.Literal:
        if value in typing.get_args(kind):
            return value
        raise ValueError(f"{value!r} is none of {typing.get_args(kind)}")
    if kind not in (bool, int, float, str, Path):
        raise SchemaError(f"A setting cannot be of type {kind!r}; known are bool, int, float, str, Path, and lists.")
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    if kind in (str, Path):
        if isinstance(value, str if kind is Path else bool | int | float) and value != "":
            return kind(value)
    elif kind is bool:
        if str(value).lower() in _WORDS:
            return _WORDS[str(value).lower()]
    elif isinstance(value, str if kind is int else str | int) and not isinstance(value, bool):
        return kind(value)
    raise ValueError(f"{value!r} is not of type {kind.__name__}")
