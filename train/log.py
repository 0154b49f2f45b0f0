"""The log of a run: means in lines of JSON, and the plot drawn from them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from embodio.model.writing import append, replacing, write_text
from embodio.train.objective import Outcome
from embodio.train.observers.token_sums import TokenSums


class RunLog:
    """Appends to `log.jsonl`. Lines of steps that a resumed run will repeat are dropped when it is opened.

    Args:
        path: the file.
        step: steps done so far.

    Attributes:
        damaged: numbers of the lines that could not be read and were dropped, counted from 1.

    Raises:
        WriteError: the disk is full, or the file cannot be written.
    """

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        lines, self.damaged = _parsed(path)
        write_text(path, "".join(json.dumps(line) + "\n" for line in lines if line["step"] <= step))

    def write(self, **values: Any) -> None:
        """Adds one line, handed to the operating system on return. Raises WriteError."""
        append(self._path, json.dumps(values).encode() + b"\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; those that are damaged, or were cut off when the process was killed, are left out."""
    return _parsed(path)[0]


def _parsed(path: Path) -> tuple[list[dict[str, Any]], tuple[int, ...]]:
    """The lines of a log, and the numbers of damaged ones; the last one may be cut off without being damaged."""
    if not path.is_file():
        return [], ()
    lines, damaged = list[dict[str, Any]](), list[int]()
    for number, text in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if text.endswith(b"\n") and isinstance(line, dict) and isinstance(line.get("step"), int) and "kind" in line:
            lines.append(line)
        elif text.endswith(b"\n"):
            damaged.append(number)
    return lines, tuple(damaged)


def plot_log(path: Path, out: Path) -> None:
    """Draws the loss, and the accuracy if there is one, in training and validation, over the steps."""
    # A slow import, only needed at the end of a run.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = read_log(path)
    shown = [key for key in ("loss", "accuracy") if key == "loss" or any(key in line for line in lines)]
    inches = 5 * len(shown)
    figure = Figure(figsize=(inches, 4))
    FigureCanvasAgg(figure)
    # A layout that is found by drawing costs as much again as the picture.
    figure.subplots_adjust(left=0.75 / inches, right=1 - 0.15 / inches, bottom=0.13, top=0.96, wspace=0.2)
    for place, key in enumerate(shown, start=1):
        axes = figure.add_subplot(1, len(shown), place)
        for kind, width in (("train", 1.0), ("validation", 2.0)):
            points = [
                (line["step"], line[key])
                for line in lines
                if line["kind"] == kind and key in line and "task" not in line
            ]
            if points:
                axes.plot(*zip(*points, strict=True), linewidth=width, label=kind)
        axes.set_xlabel("step")
        axes.set_ylabel(key)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    with replacing(out) as temporary:
        figure.savefig(temporary, dpi=110)


class Means:
    """Means over batches: of the loss by weight, of each figure by its own count, of tokens by modality."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, float]] = {}
        self.tokens = TokenSums()

    def restart(self) -> None:
        """Forgets all but how often each token was a target."""
        self._sums = {}
        self.tokens.restart()

    def add(self, outcome: Outcome, weight: float = 1.0) -> None:
        """Adds a batch, whose loss counts `weight` times."""
        self._add("loss", outcome.loss.item() * weight, weight)
        for name, figure in outcome.figures.items():
            self._add(name, figure.total.item(), figure.divisor.item())
        self.tokens.add(outcome.rows)

    def _add(self, name: str, total: float, count: float) -> None:
        before, counted = self._sums.get(name, (0.0, 0.0))
        self._sums[name] = before + total, counted + count

    def values(self) -> dict[str, float]:
        """Name -> mean, "loss" first; without names that have no counts."""
        means = {name: total / count for name, (total, count) in self._sums.items() if count}
        return means | self.tokens.line()


class Meter:
    """Means and speed of training since the last line of the log."""

    def __init__(self) -> None:
        self._means = Means()
        self.restart()

    def restart(self) -> None:
        """Begins to measure, now."""
        self._means.restart()
        self._steps, self._examples = 0, 0
        self._since = time.monotonic()

    def add(self, outcome: Outcome, examples: int) -> None:
        """Adds one step."""
        self._means.add(outcome)
        self._steps += 1
        self._examples += examples

    def line(self, step: int) -> dict[str, float]:
        """The means, examples per second, and seconds per step; the meter starts again."""
        seconds = time.monotonic() - self._since
        values = {
            "step": step,
            **self._means.values(),
            "examples_per_second": self._examples / max(1e-9, seconds),
            "seconds_per_step": seconds / max(1, self._steps),
        }
        self.restart()
        return values
