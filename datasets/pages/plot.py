"""A small SVG plot of one number over the steps of an episode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embodio.datasets.pages.html_page import html_part

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, HEIGHT, _MARGIN = 280, 84, 6


def plot_svg(name: str, values: npt.NDArray[np.float64]) -> Markup:
    """Draws a line from the lowest to the highest value; steps that are not finite are gaps, and counted.

    Args:
        name: shown above the line.
        values: float64 [T].
    """
    finite = np.isfinite(values)
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 0.0)
    bad = int((~finite).sum())
    label = f"{low:.4g} … {high:.4g}" + (f", {bad} not finite" if bad else "")
    return html_part(
        "embodio.datasets.pages",
        "plot.html",
        name=name,
        label=label,
        width=WIDTH,
        height=HEIGHT,
        margin=_MARGIN,
        zero=f"{float(_y(0.0, low, high)):.1f}" if low < 0 < high else None,
        path=_path(values, finite, low, high),
    )


def _y(value: npt.NDArray[np.float64] | float, low: float, high: float) -> npt.NDArray[np.float64]:
    # halved before the subtraction, so that even the largest numbers have a finite span
    span = high / 2 - low / 2
    part = (np.asarray(value) / 2 - low / 2) / span if span > 0 else np.full(np.shape(value), 0.5)
    return np.asarray(HEIGHT - _MARGIN - part * (HEIGHT - 2 * _MARGIN))


def _path(values: npt.NDArray[np.float64], finite: npt.NDArray[np.bool_], low: float, high: float) -> str:
    x = np.linspace(_MARGIN, WIDTH - _MARGIN, max(len(values), 2))
    y = _y(np.where(finite, values, low), low, high)
    words, drawing = list[str](), False
    for step, good in enumerate(finite):
        if good:
            words.append(f"{'L' if drawing else 'M'}{x[step]:.1f} {y[step]:.1f}")
            if not drawing:
                words.append("h0.1")  # a lone step is a dot
        drawing = bool(good)
    return "".join(words)
