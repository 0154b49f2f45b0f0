"""The command line of every embodio program: `key=value` settings, in hydra's grammar, checked against a dataclass.

A program declares its settings as a dataclass and calls `run`:

    def main(argv=None) -> int:
        return run(TrainConfig, train, argv, prog="embodio-train", description="Train an agent.", config_dir=CONFIGS)

Settings are written `key=value` (`optimiser.learning_rate=1e-3`, `noise=[0,0.2]`). A folder `experiment/` inside
`config_dir` is a *group*: `experiment=lift` applies `experiment/lift.yaml`, which the command line
overrides. A group that has the name of a nested dataclass sets that one only, any other may set every key.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from embodio.model.writing import DISK_ERRORS, WriteError
from embodio.train.command_line.arguments import groups_of, split
from embodio.train.command_line.building import build, checked, flat, plain_defaults
from embodio.train.command_line.help import help_page
from embodio.train.command_line.schema import Key, UsageError, keys_of
from embodio.train.interruption import Interruption, Terminated

Config = TypeVar("Config")

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_ASKED = ("--help", "-h", "--show", "--version")
EXIT_TERMINATED = 143
_OUTPUT_ERRORS = DISK_ERRORS | {errno.EPIPE, errno.EIO}
"""Error numbers of printing to a terminal or file that is gone or full."""


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
        user_errors: Errors that `execute` raises about things its user can fix; they are shown without a traceback.

    Returns:
        The exit code: 0, what `execute` returned, 1 after a user error or if a file cannot be read or written, 2 for a
        wrong command line, 130 after SIGINT, 143 after SIGTERM.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    failures: tuple[type[Exception], ...] = (*user_errors, WriteError)
    try:
        if set(_ASKED) & set(arguments):
            _show(schema, arguments, prog, description, examples, config_dir)
            sys.stdout.flush()
            return 0
        with Interruption() as interruption:
            code = execute(compose(schema, arguments, config_dir=config_dir)) or 0
            interruption.check()
            sys.stdout.flush()
            return code
    except UsageError as error:
        _complain(f"{prog}: {error}\nAll keys: {prog} --help")
        return EXIT_USAGE
    except failures as error:
        _complain(f"{prog}: {error}")
        return EXIT_FAILED
    except OSError as error:
        if error.filename is None and error.errno not in _OUTPUT_ERRORS:
            raise
        with suppress(OSError):  # perhaps nothing can be printed any more
            shown = f"{error.filename}: {error.strerror or error}" if error.filename else WriteError.of("output", error)
            _complain(f"{prog}: {shown}")
        _forget_output()
        return EXIT_FAILED
    except KeyboardInterrupt as error:
        ended = isinstance(error, Terminated)
        _complain(f"\n{prog}: {'terminated' if ended else 'interrupted'}")
        return EXIT_TERMINATED if ended else EXIT_INTERRUPTED


def _forget_output() -> None:
    """Drops what could not be printed, which Python would otherwise try once more, and complain, when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _show(
    schema: type, arguments: Sequence[str], prog: str, description: str, examples: Sequence[str], folder: Path | None
) -> None:
    """Prints the version, the help page, or the configuration that the command line gives."""
    if "--version" in arguments:
        from importlib.metadata import version

        sys.stdout.write(f"{prog} {version('embodio')}\n")
        return
    settings = [argument for argument in arguments if argument not in _ASKED]
    helps = bool({"--help", "-h"} & set(arguments))
    values = _values(schema, settings, folder) if settings or not helps else plain_defaults(schema)
    if helps:
        keys = _with_given_names(keys_of(schema), values)
        page = help_page(prog, description, examples, keys, flat(values), groups_of(folder))
        sys.stdout.write(f"{page}\n")
    else:
        from embodio.train.command_line.composition import as_yaml

        sys.stdout.write(as_yaml(values))


def _with_given_names(keys: Mapping[str, Key], values: Mapping[str, Any]) -> dict[str, Key]:
    """The keys, each name that is given in a mapping with known names followed by its settings."""
    found: dict[str, Key] = {}
    for name, key in keys.items():
        found[name] = key
        mapping, _, one = name.partition(".")
        named = keys[mapping].named if mapping in keys else None
        if named is not None and one in values[mapping]:
            found |= keys_of(named.schema(one), f"{name}.")
    return found


def compose(schema: type[Config], argv: Sequence[str], *, config_dir: Path | None = None) -> Config:
    """The configuration that a command line describes.

    Args:
        schema: Dataclass of the settings.
        argv: `key=value` arguments.
        config_dir: Folder whose sub-folders are the config groups.

    Raises:
        UsageError: An unknown key or group option (the nearest known one is named), a value of the wrong type, or a
            required key that is not given.
    """
    return cast(Config, build(schema, _values(schema, argv, config_dir)))


def _values(schema: type, argv: Sequence[str], config_dir: Path | None) -> dict[str, Any]:
    """The values that a command line gives; hydra is loaded once the names are known to be right."""
    if not argv:
        return checked(schema, plain_defaults(schema))
    split(argv, keys_of(schema), groups_of(config_dir))
    from embodio.train.command_line.composition import composed

    return composed(schema, argv, config_dir)
