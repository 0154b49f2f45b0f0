"""The corpus as a folder: plans every source, makes the shards that are missing, and writes the manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from embodio.datasets.corpus.shards import ShardJob, ShardReceipt, finished, jobs_of, make_shard, remove_others
from embodio.datasets.corpus.source import (
    SPLITS,
    CorpusError,
    CorpusPlan,
    CorpusRequest,
    CorpusSource,
    SourceAbsent,
    Split,
)
from embodio.datasets.corpus.sources import source_names
from embodio.datasets.corpus.trajectories import Trajectories
from embodio.datasets.engines import Crew, DeadlyJob, named_engine
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.recording.collect import Players
from embodio.model.writing import write_json

MANIFEST = "corpus.json"
_FORMAT = 1


@dataclass(frozen=True)
class SourceSummary:
    """What a source gave.

    Attributes:
        name: of the source.
        entry: its entry of the manifest.
        absent: why it is not there, with the package that brings it; "" if it is.
    """

    name: str
    entry: Mapping[str, Any] = field(default_factory=dict)
    absent: str = ""


AnySource = CorpusSource | Trajectories
"""A source of shards, or of episodes."""
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Given a description and a total, draws a bar; yields a function to call with the number that is done."""


def build_corpus(
    out: Path,
    sources: Mapping[str, AnySource],
    request: CorpusRequest,
    workers: int,
    progress: Progress,
    engine: str = "local",
) -> list[SourceSummary]:
    """Builds the corpus, or what is missing of it; the result does not depend on the number of workers.

    Killed at any time, it loses the shards that were being made and no others: the same call goes on. A shard whose
    worker process dies is tried again in a fresh one.

    Args:
        out: folder of the corpus.
        sources: by their names.
        request: seed and limit.
        workers: processes.
        progress: draws a bar for each source.
        engine: what makes shards and episodes: "local" or "ray", see `embodio.datasets.engines`.

    Returns:
        One summary for each source, in their order.

    Raises:
        CorpusError: the folder is in use or holds something else, or a shard kills every process that makes it.
        EngineError: the engine is unknown or fails.
    """
    with sole_user(out, "building a corpus in", CorpusError):
        manifest = _manifest(out)
        summaries = []
        for name, source in sources.items():
            summary = _build_source(out, name, source, request, Players(engine, workers), progress)
            _enter(manifest, summary, source)
            write_json(out / MANIFEST, manifest)
            summaries.append(summary)
    return summaries


def _build_source(
    out: Path, name: str, source: AnySource, request: CorpusRequest, players: Players, progress: Progress
) -> SourceSummary:
    try:
        if isinstance(source, Trajectories):
            counts = source.build(out / name, request, players.workers, players.engine)
            size = sum(path.stat().st_size for path in (out / name).rglob("*") if path.is_file())
            return SourceSummary(name, _described(source) | {"records": dict(counts), "bytes": size})
        plan = source.plan(request)
    except SourceAbsent as reason:
        return SourceSummary(name, absent=str(reason))
    folder, crew = out / name, Crew(named_engine(players.engine), players.workers)
    jobs = jobs_of(name, source, plan, request.seed)
    receipts = {job.name: receipt for job in jobs if (receipt := finished(folder, job, source))}
    missing = [job for job in jobs if job.name not in receipts]
    with progress(name, len(plan.items)) as done:
        count = len(plan.items) - sum(len(job.items) for job in missing)
        done(count)
        make = partial(make_shard, folder, source)
        try:
            for number, receipt in crew.engine(make, missing, crew.workers, apart=plan.may_crash):
                receipts[missing[number].name] = receipt
                count += len(missing[number].items)
                done(count)
        except DeadlyJob as error:
            raise _deadly(missing[error.number], error.tries) from error
    remove_others(folder, jobs, source.layout)
    return SourceSummary(name, _entry(source, plan, [(job.split, receipts[job.name]) for job in jobs]))


def _deadly(job: ShardJob, tries: int) -> CorpusError:
    """The error for a shard that kills whatever process makes it."""
    return CorpusError(
        f"the shard {job.name} of {job.source} (from {job.items[0].key} to {job.items[-1].key}) killed {tries} worker "
        "processes. All finished shards are kept. If the memory is short, run the same command again with fewer "
        f"workers; otherwise build the other sources, with `sources=` that does not name {job.source}"
    )


def _entry(source: CorpusSource, plan: CorpusPlan, receipts: Sequence[tuple[Split, ShardReceipt]]) -> dict[str, Any]:
    """What the manifest says of a source."""
    left_out = Counter(plan.left_out)
    for _, receipt in receipts:
        left_out.update(receipt.left_out)

    def of(split: str, count: Callable[[ShardReceipt], int]) -> int:
        return sum(count(receipt) for side, receipt in receipts if side == split)

    return _described(source) | {
        "records": {split: of(split, lambda receipt: receipt.records) for split in SPLITS},
        "shards": {split: of(split, lambda receipt: 1) for split in SPLITS},
        "bytes": sum(receipt.size for _, receipt in receipts),
        "left_out": dict(sorted(left_out.items())),
        "notes": list(plan.notes),
    }


def _described(source: AnySource) -> dict[str, Any]:
    return {
        "title": source.title,
        "licence": source.licence,
        "ships": source.ships,
        "packages": list(source.packages),
        "layout": source.layout,
    }


def _enter(manifest: dict[str, Any], summary: SourceSummary, source: AnySource) -> None:
    """Puts a summary in its place; a source that is absent now keeps the entry of shards made earlier."""
    if not summary.absent:
        manifest["sources"][summary.name] = dict(summary.entry)
        manifest["absent"].pop(summary.name, None)
    elif summary.name not in manifest["sources"]:
        manifest["absent"][summary.name] = {"reason": summary.absent, "packages": list(source.packages)}
    for part in ("sources", "absent"):
        manifest[part] = dict(sorted(manifest[part].items()))


def _manifest(out: Path) -> dict[str, Any]:
    """The manifest in the folder, or an empty one; raises CorpusError if the folder holds something else."""
    path = out / MANIFEST
    if not path.exists():
        others = sorted(entry.name for entry in out.iterdir() if not entry.name.startswith("."))
        if _foreign(others):
            raise CorpusError(f"{out} holds {others[0]!r} and not a corpus. Choose an empty folder")
        return {"format": _FORMAT, "sources": {}, "absent": {}}
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorpusError(f"{path} is damaged: {error}. Remove it, and run the same again") from error
    if manifest.get("format") != _FORMAT:
        raise CorpusError(f"{path} is of format {manifest.get('format')!r}, not {_FORMAT}. Choose another folder")
    return manifest


def _foreign(names: Iterable[str]) -> bool:
    """Whether a folder without manifest holds anything but what a killed first run leaves."""
    return bool(set(names) - set(source_names()))
