"""A comparison of models as a table for the terminal and as a page."""

from __future__ import annotations

import math

from rich.box import SIMPLE_HEAD
from rich.table import Table

from embodio.benchmarks.comparing.intervals_svg import Bar
from embodio.benchmarks.comparing.page import ComparisonPage
from embodio.benchmarks.comparing.words import in_words, p_in_words
from embodio.benchmarks.evaluation.comparison.comparison import DEFINITION, ComparedFigure, ModelComparison, over_tasks
from embodio.benchmarks.evaluation.figures import arrow, number

HEADINGS = (
    "task", "figure", "items", "unreadable A, B", "A", "B", "A - B (95%)", "p", "p, corrected", "verdict",
)  # fmt: skip


def table(comparison: ModelComparison) -> Table:
    """The comparison for the terminal."""
    shown = Table(title=f"A: {comparison.a}   B: {comparison.b}", caption=_caption(comparison), box=SIMPLE_HEAD)
    for name in HEADINGS:
        left = name in ("task", "figure", "verdict")
        shown.add_column(name, justify="left" if left else "right", overflow="fold")
    for row in comparison.shown:
        shown.add_row(*_cells(row, comparison))
    return shown


def _cells(row: ComparedFigure, comparison: ModelComparison) -> list[str]:
    """The texts of a row."""
    found = row.found
    ends = "" if found.interval is None else f" ({_signed(found.interval[0])} to {_signed(found.interval[1])})"
    return [
        row.task,
        f"{found.figure} {arrow(found.better)}",
        str(found.items),
        f"{row.unreadable[0]}, {row.unreadable[1]}",
        number(found.a),
        number(found.b),
        f"{_signed(found.difference)}{ends}",
        p_in_words(found.p_value),
        "" if row.p_corrected is None else p_in_words(row.p_corrected),
        _verdict(row, comparison),
    ]


def _caption(comparison: ModelComparison) -> str:
    """How it was compared, and what was left out."""
    judged = "main figure of each task" if comparison.judge == "main" else "figures"
    text = f"Paired by item; judged by the {judged}, with Holm's correction."
    alone = over_tasks(comparison.rows, "alone")
    if any(alone):
        text += f" Without a partner: {alone[0]} items of A, {alone[1]} of B."
    for side, names in zip("AB", comparison.only, strict=True):
        text += f" Only {side} has {', '.join(names)}." if names else ""
    return text


def page_of(comparison: ModelComparison, command: str) -> ComparisonPage:
    """The page."""
    rows = comparison.shown
    main = comparison.pooled or rows[0]
    margin = comparison.rule.margin
    return ComparisonPage(
        a=comparison.a,
        b=comparison.b,
        verdict=_verdict(main, comparison),
        caption=_caption(comparison),
        subject="Differences of figures, A - B",
        bars=[bar for row in rows if row.verdict is not None and (bar := _bar(row)) is not None],
        margin=margin,
        note=f"differences within {100 * margin:g} points, or {100 * margin:g}% of B's value for figures without "
        "bounds, which count as equal. Of figures with an arrow down, lower values are better.",
        unit="points, or percent of B's value",
        headings=HEADINGS,
        rows=[_cells(row, comparison) for row in rows],
        definition=DEFINITION,
        command=command,
    )


def _bar(row: ComparedFigure) -> Bar | None:
    """The difference as a share of its scale; None where it is undefined."""
    found = row.found
    if found.interval is None or not math.isfinite(found.difference) or not found.scale:
        return None
    values = [value / found.scale for value in (found.difference, *found.interval)]
    return Bar(f"{row.task}: {found.figure} {arrow(found.better)}", *values)


def _verdict(row: ComparedFigure, comparison: ModelComparison) -> str:
    if row.verdict is None:
        return ""
    margin = comparison.rule.margin
    unit = f"{100 * margin:g} points" if row.found.bounded else f"{100 * margin:g}%"
    return in_words(row.verdict, unit, "items")


def _signed(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:+.4g}"
