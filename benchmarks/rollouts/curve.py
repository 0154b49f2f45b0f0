"""The curve of a rollout as SVG: success rate after each episode with its 95% interval, and a strip of outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from embodio.benchmarks.rollouts.results import EpisodeRow, summarise

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
    """The success rate after each episode, from the first on that is not an error."""
    points = []
    for count in range(1, len(rows) + 1):
        summary = summarise(rows[:count])
        if summary.success_rate is not None:
            points.append(Point(count, summary.success_rate, *summary.wilson_95))
    return points


def curve_svg(rows: Sequence[EpisodeRow]) -> str:
    """The picture as an SVG element, coloured by the page's style sheet."""
    points = cumulative(rows)
    count = max(1, len(rows))
    parts = [
        f'<svg class="curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'aria-label="Success rate after each episode with its 95% interval">'
    ]
    parts += [_grid_line(share) for share in _GRID]
    if points:
        upper = [(_x(point.episode - 0.5, count), _y(point.high)) for point in points]
        lower = [(_x(point.episode - 0.5, count), _y(point.low)) for point in reversed(points)]
        middle = [(_x(point.episode - 0.5, count), _y(point.rate)) for point in points]
        parts.append(f'<polygon class="band" points="{_path(upper + lower)}"/>')
        parts.append(f'<polyline class="rate" points="{_path(middle)}"/>')
        parts.append(f'<circle class="dot" cx="{middle[-1][0]:.1f}" cy="{middle[-1][1]:.1f}" r="4"/>')
    parts += [_tick(index, row, count) for index, row in enumerate(rows)]
    parts += [_hover(point, count) for point in points]
    parts += _axis(count)
    return "\n".join([*parts, "</svg>"])


def _x(position: float, count: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * position / count


def _y(share: float) -> float:
    return _PLOT_BOTTOM - (_PLOT_BOTTOM - _TOP) * share


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _grid_line(share: float) -> str:
    y = _y(share)
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="label" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>'
    )


def _tick(index: int, row: EpisodeRow, count: int) -> str:
    """The mark of one episode in the strip below the curve."""
    left, right = _x(index, count), _x(index + 1, count)
    gap = min(2.0, (right - left) * 0.2)
    return (
        f'<rect class="{row.status}" x="{left + gap / 2:.2f}" y="{_STRIP_TOP}" width="{right - left - gap:.2f}" '
        f'height="{_STRIP_BOTTOM - _STRIP_TOP}" rx="1.5"><title>Episode {index + 1}, seed {row.seed}: '
        f"{escape(row.status)}, {row.steps} steps</title></rect>"
    )


def _hover(point: Point, count: int) -> str:
    """An invisible column that tells the numbers under the pointer."""
    left, right = _x(point.episode - 1, count), _x(point.episode, count)
    return (
        f'<rect class="hover" x="{left:.2f}" y="{_TOP}" width="{right - left:.2f}" height="{_PLOT_BOTTOM - _TOP}">'
        f"<title>After {point.episode}: {point.rate:.1%} ({point.low:.1%} to {point.high:.1%})</title></rect>"
    )


def _axis(count: int) -> list[str]:
    """Episode numbers below the strip, at most about ten of them."""
    step = next(size for size in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if count / size <= 10)
    marks = [1] if step > 1 else []
    marks += list(range(step, count + 1, step))
    place = f'y="{_STRIP_BOTTOM + 18}" text-anchor="middle"'
    texts = [f'<text class="label" x="{_x(mark - 0.5, count):.1f}" {place}>{mark}</text>' for mark in marks]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return [
        *texts,
        f'<text class="label" x="{middle}" y="{_STRIP_BOTTOM + 38}" text-anchor="middle">episodes played</text>',
    ]
