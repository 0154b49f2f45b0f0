"""JSON lines, also compressed by gzip or zstd: one record a line, its values named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from embodio.datasets.records.columns import RowRecords, loaded_row
from embodio.datasets.records.files.file_set import FileSet, plain_name
from embodio.datasets.records.lines import LineRecords
from embodio.datasets.records.opening import RecordFormat
from embodio.datasets.records.settings import Origin, RecordSettings, refuse

_LINES = (".jsonl", ".ndjson", ".jsonlines")
_ENDINGS = tuple(suffix + packing for suffix in (*_LINES, ".json") for packing in ("", ".gz", ".zst"))
_TABLE = "metadata.jsonl"  # of a folder of media


class JsonLines(RowRecords, LineRecords):
    """Rows of JSON; images and sounds are files that they name."""

    kind = "jsonl"

    def _row(self, number: int, row: int) -> tuple[Mapping[str, Any], Origin]:
        text = self._text(number, row)
        origin = self.origin(number, row, f"at byte {self._tables[number].arrays['spans'][row][0]}")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            refuse(origin, f"not JSON ({error})", error)
        return loaded_row(value, origin), origin


def _holds(files: FileSet) -> bool:
    """Whether the data are JSON lines; there may be media that they name, and one JSON of facts."""
    lines = [name for name in files.names if plain_name(name).endswith(_LINES) and not name.endswith(_TABLE)]
    if any(name.endswith((".arrow", ".tar", ".parquet")) or "tfrecord" in name for name in files.names):
        return False
    return bool(lines) or all(name.lower().endswith(_ENDINGS) for name in files.names)


def _opened(files: FileSet, settings: RecordSettings) -> JsonLines:
    lines = [name for name in files.names if plain_name(name).endswith(_LINES)]
    return JsonLines(files.only(lines) if lines else files.with_suffix(*_ENDINGS), settings)


READER = RecordFormat("jsonl", ".jsonl or .ndjson, also .gz and .zst", _holds, _opened)
