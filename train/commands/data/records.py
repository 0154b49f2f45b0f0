"""`embodio-data records`: what a corpus holds, how its files become records, and what is damaged."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from embodio.datasets.engines import Crew, named_engine
from embodio.datasets.errors import CorruptRecordError, UnusableRecord
from embodio.datasets.progress import counted
from embodio.datasets.records.columns import RowRecords
from embodio.datasets.records.files.file_set import file_set
from embodio.datasets.records.indexing import indexed_files, make_indices
from embodio.datasets.records.opening import reader_of
from embodio.datasets.records.record import RecordSource
from embodio.datasets.records.settings import RecordSettings
from embodio.datasets.records.summary import look_at
from embodio.train.commands.data.schemas import RecordsConfig

_FAULTS = 5  # that are listed


def records(config: RecordsConfig) -> int:
    """Shows reader, parts of records and damage; returns the exit code, 1 if no record that it looks at is whole."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    columns = {part: name.split(",") if "," in name else name for part, name in config.columns.items()}
    chosen = {"split": config.split, "reader": config.reader, "columns": columns, "unit": config.unit}
    settings = RecordSettings.of({**chosen, "duplicates": config.duplicates})
    files = file_set(config.source)
    reader = reader_of(files, settings)
    if config.engine != "local" or config.workers > 1:
        crew, number = Crew(named_engine(config.engine), config.workers), len(indexed_files(files, reader, settings))
        with counted("indices", number, Console(stderr=True, highlight=False)) as done:
            make_indices(files, settings, crew, done)
    source = reader.source(files, settings)
    dropped = f", {getattr(source, 'dropped', 0)} duplicates dropped" if settings.duplicates == "drop" else ""
    console.print(f"{source.name}: {len(source)} records, read by {reader.kind}{dropped}")
    console.print(f"digest {source.digest}")
    for error in getattr(source, "damaged", ()):
        console.print(Text(f"damaged: {error}", style="red"))
    seen = look_at(source, config.look)
    table = Table("part", f"of {seen.count} records", "column", "for example")
    origins = _origins(source)
    for name, count in sorted(seen.parts.items(), key=lambda item: item[0].startswith("fact")):
        table.add_row(name, str(count), origins.get(name, ""), Text(seen.examples[name]))
    console.print(table)
    for fault in seen.faults[:_FAULTS]:
        console.print(Text(fault, style="red"))
    if len(seen.faults) > _FAULTS:
        console.print(f"and {len(seen.faults) - _FAULTS} others")
    return 1 if seen.count and len(seen.faults) == seen.count else 0


def _origins(source: RecordSource) -> Mapping[str, str]:
    """Part of a record -> the column that it comes from, where rows have columns."""
    if not isinstance(source, RowRecords) or not len(source):
        return {}
    try:
        return source.columns.found(source.row(0))
    except (CorruptRecordError, UnusableRecord):
        return {}
