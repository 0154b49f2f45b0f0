"""Arguments of a command: `key=value` words, checked against a schema's keys before composition."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from keyword import iskeyword
from pathlib import Path

from embodio.train.command_line.schema import Key, UsageError, nearest, type_in_words, value_type

Groups = Mapping[str, Sequence[str]]
"""Config group -> the names of its files."""
STAGE = "stage"
"""The key of a recipe that names the program's schema, where it has several; not a setting."""


def groups_of(config_dir: Path | None) -> dict[str, list[str]]:
    """The config groups of a folder: its sub-folders with YAML files, and those files' names, such as `a` or `b/a`."""
    if config_dir is None or not config_dir.is_dir():
        return {}
    found = {
        folder.name: sorted(file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.yaml"))
        for folder in config_dir.iterdir()
    }
    return {name: options for name, options in sorted(found.items()) if options}


def stage_of(recipe: Path) -> str | None:
    """The stage that a recipe, a YAML file, says it is of; None if it does not, or cannot be read."""
    import yaml  # needed for recipes only

    try:
        values = yaml.safe_load(recipe.read_bytes())
    except (OSError, yaml.YAMLError):
        return None  # composition says what is wrong with it
    stage = values.get(STAGE) if isinstance(values, dict) else None
    return stage if isinstance(stage, str) else None


def split(argv: Sequence[str], keys: Mapping[str, Key], groups: Groups) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Checks the names of all arguments.

    Args:
        argv: `key=value` arguments.
        keys: The schema's keys.
        groups: The config groups.

    Returns:
        The chosen option of each group, and the other names with their values as typed.

    Raises:
        UsageError: An argument is not written key=value, or there is no such key, group or option.
    """
    chosen: dict[str, str] = {}
    settings: list[tuple[str, str]] = []
    for argument in argv:
        name, equals, value = argument.partition("=")
        name += "_" * iskeyword(name)  # see `Key.typed`
        if argument.startswith("-"):
            guess = nearest(name.lstrip("-").replace("-", "_"), [*keys, *groups])
            meant = hint(guess, "={}", value)
            raise UsageError(f"'{argument}' is not an option. Settings are written key=value{meant}")
        if not equals:
            raise UsageError(f"'{argument}' sets nothing. Settings are written key=value" + hint(nearest(name, keys)))
        if name in groups:
            if value not in groups[name]:
                guess, known = nearest(value, groups[name]), ", ".join(groups[name]) or "none"
                raise UsageError(f"There is no {name}={value}" + hint(guess, known=known, prefix=f"{name}="))
            chosen[name] = value
            continue
        require_known(name, keys)
        if annotation_of(name, keys) is None:
            raise UsageError(f"There is no key '{name}'" + hint(nearest(name, [*keys, *groups])))
        settings.append((name, value))
    return chosen, settings


def require_known(name: str, keys: Mapping[str, Key]) -> None:
    """Refuses a name inside a mapping with known names that is not one of them; raises UsageError."""
    mapping, _, rest = name.partition(".")
    one = rest.partition(".")[0]
    named = keys[mapping].named if mapping in keys else None
    if one and named is not None and one not in named.names():
        names = named.names()
        meant = hint(nearest(one, names), known=", ".join(names), prefix=f"{mapping}.")
        raise UsageError(f"There is no key '{mapping}.{one}'{meant}")


def inside_named(name: str, keys: Mapping[str, Key]) -> bool:
    """Whether this is a setting of one value of a mapping with known names."""
    mapping, _, rest = name.partition(".")
    return "." in rest and mapping in keys and keys[mapping].named is not None


def annotation_of(name: str, keys: Mapping[str, Key]) -> object | None:
    """The type of the values that a name takes, which may be an entry of a mapping; None if there is no such key."""
    key = keys.get(name) or keys.get(re.sub(r"\.[^.]+\.", ".<name>.", name, count=1))
    if key is not None:
        return key.annotation
    owners = [keys[name[: dot.start()]] for dot in re.finditer(r"\.", name) if name[: dot.start()] in keys]
    return next((value_type(owner.annotation) for owner in owners if owner.is_open), None)


def mistyped(name: str, annotation: object, got: str) -> str:
    """The message about a value of the wrong type."""
    wanted = type_in_words(annotation)
    return f"'{name}' must be {'an' if wanted[0] in 'aeiou' else 'a'} {wanted}, got '{got}'"


def hint(guess: str | None, form: str = "", value: str = "", *, known: str = "", prefix: str = "") -> str:
    """The end of an error message: the probable intention, and the choices."""
    text = ""
    if guess is not None:
        text = f". Did you mean '{prefix}{guess}{form.format(value) if value else ''}'?"
    elif not known:
        text = "."
    if known:
        text += f"{'' if text else '.'} Known: {known}."
    return text


def quoted(argument: str) -> str:
    """Text as a hydra string literal, so that nothing in it means anything."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: m.group(1) * 2 + ("\\'" if m.group(2) else ""), argument)
    return f"'{escaped}'"


def with_names(arguments: Sequence[str], names: Sequence[str]) -> list[str]:
    """The arguments, the first ones without a key taken as the values of `names`, which are texts."""
    left, found = list(names), []
    for argument in arguments:
        plain = bool(left) and "=" not in argument and not argument.startswith("-")
        found.append(f"{left.pop(0)}={argument}" if plain else argument)
    return found


def with_list(arguments: Sequence[str], name: str) -> list[str]:
    """The arguments, all those without a key taken as the list that is the value of `name`."""
    plain = [argument for argument in arguments if "=" not in argument and not argument.startswith("-")]
    others = [argument for argument in arguments if argument not in plain]
    return others + ([f"{name}=[{','.join(map(quoted, plain))}]"] if plain else [])
