"""The log of a run: one JSON object a line, and the plot drawn from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class RunLog:
    """Appends to `log.jsonl`. Lines of steps that a resumed run will do again are dropped when it is opened.

    Args:
        path: the file.
        step: steps done so far.
    """

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        kept = [line for line in read_log(path) if line["step"] <= step]
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        new.replace(path)
        self._file = path.open("a", encoding="utf-8")

    def write(self, **values: Any) -> None:
        """Adds one line; it is on disk when this returns."""
        self._file.write(json.dumps(values) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file and draws the plot beside it."""
        self._file.close()
        plot_log(self._path, self._path.with_name("loss.png"))


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last line that was cut off is left out."""
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            lines.append(json.loads(line))
    return lines


def plot_log(path: Path, out: Path) -> None:
    """Draws loss and action-token accuracy, in training and validation, over the steps."""
    # Heavy, and only needed at the end of a run.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = read_log(path)
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    for place, key, label in ((1, "loss", "loss"), (2, "accuracy", "action-token accuracy")):
        axes = figure.add_subplot(1, 2, place)
        for kind, width in (("train", 1.0), ("validation", 2.0)):
            points = [
                (line["step"], line[key])
                for line in lines
                if line["kind"] == kind and key in line and "task" not in line
            ]
            if points:
                axes.plot(*zip(*points, strict=True), linewidth=width, label=kind)
        axes.set_xlabel("step")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        if lines:
            axes.legend()
    figure.savefig(out, dpi=110)
