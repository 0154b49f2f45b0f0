"""RLDS data in ArrayRecord files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodio.datasets.rlds.reader import RLDSReader

module = pytest.importorskip("array_record.python.array_record_module")


def as_array_record(folder: Path) -> Path:
    """Turns a data set of ours into one of two array_record shards, as tfds writes them; returns the first."""
    reader = RLDSReader(folder)
    records = [reader.record(index) for index in range(len(reader))]
    lengths = [1, len(records) - 1]
    paths = [folder / f"toy-train.array_record-{shard:05d}-of-00002" for shard in range(2)]
    for path, part in zip(paths, (records[:1], records[1:]), strict=True):
        writer = module.ArrayRecordWriter(str(path), "group_size:1")
        for record in part:
            writer.write(record)
        writer.close()
    info = json.loads((folder / "dataset_info.json").read_text())
    info["fileFormat"] = "array_record"
    info["splits"][0]["shardLengths"] = [str(length) for length in lengths]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return paths[0]
