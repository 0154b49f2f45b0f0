"""report.html: a rollout on one self-contained page, with style, curve and videos embedded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embodio.benchmarks.rollouts.curve import curve_svg
from embodio.benchmarks.rollouts.results import Results
from embodio.datasets.pages.html_page import html_page
from embodio.model.writing import write_bytes

# A sign besides the colour, for colour-blind readers.
SIGNS = {"success": "✓", "failure": "✕", "timeout": "◷", "abstained": "∅", "error": "!"}


def write_report(results: Results, path: Path, videos: Path, command: str) -> None:
    """Writes the page in one step.

    Args:
        results: What to show.
        path: The HTML file.
        videos: Folder with the videos named in the rows; missing ones are left out.
        command: The command line that gives these results again.
    """
    write_bytes(path, report_html(results, videos, command))


def report_html(results: Results, videos: Path, command: str) -> bytes:
    """The page in UTF-8; see `write_report`."""
    agent, environment = str(results.settings["agent"]), str(results.settings["env"])
    summary = results.summary
    shown = [(row, videos / row.video) for row in results.rows if row.video]
    return html_page(
        "embodio.benchmarks.rollouts",
        "report.html",
        title=f"{agent} on {environment}",
        agent=agent,
        environment=environment,
        summary=summary,
        judged=summary.episodes - summary.counts["error"],
        signs=SIGNS,
        tiles=_tiles(results),
        definition=summary.definition,
        curve=curve_svg(results.rows),
        by_task=results.by_task,
        videos=[(row, file.read_bytes()) for row, file in shown if file.is_file()],
        rows=results.rows,
        details=_details(results),
        command=command,
    )


def _tiles(results: Results) -> dict[str, str]:
    """The figures other than the success rate, name -> value."""
    summary, latency = results.summary, results.latency
    tiles = {f"{SIGNS[status]} {status}": str(count) for status, count in summary.shown.items() if status != "success"}
    tiles["steps to success, mean"] = "n/a" if summary.mean_steps is None else f"{summary.mean_steps:.1f}"
    if summary.any_step_rate != summary.success_rate:
        tiles["success at any step"] = f"{summary.any_step_rate:.1%}"
    if summary.spl is not None:
        tiles["SPL"] = summary.spl_in_words
    if latency is not None:
        tiles["ms to act, p50 / p95 / p99"] = f"{latency.p50:.1f} / {latency.p95:.1f} / {latency.p99:.1f}"
    return tiles


def _details(results: Results) -> dict[str, str]:
    """Hashes, versions, machine and times, name -> value."""
    entries: dict[str, Any] = {}
    for name, value in results.agent.items():
        entries |= _entries(f"agent, {name}", value)
    entries |= _entries("settings", {name: value for name, value in results.settings.items() if value is not None})
    entries |= {"versions": ", ".join(f"{name} {version}" for name, version in results.versions.items())}
    entries |= _entries("machine", ", ".join(f"{name} {value}" for name, value in results.machine.items()))
    if results.latency is not None:
        times = ", ".join(f"{name} {value:g}" for name, value in results.latency.to_dict().items())
        entries["act, milliseconds"] = times
    return {name: str(value) for name, value in entries.items()}


def _entries(name: str, value: Any) -> dict[str, Any]:
    """A value under its name; a mapping as one entry with all its items."""
    if isinstance(value, Mapping):
        return {name: ", ".join(f"{key} {item}" for key, item in value.items())}
    return {name: value}
