"""Corpora of every format behind a URL are those of the folder."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.record import Media, Record
from tests.support.datasets.toy import write_toy_dataset
from tests.support.train.media_corpus import wav, write_shard

SAVED = Path(__file__).parents[1] / "data" / "saved_by_datasets" / "train"
ROWS = [
    {"image": encode_image(np.full((16, 20, 3), number, np.uint8), "png"), "caption": f"grey {number}"}
    for number in range(5)
]
LINES = "".join(json.dumps({"text": f"line {number}"}) + "\n" for number in range(5))


def stream(folder: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(folder / "a.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def compressed(folder: Path) -> None:
    with pa.CompressedOutputStream(str(folder / "a.jsonl.zst"), "zstd") as out:
        out.write(LINES.encode())


def shards(folder: Path) -> None:
    for shard in range(2):
        members = {f"{shard}{number}.png": row["image"] for number, row in enumerate(ROWS)}
        write_shard(folder / f"{shard}.tar", members | {f"{shard}3.txt": b"grey", f"{shard}3.wav": wav(np.ones(800))})


def media(folder: Path) -> None:
    for number, row in enumerate(ROWS):
        (folder / f"{number}.png").write_bytes(row["image"])  # type: ignore[arg-type]
        (folder / f"{number}.txt").write_text(str(row["caption"]))


FOLDERS: dict[str, Callable[[Path], Any]] = {
    "text": lambda folder: (folder / "a.txt").write_text("Roses are red"),
    "jsonl": lambda folder: (folder / "a.jsonl").write_text(LINES),
    "gz": lambda folder: (folder / "a.jsonl.gz").write_bytes(gzip.compress(LINES.encode())),
    "zst": compressed,
    "parquet": lambda folder: pa.parquet.write_table(pa.Table.from_pylist(ROWS), folder / "a.parquet"),
    "arrow": stream,
    "save_to_disk": lambda folder: [(folder / one.name).write_bytes(one.read_bytes()) for one in SAVED.iterdir()],
    "webdataset": shards,
    "media": media,
    "episodes": lambda folder: write_toy_dataset(folder, episodes=2, steps=3),
}


def content(record: Record) -> list[str]:
    """Everything in a record, decoded."""
    parts: list[Any] = list(vars(record).values())
    if record.trajectory is not None:
        parts += [*vars(record.trajectory).values(), *record.trajectory.images]
    plain = [str(part) for part in parts if not isinstance(part, Media) and "object at" not in str(part)]
    return [*plain, *(str(part.load().tolist()) for part in parts if isinstance(part, Media))]


@pytest.mark.parametrize("kind", FOLDERS)
def test_records_behind_a_url_are_those_of_the_folder(kind: str, tmp_path: Path) -> None:
    FOLDERS[kind](tmp_path)
    memory, url = fsspec.filesystem("memory"), f"urls-{kind}"
    memory.put(f"{tmp_path}/", f"/{url}/", recursive=True)
    here, there = open_records(tmp_path), pickle.loads(pickle.dumps(open_records(f"memory://{url}")))
    assert len(there) == len(here) > 0
    for index in reversed(range(len(here))):
        assert content(there.record(index)) == content(here.record(index))
