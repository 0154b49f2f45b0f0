"""Data sets of Hugging Face's `datasets` as `save_to_disk` writes them, and other Arrow files, read through pyarrow."""

from __future__ import annotations

import json
from typing import Any

from embodio.datasets.errors import DatasetError
from embodio.datasets.files.names import relative
from embodio.datasets.records.arrow_rows import ArrowRows, label_names, labels_of_schema, read_schema
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.opening import RecordFormat
from embodio.datasets.records.settings import RecordSettings

_STATE, _INFO = "state.json", "dataset_info.json"


def _holds(files: FileSet) -> bool:
    return any(name.endswith(".arrow") for name in files.names)


def _opened(files: FileSet, settings: RecordSettings) -> ArrowRows:
    states = [name for name in files.names if name.rpartition("/")[2] == _STATE]
    if len(states) > 1:
        splits = ", ".join(name.rpartition("/")[0] for name in states)
        raise DatasetError(f"{files.place} holds several data sets: {splits}. Give split= or the folder of one of them")
    if not states:
        arrows = files.with_suffix(".arrow")
        return ArrowRows(arrows, settings, labels_of_schema(read_schema(arrows.file(0))))
    folder = states[0].removesuffix(_STATE)
    state, info = _json(files, states[0]), _json(files, f"{folder}{_INFO}")
    if state.get("_indices_data_files"):
        raise DatasetError(f"{files.place} is a selection of rows. Save it again with flatten_indices().save_to_disk()")
    names = [str(entry["filename"]) for entry in state.get("_data_files", ()) if "filename" in entry]
    if not names:
        raise DatasetError(f"{files.place}/{states[0]} names no data files. Save the data set again")
    found = files.only(f"{folder}{relative(name, states[0])}" for name in names)
    missing = sorted(set(found.names) - set(files.names))
    if missing:
        raise DatasetError(
            f"{files.place}: {len(missing)} of {len(names)} data files are missing, such as {missing[0]}"
        )
    return ArrowRows(found, settings, label_names(info.get("features")))


def _json(files: FileSet, name: str) -> dict[str, Any]:
    file = files.named(name)
    try:
        loaded = json.loads(file.read(0, file.stamp()[0])) if name in files.names else {}
    except ValueError as error:
        raise DatasetError(f"{files.place}/{name} is not JSON ({error}). Save the data set again") from error
    finally:
        file.close()
    return loaded if isinstance(loaded, dict) else {}


READER = RecordFormat("arrow", "Hugging Face datasets of save_to_disk, or .arrow files", _holds, _opened)
