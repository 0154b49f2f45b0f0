"""Curves of a run as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embodio.datasets.pages.html_page import html_part

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, HEIGHT = 460, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 26
_TICKS = 4
_MOST_POINTS = 600


@dataclass(frozen=True)
class Curve:
    """One line.

    Attributes:
        name: in the legend.
        points: (step, value); values that are not finite are left out.
        style: "train", "validation" or "reference".
    """

    name: str
    points: Sequence[tuple[float, float]]
    style: str = "train"


def curves_svg(title: str, curves: Sequence[Curve]) -> Markup | None:
    """Draws curves over the steps; None if none of them has a point."""
    kept = [Curve(one.name, _thinned(one.points), one.style) for one in curves]
    kept = [one for one in kept if one.points]
    if not kept:
        return None
    xs = [x for one in kept for x, _ in one.points]
    ys = [y for one in kept for _, y in one.points]
    (left, right), (low, high) = (min(xs), max(xs)), _limits(ys)

    def place(x: float, y: float) -> tuple[float, float]:
        along = (x - left) / (right - left) if right > left else 0.5
        up = (y - low) / (high - low)
        return _LEFT + along * (WIDTH - _LEFT - _RIGHT), HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM)

    lines = []
    for one in kept:
        spots = [place(x, y) for x, y in one.points]
        lines.append({"name": one.name, "style": one.style, "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)})
    grid = [low + (high - low) * tick / _TICKS for tick in range(_TICKS + 1)]
    return html_part(
        "embodio.train.observers",
        "curves.html",
        title=title,
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        bottom=HEIGHT - _BOTTOM,
        lines=lines,
        grid=[(f"{place(left, value)[1]:.1f}", f"{value:.3g}") for value in grid],
        ends=(f"{left:g}", f"{right:g}"),
    )


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.05 or max(abs(high), 1.0) * 0.05
    return low - margin, high + margin


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most some hundred points, each the mean of its neighbours; finite ones only."""
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    size = -(-len(finite) // _MOST_POINTS)
    groups = [finite[start : start + size] for start in range(0, len(finite), max(1, size))]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
