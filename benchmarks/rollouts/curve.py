"""The curve of a rollout as SVG: success rate after each episode with its 95% interval, and a strip of outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embodio.benchmarks.rollouts.summary import EpisodeRow, summarise
from embodio.datasets.pages.html_page import html_part

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH, _HEIGHT = 860, 300
_LEFT, _RIGHT, _TOP = 52, 16, 14
_PLOT_BOTTOM, _STRIP_TOP, _STRIP_BOTTOM = 222, 234, 254
_GRID = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Point:
    """The state after some episodes.

    Attributes:
        episode: How many were played, from 1.
        rate: Success rate so far, errors left out.
        low: Lower limit of its 95% Wilson interval.
        high: Upper limit.
    """

    episode: int
    rate: float
    low: float
    high: float


def cumulative(rows: Sequence[EpisodeRow]) -> list[Point]:
    """The success rate after each episode, starting with the first that is not an error."""
    points = []
    for count in range(1, len(rows) + 1):
        summary = summarise(rows[:count])
        if summary.success_rate is not None:
            points.append(Point(count, summary.success_rate, *summary.wilson_95))
    return points


def curve_svg(rows: Sequence[EpisodeRow]) -> Markup:
    """The picture as an SVG element, coloured by the page's style sheet."""
    points, count = cumulative(rows), max(1, len(rows))
    upper = [(_x(point.episode - 0.5, count), _y(point.high)) for point in points]
    lower = [(_x(point.episode - 0.5, count), _y(point.low)) for point in reversed(points)]
    middle = [(_x(point.episode - 0.5, count), _y(point.rate)) for point in points]
    return html_part(
        "embodio.benchmarks.rollouts",
        "curve.html",
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=_WIDTH - _RIGHT,
        top=_TOP,
        plot_height=_PLOT_BOTTOM - _TOP,
        strip={"y": _STRIP_TOP, "height": _STRIP_BOTTOM - _STRIP_TOP},
        grid=[{"y": f"{_y(share):.1f}", "text_y": f"{_y(share) + 4:.1f}", "text": f"{share:.0%}"} for share in _GRID],
        band=_path(upper + lower),
        middle=_path(middle),
        end=[f"{value:.1f}" for value in middle[-1]] if middle else (),
        ticks=[_tick(index, row, count) for index, row in enumerate(rows)],
        columns=[_column(point, count) for point in points],
        marks=[(mark, f"{_x(mark - 0.5, count):.1f}") for mark in _marks(count)],
    )


def _x(position: float, count: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * position / count


def _y(share: float) -> float:
    return _PLOT_BOTTOM - (_PLOT_BOTTOM - _TOP) * share


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _tick(index: int, row: EpisodeRow, count: int) -> dict[str, object]:
    """The mark of one episode in the strip below the curve."""
    left, right = _x(index, count), _x(index + 1, count)
    gap = min(2.0, (right - left) * 0.2)
    return {"row": row, "x": f"{left + gap / 2:.2f}", "width": f"{right - left - gap:.2f}"}


def _column(point: Point, count: int) -> dict[str, object]:
    """The part of the plot where hovering shows the numbers of one episode."""
    left, right = _x(point.episode - 1, count), _x(point.episode, count)
    return {"point": point, "x": f"{left:.2f}", "width": f"{right - left:.2f}"}


def _marks(count: int) -> list[int]:
    """Episode numbers below the strip, about ten at most."""
    step = next(size for size in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if count / size <= 10)
    return [1, *range(step, count + 1, step)] if step > 1 else [*range(step, count + 1, step)]
