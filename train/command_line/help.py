"""The page that `--help` prints: every key of a program with its type, value and one line of explanation."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from embodio.train.command_line.schema import Key

MISSING = "???"
"""The value of a required key that is not given yet."""
_NARROWEST_DOC = 30
_WIDEST_COLUMN = 34


def help_page(
    prog: str,
    description: str,
    examples: Sequence[str],
    keys: Mapping[str, Key],
    values: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    width: int | None = None,
) -> str:
    """The help text of a program.

    Args:
        prog: The program's name as typed.
        description: One or two sentences.
        examples: Complete commands.
        keys: Dotted name -> key.
        values: Dotted name -> its current value; missing ones are shown as required.
        groups: Config group -> its options.
        width: Characters in a line; None asks the terminal.
    """
    width = width or max(80, min(shutil.get_terminal_size().columns, 140))
    lines = [textwrap.fill(description, width), "", f"usage: {prog} key=value ..."]
    lines += [f"  e.g. {example}" for example in examples]
    lines += [f"       {prog} ... --show    prints the configuration instead of running"]
    lines += [f"       {prog} --version     prints the version of embodio"]
    if any(key.type_name.startswith(("list", "mapping")) for key in keys.values()):
        lines += ["       Quote lists and mappings, as shells read brackets: 'key=[1,2]'"]
    if groups:
        lines += ["", "Named settings (what else is given wins over them):"]
        lines += [f"  {group}={'|'.join(options)}" for group, options in groups.items()]
    rows = [
        (key.typed, key.type_name, show(values.get(key.name, MISSING if key.required else key.default)), key.doc)
        for key in keys.values()
    ]
    lines += ["", *_table(("key", "type", "default", ""), rows, width)]
    return "\n".join(lines)


def show(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, str) and value == MISSING:
        return "(required)"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ",".join(show(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{show(item)}" for name, item in value.items()) + "}"
    return str(value)


def _table(header: tuple[str, str, str, str], rows: Sequence[tuple[str, str, str, str]], width: int) -> list[str]:
    """Rows in aligned columns; the last column is wrapped, an overlong cell pushes its row's rest to the right."""
    table = [header, *rows]
    columns = [min(_WIDEST_COLUMN, max(len(row[i]) for row in table)) for i in range(3)]
    indent = sum(columns) + 2 * 4
    lines: list[str] = []
    for row in table:
        head = "  " + "".join(f"{cell:<{column}}  " for cell, column in zip(row, columns, strict=False))
        doc = textwrap.wrap(row[3], max(_NARROWEST_DOC, width - indent)) or [""]
        lines.append((head + doc[0]).rstrip())
        lines += [" " * indent + line for line in doc[1:]]
    return lines
