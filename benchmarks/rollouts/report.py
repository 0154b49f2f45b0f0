"""report.html: one file that shows a rollout, with style, curve and videos inside, so that it can be sent to anyone."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from embodio.benchmarks.rollouts.curve import curve_svg
from embodio.benchmarks.rollouts.results import DEFINITION, STATUSES, EpisodeRow, Results
from embodio.datasets.pages.html_page import html_card, html_facts, html_page, html_text
from embodio.model.writing import write_bytes

# A sign besides the colour, for those who do not see the colour.
SIGNS = {"success": "✓", "failure": "✕", "timeout": "◷", "error": "!"}


def write_report(results: Results, path: Path, videos: Path, command: str) -> None:
    """Writes the page in one step.

    Args:
        results: What to show.
        path: The HTML file.
        videos: Folder with the videos that the rows name; those that are gone are left out.
        command: What to type to get these results again.
    """
    write_bytes(path, report_html(results, videos, command))


def report_html(results: Results, videos: Path, command: str) -> bytes:
    """The page in UTF-8; see `write_report`."""
    agent, environment = str(results.settings["agent"]), str(results.settings["env"])
    style = resources.files("embodio.benchmarks.rollouts").joinpath("report.css").read_text(encoding="utf-8")
    sections = [
        f'<h1>{html_text(agent)} <span class="soft">on</span> {html_text(environment)}</h1>',
        html_card("", _figures(results)),
        html_card("Success rate after each episode", curve_svg(results.rows) + _legend(results)),
        html_card("Videos", _videos(results, videos)),
        html_card("Episodes", _table(results)),
        html_card("How it was measured", _details(results, command)),
    ]
    return html_page(f"{agent} on {environment}", style, sections)


def _figures(results: Results) -> str:
    """The success rate in large, the other figures next to it."""
    summary, latency = results.summary, results.latency
    judged = summary.episodes - summary.counts["error"]
    rate = "n/a" if summary.success_rate is None else f"{summary.success_rate:.1%}"
    low, high = summary.wilson_95
    words = f"{summary.counts['success']} of {judged} episodes succeed; 95% interval {low:.1%} to {high:.1%}"
    tiles = {f"{SIGNS[status]} {status}": str(summary.counts[status]) for status in STATUSES[1:]}
    tiles["steps to success, mean"] = "n/a" if summary.mean_steps is None else f"{summary.mean_steps:.1f}"
    if latency is not None:
        tiles["ms to act, p50 / p95 / p99"] = f"{latency.p50:.1f} / {latency.p95:.1f} / {latency.p99:.1f}"
    cells = "\n".join(
        f'<div class="tile"><div class="value">{html_text(value)}</div><div class="name">{html_text(name)}</div></div>'
        for name, value in tiles.items()
    )
    return (
        f'<div class="hero"><div class="value">{rate}</div><p class="soft">{words}</p></div>\n'
        f'<div class="tiles">{cells}</div>\n<p class="note">{html_text(DEFINITION)}</p>'
    )


def _legend(results: Results) -> str:
    counts = results.summary.counts
    items = "".join(f"<span>{_status(status)} {counts[status]}</span>" for status in STATUSES)
    return f'\n<div class="legend">{items}<span class="soft">shaded: 95% Wilson interval</span></div>'


def _status(status: str) -> str:
    return f'<span class="status {status}">{SIGNS[status]} {status}</span>'


def _videos(results: Results, folder: Path) -> str:
    """The videos themselves, as data inside the page; empty without any."""
    figures = [_video(row, folder / row.video) for row in results.rows if row.video and (folder / row.video).is_file()]
    return f'<div class="videos">{"".join(figures)}</div>' if figures else ""


def _video(row: EpisodeRow, file: Path) -> str:
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    return (
        '<figure><video controls autoplay loop muted playsinline preload="auto" '
        f'src="data:video/mp4;base64,{data}"></video>'
        f"<figcaption>{_status(row.status)} seed {row.seed}, {row.steps} steps</figcaption></figure>\n"
    )


def _table(results: Results) -> str:
    """One row per episode."""
    rows = "\n".join(
        f'<tr><td class="number">{row.seed}</td><td>{_status(row.status)}</td><td class="number">{row.steps}</td>'
        f'<td class="number">{row.seconds:.1f}</td><td class="message">{html_text(row.message)}</td></tr>'
        for row in results.rows
    )
    head = (
        '<tr><th class="number">seed</th><th>status</th><th class="number">steps</th>'
        '<th class="number">seconds</th><th>message</th></tr>'
    )
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>\n{rows}\n</tbody></table></div>'


def _details(results: Results, command: str) -> str:
    """Hashes, versions, machine, and the command."""
    entries: dict[str, Any] = {}
    for name, value in results.agent.items():
        entries |= _entries(f"agent, {name}", value)
    entries |= _entries("settings", {name: value for name, value in results.settings.items() if value is not None})
    entries |= {"versions": ", ".join(f"{name} {version}" for name, version in results.versions.items())}
    entries |= _entries("machine", ", ".join(f"{name} {value}" for name, value in results.machine.items()))
    if results.latency is not None:
        times = ", ".join(f"{name} {value:g}" for name, value in results.latency.to_dict().items())
        entries["act, milliseconds"] = times
    facts = html_facts({name: str(value) for name, value in entries.items()})
    return f"{facts}\n<pre><code>{html_text(command)}</code></pre>"


def _entries(name: str, value: Any) -> dict[str, Any]:
    """A value under its name; a mapping as one entry with all its items."""
    if isinstance(value, Mapping):
        return {name: ", ".join(f"{key} {item}" for key, item in value.items())}
    return {name: value}
