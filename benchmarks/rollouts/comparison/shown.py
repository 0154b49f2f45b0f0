"""A comparison as a table for the terminal, as JSON and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from embodio.benchmarks.comparing.intervals_svg import Bar, intervals_svg
from embodio.benchmarks.comparing.page import ComparisonPage, write_comparison
from embodio.benchmarks.comparing.words import in_words, p_in_words, points
from embodio.benchmarks.rollouts.comparison.comparison import DEFINITION, Compared, Comparison
from embodio.benchmarks.rollouts.comparison.robust import Robustness
from embodio.benchmarks.statistics.verdicts import Rule, Verdict
from embodio.datasets.pages.html_page import html_page
from embodio.model.writing import write_bytes, write_json


def _in_words(verdict: Verdict, rule: Rule) -> str:
    return in_words(verdict, f"{100 * rule.margin:g} points", "episodes of each")


def table(comparison: Comparison) -> Table:
    """The comparison for the terminal."""
    shown = Table(
        title=f"A: {comparison.a}   B: {comparison.b}",
        caption=_caption(comparison),
        box=SIMPLE_HEAD,
        show_footer=len(comparison.tasks) > 1,
    )
    rows = [_cells(one, comparison.rule) for one in comparison.tasks]
    footer = _cells(comparison.pooled, comparison.rule)
    for name, last in zip(HEADINGS, footer, strict=True):
        shown.add_column(name, footer=last, justify="left" if name in ("task", "verdict") else "right", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    return shown


HEADINGS = (
    "task", "pairs", "errors A, B", "A", "B", "only A : only B", "A - B, points (95%)", "p, corrected", "verdict",
)  # fmt: skip


def _cells(one: Compared, rule: Rule) -> list[str]:
    (rate_a, rate_b), (low, high) = one.rates, one.interval
    return [
        one.task,
        f"{one.table.pairs:g}",
        f"{one.errors[0]}, {one.errors[1]}",
        f"{rate_a:.1%}",
        f"{rate_b:.1%}",
        f"{one.table.only_a:g} : {one.table.only_b:g}",
        f"{points(one.table.difference)} ({points(low)} to {points(high)})",
        p_in_words(one.p_corrected),
        _in_words(one.verdict, rule),
    ]


def _caption(comparison: Comparison) -> str:
    test = "McNemar test that may stop at any time" if comparison.sequential else "exact McNemar test"
    alone = comparison.pooled.alone
    unpaired = f" Without a partner: {alone[0]} episodes of A, {alone[1]} of B." if any(alone) else ""
    step = "at the last step" if comparison.judge == "last" else "at any step"
    return f"Paired by seed; {test}, Holm's correction; success {step}.{unpaired}"


def write(comparison: Comparison, folder: Path, command: str) -> Path:
    """Writes comparison.json and comparison.html; returns the page.

    Args:
        comparison: what to write.
        folder: is made if missing.
        command: the command line that makes it again.
    """
    return write_comparison(folder, comparison.to_json(), _page(comparison, command))


def _page(comparison: Comparison, command: str) -> ComparisonPage:
    together = [comparison.pooled] if len(comparison.tasks) > 1 else []
    rows, margin = [*comparison.tasks, *together], comparison.rule.margin
    return ComparisonPage(
        a=comparison.a,
        b=comparison.b,
        verdict=_in_words((together or comparison.tasks)[0].verdict, comparison.rule),
        caption=_caption(comparison),
        subject="Difference of success rates, A - B",
        bars=[Bar(one.task, one.table.difference, *one.interval) for one in rows],
        margin=margin,
        note=f"differences within {100 * margin:g} points, which count as equal.",
        headings=HEADINGS,
        rows=[_cells(one, comparison.rule) for one in rows],
        definition=DEFINITION,
        command=command,
    )


def robustness_table(agent: str, rows: Sequence[Robustness]) -> Table:
    """The table of robustness for the terminal."""
    shown = Table(title=f"{agent} under perturbations", caption=_ROBUSTNESS, box=SIMPLE_HEAD)
    for name in ROBUSTNESS_HEADINGS:
        shown.add_column(name, justify="left" if name in ("environment", "perturbation") else "right", overflow="fold")
    for row in rows:
        shown.add_row(*_robust_cells(row))
    return shown


ROBUSTNESS_HEADINGS = (
    "environment", "perturbation", "success", "rate (95%)", "errors", "difference, points (95%)", "p, corrected",
)  # fmt: skip
_ROBUSTNESS = (
    "Differences are from the same seeds without perturbations; intervals by Wilson and Newcombe, exact McNemar test, "
    "Holm's correction. Simulator errors are not in the rates."
)


def _robust_cells(row: Robustness) -> list[str]:
    summary, (low, high) = row.summary, row.interval
    errors = summary.counts["error"]
    rate = "n/a" if summary.success_rate is None else f"{summary.success_rate:.0%}"
    wilson = f"{rate} ({summary.wilson_95[0]:.0%} to {summary.wilson_95[1]:.0%})"
    compared = [f"{points(row.difference)} ({points(low)} to {points(high)})", p_in_words(row.p_corrected)]
    counted = f"{summary.counts['success']} of {summary.episodes - errors}"
    return [row.env, row.condition, counted, wilson, str(errors), *(compared if row.condition != "none" else ["", ""])]


def write_robustness(agent: str, rows: Sequence[Robustness], folder: Path) -> Path:
    """Writes robustness.json and robustness.html; returns the page."""
    content = {"version": 1, "agent": agent, "definition": _ROBUSTNESS, "rows": [row.to_json() for row in rows]}
    write_json(folder / "robustness.json", content)
    page = (folder / "robustness.html").resolve()
    perturbed = [row for row in rows if row.condition != "none"]
    bars = [Bar(row.condition, row.difference, *row.interval) for row in perturbed]
    cells = [_robust_cells(row) for row in rows]
    values = {"headings": ROBUSTNESS_HEADINGS, "rows": cells, "definition": _ROBUSTNESS, "picture": intervals_svg(bars)}
    title = f"{agent} under perturbations"
    write_bytes(page, html_page("embodio.benchmarks.rollouts", "robustness.html", title=title, agent=agent, **values))
    return page
