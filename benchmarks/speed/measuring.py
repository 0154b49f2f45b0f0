"""Runs of a benchmark suite: figures written to a file and shown as a table."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.speed.machine import machine, versions
from embodio.benchmarks.speed.suites import SUITES, BenchmarkConfig, Row, load_suite
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.progress import progress_bars
from embodio.model.process_memory import peak_memory
from embodio.model.writing import write_json

RESULTS = "results.json"


def benchmark(config: BenchmarkConfig, console: Console | None = None) -> list[Row]:
    """Runs a suite, writes results.json and shows the figures.

    Args:
        config: What to measure.
        console: Where progress and table are shown; None for the standard error.

    Raises:
        BenchmarkError: The suite is missing or cannot measure what was requested, or another process writes to the
            same folder.
    """
    console = console or Console(stderr=True)
    load_suite(config.suite)  # a missing one is refused before a folder is made
    with sole_user(config.folder, "measuring into", BenchmarkError):
        return _benchmark(config, console)


def _benchmark(config: BenchmarkConfig, console: Console) -> list[Row]:
    suite = load_suite(config.suite)
    threads, start = torch.get_num_threads(), time.perf_counter()
    torch.set_num_threads(config.threads)
    try:
        with progress_bars(console, visible=True) as progress:
            rows = suite(config, progress)
    finally:
        torch.set_num_threads(threads)
    seconds = time.perf_counter() - start
    path = config.folder / RESULTS
    write_results(path, config, rows, seconds)
    console.print(table(rows, f"{config.suite}: {SUITES[config.suite]}"))
    if config.quick:
        console.print("quick=true: these figures are of toys; they only show that the suite runs")
    busy = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    console.print(
        f"Measured in {seconds:.0f} s on {machine()['processor']}, {config.threads} thread(s), fastest of "
        f"{config.repeats}; load of the machine {busy}; peak memory {peak_memory():,.0f} MB\nResults: {path.resolve()}",
        soft_wrap=True,
        highlight=False,
    )
    return rows


def write_results(path: Path, config: BenchmarkConfig, rows: Sequence[Row], seconds: float) -> None:
    """Writes the figures with everything needed to judge them; the file appears complete or not at all."""
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(config).items()}
    content: dict[str, Any] = {
        "suite": config.suite,
        "settings": settings,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "rows": [row.to_dict() for row in rows],
        "peak_memory_mb": round(peak_memory(), 1),
        "machine": machine(),
        "versions": versions(),
    }
    write_json(path, content)


def table(rows: Sequence[Row], title: str) -> Table:
    """The figures as a table for the terminal; goals that are missed are red."""
    shown = Table(title=title)
    for column in ("what", "value", "reference", "ratio", "goal", "note"):
        shown.add_column(column, justify="left" if column in ("what", "note") else "right", overflow="fold")
    for row in rows:
        colour = {None: "", True: "[green]", False: "[red]"}[row.reached]
        shown.add_row(
            row.name,
            f"{_number(row.value)} {row.unit}".strip(),
            "" if row.reference is None else _number(row.reference),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            f"{colour}{row.goal}",
            row.note,
        )
    return shown


def _number(value: float) -> str:
    """A number with three or more significant digits, without an exponent unless a person would write one."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 0.001 else f"{value:.2e}"
