"""A picture of differences with their intervals, one line each, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embodio.datasets.pages.html_page import html_part

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH, _NAMES, _RIGHT, _LINE, _TOP = 860, 260, 24, 30, 14


@dataclass(frozen=True)
class Bar:
    """One line of the picture.

    Attributes:
        name: what it is about.
        middle: the difference.
        low: lower limit of its interval.
        high: upper limit.
    """

    name: str
    middle: float
    low: float
    high: float


def intervals_svg(bars: Sequence[Bar], margin: float = 0.0, unit: str = "percentage points") -> Markup:
    """The picture, coloured by the style sheet of reports.

    Args:
        bars: one line each.
        margin: half the width of the band around 0 that counts as equal; 0 draws none.
        unit: of hundredths of the values.
    """
    reach = max([0.1, *(abs(limit) for bar in bars for limit in (bar.low, bar.high))])

    def x(value: float) -> float:
        return _NAMES + (_WIDTH - _RIGHT - _NAMES) * (value + reach) / (2 * reach)

    lines = [
        {
            "bar": bar,
            "y": _TOP + _LINE * (index + 0.5),
            "low": f"{x(bar.low):.1f}",
            "middle": f"{x(bar.middle):.1f}",
            "high": f"{x(bar.high):.1f}",
        }
        for index, bar in enumerate(bars)
    ]
    band = min(margin, reach)
    return html_part(
        "embodio.benchmarks.comparing",
        "intervals.html",
        unit=unit,
        width=_WIDTH,
        names=_NAMES - 12,
        bottom=_TOP + _LINE * len(bars),
        top=_TOP,
        lines=lines,
        band=(f"{x(-band):.1f}", f"{x(band) - x(-band):.1f}") if band else None,
        marks=[(f"{x(value):.1f}", f"{100 * value:+.0f}") for value in (-reach, -reach / 2, 0.0, reach / 2, reach)],
    )
