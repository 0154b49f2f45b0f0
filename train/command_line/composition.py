"""Composition of a configuration: a schema's defaults, files of config groups, and `key=value` settings.

Settings are written in hydra's grammar. Plain values are merged; types and names are checked by `building`, so that
messages speak of this command line. A config group with the name of a nested dataclass sets that one only, any other
may set every key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from embodio.train.command_line.arguments import (
    STAGE,
    annotation_of,
    groups_of,
    inside_named,
    mistyped,
    quoted,
    split,
)
from embodio.train.command_line.building import SettingError, checked, plain_defaults, to_plain
from embodio.train.command_line.schema import Key, UsageError, keys_of, plain_type

_EMPTY = Path(__file__).resolve().parent
"""A folder without config groups."""


def composed(schema: type, argv: Sequence[str], config_dir: Path | None) -> dict[str, Any]:
    """The values that a command line gives, of the types that the schema says; required ones may be missing.

    Args:
        schema: Dataclass of the settings.
        argv: `key=value` arguments.
        config_dir: Folder whose sub-folders are the config groups.

    Raises:
        UsageError: An unknown key or group option, a value of another type, or a file that cannot be read.
    """
    keys, groups = keys_of(schema), groups_of(config_dir)
    chosen, settings = split(argv, keys, groups)
    nested = {name.partition(".")[0] for name in keys if "." in name}
    overrides = [(name, _override(name, value, keys)) for name, value in settings if not inside_named(name, keys)]
    inside = [_override(name, value, keys) for name, value in settings if inside_named(name, keys)]
    folder = (config_dir or _EMPTY).resolve()
    try:
        merged = OmegaConf.create(plain_defaults(schema))
        for group in sorted(chosen, key=nested.__contains__):
            read = _read(folder / group / f"{chosen[group]}.yaml")
            merged.merge_with({group: read} if group in nested else read)
        for name, override in overrides:
            OmegaConf.update(merged, name, override.value(), merge=True)
        values: Any = OmegaConf.to_container(merged, resolve=True)
        if STAGE not in keys:
            values.pop(STAGE, None)
        for override in inside:
            _set(values, override, keys)
        return checked(schema, values)
    except SettingError as error:
        place = _place(error.name, chosen, nested, folder)
        raise UsageError(f"{error.problem}{place}{error.remedy}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"A file in {folder} is not valid YAML: {error}") from error
    except OmegaConfBaseException as error:
        key = str(error.full_key or "")
        place = _place(key, chosen, nested, folder)
        raise UsageError(f"'{key}': {str(error).splitlines()[0]}{place}.") from error


def as_yaml(values: Mapping[str, Any]) -> str:
    """Checked values as YAML text."""
    return OmegaConf.to_yaml(OmegaConf.create(to_plain(values)))


def _read(file: Path) -> DictConfig:
    """The values of a file of a config group."""
    values = OmegaConf.load(file)
    if not isinstance(values, DictConfig):
        raise UsageError(f"{file} holds a list; expected keys with their values.")
    return values


def _set(values: Any, override: Override, keys: Mapping[str, Key]) -> None:
    """Sets a field of one value of a mapping with known names; a plain value is that of its short field."""
    mapping, name, field = override.key_or_group.split(".", 2)
    named = keys[mapping].named
    if named is None or not isinstance(values[mapping], dict):
        return  # `checked` reports what is wrong
    held = values[mapping].get(name, {})
    if not isinstance(held, dict):
        held = {named.short: held}
    node = OmegaConf.create(held)
    OmegaConf.update(node, field, override.value(), merge=True)
    values[mapping][name] = OmegaConf.to_container(node, resolve=True)


def _override(name: str, value: str, keys: Mapping[str, Key]) -> Override:
    """A setting in hydra's grammar, in which text and paths are taken literally."""
    annotation = annotation_of(name, keys)
    literal = plain_type(annotation) in (str, Path) and value != "null"
    line = f"++{name}={value if _is_quoted(value) or not literal else quoted(value)}"
    try:
        override = OverridesParser.create().parse_override(line)
    except HydraException as error:
        raise UsageError(mistyped(name, annotation, value) + ".") from error
    if override.is_sweep_override():
        raise UsageError(mistyped(name, annotation, value) + ".")
    return override


def _is_quoted(value: str) -> bool:
    return len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""


def _place(name: str, chosen: Mapping[str, str], nested: set[str], folder: Path) -> str:
    """The chosen file that sets a key, for a message; empty if none does."""
    for group, option in chosen.items():
        inner = name.removeprefix(f"{group}.") if group in nested else name
        values: Any = OmegaConf.to_container(OmegaConf.load(folder / group / f"{option}.yaml"), resolve=False)
        for part in inner.split("."):
            values = values.get(part, _EMPTY) if isinstance(values, dict) else _EMPTY
        if values is not _EMPTY:
            return f" (in {group}/{option}.yaml)"
    return ""
