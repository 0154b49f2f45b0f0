"""Shards: the files of a source, each made by one job, complete on disk or absent, equal for equal items."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from embodio.datasets.corpus.source import SPLITS, CorpusError, CorpusItem, CorpusPlan, CorpusSource, LeftOut, Split
from embodio.model.file_names import fault_of_name
from embodio.model.writing import remove_partial, replacing, write_json

_SUFFIX = {"webdataset": "tar", "jsonl": "jsonl"}
RECEIPTS = ".shards"
"""Folder of a source with one receipt for each finished shard."""


@dataclass(frozen=True)
class ShardJob:
    """One shard to be made.

    Attributes:
        source: name of the source.
        split: its side.
        number: of the shard on this side.
        items: what goes into it, in this order.
        seed: of everything that is drawn at random.
    """

    source: str
    split: Split
    number: int
    items: tuple[CorpusItem, ...]
    seed: int

    @property
    def name(self) -> str:
        """Such as "train-00003"."""
        return f"{self.split}-{self.number:05d}"

    def path(self, folder: Path, layout: str) -> Path:
        """The shard below the folder of its source."""
        return folder / self.split / f"{self.number:05d}.{_SUFFIX[layout]}"

    def fingerprint(self, version: int) -> str:
        """SHA-256 in hex of all that decides the content of the shard."""
        items = [[item.key, item.origin, item.data] for item in self.items]
        text = json.dumps([self.source, version, self.seed, items], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class ShardReceipt:
    """What a finished shard holds.

    Attributes:
        fingerprint: of the job that made it.
        records: number of records.
        size: bytes of the file.
        left_out: reason -> number of items without a record.
    """

    fingerprint: str
    records: int
    size: int
    left_out: Mapping[str, int] = field(default_factory=dict)


def jobs_of(name: str, source: CorpusSource, plan: CorpusPlan, seed: int) -> list[ShardJob]:
    """The shards of a plan, training ones first.

    Raises:
        CorpusError: two items have one key, or a key is not a name of a file without dots.
    """
    seen: set[str] = set()
    for item in plan.items:
        if item.key in seen or "." in item.key or fault_of_name(item.key):
            raise CorpusError(f"source {name}: the key {item.key!r} is there twice, or cannot name a file")
        seen.add(item.key)
    jobs = []
    for split in SPLITS:
        items = [item for item in plan.items if item.split == split]
        for number, begin in enumerate(range(0, len(items), source.shard_records)):
            chunk = tuple(items[begin : begin + source.shard_records])
            jobs.append(ShardJob(name, split, number, chunk, seed))
    return jobs


def finished(folder: Path, job: ShardJob, source: CorpusSource) -> ShardReceipt | None:
    """The receipt of a shard that is there and was made by an equal job; None if it is still to be made."""
    try:
        receipt = ShardReceipt(**json.loads(_receipt_path(folder, job).read_text(encoding="utf-8")))
        size = job.path(folder, source.layout).stat().st_size
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return receipt if (receipt.fingerprint, receipt.size) == (job.fingerprint(source.version), size) else None


def make_shard(folder: Path, source: CorpusSource, job: ShardJob) -> ShardReceipt:
    """Makes a shard and then its receipt, each atomically.

    Args:
        folder: of the source.
        source: makes the samples.
        job: what goes into the shard.
    """
    path, left_out = job.path(folder, source.layout), Counter[str]()
    _receipt_path(folder, job).unlink(missing_ok=True)  # it belongs to what is replaced now
    write = _write_lines if source.layout == "jsonl" else _write_tar
    with replacing(path) as temporary:
        records = write(temporary, _samples(job, source, left_out))
    receipt = ShardReceipt(
        job.fingerprint(source.version), records, path.stat().st_size, dict(sorted(left_out.items()))
    )
    write_json(_receipt_path(folder, job), asdict(receipt))
    return receipt


def remove_others(folder: Path, jobs: Sequence[ShardJob], layout: str) -> int:
    """Removes shards of an earlier, longer plan, and what killed processes left; returns the number of shards."""
    for place in (RECEIPTS, *SPLITS):
        if (folder / place).is_dir():
            remove_partial(folder / place)
    wanted = {job.path(folder, layout) for job in jobs}
    receipts = {_receipt_path(folder, job) for job in jobs}
    others = [path for split in SPLITS for path in (folder / split).glob(f"*.{_SUFFIX[layout]}") if path not in wanted]
    for path in [*others, *(path for path in (folder / RECEIPTS).glob("*.json") if path not in receipts)]:
        path.unlink()
    return len(others)


def _receipt_path(folder: Path, job: ShardJob) -> Path:
    return folder / RECEIPTS / f"{job.name}.json"


def _samples(
    job: ShardJob, source: CorpusSource, left_out: Counter[str]
) -> Iterator[tuple[str, Mapping[str, bytes | str]]]:
    """Key and sample of each item that gives one; the others are counted."""
    for item in job.items:
        try:
            yield item.key, source.make(item, job.seed)
        except LeftOut as reason:
            left_out[str(reason)] += 1


def _write_tar(path: Path, samples: Iterator[tuple[str, Mapping[str, bytes | str]]]) -> int:
    """A WebDataset shard: the members of a sample follow one another; no times, no users. Returns their number."""
    count = 0
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for key, sample in samples:
            for extension, content in sorted(sample.items()):
                data = content.encode() if isinstance(content, str) else content
                member = tarfile.TarInfo(f"{key}.{extension}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
            count += 1
    return count


def _write_lines(path: Path, samples: Iterator[tuple[str, Mapping[str, Any]]]) -> int:
    """One JSON object a line, with the key; returns their number."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for key, sample in samples:
            file.write(json.dumps({"key": key, **sample}, ensure_ascii=False) + "\n")
            count += 1
    return count
