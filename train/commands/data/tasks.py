"""`embodio-data tasks`: the tasks of the catalogue, their shares of the stream, and which can be read here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from embodio.datasets.catalogue.rates import Rates, rates
from embodio.datasets.catalogue.rows import TaskCategory, TaskRow, catalogue_folder, find_row, read_catalogue
from embodio.model.writing import write_json
from embodio.train.commands.data.schemas import TasksConfig

_WIDTH = 140  # characters in a line of a table that goes into a file
_FILTERS = ("match", "category", "family", "modality", "licence", "kind", "format", "readable")


def tasks(config: TasksConfig) -> int:
    """Shows categories, the rows that a filter leaves, or one row; returns the exit code, 1 if nothing is left."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDTH
    categories = read_catalogue(catalogue_folder(config.catalogue))
    shares = rates(categories)
    if config.source:
        _show_row(find_row(categories, config.source), shares, config, console)
        return 0
    kept = [(category, [row for row in category.rows if _wanted(row, category, config)]) for category in categories]
    kept = [(category, rows) for category, rows in kept if rows]
    if not kept:
        console.print("no task is left by these filters; embodio-data tasks lists the categories")
        return 1
    if config.out is not None:
        write_json(config.out, _as_json(kept, shares, config), indent=2)
        console.print(f"wrote {config.out}")
    elif config.rows or any(getattr(config, name) for name in _FILTERS):
        console.print(_row_table(kept, shares, config))
    else:
        console.print(_category_table(kept, shares, config))
    _show_totals([row for _, rows in kept for row in rows], shares, config, console)
    return 0


def _wanted(row: TaskRow, category: TaskCategory, config: TasksConfig) -> bool:
    """Whether a row passes all filters."""
    return (
        (not config.match or config.match.lower() in f"{row.name} {row.title}".lower())
        and config.category.lower() in f"{category.name} {category.group}".lower()
        and config.family in ("", row.family)
        and (not config.modality or config.modality in (*row.inputs, *row.outputs))
        and config.licence.lower() in row.licence.lower()
        and config.kind in ("", row.kind)
        and config.format in ("", row.format)
        and not (config.readable and config.data is not None and row.missing(config.data))
    )


def _here(row: TaskRow, config: TasksConfig) -> Text:
    """What is missing to read a row, in two words."""
    if not row.opens:
        return Text("no reader yet", style="dim")
    if config.data is None:
        return Text("")
    return Text("yes", style="green") if row.files(config.data) else Text("no files", style="yellow")


def _percent(share: float) -> str:
    """A share with three digits after the point, as small ones are hundredths of a percent."""
    return f"{100 * share:.3f}"


def _category_table(
    kept: Sequence[tuple[TaskCategory, Sequence[TaskRow]]], shares: Rates, config: TasksConfig
) -> Table:
    table = Table("category", "what", "tasks", "%", *(["readable here"] if config.data is not None else []))
    group = ""
    for category, rows in kept:
        if category.group != group:
            group = category.group
            alike = [one for one, _ in kept if one.group == group]
            total = sum(shares.categories.get(one.name, 0.0) for one in alike)
            table.add_section()
            table.add_row(Text(group, style="bold"), "", "", Text(_percent(total), style="bold"))
        here = [str(sum(not row.missing(config.data) for row in rows))] if config.data is not None else []
        share = _percent(shares.categories.get(category.name, 0.0))
        table.add_row(f"  {category.name}", category.title, str(len(rows)), share, *here)
    return table


def _row_table(kept: Sequence[tuple[TaskCategory, Sequence[TaskRow]]], shares: Rates, config: TasksConfig) -> Table:
    table = Table()
    table.add_column("task", no_wrap=True)
    for name in ("family", "format"):
        table.add_column(name)
    for name in ("size", "%"):
        table.add_column(name, justify="right")
    table.add_column("here")
    table.add_column("licence", no_wrap=True)
    for category, rows in kept:
        table.add_section()
        table.add_row(Text(category.name, style="bold"))
        for row in rows:
            share = _percent(shares.rows[row.name]) if row.name in shares.rows else "measured"
            size = "" if row.size is None else f"{row.size:,}"
            how = row.family or " ".join(row.objectives)
            table.add_row(f"  {row.name}", how, row.format, size, share, _here(row, config), row.licence)
    return table


def _show_row(row: TaskRow, shares: Rates, config: TasksConfig, console: Console) -> None:
    """All that the catalogue says of a row."""
    for name, value in _values(row, shares, config).items():
        if value not in (None, "", [], {}):
            shown = ", ".join(str(one) for one in value) if isinstance(value, list) else value
            console.print(f"{name}: {shown}")


def _show_totals(rows: Sequence[TaskRow], shares: Rates, config: TasksConfig, console: Console) -> None:
    known = [row.size for row in rows if row.size is not None]
    trained = sum(shares.rows.get(row.name, 0.0) for row in rows)
    families = {row.family for row in rows if row.family}
    origins = {row.origin for row in rows}
    console.print(
        f"{_count(len(rows), 'task')} on {_count(len(origins), 'source')}, "
        f"{len(families)} of the families, {100 * trained:.2f} % of the stream; "
        f"{sum(known):,} items where the size is known ({_count(len(known), 'task')})"
    )
    opened = sum(row.opens for row in rows)
    if config.data is None:
        console.print(f"{opened} have a reader; data=DIR shows whose files are there")
        return
    readable = sum(not row.missing(config.data) for row in rows)
    console.print(f"{opened} have a reader, {readable} can be read in {config.data}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _values(row: TaskRow, shares: Rates, config: TasksConfig) -> dict[str, Any]:
    """The fields of a row, its share of the stream, and whether it can be read."""
    found: dict[str, Any] = {}
    for one in dataclasses.fields(row):
        value = getattr(row, one.name)
        found[one.name] = list(value) if isinstance(value, tuple) else value
    found["share"] = shares.rows.get(row.name, 0.0)
    found["has_reader"] = row.opens
    if config.data is not None:
        found["missing"] = row.missing(config.data)
    return found


def _as_json(
    kept: Sequence[tuple[TaskCategory, Sequence[TaskRow]]], shares: Rates, config: TasksConfig
) -> dict[str, Any]:
    return {
        "data": None if config.data is None else str(Path(config.data)),
        "kinds": dict(shares.kinds),
        "categories": {
            category.name: {
                "title": category.title,
                "group": category.group,
                "share": shares.categories.get(category.name, 0.0),
                "tasks": [_values(row, shares, config) for row in rows],
            }
            for category, rows in kept
        },
    }
