"""The keys of a dataclass schema, with their types, defaults and one-line docs."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NONE = type(None)
NAMED = "named elements"
"""The key of `NamedElements` in the metadata of a field."""


class UsageError(ValueError):
    """A configuration that the user must correct; its message names the key and what to write instead.

    A schema's `__post_init__` may raise it too, for values that have the right type but make no sense.
    """


class SchemaError(TypeError):
    """A schema dataclass that breaks this module's rules (a mistake of the program, not of its user)."""


@dataclass(frozen=True)
class NamedElements:
    """A mapping whose keys are known names, each with its own dataclass for the value.

    Attributes:
        names: gives name -> one line of explanation.
        schema: gives the dataclass of a name, which may import it.
        short: the field that a plain value sets: `<mapping>.<name>=<value>` is `<mapping>.<name>.<short>=<value>`.
        errors: what the dataclasses raise for values out of range; the message names the key.
    """

    names: Callable[[], Mapping[str, str]]
    schema: Callable[[str], type]
    short: str
    errors: tuple[type[Exception], ...] = ()

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata of a dataclass field that is such a mapping."""
        return {NAMED: self}


@dataclass(frozen=True)
class Key:
    """One setting.

    Attributes:
        name: The dotted name by which it is set, for example `optimiser.learning_rate`.
        annotation: Its Python type.
        doc: One line from the `Attributes:` section of the schema's docstring.
        required: Whether it has no default.
        default: Its default value, None if required.
        named: What a mapping with known names holds.
    """

    name: str
    annotation: Any
    doc: str
    required: bool
    default: Any
    named: NamedElements | None = None

    @property
    def typed(self) -> str:
        """The name as typed: `with`, which no attribute in Python may be called, is `with_` in a schema."""
        return self.name.removesuffix("_")

    @property
    def type_name(self) -> str:
        """The type in words, for example `list of float` or `path or null`."""
        return type_in_words(self.annotation)

    @property
    def is_literal(self) -> bool:
        """Whether a value on the command line is taken literally: text and paths."""
        return plain_type(self.annotation) in (str, Path)

    @property
    def is_open(self) -> bool:
        """Whether the key is a mapping to which further keys can be added."""
        return is_open(self.annotation)


def plain_type(annotation: Any) -> Any:
    """The annotation without its `| None`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        rest = [part for part in typing.get_args(annotation) if part is not _NONE]
        if len(rest) == 1:
            return rest[0]
    return annotation


def type_in_words(annotation: Any) -> str:
    """An annotation in the words of a command line, for example `int`, `path or null`, `list of float`."""
    plain = plain_type(annotation)
    if plain is not annotation:
        return f"{type_in_words(plain)} or null"
    origin, arguments = typing.get_origin(plain), typing.get_args(plain)
    if origin in (list, tuple):
        return f"list of {type_in_words(arguments[0])}"
    if is_open(plain):
        return "mapping" if is_schema(arguments[1]) else f"mapping of {type_in_words(arguments[1])}"
    if plain is Path or plain is Any:
        return "path" if plain is Path else "any value"
    if origin is typing.Literal:
        return f"choice of {', '.join(map(str, arguments))}"
    return str(getattr(plain, "__name__", plain))


def is_schema(annotation: Any) -> bool:
    """Whether the annotation is a dataclass type, so that its fields are keys of their own."""
    return inspect.isclass(annotation) and dataclasses.is_dataclass(annotation)


def is_open(annotation: Any) -> bool:
    """Whether the annotation is a mapping, to which names can be added."""
    return typing.get_origin(plain_type(annotation)) in (dict, Mapping)


def value_type(annotation: Any) -> Any:
    """The type of the values of a mapping."""
    return typing.get_args(plain_type(annotation))[1]


def keys_of(schema: type, prefix: str = "") -> dict[str, Key]:
    """All settings of a schema, nested ones by dotted names, in the order of their declaration.

    Those of the values of a mapping come after it, with `<name>` in place of its keys; of a mapping with known
    names, the names come after it.

    Args:
        schema: A dataclass whose docstring describes every field in an `Attributes:` section.
        prefix: Put before every name.

    Raises:
        SchemaError: The class is not a dataclass, or a field has no line in the docstring.
    """
    if not is_schema(schema):
        raise SchemaError(f"{schema!r} is not a dataclass, so it cannot describe a configuration.")
    docs = attribute_docs(schema)
    annotations = typing.get_type_hints(schema)
    found: dict[str, Key] = {}
    for field in dataclasses.fields(schema):
        name, annotation = prefix + field.name, annotations[field.name]
        if is_schema(annotation):
            found |= keys_of(annotation, name + ".")
            continue
        if field.name not in docs:
            raise SchemaError(f"{schema.__name__}.{field.name} has no line under `Attributes:` in the docstring.")
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        required = default is dataclasses.MISSING
        named: NamedElements | None = field.metadata.get(NAMED)
        found[name] = Key(name, annotation, docs[field.name], required, None if required else default, named)
        if named is not None:
            plain = {f"{name}.{one}": doc for one, doc in named.names().items()}
            found |= {one: Key(one, float, doc, False, "") for one, doc in plain.items()}
        elif is_open(annotation) and is_schema(value_type(annotation)):
            found |= keys_of(value_type(annotation), f"{name}.<name>.")
    return found


def attribute_docs(schema: type) -> dict[str, str]:
    """Field name -> its text in the `Attributes:` section of the Google-style docstring, its own or a base class's."""
    docs: dict[str, str] = {}
    for one in reversed(schema.__mro__):
        docs |= _own_docs(one)
    return docs


def _own_docs(schema: type) -> dict[str, str]:
    text = inspect.cleandoc(vars(schema).get("__doc__") or "")
    section = re.search(r"^Attributes:\n((?:[ \t]+.*\n?|\n)*)", text, re.MULTILINE)
    docs: dict[str, str] = {}
    if section is None:
        return docs
    name = ""
    for line in section.group(1).splitlines():
        start = re.match(r"(?: {4}|\t)(\w+)(?: \(.*?\))?:\s*(.*)", line)
        if start is not None:
            name = start.group(1)
            docs[name] = start.group(2)
        elif name and line.strip():
            docs[name] += " " + line.strip()
    return docs


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most similar to the given one, or None if none is similar.

    A name without its dots' prefix counts too, so that `learning_rate` finds `optimiser.learning_rate`, and so do
    initials such as `lr`.
    """
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return close[0]
    initials = {"".join(re.findall("(?:^|_)(.)", full.rsplit(".", 1)[-1])): full for full in reversed(names)}
    if len(name) > 1 and name in initials:
        return initials[name]
    by_tail = {full.rsplit(".", 1)[-1]: full for full in reversed(names)}
    close = difflib.get_close_matches(name.rsplit(".", 1)[-1], list(by_tail), n=1, cutoff=0.6)
    return by_tail[close[0]] if close else None
