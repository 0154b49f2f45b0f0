"""`embodio-data corpus`: builds the corpus with progress bars, and says what was found and what was left out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from embodio.datasets.corpus.build import MANIFEST, SourceSummary, build_corpus
from embodio.datasets.corpus.source import CorpusRequest
from embodio.datasets.corpus.sources import named_source, source_names
from embodio.datasets.progress import counted
from embodio.train.command_line.output_path import require_writable
from embodio.train.commands.data.schemas import CorpusConfig

_MEGABYTE = 1e6


def corpus(config: CorpusConfig) -> int:
    """Builds the corpus and reports; returns the exit code, 1 if there is none of the sources."""
    require_writable(config.out, folder=True)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    request = CorpusRequest(config.seed, config.limit)
    try:
        summaries = build_corpus(
            config.out,
            {name: named_source(name) for name in config.sources or source_names()},
            request,
            config.workers,
            lambda name, total: counted(name, total, console),
            config.engine,
        )
    except KeyboardInterrupt:
        console.print("The finished shards are kept: the same command goes on from there")
        raise
    report(summaries, console)
    console.print(f"{config.out / MANIFEST} lists all of it")
    return 0 if any(not summary.absent for summary in summaries) else 1


def report(summaries: Sequence[SourceSummary], console: Console) -> None:
    """Draws a table of what there is, and says what was left out and which package brings it."""
    table = Table("source", "training", "validation", "MB", "ships", "licence")
    for summary in summaries:
        if not summary.absent:
            entry = summary.entry
            counts = [f"{entry['records'][split]:,}" for split in ("train", "validation")]
            size, ships = f"{entry['bytes'] / _MEGABYTE:,.1f}", "yes" if entry["ships"] else "no"
            table.add_row(summary.name, *counts, size, ships, entry["licence"])
    if table.row_count:
        console.print(table)
    for summary in summaries:
        if summary.absent:
            console.print(f"{summary.name}: left out, because {summary.absent}")
        for note in summary.entry.get("notes", ()):
            console.print(f"{summary.name}: {note}")
        for reason, count in summary.entry.get("left_out", {}).items():
            console.print(f"{summary.name}: left out {count} {reason}")
