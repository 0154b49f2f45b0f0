"""Verdicts, p-values and differences in words."""

from __future__ import annotations

from embodio.benchmarks.statistics.verdicts import Verdict


def in_words(verdict: Verdict, margin: str, counted: str) -> str:
    """A verdict on A as a phrase.

    Args:
        verdict: the verdict.
        margin: what counts as equal, such as "5 points".
        counted: what more of is needed, such as "episodes of each".
    """
    if verdict.word in ("better", "worse"):
        return f"A is {verdict.word}"
    if verdict.word == "equal":
        return f"equal within {margin}"
    more = "" if verdict.more is None else f": {verdict.more} more {counted} are needed"
    return f"cannot tell{more}"


def p_in_words(p_value: float) -> str:
    """A p-value with as many digits as matter."""
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.4f}"


def points(value: float) -> str:
    """A difference of rates in percentage points, with its sign."""
    return f"{100 * value:+.1f}"
