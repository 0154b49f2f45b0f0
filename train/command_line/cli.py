"""The command line of every embodio program: `key=value` settings checked against a dataclass, through hydra.

A program declares its settings as a dataclass and calls `run`:

    def main(argv=None) -> int:
        return run(TrainConfig, train, argv, prog="embodio-train", description="Train an agent.", config_dir=CONFIGS)

Settings are written `key=value` (`optimiser.learning_rate=1e-3`, `noise=[0,0.2]`). A folder `experiment/` inside
`config_dir` is a *group*: `experiment=lift` applies `experiment/lift.yaml`, and what is on the command line wins over
it. A group that has the name of a nested dataclass sets that one only, any other may set every key.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from embodio.model.writing import DISK_ERRORS, WriteError
from embodio.train.command_line.help import help_page
from embodio.train.command_line.schema import (
    ConfigError,
    Key,
    NamedElements,
    build,
    element_schema,
    is_schema,
    keys_of,
    nearest,
)
from embodio.train.interruption import Interruption, Terminated

Config = TypeVar("Config")

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_TOLD = ("--help", "-h", "--show", "--version")
EXIT_TERMINATED = 143
_OUTPUT_ERRORS = DISK_ERRORS | {errno.EPIPE, errno.EIO}
"""Numbers of errors that printing ends in when the terminal or the file behind it is gone or full."""
_OWN_FOLDER = Path(__file__).resolve().parent


def run(
    schema: type[Config],
    execute: Callable[[Config], int | None],
    argv: Sequence[str] | None = None,
    *,
    prog: str,
    description: str,
    examples: Sequence[str] = (),
    config_dir: Path | None = None,
    user_errors: tuple[type[Exception], ...] = (),
) -> int:
    """Reads the command line into a configuration, runs the program on it, and reports mistakes in plain words.

    `--help` lists every key; `--show` prints the configuration that the command line gives, as YAML; `--version` prints
    that of embodio.

    Args:
        schema: Dataclass of the settings; fields without default must be given.
        execute: The program; its result is the exit code (None is 0).
        argv: Arguments without the program's name; None takes those of the process.
        prog: The program's name as typed.
        description: One or two sentences for the help page.
        examples: Complete commands for the help page.
        config_dir: Folder whose sub-folders are the config groups.
        user_errors: Errors that `execute` raises about things its user can mend; they are shown without a traceback.

    Returns:
        The exit code: 0, what `execute` returned, 1 after a user error or if a file cannot be read or written, 2 for a
        wrong command line, 130 after SIGINT, 143 after SIGTERM.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        if set(_TOLD) & set(arguments):
            _show(schema, arguments, prog, description, examples, config_dir)
            return 0
        with Interruption() as interruption:
            code = execute(compose(schema, arguments, config_dir=config_dir)) or 0
            interruption.check()
            return code
    except ConfigError as error:
        errors.print(f"{prog}: {error}\nAll keys: {prog} --help", markup=False)
        return EXIT_USAGE
    except user_errors as error:
        errors.print(f"{prog}: {error}", markup=False)
        return EXIT_FAILED
    except WriteError as error:
        errors.print(f"{prog}: {error}", markup=False)
        return EXIT_FAILED
    except OSError as error:
        if error.filename is None and error.errno not in _OUTPUT_ERRORS:
            raise
        with suppress(OSError):  # perhaps nothing can be printed any more
            shown = f"{error.filename}: {error.strerror or error}" if error.filename else WriteError.of("output", error)
            errors.print(f"{prog}: {shown}", markup=False)
        return EXIT_FAILED
    except KeyboardInterrupt as error:
        ended = isinstance(error, Terminated)
        errors.print(f"\n{prog}: {'terminated' if ended else 'interrupted'}")
        return EXIT_TERMINATED if ended else EXIT_INTERRUPTED


def _show(
    schema: type, arguments: Sequence[str], prog: str, description: str, examples: Sequence[str], folder: Path | None
) -> None:
    """Prints the version, the help page, or the configuration that the command line gives."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    if "--version" in arguments:
        console.print(f"{prog} {version('embodio')}")
        return
    config = _compose(schema, [argument for argument in arguments if argument not in _TOLD], folder)
    if not {"--help", "-h"} & set(arguments):
        console.print(OmegaConf.to_yaml(config), end="")
        return
    shown = _flat(cast("dict[str, Any]", OmegaConf.to_container(config, resolve=False)))
    keys = _with_given_names(keys_of(schema), config)
    console.print(help_page(prog, description, examples, keys, shown, _groups(folder)))


def _with_given_names(keys: Mapping[str, Key], config: DictConfig) -> dict[str, Key]:
    """The keys, each name that is given in a mapping with known names followed by its settings."""
    found: dict[str, Key] = {}
    for name, key in keys.items():
        found[name] = key
        mapping, _, one = name.partition(".")
        named = keys[mapping].named if mapping in keys else None
        if named is not None and one in (config[mapping] or {}):
            found |= keys_of(named.schema(one), f"{name}.")
    return found


def compose(schema: type[Config], argv: Sequence[str], *, config_dir: Path | None = None) -> Config:
    """The configuration that a command line describes.

    Args:
        schema: Dataclass of the settings.
        argv: `key=value` arguments.
        config_dir: Folder whose sub-folders are the config groups.

    Raises:
        ConfigError: An unknown key or group option (the nearest known one is named), a value of the wrong type, or a
            required key that is not given.
    """
    config = _compose(schema, argv, config_dir)
    keys = keys_of(schema)
    with _readable(keys, config_dir, ()):
        missing = OmegaConf.missing_keys(config)
        plain = OmegaConf.to_container(config, resolve=True)
    if missing:
        lines = [f"'{name}' must be given: {name}=... ({key.doc})" for name, key in keys.items() if name in missing]
        raise ConfigError("\n".join(lines))
    return cast(Config, build(schema, _with_elements(keys, cast("dict[str, Any]", plain))))


def _with_elements(keys: dict[str, Key], values: dict[str, Any]) -> dict[str, Any]:
    """The values with those of mappings checked against the dataclass of the mapping, and filled up from it."""
    filled = dict(values)
    for name in [name for name in values if name in keys]:
        element, named = element_schema(keys[name].annotation), keys[name].named
        if named is not None:
            filled[name] = {k: _named_element(named, name, k, item) for k, item in (values[name] or {}).items()}
        elif element is not None:
            filled[name] = {k: _element(element, f"{name}.{k}", item) for k, item in (values[name] or {}).items()}
    return filled


def _named_element(named: NamedElements, mapping: str, name: str, given: Any) -> dict[str, Any]:
    """The settings of one value of a mapping with known names; a plain value is that of its short field."""
    names = named.names()
    if name not in names:
        guess = nearest(name, names)
        raise ConfigError(
            f"There is no key '{mapping}.{name}'" + _hint(guess, known=", ".join(names), prefix=f"{mapping}.")
        )
    return _element(named.schema(name), f"{mapping}.{name}", given if isinstance(given, dict) else {named.short: given})


def _element(schema: type, where: str, given: Any) -> dict[str, Any]:
    known = keys_of(schema)
    if not isinstance(given, dict):
        raise ConfigError(f"'{where}' is a group of keys; set {where}.<key>=value: {', '.join(known)}.")
    for key in given:
        if key not in known:
            raise ConfigError(f"There is no key '{where}.{key}'" + _hint(nearest(key, known), known=", ".join(known)))
    try:
        merged = OmegaConf.merge(_writable(OmegaConf.structured(schema)), given)
    except OmegaConfBaseException as error:
        key = str(getattr(error, "full_key", "") or "").partition("[")[0]
        wanted = _article(known[key].type_name) if key in known else "of another type"
        raise ConfigError(f"'{where}.{key}' must be {wanted}, got {given.get(key)!r}") from error
    missing = sorted(OmegaConf.missing_keys(merged))
    if missing:
        raise ConfigError("\n".join(f"'{where}.{key}' must be given ({known[key].doc})" for key in missing))
    return cast("dict[str, Any]", OmegaConf.to_container(merged, resolve=True))


def _compose(schema: type, argv: Sequence[str], config_dir: Path | None) -> DictConfig:
    """The composed configuration, in which required keys may still be missing."""
    keys, groups = keys_of(schema), _groups(config_dir)
    nested = {name.split(".")[0] for name in keys if "." in name}
    overrides = [_override(argument, keys, groups, nested) for argument in argv]
    name = "embodio_" + re.sub(r"\W", "_", f"{schema.__module__}_{schema.__qualname__}")
    store = ConfigStore.instance()
    store.store(name=f"{name}_schema", node=_writable(OmegaConf.structured(schema)))
    choices = [{_group_key(group, nested): None} for group in groups]
    store.store(name=name, node={"defaults": [f"{name}_schema", *choices, "_self_"]})
    with _readable(keys, config_dir, argv):
        inside = [override for override in overrides if _inside_named(override, keys)]
        if not inside:
            return _composed(name, overrides, config_dir)
        outside = [override for override in overrides if override not in inside]
        given = _composed(name, outside, config_dir)
        return _composed(name, [*outside, *_written_out(given, inside, keys), *inside], config_dir)


def _composed(name: str, overrides: Sequence[str], config_dir: Path | None) -> DictConfig:
    outer = GlobalHydra.instance().hydra
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir or _OWN_FOLDER)):
            return hydra_compose(name, overrides=list(overrides))
    finally:
        GlobalHydra.instance().hydra = outer


def _inside_named(override: str, keys: Mapping[str, Key]) -> list[str]:
    """Mapping, name and field, if an override sets a field of one value of a mapping with known names; else nothing."""
    parts = override.partition("=")[0].lstrip("+").split(".", 2)
    return parts if len(parts) == 3 and parts[0] in keys and keys[parts[0]].named is not None else []


def _written_out(given: DictConfig, inside: Sequence[str], keys: Mapping[str, Key]) -> list[str]:
    """Overrides that write plain values out, `a.b=1` as `a.b.weight=1`, so that further fields can be set in them."""
    found = []
    for mapping, name in dict.fromkeys(tuple(_inside_named(override, keys)[:2]) for override in inside):
        named, value = keys[mapping].named, (given[mapping] or {}).get(name)
        if named is not None and value is not None and not isinstance(value, DictConfig):
            found.append(f"++{mapping}.{name}.{named.short}={value}")
    return found


def _override(argument: str, keys: dict[str, Key], groups: dict[str, list[str]], nested: set[str]) -> str:
    """One argument, checked, in hydra's grammar."""
    name, equals, value = argument.partition("=")
    if argument.startswith("-"):
        bare = name.lstrip("-").replace("-", "_")
        guess = nearest(bare, [*keys, *groups])
        raise ConfigError(f"'{argument}' is not an option. Settings are written key=value" + _hint(guess, "={}", value))
    if not equals:
        raise ConfigError(f"'{argument}' sets nothing. Settings are written key=value" + _hint(nearest(name, keys)))
    if name in groups:
        if value not in groups[name]:
            guess, known = nearest(value, groups[name]), ", ".join(groups[name]) or "none"
            raise ConfigError(f"There is no {name}={value}" + _hint(guess, known=known, prefix=f"{name}="))
        return f"{_group_key(name, nested)}={value}"
    key = keys.get(name) or keys.get(re.sub(r"\.\w+\.", ".<name>.", name, count=1))
    owners = [keys[name[:end]] for end in range(1, len(name) + 1) if name[:end] in keys and name[end:][:1] in ("", ".")]
    opened = "++" if any(owner.is_open for owner in owners) else ""
    if key is not None or opened:
        literal = key is not None and key.is_literal and value != "null"
        return f"{opened}{name}={_quoted(value) if literal else value}"
    raise ConfigError(f"There is no key '{name}'" + _hint(nearest(name, [*keys, *groups])))


def _hint(guess: str | None, form: str = "", value: str = "", *, known: str = "", prefix: str = "") -> str:
    """The end of an error message: what was probably meant, and what there is to choose from."""
    text = ""
    if guess is not None:
        text = f". Did you mean '{prefix}{guess}{form.format(value) if value else ''}'?"
    elif not known:
        text = "."
    if known:
        text += f"{'' if text else '.'} Known: {known}."
    return text


def _quoted(value: str) -> str:
    """Text as a hydra string literal, so that commas and brackets in it mean nothing; kept if quoted already."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value
    escaped = re.sub(r"(\\*)('|$)", lambda m: m.group(1) * 2 + ("\\'" if m.group(2) else ""), value)
    return f"'{escaped}'"


def _groups(config_dir: Path | None) -> dict[str, list[str]]:
    """Group name -> its options: the sub-folders with YAML files, and those files' names."""
    if config_dir is None or not config_dir.is_dir():
        return {}
    found = {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in config_dir.iterdir()}
    return {name: options for name, options in sorted(found.items()) if options}


def _group_key(group: str, nested: set[str]) -> str:
    """The group's name in hydra's grammar: with `@_global_` if its files may set every key."""
    return group if group in nested else f"{group}@_global_"


def _writable(config: DictConfig) -> DictConfig:
    """Lifts the write protection that frozen dataclasses bring along, so that overrides can be merged in."""
    OmegaConf.set_readonly(config, None)
    for name in config:
        child = config._get_node(name)
        if isinstance(child, DictConfig) and is_schema(child._metadata.element_type):
            child._metadata.element_type = Any  # so that keys can be set one by one; `_with_elements` checks them
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
            _writable(child)
    return config


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted name -> value of nested settings."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found[prefix + name] = value
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
    return found


@contextmanager
def _readable(keys: dict[str, Key], config_dir: Path | None, argv: Sequence[str]) -> Iterator[None]:
    """Turns the errors of hydra, OmegaConf and YAML into a ConfigError that names the key, the type and the place."""
    try:
        yield
    except yaml.YAMLError as error:
        raise ConfigError(f"A file in {config_dir} is not valid YAML: {error}") from error
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_explain(error, keys, argv)) from error


def _explain(error: Exception, keys: dict[str, Key], argv: Sequence[str]) -> str:
    """What a hydra or OmegaConf error says, in the words of this command line."""
    text = f"{error}\n{error.__cause__ or ''}"
    place = re.search(r"In '([^']+)'", text)
    where = f" (in {place.group(1)}.yaml)" if place else ""
    found = re.search(r"full_key: (\S+)", text) or re.search(r"(?:override|argument) '?\+*([\w.]+)=", text)
    if found is None:
        return str(error)
    name = re.sub(r"\[.*", "", found.group(1))
    owner = keys.get(name) or keys.get(name.split(".")[0])
    if owner is None:
        if any(key.startswith(f"{name}.") for key in keys):
            return f"'{name}' is a group of keys; set {name}.<key>=value instead{where}."
        return f"There is no key '{name}'{where}{_hint(nearest(name, keys))}"
    given = [argument.partition("=")[2] for argument in argv if argument.startswith((f"{name}=", f"{name}."))]
    value = re.search(r"Value '(.*?)'", text)
    got = f", got '{given[-1]}'" if given else (f", got '{value.group(1)}'" if value else "")
    if "nterpolation" in type(error).__name__ + text:
        return f"'{name}': {str(error).splitlines()[0]}{where}."
    wanted = owner.type_name if name == owner.name else owner.type_name.removeprefix("mapping of ")
    text = f"'{name}' must be {_article(wanted)}{got}{where}."
    if owner.is_open and name == owner.name and any(argument.startswith(f"{name}=") for argument in argv):
        text += f" Write {name}.<name>=value, or '{name}={{<name>:value,...}}' in quotes: shells take braces apart."
    return text


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
